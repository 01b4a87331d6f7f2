"""Writes encoders in any format, and reads the formats that can be trained further."""

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

    `saved_model` needs none of our code. It can be used with `tf.saved_model.load`,
    TensorFlow Serving, `saved_model_cli`, and the C, Java and Go interfaces.

    Signatures: `serving_default` takes `images`, uint8 `[B, H, W, 3]` of any height and
    width; `serve_image_bytes` takes `image_bytes`, strings `[B]` (JPEG with its Exif
    orientation applied, PNG, the first frame of a GIF, BMP), each of its own size. Both
    return `features` `[B, C]` and, with a linear head, `logits` and `probabilities`.
    `endpoints` takes `images` and returns the outputs of every block group and of the
    heads. These three include the evaluation preprocessing. `preprocessed` takes
    `images` that are preprocessed already, or are views: float32 `[B, H, W, 3]` in [0,
    1], of any size with `tf_models.ResNet`, else of `image_size`. It returns the same
    as `serving_default`, but always computes in float32, while the other signatures
    compute in the encoder's precision. `README.md` and `model.json` beside the graph
    are its model card.

    `onnx`, `litert` and `litert_int8` compute the same as `preprocessed`, for images of
    `image_size` in batches of any size; `onnx_raw` and `litert_raw` the same as
    `serving_default`, in float32. `keras` is only the encoder, for further training.
    `safetensors` has the weights of a `tf_models.ResNet` under torchvision's names, see
    `simclr_tf.export.torchvision_names`.

    Args:
        encoder: Keras model from float images in [0, 1] to `[B, C]` or `[B, h, w, C]`.
        path: Str, folder or file to write, completely or not at all. Files end in
            `.onnx`, `.tflite`, `.keras` or `.safetensors`.
        image_size: Int, size to which images are cropped and resized.
        projection_head: `tf_models.ProjectionHead` or None.
        linear_head: `tf_models.LinearHead` or None.
        ft_proj_selector: Int, the hidden layer that feeds the linear head.
        overwrite: Bool, whether an existing SavedModel or file may be replaced.
        format: Str, a key of `FORMATS`.
        representative_images: Float `[N, S, S, 3]` in [0, 1], where S is the
            `image_size`: images like those that will be served, after `EvaluationCrop`.
            `litert_int8` determines the ranges of its integers from them; a hundred are
            enough. The features of the first three are compared, or those of noise if
            there are none.
        card: Dict with contents for the model card of a SavedModel, or None; see
            `simclr_tf.export.model_card.write`.

    Returns:
        `Comparison` of the written file's features with the encoder's: their
        `difference` and `cosine`.

    Raises:
        UserError: If `path` exists and is neither an empty folder nor, with
            `overwrite`, a SavedModel or a file; if a package for the format is missing;
            if the encoder cannot be written in it; or if the features differ by more
            than 1e-3 of the largest (`litert_int8`: 0.2).
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
    """Loads a trainable Keras encoder that `save` wrote.

    Code in the folder is not run. Classes that Keras does not know, such as layers of
    your own, must be registered in the loading process or passed.

    Args:
        path: Str, a SavedModel's folder, or a `.keras` or `.safetensors` file.
        custom_objects: Dict from name to class or function of parts of the encoder, as
            in `keras.models.load_model`, or None.

    Returns:
        Keras model from float images in [0, 1] to features.

    Raises:
        UserError: If there is no encoder, or it has an unknown class or a Lambda layer.
    """
    path = os.fspath(path)
    if os.path.isfile(path) and path.endswith(".keras"):
        return _keras_file.load(path, custom_objects)
    if os.path.isfile(path) and path.endswith(".safetensors"):
        return safetensors.load(path)
    return saved_model.load(path, custom_objects)


def require(names):
    """Refuses formats that do not exist or whose packages are not installed.

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
    """Float32 `[N, S, S, 3]` for the comparison, N at least 3."""
    if representative_images is None:
        return np.random.RandomState(0).rand(3, size, size, 3).astype(np.float32)
    images = np.asarray(representative_images)
    if images.shape[1:] != (size, size, 3) or images.dtype.kind != "f":
        raise UserError(
            f"`representative_images` must be float [N, {size}, {size}, 3] in [0, 1], "
            f"got {images.dtype} {list(images.shape)}. EvaluationCrop({size}) converts "
            "images of other sizes."
        )
    return np.resize(images, [max(3, len(images)), size, size, 3]).astype(np.float32)


@contextlib.contextmanager
def _replacing(path):
    """Gives a temporary path whose file or folder then replaces `path`.

    It has its final name, in a temporary folder that is always removed.
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
