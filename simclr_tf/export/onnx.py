"""The encoder as an ONNX graph, for onnxruntime and other readers of ONNX."""

import contextlib
import functools
import os

from simclr_tf.export import _format

_OPSET = 17  # read by every onnxruntime since 2022
_CATCHES = "TF2ONNX_CATCH_ERRORS"


def write(networks, file, images, raw=False):
    """Writes the computation of the SavedModel, in float32, with tf2onnx.

    The graph takes `images` in batches of any size and returns `features` and, with a
    linear head, `logits` and `probabilities`.

    Args:
        networks: `ServedNetworks`.
        file: Str.
        images: Not used.
        raw: Bool, whether it takes uint8 `[B, H, W, 3]` of any size, like
            `serving_default`, instead of float32 `[B, S, S, 3]` in [0, 1].
    """
    del images
    import tf2onnx

    function = networks.converted(raw)
    with _format.converting(networks, "ONNX"), _without_copies():
        model, _ = tf2onnx.convert.from_function(
            function, input_signature=function.input_signature, opset=_OPSET
        )
    with open(file, "wb") as opened:
        opened.write(model.SerializeToString())


@contextlib.contextmanager
def _without_copies():
    """Keeps tf2onnx from copying the graph, with all weights, before each pass.

    With the copies, tf2onnx can skip a pass that fails. For ResNet-50 they take three
    times as long and 4 GB more. Setting the environment variable to TRUE enables them.
    """
    before = os.environ.get(_CATCHES)
    os.environ.setdefault(_CATCHES, "FALSE")
    try:
        yield
    finally:
        if before is None:
            del os.environ[_CATCHES]


def read(file):
    """The features that onnxruntime computes."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return lambda images: session.run(["features"], {"images": images})[0]


_PACKAGES = {"tf2onnx": "onnx", "onnxruntime": "onnx"}
PREPROCESSED = _format.Format("encoder.onnx", write, read, packages=_PACKAGES)
RAW = _format.Format(
    "encoder_raw.onnx",
    functools.partial(write, raw=True),
    read,
    raw=True,
    packages=_PACKAGES,
)
