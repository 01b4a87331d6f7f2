"""What a benchmark ran on."""

import datetime
import importlib.metadata
import os
import platform
import re


def processor():
    """Str: the cores, and the instructions that matter here."""
    kinds = sorted(_flags() & {"avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16"})
    return f"{_model()}, {os.cpu_count()} cores, {' '.join(kinds) or 'kind unknown'}"


def versions():
    """Str: Python's and those of the libraries."""
    names = ("tensorflow", "keras")
    found = [f"{name} {importlib.metadata.version(name)}" for name in names]
    return ", ".join([f"Python {platform.python_version()}", *found])


def today():
    """Str."""
    return datetime.date.today().isoformat()


def either(avx512, avx2):
    """What holds for a processor of this machine's kind."""
    return avx512 if "avx512f" in _flags() else avx2


def _flags():
    return set(_cpuinfo("flags").split())


def _model():
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpuinfo(entry):
    if not os.path.exists("/proc/cpuinfo"):
        return ""
    with open("/proc/cpuinfo") as file:
        found = re.search(rf"^{entry}\s*: (.*)$", file.read(), re.MULTILINE)
    return found[1] if found else ""
