"""Several ways to do one thing, timed in turn, each in a process of its own.

A benchmark names its ways and what each of them calls: a function that gets ready and
returns one of no arguments, whose calls are timed. The libraries that we are held
against are often installed apart, since they want other versions of what we want:
BENCHMARK_PEERS is the interpreter that has them, see `requirements-peers.txt`.
"""

import argparse
import dataclasses
import importlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time


@dataclasses.dataclass(frozen=True)
class Way:
    """One way, as it is started.

    Attributes:
        function: Str, `module:name` of a function from `arguments` to a function of no
            arguments. If that returns a float, it is the seconds that count; else the
            clock is around it.
        arguments: Dict of what JSON can hold.
        environment: Dict of str, variables beside those of this process.
        by_peers: Bool, whether BENCHMARK_PEERS runs it.
    """

    function: str
    arguments: dict = dataclasses.field(default_factory=dict)
    environment: dict = dataclasses.field(default_factory=dict)
    by_peers: bool = False


def medians(ways, rounds):
    """Median seconds of a call of each way.

    Args:
        ways: Dict from name to `Way`.
        rounds: Int, calls of each, one after the other, after one that is not timed.

    Returns:
        Dict from name to float seconds, or to None where a way cannot be had here; on
        stderr stands why.
    """
    processes = {name: _started(name, way) for name, way in ways.items()}
    processes = {name: process for name, process in processes.items() if process}
    seconds = {name: [] for name in processes}
    for _ in range(rounds):
        for name, process in processes.items():
            seconds[name].append(_call(process))
    for process in processes.values():
        process.stdin.close()
        process.wait()
    return {
        name: statistics.median(seconds[name]) if name in seconds else None
        for name in ways
    }


def print_head(what, ways, aim=True):
    """The first line of a table."""
    cells = [f"{name:>22}" for name in ways]
    print(f"{what:<30}" + "".join(cells) + "  aim" * aim, flush=True)


def print_row(name, seconds, base, aim=None, amount=None):
    """One line: of each way what it takes, and how many times as fast as `base` it is.

    Args:
        name: Str.
        seconds: Dict from the name of a way to seconds or None.
        base: Str, the way that ratios are to.
        aim: `(factor, way)`: ours is to be so many times as fast as that way; or None.
        amount: Float, what is done in a call, such as images: shown is that a second;
            None shows milliseconds.
    """
    cells = []
    for value in seconds.values():
        if value is None:
            cells.append(f"{'n/a':>22}")
            continue
        shown = f"{1e3 * value:.0f} ms" if amount is None else f"{amount / value:.1f}/s"
        ratio = "" if seconds[base] is None else f"{seconds[base] / value:.2f}x"
        cells.append(f"{shown:>14}{ratio:>8}")
    print(f"{name:<30}" + "".join(cells) + _aim(seconds, aim), flush=True)


def _aim(seconds, aim):
    if aim is None:
        return ""
    factor, other = aim
    words = f"  {factor:g}x {other}"
    if seconds[other] is None or seconds["ours"] is None:
        return words
    ratio = seconds[other] / seconds["ours"]
    return f"{words}: {'met' if ratio >= factor else 'missed'}, {ratio:.2f}x"


def slope(smaller, larger):
    """How time grows with work: 1 is linear.

    Args:
        smaller: `(work, seconds)`.
        larger: The same of more work.

    Returns:
        Float, the exponent of a power law through both.
    """
    return math.log(larger[1] / smaller[1]) / math.log(larger[0] / smaller[0])


def _started(name, way):
    """A process that has got ready, or None."""
    python = os.environ.get("BENCHMARK_PEERS") if way.by_peers else sys.executable
    if not python:
        print(f"{name}: BENCHMARK_PEERS names no interpreter.", file=sys.stderr)
        return None
    errors = tempfile.TemporaryFile("w+")  # TensorFlow greets whatever one says
    process = subprocess.Popen(
        [python, "-m", "benchmarks.contest", way.function, json.dumps(way.arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **way.environment},
    )
    if _answer(process) is None:
        errors.seek(0)
        lines = errors.read().splitlines()[-3:]
        print(f"{name} is left out:", *lines, sep="\n  ", file=sys.stderr)
        return None
    return process


def _call(process):
    process.stdin.write("\n")
    process.stdin.flush()
    return _answer(process)


def _answer(process):
    """The seconds of a call; None if the process ended. Other lines are not ours."""
    for line in process.stdout:
        if line.startswith("seconds "):
            return float(line.split()[1])
    return None


def main():
    """Gets ready, and answers each line with the seconds of a call."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("function")
    parser.add_argument("arguments")
    options = parser.parse_args()
    module, name = options.function.split(":")
    function = getattr(importlib.import_module(module), name)
    call = function(**json.loads(options.arguments))
    call()
    print("seconds 0", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        seconds = call()
        if not isinstance(seconds, float):
            seconds = time.perf_counter() - start
        print(f"seconds {seconds}", flush=True)


if __name__ == "__main__":
    main()
