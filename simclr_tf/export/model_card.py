"""A description of a SavedModel beside its graph, for people and for programs."""

import json
import os

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import simclr_tf
import tf_models
from simclr_tf import atomic, keras_compat
from simclr_tf.errors import UserError
from simclr_tf.printing import printable

_NOT_STATED = "not stated"
_OF_KERAS = ("name", "trainable", "dtype")
_STATED = ("data", "recipe", "steps", "accuracy", "licence")


def write(folder, networks, card=None):
    """Writes `README.md` and `model.json` to the folder of a SavedModel.

    They are placed beside `saved_model.pb`, where people and model hubs look for them.
    Servers ignore them.

    Args:
        folder: Str.
        networks: `ServedNetworks` that the folder holds.
        card: Dict of facts that the networks do not tell, or None: `data` (str),
            `recipe` (dict from flag or setting to its value), `steps` (int), `accuracy`
            (dict from figure to float) and `licence` (str). Those that are missing or
            None become "not stated".

    Raises:
        UserError: If `card` has another key.
    """
    unknown = sorted(set(card or {}) - set(_STATED))
    if unknown:
        raise UserError(
            f"`card` may have the keys {', '.join(_STATED)}, got {', '.join(unknown)}."
        )
    model = describe(folder, networks, card or {})
    text = json.dumps(model, indent=2, ensure_ascii=False, default=str)
    atomic.write(os.path.join(folder, "model.json"), text + "\n")
    atomic.write(os.path.join(folder, "README.md"), _page(model))


def describe(folder, networks, card):
    """The content of `model.json`: a dict of JSON values.

    Args:
        folder: Str, folder of the SavedModel, whose signatures are read.
        networks: `ServedNetworks`.
        card: Dict; see `write`.
    """
    stated = {
        name: _NOT_STATED if card.get(name) in (None, {}) else card[name]
        for name in _STATED
    }
    crop = networks.preprocess
    share = None if crop.takes_whole_images else crop.crop_proportion
    return {
        "encoder": _encoder(networks.encoder),
        **stated,
        "preprocessing": {
            "image_size": crop.image_size,
            "crop_proportion": share,
            "resampling": "bicubic",
            "range": [0.0, 1.0],
        },
        "signatures": _signatures(folder),
        "versions": {
            "simclr-tf": simclr_tf.__version__,
            "tensorflow": tf.__version__,
            "keras": keras_compat.version(),
        },
    }


def _encoder(encoder):
    """Name and size of a network and, for ours, its constructor's arguments."""
    count = sum(int(tf.size(variable)) for variable in encoder.variables)
    known = {"name": encoder.name, "parameters": count}
    if isinstance(encoder, tf_models.ResNet):
        config = encoder.get_config()
        known |= {key: config[key] for key in config if key not in _OF_KERAS}
        known["name"] = "ResNet"
    return known


def _signatures(folder):
    """Inputs and outputs of every signature: dtype, and shape with null for any."""
    saved = saved_model_pb2.SavedModel()
    with open(os.path.join(folder, "saved_model.pb"), "rb") as file:
        saved.ParseFromString(file.read())
    return {
        name: {
            "inputs": _tensors(signature.inputs),
            "outputs": _tensors(signature.outputs),
        }
        for name, signature in sorted(saved.meta_graphs[0].signature_def.items())
        if not name.startswith("__")
    }


def _tensors(infos):
    return {
        name: {
            "dtype": tf.as_dtype(info.dtype).name,
            "shape": tf.TensorShape(info.tensor_shape).as_list(),
        }
        for name, info in sorted(infos.items())
    }


def _page(model):
    """`README.md` with the content of `model.json`."""
    size = model["preprocessing"]["image_size"]
    share = model["preprocessing"]["crop_proportion"]
    crop = f"cut out the central {share:.1%} of the largest square, " if share else ""
    encoder = dict(model["encoder"])
    return f"""# Image features of {encoder.pop("name")}

Learned with simclr-tf. {_settings(encoder)}.

- Data: {_text(model["data"])}
- Steps: {_text(model["steps"])}
- Licence: {_text(model["licence"])}
- Versions: {_settings(model["versions"])}

## Input

RGB images. `serving_default` takes uint8, 0 to 255, of any height and width, and
`serve_image_bytes` files (JPEG, PNG, GIF, BMP). Both {crop}resize to
{size} x {size} pixels, bicubic, and scale to [0, 1]. `preprocessed` takes float32 in
[0, 1] and changes nothing.

| signature | takes | gives |
|---|---|---|
{_signature_rows(model["signatures"])}

## Accuracy

{_list(model["accuracy"])}

## Recipe

{_list(model["recipe"])}
"""


def _text(value):
    return f"{value:,}" if type(value) is int else printable(str(value))


def _settings(values):
    return ", ".join(f"{name} {_text(value)}" for name, value in values.items())


def _signature_rows(signatures):
    return "\n".join(
        f"| `{name}` | {_shapes(one['inputs'])} | {_shapes(one['outputs'])} |"
        for name, one in signatures.items()
    )


def _shapes(tensors):
    return ", ".join(
        f"`{name}` {tensor['dtype']} "
        f"[{', '.join('any' if n is None else str(n) for n in tensor['shape'])}]"
        for name, tensor in tensors.items()
    )


def _list(values):
    """Lines `- name: value`, or the text if nothing is stated."""
    if not isinstance(values, dict):
        return _text(values)
    return "\n".join(
        f"- {name}: {value:.4g}" if isinstance(value, float) else f"- {name}: {value}"
        for name, value in values.items()
    )
