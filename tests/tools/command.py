"""In place of run.py: a "training" of no time, with an accuracy that is known.

As the command does, it goes on where one that was killed has left off, and says so in
`steps.txt`.
"""

import glob
import json
import os
import signal
import sys
import time


def main():
    given = dict(argument[2:].split("=", 1) for argument in sys.argv[1:])
    folder, temperature = given["model_dir"], float(given["temperature"])
    if temperature > 9:
        print("run.py: the loss is not finite at step 3.", file=sys.stderr)
        sys.exit(2)
    with open(os.path.join(folder, "steps.txt"), "a+", encoding="utf-8") as file:
        file.seek(0)
        resumed = bool(file.read())
        file.write("one process\n")
    trials = len(glob.glob(os.path.join(os.path.dirname(folder), "*", "steps.txt")))
    dies_by = os.environ.get("SECOND_DIES_BY")
    if dies_by and trials == 2 and not resumed:
        if dies_by == "crash":
            sys.exit(1)
        if dies_by == "kill":
            os.kill(os.getppid(), signal.SIGKILL)  # the sweep, and with it this
            sys.exit(-9)
        # The sweep is told to stop, and tells this; at its end it no longer listens.
        at_its_end = dies_by == "stop at its end"
        signal.signal(
            signal.SIGTERM, signal.SIG_IGN if at_its_end else lambda *_: sys.exit(143)
        )
        os.kill(os.getppid(), signal.SIGTERM)
        time.sleep(1 if at_its_end else 60)
    accuracy = 0.9 - (temperature - 0.5) ** 2 + int(given.get("seed", 1)) / 1000
    with open(os.path.join(folder, "result.json"), "w", encoding="utf-8") as file:
        json.dump({"eval/knn_top_1_accuracy": accuracy}, file)


if __name__ == "__main__":
    main()
