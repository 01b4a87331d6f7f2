"""Random views: Keras layers over tf.image, and the policies built of them."""

from simclr_tf.augmentation._base import ImageLayer
from simclr_tf.augmentation.blur import (
    RandomGaussianBlur,
    blur_kernel_size,
    gaussian_blur,
)
from simclr_tf.augmentation.color import RandomColorJitter, RandomGrayscale
from simclr_tf.augmentation.crop import (
    EvaluationCrop,
    RandomFlip,
    RandomResizedCrop,
    center_box,
    center_crop,
)
from simclr_tf.augmentation.cutout import RandomCutout
from simclr_tf.augmentation.noise import RandomGaussianNoise
from simclr_tf.augmentation.policies import (
    CropAndFlip,
    Policy,
    SimCLRAugmentation,
    describe,
    small_view,
)
from simclr_tf.augmentation.rotation import RandomRotation90
from simclr_tf.augmentation.sobel import RandomSobel
from simclr_tf.augmentation.tone import RandomEqualize, RandomSolarize

__all__ = [
    "CropAndFlip",
    "EvaluationCrop",
    "ImageLayer",
    "Policy",
    "RandomColorJitter",
    "RandomCutout",
    "RandomEqualize",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGaussianNoise",
    "RandomGrayscale",
    "RandomResizedCrop",
    "RandomRotation90",
    "RandomSobel",
    "RandomSolarize",
    "SimCLRAugmentation",
    "blur_kernel_size",
    "center_box",
    "center_crop",
    "describe",
    "gaussian_blur",
    "small_view",
]
