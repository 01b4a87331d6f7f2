"""Seconds from the start of a command to the end of its first step.

    python -m benchmarks.startup [--rounds=5]

ResNet-18, 32 px, batch 64. Ours is the command, which reads images, draws views and
writes its first summaries; the others import, build and step on random numbers.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

from benchmarks import contest

WORK = "18, 32, 64"


def command(first_word, *arguments):
    """A function that starts a command and returns seconds until it prints a word."""

    def start():
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            process = subprocess.Popen(
                [word.format(folder=folder) for word in arguments],
                stdout=subprocess.PIPE,
                text=True,
            )
            for line in process.stdout:
                if first_word in line:
                    break
            seconds = time.perf_counter() - began
            process.kill()
            process.wait()
        return seconds

    return start


def ours():
    """The command."""
    return command(
        "step 1/",
        *(sys.executable, "run.py", "--dataset=bundled", "--mode=train"),
        *("--resnet_depth=18", "--image_size=32", "--train_batch_size=64"),
        *("--train_steps=1000", "--train_summary_steps=1", "--model_dir={folder}/run"),
    )


def script(module):
    """A script of one step by `training_step` of a module, in this interpreter."""
    code = f"from {module} import training_step as t; t({WORK})(); print('done')"
    return command("done", sys.executable, "-c", code)


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    this = f"{__spec__.name}"
    ways = {
        "published": contest.Way(f"{this}:script", {"module": "benchmarks.published"}),
        "ours": contest.Way(f"{this}:ours"),
        "lightly": contest.Way(
            f"{this}:script", {"module": "benchmarks.peers"}, by_peers=True
        ),
    }
    seconds = contest.medians(ways, parser.parse_args().rounds)
    contest.print_head("first step", ways)
    contest.print_row("ResNet-18, 32 px", seconds, "published", (1, "lightly"))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
