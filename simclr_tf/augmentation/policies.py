"""The augmentation policies of the papers."""

from tensorflow import keras

from simclr_tf.augmentation import _base
from simclr_tf.augmentation.blur import RandomGaussianBlur, blur_kernel_size
from simclr_tf.augmentation.color import RandomColorJitter, RandomGrayscale
from simclr_tf.augmentation.crop import EvaluationCrop, RandomResizedCrop


class _Policy(_base.ImageLayer):
    """Layers one after the other; without training, the evaluation crop."""

    def __init__(self, image_size, area_range, **kwargs):
        super().__init__(**kwargs)
        _base.check_size("image_size", image_size)
        self.image_size = image_size
        self.area_range = tuple(area_range)
        self._evaluation = EvaluationCrop(image_size)
        self.steps = [
            RandomResizedCrop(image_size, area_range, flip_probability=0.5, seed=0)
        ]

    def process(self, images, training, seed):
        if not training:
            return self._evaluation(images)
        seeds = _base.split_seed(seed, len(self.steps))
        for step, step_seed in zip(self.steps, seeds, strict=True):
            images = step(images, training=True, seed=step_seed)
        return images

    def get_config(self):
        return {
            **super().get_config(),
            "image_size": self.image_size,
            "area_range": self.area_range,
        }


@keras.utils.register_keras_serializable(package="simclr_tf")
class SimCLRAugmentation(_Policy):
    """One random view: crop and flip, colour distortion, grayscale, blur.

    Args:
        image_size: Int, height and width of the view.
        color_jitter_strength: Float in [0, 1.25]; 0 leaves colours alone, grayscale
            included. The paper takes 1 for ImageNet, 0.5 for CIFAR-10.
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
        super().__init__(image_size, area_range, seed=seed, **kwargs)
        self.color_jitter_strength = color_jitter_strength
        self.blur = blur
        jitter = RandomColorJitter(color_jitter_strength, seed=0)
        if color_jitter_strength > 0:
            self.steps += [jitter, RandomGrayscale(seed=0)]
        if blur:
            size = blur_kernel_size(image_size)
            self.steps.append(RandomGaussianBlur(size, seed=0))

    def get_config(self):
        return {
            **super().get_config(),
            "color_jitter_strength": self.color_jitter_strength,
            "blur": self.blur,
        }


@keras.utils.register_keras_serializable(package="simclr_tf")
class CropAndFlip(_Policy):
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
