"""A file with one line of JSON for each summary."""

import json
import math
import os
import time

from simclr_tf import atomic
from simclr_tf.loggers.base import Logger

_FILE = "metrics.jsonl"


class JSONLines(Logger):
    """`metrics.jsonl` in the run's folder.

    A line is an object of `step`, `wall_time` (seconds since 1970) and the figures of
    one summary. Figures that are not finite are null. A line is on the disk before the
    checkpoint of its step. A training that resumes from a step first removes the lines
    of later steps, and an unfinished line, which a killed process has left.

    Args:
        run: `Run`.
    """

    errors = (OSError,)

    def __init__(self, run):
        self._path = os.path.join(run.folder, _FILE)
        if run.trains:
            _keep_until(self._path, run.first_step)

    def scalars(self, part, step, values):
        line = {"step": step, "wall_time": time.time()}
        for name, value in values.items():
            line[name] = value if math.isfinite(value) else None
        text = json.dumps(line, allow_nan=False) + "\n"
        # An evaluation in another process may write here too, so each line is written
        # at once, at the file's present end.
        with open(self._path, "ab+", buffering=0) as file:
            text = text if _ends_a_line(file) else "\n" + text
            file.write(text.encode())
            os.fsync(file.fileno())


def _keep_until(path, step):
    """Removes unfinished lines and those of steps after `step`."""
    if not os.path.exists(path):
        return
    with open(path, "rb") as file:
        lines = file.readlines()
    kept = [line for line in lines if _step_of(line) <= step]
    if kept != lines:
        atomic.write(path, b"".join(kept))


def _step_of(line):
    """The step of a line; infinite if the line is unfinished."""
    try:
        return json.loads(line)["step"] if line.endswith(b"\n") else math.inf
    except (KeyError, TypeError, ValueError):
        return math.inf


def _ends_a_line(file):
    """Whether the next byte begins a line."""
    if not file.seek(0, os.SEEK_END):
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"
