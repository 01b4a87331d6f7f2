"""Finds out what a path to weights holds, from its content rather than its name."""

import os

from simclr_tf.errors import UserError
from simclr_tf.weights import (
    own_files,
    safetensors_file,
    tensorflow_files,
    torch_file,
    torch_names,
)

_TAKEN = (
    "Accepted are checkpoints and SavedModels of the published SimCLR code, ResNets of "
    "PyTorch as .safetensors, .pth or .ckpt, and, with --encoder=NAME, weights of "
    "keras.applications."
)
_OTHERS = {  # by the first bytes of the file
    b"\x89HDF": "an HDF5 file. For weights of keras.applications name their network: "
    "--mode=import --encoder=ResNet50.",
    b"<": "HTML or XML, probably a page about the file instead of the file itself. "
    "Download it again.",
    b"\x80": "a pickle, perhaps from PyTorch before 1.6. Convert it in PyTorch: "
    "torch.save(torch.load(PATH, weights_only=True), NEW).",
}


def read(path):
    """Reads the weights at a path.

    Args:
        path: Str, a file or folder, or the prefix of a checkpoint of TensorFlow.

    Returns:
        `Found`.

    Raises:
        UserError: If there is nothing, or nothing known; the message does not name the
            path.
    """
    prefix = tensorflow_files.prefix_of(path)
    if prefix is not None:
        return tensorflow_files.read(prefix)
    if os.path.isdir(path):
        raise UserError(f"a folder without a checkpoint or SavedModel. {_TAKEN}")
    try:
        with open(path, "rb") as file:
            head = file.read(16)
    except OSError as error:
        raise UserError(f"{error.strerror}. {_TAKEN}") from error
    if head.startswith(b"PK"):
        return torch_names.read(*torch_file.read(path))
    if safetensors_file.is_one(head):
        arrays, metadata = safetensors_file.read(path)
        return own_files.describe(torch_names.read(arrays), metadata, path)
    for start, what in _OTHERS.items():
        if head.lstrip().startswith(start):
            raise UserError(what)
    what = "not a file of weights" if head else "an empty file"
    raise UserError(f"{what}. {_TAKEN}")
