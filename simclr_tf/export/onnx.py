"""The encoder as an ONNX graph, for onnxruntime and other readers of ONNX."""

import functools

from simclr_tf.export import _format

_OPSET = 17  # read by every onnxruntime since 2022


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
    with _format.converting(networks, "ONNX"):
        model, _ = tf2onnx.convert.from_function(
            function, input_signature=function.input_signature, opset=_OPSET
        )
    with open(file, "wb") as opened:
        opened.write(model.SerializeToString())


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
