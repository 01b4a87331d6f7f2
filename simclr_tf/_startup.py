"""Starts TensorFlow without the messages that it prints for every user."""

import contextlib
import os
import platform
import re
import sys
import tempfile

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# What TensorFlow says of every machine, most of it as an error: libraries that register
# twice, and drivers that a machine without a GPU does not have.
_GREETINGS = re.compile(
    rb"All log messages before absl::InitializeLog|oneDNN custom operations are on|"
    rb"Unable to register cu\w+ factory|"
    rb"computation_placer already registered|Could not find TensorRT|"
    rb"Could not find cuda drivers|failed call to cuInit.*(\(303\)|NO_DEVICE|"
    rb"no CUDA-capable device)|(kernel|hostname|kernel version) seems to match|"
    rb"kernel driver does not appear to be running|"
    rb"Compiled cluster using XLA|SetPriority unimplemented for this stream"
)


def import_tensorflow():
    """Imports TensorFlow and finds the devices; prints only new messages on stderr.

    Errors are printed after the import has ended or failed. If the environment variable
    TF_CPP_MIN_LOG_LEVEL is set, TensorFlow prints what it allows; otherwise this sets
    it to 2, which means only errors. If TF_ENABLE_ONEDNN_OPTS is not set, it becomes 1
    on x86: by itself TensorFlow uses the faster kernels only on processors with AVX-512
    VNNI, but with AVX2 they halve the time of a step too.
    """
    if platform.machine() in ("x86_64", "AMD64"):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if _LOG_LEVEL in os.environ:
        return
    os.environ[_LOG_LEVEL] = "2"
    with without_greetings():
        with _hidden("matplotlib", "sklearn"):
            import tensorflow as tf

        tf.config.list_physical_devices()


@contextlib.contextmanager
def _hidden(*packages):
    """Has an import not find packages that Keras 3 takes a second for, if it can.

    What it wants them for is not used here; the report imports them for itself.
    """
    hidden = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for package in hidden:
            del sys.modules[package]


@contextlib.contextmanager
def without_greetings():
    """Holds back what the process writes to stderr, then writes only what is new in it.

    This includes messages of the compiler: TensorFlow 2.15 says once that it compiles,
    and reports as an error, for every new stream, that it has no priority.
    """
    sys.stderr.flush()
    try:
        stderr = os.dup(2)
    except OSError:  # closed: there is nobody to tell
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            for line in held:
                if not _GREETINGS.search(line):
                    os.write(2, line)
