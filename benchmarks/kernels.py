"""Where the time of a step goes: oneDNN's kernels by kind, and what is not theirs.

    python -m benchmarks.kernels [--steps=5]

Kernels run beside each other, so that their times may add up to more than the step's.
"""

import argparse
import collections
import os
import subprocess
import sys
import time

ROWS = (
    (18, 32, 64, False),
    (18, 32, 64, True),
    (50, 96, 16, False),
    (50, 96, 16, True),
)
KINDS = {  # what oneDNN calls a kernel, and its direction
    ("convolution", "forward"): "convolution",
    ("convolution", "backward_data"): "to its input",
    ("convolution", "backward_weights"): "to its kernel",
    ("batch_normalization", None): "batch norm",
    ("reorder", None): "reorder",
    ("matmul", None): "matmul",
}
_BEGIN = "the steps begin"


def run_steps(depth, size, batch, bfloat16, steps):
    """Prints how long a step took; between the marks oneDNN prints its kernels."""
    from benchmarks.training_step import ours

    step = ours(depth, size, batch, bfloat16=bfloat16)
    step()
    step()
    print(_BEGIN, flush=True)
    start = time.perf_counter()
    for _ in range(steps):
        step()
    print((time.perf_counter() - start) / steps, flush=True)


def milliseconds(lines):
    """Dict from the kinds of kernels to the milliseconds that oneDNN says of them."""
    found = collections.Counter()
    for line in lines:
        words = line.split(",")
        if words[0] != "onednn_verbose" or "exec" not in words:
            continue
        kind, _, direction = words[words.index("exec") + 2 :][:3]
        for (name, begin), title in KINDS.items():
            if kind == name and (begin is None or direction.startswith(begin)):
                found[title] += float(words[-1])
    return found


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--row", type=int, help="only this row's steps, by themselves")
    options = parser.parse_args()
    if options.row is not None:
        run_steps(*ROWS[options.row], options.steps)
        return
    print(f"{'ms a step':<24}{'step':>9}" + "".join(f"{t:>15}" for t in KINDS.values()))
    for number, (depth, size, _, bfloat16) in enumerate(ROWS):
        command = [sys.executable, "-m", __spec__.name, f"--steps={options.steps}"]
        output = subprocess.run(
            [*command, f"--row={number}"],
            env={**os.environ, "ONEDNN_VERBOSE": "1"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        *lines, last = output.split(f"{_BEGIN}\n")[1].strip().splitlines()
        found = milliseconds(lines)
        name = f"ResNet-{depth}, {size} px, {'bf16' if bfloat16 else 'float32'}"
        cells = [f"{found[title] / options.steps:>15.0f}" for title in KINDS.values()]
        print(f"{name:<24}{1000 * float(last):>9.0f}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
