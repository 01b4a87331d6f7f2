"""Checkpoints and SavedModels of TensorFlow: which files they are, and who wrote them.

The readers for each origin are `tf1` and `tf2`.
"""

import os
import re

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import trackable_object_graph_pb2

from simclr_tf.errors import UserError
from simclr_tf.literal_paths import literal
from simclr_tf.weights import comparison, tf1, tf2

# What TensorFlow raises for damaged files.
_UNREADABLE = (
    tf.errors.OpError,
    DecodeError,
    IndexError,
    RuntimeError,
    TypeError,
    ValueError,
)
_SAVED_MODEL = "saved_model.pb"
_OURS = "config/.ATTRIBUTES/VARIABLE_VALUE"


def prefix_of(path):
    """The prefix of the checkpoint at a path, or None.

    Args:
        path: Str, a SavedModel, a folder with checkpoints (the one with the highest
            number is used), the prefix of a checkpoint, or one of its files.
    """
    if os.path.isfile(os.path.join(path, _SAVED_MODEL)):
        return os.path.join(path, "variables", "variables")
    if os.path.isdir(path):
        names = [name for name in os.listdir(path) if name.endswith(".index")]
        path = os.path.join(path, max(names, key=_number)) if names else path
    prefix = re.sub(r"\.(index|data-\d{5}-of-\d{5})$", "", path)
    return prefix if os.path.isfile(f"{prefix}.index") else None


def _number(name):
    return int(re.search(r"(\d*)\.index$", name)[1] or 0), name


def read(prefix):
    """Reads a checkpoint of the published SimCLR code into a `Found`.

    Raises:
        UserError: If it cannot be read, or other code wrote it.
    """
    try:
        with literal(prefix) as path:
            found = _read(tf.train.load_checkpoint(path))
    except UserError:
        raise
    except _UNREADABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"not a checkpoint of TensorFlow, or damaged ({reason})."
        ) from error
    folder = os.path.dirname(os.path.dirname(prefix))
    if os.path.isfile(os.path.join(folder, _SAVED_MODEL)):
        found.run = comparison.of_saved_model(folder)
    return found


def _read(reader):
    names = reader.get_variable_to_shape_map()
    if _OURS in names:
        raise UserError(
            "a checkpoint of this program needs no import: give it to --checkpoint."
        )
    if tf1.is_theirs(names):
        wanted = [name for name in names if not tf1.is_slot(name, names)]
        return tf1.read({name: reader.get_tensor(name) for name in wanted})
    if tf2.GRAPH_KEY not in names:
        raise UserError(
            "its variables do not have the names of the published SimCLR code for "
            "TensorFlow 1 or 2."
        )
    graph = trackable_object_graph_pb2.TrackableObjectGraph()
    graph.ParseFromString(reader.get_tensor(tf2.GRAPH_KEY))
    return tf2.read(graph, reader.get_tensor)
