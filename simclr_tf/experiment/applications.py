"""Networks of `keras.applications` as encoders: `--encoder=MobileNetV2`."""

import difflib
import inspect
import os
import warnings

import numpy as np
import tensorflow as tf
from tensorflow import keras

from simclr_tf.errors import UserError
from tf_models import input_normalization

ORIGIN = "keras.applications"


def build(name, image_size, normalization="none", any_size=False):
    """A network from images in [0, 1] to features, with random weights.

    Args:
        name: Str, such as MobileNetV2.
        image_size: Int, height and width of images.
        normalization: Str, how images are scaled, see `tf_models.input_normalization`.
        any_size: Bool, whether images may also have other sizes.

    Returns:
        Keras model.

    Raises:
        UserError: If there is no such network, or it does not support the size.
    """
    side = None if any_size else image_size
    try:
        network = _maker(name)(
            include_top=False, weights=None, pooling="avg", input_shape=(side, side, 3)
        )
    except ValueError as error:
        raise UserError(
            f"--encoder={name} does not take --image_size={image_size}: {error}"
        ) from error
    if normalization == "none":
        return network
    images = keras.Input([side, side, 3])
    normalized = input_normalization.InputNormalization(normalization)(images)
    return keras.Model(images, network(normalized))


def own_normalization(name):
    """The normalization with which a network was trained: its `preprocess_input`.

    Args:
        name: Str, such as MobileNetV2.

    Returns:
        Str, see `tf_models.input_normalization.constants`.
    """
    return normalization_of(inspect.getmodule(_maker(name)).preprocess_input)


def normalization_of(preprocess):
    """What a function makes of images, from a few of its values.

    Args:
        preprocess: Callable on float images `[B, H, W, 3]` in 0..255.

    Returns:
        Str, see `tf_models.input_normalization.constants`.
    """
    pixels = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0]], np.float32)
    values = np.asarray(preprocess(pixels[:, np.newaxis, np.newaxis].copy()))
    black, white, red = values[:, 0, 0]
    if red[0] == black[0]:
        return "caffe"  # red comes last
    deviations = 1 / (white - black)
    numbers = [*(-black * deviations), *deviations]
    if np.allclose(numbers, sum(input_normalization.constants("imagenet"), ())):
        return "imagenet"
    return ",".join(f"{abs(number):.7g}" for number in numbers)


def first_line(error):
    """Str, of what an error says, or its class."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def load_weights(encoder, path):
    """Loads a file of weights into a network from `build`.

    Args:
        encoder: Keras model.
        path: Str, HDF5, `.h5` or `.weights.h5`, of the network without its top.

    Raises:
        UserError: If they are not those of this network, or not finite.
    """
    networks = [layer for layer in encoder.layers if isinstance(layer, keras.Model)]
    network = networks[0] if networks else encoder
    if not os.path.isfile(path):
        raise UserError("no file. Taken are weights of keras.applications, .h5.")
    kernels = [variable for variable in network.variables if len(variable.shape) > 1]
    random = [np.array(tf.convert_to_tensor(kernel)) for kernel in kernels]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Keras 3, for all that it does not find
            network.load_weights(path)
    except Exception as error:  # h5py and Keras raise errors of any class
        reason = first_line(error).split(" Example error message")[0]
        raise UserError(
            f"no weights of {network.name} without its top, an .h5 or .weights.h5 "
            f"file (..._notop.h5): {reason}"
        ) from error
    for kernel, was in zip(kernels, random, strict=True):
        if np.array_equal(np.asarray(kernel), was):
            raise UserError(
                f"not all weights of {network.name}: it lacks {kernel.name}."
            )
    for variable in network.variables:
        if not np.isfinite(np.asarray(variable)).all():
            raise UserError(f"{variable.name} has values that are not finite.")


def _maker(name):
    """The function of `keras.applications` that builds a network.

    Raises:
        UserError: If there is none.
    """
    known = {
        name: value
        for name, value in vars(keras.applications).items()
        if name[0].isupper() and inspect.isfunction(value)
    }
    if name not in known:
        close = difflib.get_close_matches(name, ["resnet", *known], n=3)
        hint = f" Close: {', '.join(close)}." if close else ""
        raise UserError(
            "--encoder must be resnet, a network of keras.applications, or the folder "
            f"of a KerasHub preset, got {name}.{hint}"
        )
    return known[name]
