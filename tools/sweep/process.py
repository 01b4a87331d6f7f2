"""One trial: the command in a separate process."""

import json
import os
import subprocess
import sys
import time

from simclr_tf.errors import Stopped, UserError
from simclr_tf.experiment import locking

_RUN = os.path.join(os.path.dirname(__file__), "..", "..", "run.py")
_LOG = "log.txt"
_PAUSE = 0.1  # seconds between two looks at the process


class TrialFailed(Exception):
    """The command refused the flags or the training failed, which is a result."""


class Interrupted(BaseException):
    """Something else ended a trial. The next start of the sweep continues it."""


def run(folder, arguments, objective, signal):
    """Trains and evaluates, or continues what an earlier process has begun.

    Args:
        folder: Str, the folder of the trial.
        arguments: List of str, flags of the command.
        objective: Str, a key of `result.json`.
        signal: `stopping.Signal`; a signal that arrives is passed on to the process.

    Returns:
        Float, the objective.

    Raises:
        TrialFailed: If the command says that its flags are wrong.
        Stopped: If a signal arrived before it was done.
        Interrupted: If the process ended in another way, or a process of an earlier
            sweep is still training in the folder.
    """
    if signal.number:
        raise Stopped(signal.number)
    os.makedirs(folder, exist_ok=True)
    try:
        with locking.locked(folder):
            pass
    except UserError as error:
        raise Interrupted(str(error)) from error
    log = os.path.join(folder, _LOG)
    with open(log, "ab") as file:
        process = subprocess.Popen(
            [sys.executable, _RUN, *arguments, f"--model_dir={folder}"],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches it once, from here
        )
        code = _await(process, signal)
    if code and signal.number:
        raise Stopped(signal.number)
    if code == 2:
        raise TrialFailed(_last_line(log))
    if code:
        raise Interrupted(f"{folder} ended with exit code {code}: {_last_line(log)}")
    with open(os.path.join(folder, "result.json"), encoding="utf-8") as file:
        results = json.load(file)
    if objective not in results:
        raise Interrupted(
            f"--objective must be one of {', '.join(sorted(results))}, got {objective}."
        )
    return results[objective]


def _await(process, signal):
    told = False
    while process.poll() is None:
        if signal.number and not told:
            process.send_signal(signal.number)
            told = True
        time.sleep(_PAUSE)
    return process.returncode


def _last_line(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = file.read().split("\n")
    return next((line for line in reversed(lines) if line.strip()), "no output")
