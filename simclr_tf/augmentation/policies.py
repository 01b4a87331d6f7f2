"""Policies: layers applied one after the other, and the policies of the papers."""

from tensorflow import keras

from simclr_tf.augmentation import _base
from simclr_tf.augmentation.blur import RandomGaussianBlur, blur_kernel_size
from simclr_tf.augmentation.color import RandomColorJitter, RandomGrayscale
from simclr_tf.augmentation.crop import EvaluationCrop, RandomResizedCrop


@keras.utils.register_keras_serializable(package="simclr_tf")
class Policy(_base.ImageLayer):
    """One random view: layers applied one after the other.

    The policy's seed is split into one for each step; the steps' own seeds are not
    used.

    Args:
        steps: List of layers of this package, or of `ImageLayer`s of your own. The
            first decides the size: `RandomResizedCrop`, or `EvaluationCrop` for no
            random crop.
        image_size: Int, height and width of the view; None takes that of the first
            step.
        seed: Int or None, see `ImageLayer`.
        **kwargs: Those of `keras.layers.Layer`.

    Call arguments:
        images: uint8 0..255 or float 0..1, `[H, W, 3]` or `[B, H, W, 3]`.
        training: Bool; False gives `EvaluationCrop` instead.
        seed: Int tensor `[2]` or `[4]` or None, see `ImageLayer`.

    Returns:
        Float32 `[.., image_size, image_size, 3]` in [0, 1].

    Raises:
        ValueError: If the first step is not a crop, if a step crops to another size, or
            if one is not an `ImageLayer`.

    Example:
        >>> import tensorflow as tf
        >>> from simclr_tf.augmentation import RandomSolarize
        >>> view = Policy([RandomResizedCrop(32), RandomSolarize()], seed=0)
        >>> view(tf.zeros([4, 40, 50, 3], tf.uint8)).shape
        TensorShape([4, 32, 32, 3])
    """

    def __init__(self, steps, image_size=None, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.steps = list(steps)
        self.image_size = _size_of(self.steps, image_size)
        self._evaluation = EvaluationCrop(self.image_size)

    def process(self, images, training, seed):
        if not training:
            return self._evaluation(images)
        seeds = _base.split_seed(seed, len(self.steps))
        for step, step_seed in zip(self.steps, seeds, strict=True):
            images = step(images, training=True, seed=step_seed)
        return images

    def get_config(self):
        steps = [keras.utils.serialize_keras_object(step) for step in self.steps]
        return {**super().get_config(), "steps": steps, "image_size": self.image_size}

    @classmethod
    def from_config(cls, config):
        if "steps" in config:
            steps = map(keras.utils.deserialize_keras_object, config["steps"])
            config = {**config, "steps": list(steps)}
        return cls(**config)


class _PaperPolicy(Policy):
    """Crop and flip, then `steps`; its config holds the choices that made them."""

    def __init__(self, image_size, area_range, steps=(), **kwargs):
        crop = RandomResizedCrop(image_size, area_range, flip_probability=0.5, seed=0)
        super().__init__([crop, *steps], **kwargs)
        self.area_range = tuple(area_range)

    def get_config(self):
        config = super().get_config()
        del config["steps"]
        return {**config, "area_range": self.area_range}


@keras.utils.register_keras_serializable(package="simclr_tf")
class SimCLRAugmentation(_PaperPolicy):
    """One random view: crop and flip, colour distortion, grayscale, blur.

    Args:
        image_size: Int, height and width of the view.
        color_jitter_strength: Float in [0, 1.25]; 0 leaves out colour distortion and
            grayscale. The paper uses 1 for ImageNet and 0.5 for CIFAR-10.
        blur: Bool, whether half of the views are blurred.
        seed: Int or None, see `ImageLayer`.
        area_range: Pair of floats in (0, 1], share of the area of the crop.
        **kwargs: Those of `keras.layers.Layer`.

    Call arguments:
        images: uint8 0..255 or float 0..1, `[H, W, 3]` or `[B, H, W, 3]`.
        training: Bool; False gives `EvaluationCrop` instead.
        seed: Int tensor `[2]` or `[4]` or None, see `ImageLayer`.

    Returns:
        Float32 `[.., image_size, image_size, 3]` in [0, 1].

    Example:
        >>> import tensorflow as tf
        >>> view = SimCLRAugmentation(32, seed=0)
        >>> view(tf.zeros([4, 40, 50, 3], tf.uint8)).shape
        TensorShape([4, 32, 32, 3])

    Reference: Chen et al. 2020, https://arxiv.org/abs/2002.05709, appendix A.
    """

    def __init__(
        self,
        image_size,
        color_jitter_strength=1.0,
        blur=True,
        seed=None,
        area_range=(0.08, 1.0),
        **kwargs,
    ):
        jitter = RandomColorJitter(color_jitter_strength, seed=0)
        steps = [jitter, RandomGrayscale(seed=0)] if color_jitter_strength > 0 else []
        if blur:
            steps.append(RandomGaussianBlur(blur_kernel_size(image_size), seed=0))
        super().__init__(image_size, area_range, steps, seed=seed, **kwargs)
        self.color_jitter_strength = color_jitter_strength
        self.blur = blur

    def get_config(self):
        return {
            **super().get_config(),
            "color_jitter_strength": self.color_jitter_strength,
            "blur": self.blur,
        }


@keras.utils.register_keras_serializable(package="simclr_tf")
class CropAndFlip(_PaperPolicy):
    """The augmentation of fine-tuning and linear evaluation: crop and flip.

    Args:
        image_size: Int, height and width of the result.
        area_range: Pair of floats in (0, 1], share of the area of the crop.
        seed: Int or None, see `ImageLayer`.
        **kwargs: Those of `keras.layers.Layer`.

    Call arguments, returns: as of `SimCLRAugmentation`.

    Reference: Chen et al. 2020, https://arxiv.org/abs/2002.05709, section B.6.
    """

    def __init__(self, image_size, area_range=(0.08, 1.0), seed=None, **kwargs):
        super().__init__(image_size, area_range, seed=seed, **kwargs)


def small_view(policy, image_size=96, area_range=(0.05, 0.14), seed=None):
    """The policy of multi-crop's small views: smaller boxes, resized to fewer pixels.

    The steps after the crop are those of `policy`, with the window of a blur adapted to
    the new size.

    Args:
        policy: `Policy` that begins with `RandomResizedCrop`, such as
            `SimCLRAugmentation`.
        image_size: Int, height and width of the small view.
        area_range: Pair of floats in (0, 1], share of the area of its crop.
        seed: Int or None, see `ImageLayer`.

    Returns:
        `Policy`.

    Raises:
        ValueError: If the policy does not begin with `RandomResizedCrop`.

    Example:
        >>> small = small_view(SimCLRAugmentation(224), 96)
        >>> print(describe(small.steps[-1]))
        RandomGaussianBlur(probability=0.5, kernel_size=9, sigma_range=0.1-2)

    Reference: Caron et al. 2020, https://arxiv.org/abs/2006.09882, section 3.2.
    """
    crop, *rest = getattr(policy, "steps", [policy])
    if not isinstance(crop, RandomResizedCrop):
        raise ValueError(
            f"`policy` must begin with RandomResizedCrop, got {type(crop).__name__}."
        )
    small_crop = RandomResizedCrop(
        image_size,
        area_range,
        crop.aspect_ratio_range,
        crop.flip_probability,
        min_object_covered=0.0,
        seed=0,
    )
    return Policy(
        [small_crop, *(_at_size(step, image_size) for step in rest)], seed=seed
    )


def _at_size(step, image_size):
    """A step after the crop, for images of another size."""
    if not isinstance(step, RandomGaussianBlur):
        return step
    window = blur_kernel_size(image_size)
    return RandomGaussianBlur(window, step.sigma_range, step.probability, seed=0)


def describe(layer):
    """A layer, or each step of a policy, as text: `RandomSolarize(threshold=0.5, ..)`.

    Args:
        layer: `ImageLayer`.

    Returns:
        Str.
    """
    if isinstance(layer, Policy):
        return ", ".join(describe(step) for step in layer.steps)
    settings = {**layer.get_config()}
    for name in _base.ImageLayer(seed=0).get_config():
        settings.pop(name, None)
    values = ", ".join(f"{name}={_text(value)}" for name, value in settings.items())
    return f"{type(layer).__name__}({values})"


def _text(value):
    if isinstance(value, (tuple, list)):
        return "-".join(map(_text, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _size_of(steps, image_size):
    """The size that the steps crop to."""
    for step in steps:
        if not isinstance(step, _base.ImageLayer):
            raise ValueError(f"`steps` must be ImageLayers, got {step!r}.")
    sizes = [getattr(step, "image_size", None) for step in steps]
    if not steps or sizes[0] is None:
        first = type(steps[0]).__name__ if steps else "no step"
        raise ValueError(
            f"`steps` must begin with RandomResizedCrop or EvaluationCrop, got {first}."
        )
    size = sizes[0] if image_size is None else image_size
    others = set(sizes) - {size, None}
    if others:
        raise ValueError(
            f"`image_size` must be {others.pop()}, what `steps` crop to, got {size}."
        )
    return size
