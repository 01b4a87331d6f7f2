"""The encoder for LiteRT (TensorFlow Lite), in float32 or in 8-bit integers."""

import contextlib
import functools
import os
import tempfile
import warnings

import tensorflow as tf

from simclr_tf.export import _format


def write(networks, file, images, raw=False, int8=False):
    """Writes the computation of the SavedModel, in float32.

    The signature, `preprocessed` or, for raw images, `serving_default`, takes `images`
    in batches of any size and returns float32 `features` and, with a linear head,
    `logits` and `probabilities`.

    Args:
        networks: `ServedNetworks`.
        file: Str.
        images: Float32 `[N, S, S, 3]`; with `int8`, they determine the range of every
            tensor.
        raw: Bool, whether it takes uint8 `[B, H, W, 3]` of any size, like the
            SavedModel, instead of float32 `[B, S, S, 3]` in [0, 1].
        int8: Bool, whether weights and activations have 8 bits; operations that LiteRT
            only has in float32 stay in float32.
    """
    signature = "serving_default" if raw else "preprocessed"
    with (
        tempfile.TemporaryDirectory() as folder,
        _format.converting(networks, "LiteRT"),
        _quietly(),
    ):
        tf.saved_model.save(
            networks.as_module(),
            folder,
            signatures={signature: networks.converted(raw)},
        )
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=[signature]
        )
        if int8:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: (
                (signature, {"images": image[None]}) for image in images
            )
        content = converter.convert()
    with open(file, "wb") as opened:
        opened.write(content)


def read(file):
    """The features that LiteRT's interpreter computes."""
    with _quietly():
        interpreter = tf.lite.Interpreter(model_path=file)
        serve = interpreter.get_signature_runner()

    def features(images):
        with _quietly():
            return serve(images=images)["features"]

    return features


@contextlib.contextmanager
def _quietly():
    """Hides messages for developers of LiteRT, including those of its C++ code."""
    try:
        stderr = os.dup(2)
    except OSError:  # stderr is closed
        yield
        return
    try:
        with open(os.devnull, "w") as nowhere, warnings.catch_warnings():
            os.dup2(nowhere.fileno(), 2)
            # The interpreter has moved to its own package, which has the same files.
            warnings.filterwarnings("ignore", r"\s*Warning: tf.lite.Interpreter")
            yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


PREPROCESSED = _format.Format("encoder.tflite", write, read)
RAW = _format.Format(
    "encoder_raw.tflite", functools.partial(write, raw=True), read, raw=True
)
# The values between two layers are rounded to 256 steps over their range, an error of
# up to 0.2%. Over all layers these errors add up, though they partly cancel.
INT8 = _format.Format(
    "encoder_int8.tflite",
    functools.partial(write, int8=True),
    read,
    calibrated=True,
    bound=0.2,
)
