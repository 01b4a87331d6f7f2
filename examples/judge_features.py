"""Judges features of any origin: nearest neighbours and logistic regression.

    python -m examples.judge_features TRAIN.npz TEST.npz

Each file has `features` [N, C] and `labels` [N], as `--mode=embed` writes them. Those
of networks that this toolkit cannot run, of any framework, are judged as ours are.
"""

import sys

import numpy as np

from simclr_tf import evaluation


def read(path):
    """`Features` in a file."""
    with np.load(path, allow_pickle=False) as file:
        return evaluation.Features(file["features"], file["labels"])


def main(train, test):
    """Prints accuracies in percent."""
    train, test = read(train), read(test)
    num_classes = 1 + max(train.labels.max(), test.labels.max())
    figures = evaluation.evaluate_features(train, test, num_classes)
    for name, title in (("knn", "nearest neighbours"), ("logistic", "logistic")):
        value, low, high = (
            100 * figures[f"{name}_top_1_accuracy{end}"]
            for end in ("", "_low", "_high")
        )
        print(f"{title:<20}{value:5.1f}  ({low:.1f} to {high:.1f})")


if __name__ == "__main__":
    main(*sys.argv[1:])
