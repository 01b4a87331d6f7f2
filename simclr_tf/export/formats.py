"""An encoder to a file of any format and, from those that Keras can train, back."""

import contextlib
import os
import shutil
import tempfile

import numpy as np

from simclr_tf.errors import UserError
from simclr_tf.export import (
    _format,
    _keras_file,
    litert,
    model_card,
    onnx,
    safetensors,
    saved_model,
)
from simclr_tf.export._serving import ServedNetworks

FORMATS = {
    "saved_model": saved_model.FORMAT,
    "onnx": onnx.PREPROCESSED,
    "onnx_raw": onnx.RAW,
    "litert": litert.PREPROCESSED,
    "litert_raw": litert.RAW,
    "litert_int8": litert.INT8,
    "keras": _keras_file.FORMAT,
    "safetensors": safetensors.FORMAT,
}


def save(
    encoder,
    path,
    image_size=224,
    projection_head=None,
    linear_head=None,
    ft_proj_selector=0,
    overwrite=False,
    format="saved_model",
    representative_images=None,
    card=None,
):
    """Writes an encoder in a format, reads it back, and compares the features.

    `saved_model` needs none of our code. Whatever loads graphs serves it:
    `tf.saved_model.load`, TensorFlow Serving, `saved_model_cli`, the C, Java and Go
    interfaces.

    Signatures: `serving_default` takes `images`, uint8 `[B, H, W, 3]` of any height and
    width; `serve_image_bytes` takes `image_bytes`, strings `[B]` (JPEG, turned as its
    Exif block says, PNG, GIF's first frame, BMP), each of its own size. Both give
    `features` `[B, C]`, and `logits` and `probabilities` where there is a linear head.
    `endpoints` takes `images` and gives the outputs of every block group and of the
    heads. The evaluation preprocessing is inside of these three. `preprocessed` takes
    `images` that have it behind them, or are views: float32 `[B, H, W, 3]` in [0, 1],
    of any size with `tf_models.ResNet`, else of `image_size`; it gives what
    `serving_default` does, computed in float32 under any policy of mixed precision. The
    other signatures compute as the encoder does. `README.md` and `model.json` beside
    the graph are its model card.

    `onnx`, `litert` and `litert_int8` compute what `preprocessed` does, of images of
    `image_size` in batches of any size; `onnx_raw` and `litert_raw` what
    `serving_default` does, in float32. `keras` is the encoder alone, to be trained
    further. `safetensors` has the weights of a `tf_models.ResNet` under torchvision's
    names, see `simclr_tf.export.torchvision_names`.

    Args:
        encoder: Keras model from float images in [0, 1] to `[B, C]` or `[B, h, w, C]`.
        path: Str, folder or file to write; it appears whole or not at all. Files end in
            `.onnx`, `.tflite`, `.keras` or `.safetensors`.
        image_size: Int, what images are cropped and resized to.
        projection_head: `tf_models.ProjectionHead` or None.
        linear_head: `tf_models.LinearHead` or None.
        ft_proj_selector: Int, the hidden layer that feeds the linear head.
        overwrite: Bool, whether a SavedModel, or a file, that is there may be replaced.
        format: Str, a key of `FORMATS`.
        representative_images: Float `[N, S, S, 3]` in [0, 1], S the `image_size`, such
            as `EvaluationCrop` gives of images like those that will be served:
            `litert_int8` takes from them the ranges of its integers; a hundred are
            enough. The features of the first three are compared; without any, those of
            noise.
        card: Dict of what the model card of a SavedModel is to say, or None; see
            `simclr_tf.export.model_card.write`.

    Returns:
        `Comparison` of the features that were read back with the encoder's: their
        `difference` and `cosine`.

    Raises:
        UserError: If `path` exists and is neither an empty folder nor, with
            `overwrite`, a SavedModel or a file; if a package for the format is absent;
            if the encoder cannot be written so; or if the features differ by more than
            1e-3 of the largest (`litert_int8`: 0.2).
    """
    require([format])
    chosen = FORMATS[format]
    path = os.path.abspath(os.fspath(path))
    _require_free(path, format, overwrite)
    if chosen.calibrated and representative_images is None:
        raise UserError(
            f"Export format {format} needs representative_images, got none."
        )
    images = _images(representative_images, image_size)
    networks = ServedNetworks(
        encoder, image_size, projection_head, linear_head, ft_proj_selector
    )
    with _replacing(path) as unfinished:
        chosen.write(networks, unfinished, images)
        comparison = _format.compare(format, chosen, networks, unfinished, images)
        if format == "saved_model":
            model_card.write(unfinished, networks, card)
    return comparison


def load_encoder(path, custom_objects=None):
    """The trainable Keras encoder in what `save` wrote.

    Code in the folder is not run: what Keras does not know, such as a layer of your
    own, must be registered in the loading process or passed.

    Args:
        path: Str, a SavedModel's folder, or a `.keras` or `.safetensors` file.
        custom_objects: Dict from the names of classes and functions that the encoder
            is made of to these, as `keras.models.load_model` takes it, or None.

    Returns:
        Keras model from float images in [0, 1] to features.

    Raises:
        UserError: If there is no encoder there, or it has a class that is not known or
            a Lambda layer.
    """
    path = os.fspath(path)
    if os.path.isfile(path) and path.endswith(".keras"):
        return _keras_file.load(path, custom_objects)
    if os.path.isfile(path) and path.endswith(".safetensors"):
        return safetensors.load(path)
    return saved_model.load(path, custom_objects)


def require(names):
    """Refuses formats that there are not, or whose packages are not installed.

    Args:
        names: List of str.

    Raises:
        UserError: For the first of them.
    """
    for name in names:
        if name not in FORMATS:
            raise UserError(
                f"Export format must be one of {', '.join(FORMATS)}, got {name!r}."
            )
        _format.require(name, FORMATS[name])


def _require_free(path, name, overwrite):
    suffix = FORMATS[name].suffix
    if not path.endswith(suffix):
        raise UserError(f"The path of format {name} must end in {suffix}, got {path}.")
    if not os.path.exists(path):
        return
    if suffix:
        free = overwrite and os.path.isfile(path)
        kind, new = "file", "a new path"
    else:
        free = os.path.isdir(path) and not os.listdir(path)
        is_ours = os.path.exists(os.path.join(path, "saved_model.pb"))
        free = free or (overwrite and is_ours)
        kind, new = "SavedModel", "a new or an empty folder"
    if not free:
        raise UserError(
            f"{path} exists: give {new}, or overwrite=True to replace a {kind}."
        )


def _images(representative_images, size):
    """Float32 `[N, S, S, 3]` to compare by, N at least 3."""
    if representative_images is None:
        return np.random.RandomState(0).rand(3, size, size, 3).astype(np.float32)
    images = np.asarray(representative_images)
    if images.shape[1:] != (size, size, 3) or images.dtype.kind != "f":
        raise UserError(
            f"`representative_images` must be float [N, {size}, {size}, 3] in [0, 1], "
            f"got {images.dtype} {list(images.shape)}: EvaluationCrop({size}) makes "
            "them of others."
        )
    return np.resize(images, [max(3, len(images)), size, size, 3]).astype(np.float32)


@contextlib.contextmanager
def _replacing(path):
    """Where to write a file or folder that takes the place of `path` when it is whole.

    It has the name that it is to have, in a folder that is removed in any case.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    folder = tempfile.mkdtemp(dir=os.path.dirname(path), prefix=".export-")
    unfinished = os.path.join(folder, os.path.basename(path))
    try:
        yield unfinished
        if os.path.isdir(path):
            shutil.rmtree(path)
        os.replace(unfinished, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
