"""Random views: Keras layers over tf.image, and the policies built of them."""

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
from simclr_tf.augmentation.policies import CropAndFlip, SimCLRAugmentation

__all__ = [
    "CropAndFlip",
    "EvaluationCrop",
    "RandomColorJitter",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomResizedCrop",
    "SimCLRAugmentation",
    "blur_kernel_size",
    "center_box",
    "center_crop",
    "gaussian_blur",
]
