"""Gaussian blur, with a width for each image."""

import tensorflow as tf
from tensorflow import keras

from simclr_tf.augmentation import _base, _chance


@keras.utils.register_keras_serializable(package="simclr_tf")
class RandomGaussianBlur(_chance.ChangeSome):
    """Blurs some images, each with its own random width.

    Args:
        kernel_size: Int >= 1, see `gaussian_blur`; None means a tenth of the height.
        sigma_range: Pair of positive floats, in pixels.
        probability: Float in [0, 1], share of images that are blurred.
        **kwargs: `seed` and those of `keras.layers.Layer`.

    Call arguments, returns: see `ImageLayer`.

    Reference: Chen et al. 2020, https://arxiv.org/abs/2002.05709, appendix A.
    """

    def __init__(self, kernel_size, sigma_range=(0.1, 2.0), probability=0.5, **kwargs):
        super().__init__(probability, **kwargs)
        _base.check_size("kernel_size", kernel_size)
        if not 0 < sigma_range[0] <= sigma_range[1]:
            raise ValueError(
                f"`sigma_range` must be 0 < low <= high, got {sigma_range}."
            )
        self.kernel_size = kernel_size
        self.sigma_range = tuple(sigma_range)

    def choose(self, images, seed):
        for_sigma, for_choice = _base.split_seed(seed, 2)
        sigma = _base.uniform(for_sigma, images, *self.sigma_range)
        chosen = _base.chosen(for_choice, images, self.probability)
        return chosen, _windows(self.kernel_size // 2, sigma)

    def change(self, images, windows):
        return tf.cond(
            tf.shape(images)[0] > 0,  # TensorFlow convolves no empty batch
            lambda: _convolve(images, windows),
            lambda: images,
        )

    @staticmethod
    def change_planes(planes, window):
        return _convolve_planes(planes, window)

    def get_config(self):
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "sigma_range": self.sigma_range,
        }


def gaussian_blur(images, kernel_size, sigma):
    """Convolves with a Gaussian, down and across; images are padded with black.

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
    sigma = tf.reshape(tf.cast(sigma, tf.float32), [-1])
    sigma = tf.broadcast_to(sigma, tf.shape(batch)[:1])
    blurred = _convolve(batch, _windows(kernel_size // 2, sigma))
    blurred = tf.ensure_shape(blurred, batch.shape)
    return blurred if images.shape.rank == 4 else blurred[0]


def blur_kernel_size(image_size):
    """Pixels in the window of SimCLR's blur: about a tenth of the image, odd.

    Example:
        >>> [blur_kernel_size(size) for size in (32, 96, 224)]
        [3, 9, 23]
    """
    return 2 * (image_size // 10 // 2) + 1


def _windows(radius, sigma):
    """Weights `[B, 2 * radius + 1]` that sum to 1."""
    window = tf.range(-radius, radius + 1, dtype=tf.float32)
    weights = tf.exp(-tf.square(window) / (2.0 * tf.square(sigma)[:, tf.newaxis]))
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)


def _convolve(images, windows):
    """Convolves images `[B, H, W, 3]` down and across, each with its window `[B, k]`.

    The whole batch becomes one picture of `3 B` channels with a window each. This
    convolution is fast, because values at the same pixel are neighbours in memory.
    """
    count, height, width, channels = tf.unstack(tf.shape(images))
    planes = tf.transpose(images, [1, 2, 0, 3])
    planes = tf.reshape(planes, [1, height, width, count * channels])
    down = tf.repeat(tf.transpose(windows), channels, axis=1)  # [k, 3 B]
    down = down[:, tf.newaxis, :, tf.newaxis]
    for window in (down, tf.transpose(down, [1, 0, 2, 3])):
        planes = tf.nn.depthwise_conv2d(planes, window, [1, 1, 1, 1], "SAME")
    planes = tf.reshape(planes, [height, width, count, channels])
    return tf.clip_by_value(tf.transpose(planes, [2, 0, 1, 3]), 0.0, 1.0)


def _convolve_planes(planes, window):
    """The same of one image `[3, H, W]` with its window `[k]`, as sums of shifts.

    XLA fuses them into one pass over the image; it has no fast depthwise convolution.
    """
    taps = tf.unstack(window)
    radius = len(taps) // 2
    padded = tf.pad(planes, [[0, 0], [radius, radius], [radius, radius]])

    def summed(shifted):
        """Weighted sum of what `shifted` makes of every tap's span of pixels."""
        spans = [slice(k, k - 2 * radius or None) for k in range(len(taps))]
        return tf.add_n(
            [tap * shifted(span) for tap, span in zip(taps, spans, strict=True)]
        )

    # A loop of one turn: without it XLA would compute every row anew for each column.
    rows = tf.while_loop(
        lambda first, _: first,
        lambda *_: (False, summed(lambda span: padded[:, span])),
        (True, tf.zeros_like(padded[:, 2 * radius :])),
    )[1]
    return tf.clip_by_value(summed(lambda span: rows[..., span]), 0.0, 1.0)
