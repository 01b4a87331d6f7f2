"""The processor of this machine, as Linux describes it."""

import os
import platform
import re


def name():
    """Str, its model; elsewhere than on Linux its kind, such as `arm64`."""
    return _entry("model name") or platform.processor() or platform.machine()


def instructions():
    """Set of str, the instructions it has, such as `avx2`; empty if not known."""
    return set(_entry("flags").split())


def _entry(key):
    if not os.path.exists("/proc/cpuinfo"):
        return ""
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        found = re.search(rf"^{key}\s*: (.*)$", file.read(), re.MULTILINE)
    return found[1] if found else ""
