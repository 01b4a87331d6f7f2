"""The encoder as an ONNX graph, for onnxruntime and whatever else reads ONNX."""

from simclr_tf.export import _format

_OPSET = 17  # read by every onnxruntime since 2022


def write(networks, file, images):
    """Writes what the SavedModel's `preprocessed` computes, by tf2onnx.

    The graph takes `images`, float32 `[B, S, S, 3]` in [0, 1] of any batch size, and
    gives `features` and, with a linear head, `logits` and `probabilities`.
    """
    del images
    import tf2onnx

    function = networks.of_one_size()
    with _format.converting(networks, "ONNX"):
        model, _ = tf2onnx.convert.from_function(
            function,
            input_signature=function.input_signature,
            opset=_OPSET,
        )
    with open(file, "wb") as opened:
        opened.write(model.SerializeToString())


def read(file):
    """The features that onnxruntime computes."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return lambda images: session.run(["features"], {"images": images})[0]


FORMAT = _format.Format(
    ".onnx", write, read, packages={"tf2onnx": "onnx", "onnxruntime": "onnx"}
)
