"""What a benchmark ran on."""

import datetime
import importlib.metadata
import os
import platform

from simclr_tf import processor as _processor

_INSTRUCTIONS = {"avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16"}


def processor():
    """Str: its model, its cores, and the instructions that matter here."""
    known = " ".join(sorted(_processor.instructions() & _INSTRUCTIONS))
    return f"{_processor.name()}, {os.cpu_count()} cores, {known or 'kind unknown'}"


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
    return avx512 if "avx512f" in _processor.instructions() else avx2
