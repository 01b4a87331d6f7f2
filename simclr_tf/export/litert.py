"""The encoder for LiteRT (TensorFlow Lite), in float32 or in 8-bit integers."""

import functools
import tempfile
import warnings

import tensorflow as tf

from simclr_tf.export import _format


def write(networks, file, images, int8=False):
    """Writes what the SavedModel's `preprocessed` computes, under the same name.

    The signature takes `images`, float32 `[B, S, S, 3]` in [0, 1], and gives float32
    `features` and, with a linear head, `logits` and `probabilities`.

    Args:
        networks: `ServedNetworks`.
        file: Str.
        images: Float32 `[N, S, S, 3]`; with `int8`, the range of every tensor is what
            it takes on these.
        int8: Bool, whether weights and what is between the layers have 8 bits;
            operations that LiteRT has in float32 alone stay so.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        _format.converting(networks, "LiteRT"),
    ):
        tf.saved_model.save(
            networks.as_module(),
            folder,
            signatures={"preprocessed": networks.of_one_size()},
        )
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=["preprocessed"]
        )
        if int8:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: (
                ("preprocessed", {"images": image[None]}) for image in images
            )
        content = converter.convert()
    with open(file, "wb") as opened:
        opened.write(content)


def read(file):
    """The features that LiteRT's interpreter computes."""
    with warnings.catch_warnings():
        # It is to move to a package of its own, whose files are the same.
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated")
        interpreter = tf.lite.Interpreter(model_path=file)
    serve = interpreter.get_signature_runner("preprocessed")
    return lambda images: serve(images=images)["features"]


FLOAT32 = _format.Format(".tflite", write, read)
# What is between two layers is rounded to 256 values over its range: up to 0.2% of it,
# times as many roundings as there are layers, which partly cancel.
INT8 = _format.Format(
    ".tflite", functools.partial(write, int8=True), read, calibrated=True, bound=0.2
)
