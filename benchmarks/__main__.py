"""Runs all benchmarks, and writes what they print to RESULTS.md.

    python -m benchmarks [--only=views,features]

Nothing else should run meanwhile. The part of the file that is of this version of
TensorFlow is written anew, benchmark by benchmark; the others stay.
"""

import argparse
import os
import re
import subprocess
import sys

import tensorflow as tf

from benchmarks import machine

SCRIPTS = {
    "training_step": "A step of pre-training",
    "kernels": "Where the time of a step goes",
    "growth": "How a step grows with batch, image size, depth and width",
    "views": "Two views of 32-pixel images",
    "input_pipeline": "Two views of photographs in files",
    "tuning": "The same, tuned by tf.data",
    "nt_xent": "The loss and its gradient",
    "optimizer_step": "The optimizer",
    "features": "Features",
    "startup": "From the command to the end of the first step",
    "micro_batches": "Memory of a step in pieces",
    "checkpoints": "Saving",
}
FILE = os.path.join(os.path.dirname(__file__), "RESULTS.md")
HEAD = """# What the benchmarks printed

`make bench` writes this file; each table is of one run, in which the ways took turns.
Compare ratios within a table: machines, and their days, differ. Beside a row stands
what we aim at, whether it was reached or not. "published" is the published TensorFlow 2
code's way, stated anew in `published.py`; "lightly" is lightly's SimCLR on PyTorch,
channels last. All on the CPU: none of this has been timed on a GPU.
"""


def read():
    """Dict from the heading of each part to a dict from heading to its text."""
    if not os.path.exists(FILE):
        return {}
    with open(FILE, encoding="utf-8") as file:
        parts = re.split(r"^## ", file.read(), flags=re.MULTILINE)[1:]
    found = {}
    for part in parts:
        heading, *sections = re.split(r"^### ", part, flags=re.MULTILINE)
        pairs = (section.split("\n", 1) for section in sections)
        found[heading.strip()] = {name: text.strip() for name, text in pairs}
    return found


def write(parts):
    """The file anew, from what `read` gives."""
    lines = [HEAD]
    for heading, sections in sorted(parts.items()):
        lines.append(f"## {heading}\n")
        for name, text in sections.items():
            lines.append(f"### {name}\n\n{text}\n")
    with open(FILE, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


def main():
    """Runs the scripts in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(SCRIPTS))
    names = parser.parse_args().only.split(",")
    part = "TensorFlow " + ".".join(tf.__version__.split(".")[:2])
    for name in SCRIPTS:
        if name not in names:
            continue
        print(f"== {name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        lines = []
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip())
        if process.wait():
            sys.exit(f"benchmarks.{name} failed.")
        parts = read()
        text = "\n".join(
            [
                f"`python -m benchmarks.{name}`, {machine.today()}, "
                f"{machine.processor()}; {machine.versions()}.",
                "",
                "```",
                *lines,
                "```",
            ]
        )
        sections = parts.get(part, {}) | {SCRIPTS[name]: text}
        parts[part] = {t: sections[t] for t in SCRIPTS.values() if t in sections}
        write(parts)


if __name__ == "__main__":
    main()
