"""Gaussian blur, each image by its own width."""

import tensorflow as tf
from tensorflow import keras

from simclr_tf.augmentation import _base


@keras.utils.register_keras_serializable(package="simclr_tf")
class RandomGaussianBlur(_base.ImageLayer):
    """Blurs some images, each with a width of its own.

    Args:
        kernel_size: Int >= 1, see `gaussian_blur`; None means a tenth of the height.
        sigma_range: Pair of positive floats, in pixels.
        probability: Float in [0, 1], share of images that are blurred.
        **kwargs: `seed` and those of `keras.layers.Layer`.

    Call arguments, returns: see `ImageLayer`.

    Reference: Chen et al. 2020, https://arxiv.org/abs/2002.05709, appendix A.
    """

    def __init__(self, kernel_size, sigma_range=(0.1, 2.0), probability=0.5, **kwargs):
        super().__init__(**kwargs)
        _base.check_size("kernel_size", kernel_size)
        if not 0 < sigma_range[0] <= sigma_range[1]:
            raise ValueError(
                f"`sigma_range` must be 0 < low <= high, got {sigma_range}."
            )
        _base.check_probability("probability", probability)
        self.kernel_size = kernel_size
        self.sigma_range = tuple(sigma_range)
        self.probability = probability

    def process(self, images, training, seed):
        if not training:
            return images
        for_sigma, for_choice = _base.split_seed(seed, 2)
        sigma = _base.uniform(for_sigma, images, *self.sigma_range)
        blurred = gaussian_blur(images, self.kernel_size, sigma)
        blur = _base.per_image(_base.chosen(for_choice, images, self.probability))
        return tf.where(blur, blurred, images)

    def get_config(self):
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "sigma_range": self.sigma_range,
            "probability": self.probability,
        }


def gaussian_blur(images, kernel_size, sigma):
    """Convolves with a Gaussian, down and across; outside of the image is black.

    Args:
        images: Float `[H, W, 3]` or `[B, H, W, 3]` in [0, 1].
        kernel_size: Int >= 1; the window has `2 * (kernel_size // 2) + 1` pixels.
        sigma: Positive float, or `[B]`, in pixels.

    Returns:
        Float32 tensor of the same shape in [0, 1].

    Raises:
        ValueError: If `kernel_size` is not a positive int.
    """
    _base.check_size("kernel_size", kernel_size)
    images = tf.convert_to_tensor(images)
    if images.dtype.is_integer:
        images = tf.image.convert_image_dtype(images, tf.float32)
    images = tf.cast(images, tf.float32)
    batch = images if images.shape.rank == 4 else images[tf.newaxis]
    sigma = tf.reshape(tf.cast(sigma, tf.float32), [-1])  # [B] or [1]
    count, height, width, _ = tf.unstack(tf.shape(batch))
    down = _bands(height, kernel_size // 2, sigma)  # [B, H, H]
    across = _bands(width, kernel_size // 2, sigma)
    blurred = tf.matmul(down, tf.reshape(batch, [count, height, width * 3]))
    blurred = tf.reshape(blurred, [count, height, width, 3])
    across = tf.broadcast_to(across, [count, width, width])
    blurred = tf.einsum("bvw,bhwc->bhvc", across, blurred)
    blurred = tf.clip_by_value(blurred, 0.0, 1.0)
    blurred = tf.ensure_shape(blurred, batch.shape)
    return blurred if images.shape.rank == 4 else blurred[0]


def blur_kernel_size(image_size):
    """Pixels in the window of SimCLR's blur: about a tenth of the image, odd.

    Example:
        >>> [blur_kernel_size(size) for size in (32, 96, 224)]
        [3, 9, 23]
    """
    return 2 * (image_size // 10 // 2) + 1


def _bands(size, radius, sigma):
    """Convolution as matrices `[B, size, size]`: a row holds the window of a pixel."""
    window = tf.range(-radius, radius + 1, dtype=tf.float32)
    weights = tf.exp(-tf.square(window) / (2.0 * tf.square(sigma)[:, tf.newaxis]))
    total = tf.reduce_sum(weights, axis=1)[:, tf.newaxis, tf.newaxis]
    pixels = tf.range(tf.cast(size, tf.float32))
    distance = tf.abs(pixels[:, tf.newaxis] - pixels)  # [size, size]
    variance = tf.square(sigma)[:, tf.newaxis, tf.newaxis]
    gaussian = tf.exp(-tf.square(distance) / (2.0 * variance)) / total
    return tf.where(distance <= float(radius), gaussian, 0.0)
