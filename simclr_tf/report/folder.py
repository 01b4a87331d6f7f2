"""Reads what a run wrote to its folder, without building a network."""

import dataclasses
import glob
import json
import os
import re

import numpy as np
import tensorflow as tf

from simclr_tf.errors import UserError

_FIGURE = re.compile(
    r"eval/(?:(?P<untrained>untrained)_|(?P<path>.+)/)?"
    r"(?P<name>(?:head|knn|logistic)_\w+)"
)


@dataclasses.dataclass(frozen=True)
class Curve:
    """One figure of a training over its steps.

    Attributes:
        steps: Int64 `[P]`, increasing.
        values: Float64 `[P]`.
        times: Float64 `[P]`, when each value was written, in seconds since 1970.
    """

    steps: np.ndarray
    values: np.ndarray
    times: np.ndarray

    @property
    def line(self):
        """`(steps, values)`, as `draw_curves` takes it."""
        return self.steps, self.values


def read_flags(folder):
    """The dict in `flags.json`; empty if there is no such file.

    Raises:
        UserError: If the file is damaged.
    """
    return _read_json(os.path.join(folder, "flags.json"))


def read_results(folder):
    """The evaluators' figures, from `result.json`.

    Returns:
        `(step, rows)`: the step that was evaluated, None if there was no evaluation;
        and a dict from "trained", "untrained" and the paths of other runs to their
        figures, dicts with keys such as `knn_top_1_accuracy`.

    Raises:
        UserError: If the file is damaged.
    """
    found = _read_json(os.path.join(folder, "result.json"))
    rows = {}
    for key, value in found.items():
        match = _FIGURE.fullmatch(key)
        if match and isinstance(value, int | float):
            row = match["untrained"] or match["path"] or "trained"
            rows.setdefault(row, {})[match["name"]] = float(value)
    step = found.get("global_step")
    return (None if step is None else int(step)), rows


def read_curves(folder):
    """The scalars in the TensorBoard events of a folder.

    A step may have been written more than once, such as by a run that resumed from an
    earlier checkpoint; then the last value counts. A truncated event file is read as
    far as it goes.

    Args:
        folder: Str, such as `train` of a run.

    Returns:
        Dict from tags such as "train/contrast_loss" to `Curve`; empty without events.
    """
    points = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), "*tfevents*"))):
        for event in _events(path):
            for value in event.summary.value:
                number = _scalar(value)
                if number is not None:
                    kept = points.setdefault(value.tag, {})
                    before = kept.get(event.step)
                    if before is None or before[1] <= event.wall_time:
                        kept[event.step] = (number, event.wall_time)
    return {tag: _curve(kept) for tag, kept in sorted(points.items())}


def _curve(points):
    steps = np.array(sorted(points), np.int64)
    values, times = np.array([points[step] for step in steps.tolist()], float).T
    return Curve(steps, values, times)


def _events(path):
    try:
        for record in tf.data.TFRecordDataset(path):
            yield tf.compat.v1.Event.FromString(record.numpy())
    except tf.errors.OpError:
        return  # truncated: its writer was killed


def _scalar(value):
    if value.metadata.plugin_data.plugin_name not in ("", "scalars"):
        return None
    if value.HasField("simple_value"):
        return float(value.simple_value)
    if not value.HasField("tensor"):
        return None
    array = tf.make_ndarray(value.tensor)
    return float(array) if array.shape == () and array.dtype.kind in "fiu" else None


def _read_json(path):
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} must be as a run wrote it: {error}") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} must be as a run wrote it: it holds no table.")
    return found
