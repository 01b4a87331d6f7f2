"""The encoder as a `.keras` file, for further training or use in Keras.

Keras creates the parts of a subclassed model under the policy of the loading process.
In a SavedModel, a file beside it holds the policy of its training; a `.keras` file
alone computes in float32.
"""

import contextlib
import json
import os
import sys
import zipfile

from tensorflow import keras

import tf_models  # noqa: F401  (registers the networks that a file may name)
from simclr_tf import keras_compat
from simclr_tf.errors import UserError
from simclr_tf.export._format import Format
from simclr_tf.training import _common


def save(encoder, file):
    """Writes a built encoder.

    Args:
        encoder: Keras model.
        file: Str ending in `.keras`.

    Raises:
        UserError: If Keras does not know how to create the encoder again.
    """
    try:
        encoder.save(file)
    except (NotImplementedError, TypeError) as error:
        raise UserError(
            f"Encoder {type(encoder).__name__} cannot be saved: it, or a layer of it, "
            "must have a get_config() that returns the arguments of its __init__."
        ) from error


def save_with_policy(encoder, file):
    """Writes a built encoder and, beside it, its mixed-precision policy."""
    save(encoder, file)
    with open(_settings_file(file), "w", encoding="utf-8") as settings:
        json.dump({"dtype_policy": encoder.dtype_policy.name}, settings)


def load(file, custom_objects=None):
    """Loads the encoder in a file, without running code in the file.

    Args:
        file: Str, a file that `save` wrote.
        custom_objects: Dict from name to class or function, or None.

    Returns:
        Keras model, not compiled.

    Raises:
        UserError: If it cannot be created in this process.
    """
    try:
        objects = {**_layers_of_applications(file), **(custom_objects or {})}
        with under_policy(_policy_of(file)):
            return keras.models.load_model(
                file, custom_objects=objects, compile=False, safe_mode=True
            )
    except (OSError, TypeError, ValueError) as error:
        raise UserError(
            f"The encoder in {file} cannot be created here: "
            f"{_reason(file, custom_objects, error)}."
        ) from error


def _write(networks, file, images):
    del images
    with keras_compat.full_precision([networks.encoder]):
        save(networks.encoder, file)


def _read(file):
    encoder = load(file)
    return lambda images: _common.pooled(
        keras_compat.call_in_mode(encoder, images, training=False)
    )


FORMAT = Format("encoder.keras", _write, _read)


def _settings_file(file):
    return os.path.splitext(file)[0] + ".json"


@contextlib.contextmanager
def under_policy(name):
    """Temporarily makes a mixed-precision policy the global one."""
    before = keras.mixed_precision.global_policy()
    try:
        keras.mixed_precision.set_global_policy(name)
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def _policy_of(file):
    """The name of the policy under which an encoder was written."""
    if not os.path.exists(_settings_file(file)):
        return "float32"
    with open(_settings_file(file), encoding="utf-8") as settings:
        return json.load(settings)["dtype_policy"]


def _layers_of_applications(file):
    """The layers that `keras.applications` has for itself, such as ConvNeXt's.

    Keras 2 writes them without having registered them, and does not find them again.
    """
    found = {
        part["class_name"]: getattr(
            sys.modules.get(part.get("module")), part["class_name"], None
        )
        for part in _parts(_config(file))
        if str(part.get("module")).startswith("keras.src.applications.")
    }
    return {
        name: layer
        for name, layer in found.items()
        if isinstance(layer, type) and issubclass(layer, keras.layers.Layer)
    }


def _reason(file, custom_objects, error):
    """What is wrong, and what to do about it."""
    parts = list(_parts(_config(file)))
    by_hand = "or build the encoder in your code and call its load_weights on this file"
    unknown = sorted(
        name
        for name in {_custom_name(part) for part in parts} - {None}
        if keras.utils.get_registered_object(name, custom_objects) is None
    )
    if unknown:
        return (
            f"{', '.join(unknown)} is not known in this process. Import the code that "
            "registers it with keras.utils.register_keras_serializable, pass "
            f'custom_objects={{"{unknown[0]}": <its class>}}, {by_hand}'
        )
    if any(part["class_name"] == "Lambda" for part in parts):
        return (
            "it has a Lambda layer, and code in a file is not run. Put that code into "
            f"a registered layer class and export again, {by_hand}"
        )
    first_line = str(error).strip().splitlines()[0].rstrip(".")
    cure = f"Correct its get_config, {by_hand}" if parts else "Export it again"
    return f"{first_line}. {cure}"


def _config(file):
    """The JSON from which the encoder is created; empty if there is none."""
    try:
        with zipfile.ZipFile(file) as archive:
            return json.loads(archive.read("config.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return {}


def _parts(config):
    """Every object that a config names, at any depth, as a dict."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        config = list(config.values())
    for value in config if isinstance(config, list) else []:
        yield from _parts(value)


def _custom_name(part):
    """The registered name of a part's class; None for Keras' own classes."""
    own = str(part.get("module")).split(".")[0] in ("keras", "tf_keras")
    return None if own else part.get("registered_name")
