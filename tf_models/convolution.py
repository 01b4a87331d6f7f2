"""Convolutions whose gradient with respect to the images is fast without oneDNN.

With many channels and few pixels, TensorFlow's own kernel for that gradient runs at an
eighth of the forward kernel's speed. But the gradient can be written as convolutions.
"""

import tensorflow as tf
from tensorflow.python.util import _pywrap_util_port as util_port


def is_faster(images):
    """Whether `convolve` trains faster than `tf.nn.conv2d`.

    It does on CPUs where TensorFlow uses its own kernels. By default these are CPUs
    without AVX-512 VNNI or similar; see TF_ENABLE_ONEDNN_OPTS in TensorFlow's
    documentation.
    """
    accelerated = any(map(tf.config.list_logical_devices, ("GPU", "TPU")))
    static = None not in images.shape[1:3]
    return static and not accelerated and not util_port.IsMklEnabled()


def convolve(images, kernel, strides=1):
    """Convolves with equal zero padding on both sides; differentiable once.

    Args:
        images: Float tensor `[B, H, W, c]` with static height and width.
        kernel: Tensor `[k, k, c, C]` of the same dtype, k odd.
        strides: Int, 1 or 2.

    Returns:
        Tensor `[B, ceil(H / strides), ceil(W / strides), C]`.
    """
    if kernel.shape[0] == 1:  # it does not see what it steps over
        images, strides = images[:, ::strides, ::strides], 1
    return _convolution(images, kernel, strides)


# A function of its own: TensorFlow never forgets a custom gradient, nor the graph that
# it is in. This graph holds one convolution, and serves all networks with such shapes.
@tf.function(autograph=False)
def _convolution(images, kernel, strides):
    size, padding = images.shape[1:3], (kernel.shape[0] - 1) // 2

    @tf.custom_gradient
    def convolution(images, kernel):
        padded = pad(images, padding) if strides > 1 else images
        how = {
            "strides": [1, strides, strides, 1],
            "padding": "VALID" if strides > 1 else "SAME",
        }

        def gradients(upstream):
            to_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=padded, filter_sizes=kernel.shape, out_backprop=upstream, **how
            )
            return gradient_to_images(upstream, kernel, size, strides), to_kernel

        return tf.raw_ops.Conv2D(input=padded, filter=kernel, **how), gradients

    return convolution(images, kernel)


def gradient_to_images(upstream, kernel, size, strides):
    """The gradient of `convolve` with respect to its images.

    Take every `strides`-th row and column of it, starting at the first or at the
    second. That part is a convolution of the outputs' gradient with those kernel
    weights by which the outputs read these rows and columns.

    Args:
        upstream: Float tensor `[B, h, w, C]`, the gradient with respect to the outputs.
        kernel: Tensor `[k, k, c, C]` of the same dtype, k odd; with strides not 1.
        size: `(H, W)` of the images.
        strides: Int, 1 or 2.

    Returns:
        Tensor `[B, H, W, c]`.
    """
    rows, columns = (
        [
            _share(first, kernel.shape[0], pixels, outputs, strides)
            for first in range(strides)
        ]
        for pixels, outputs in zip(size, upstream.shape[1:3], strict=True)
    )
    turned = tf.transpose(kernel, [0, 1, 3, 2])
    shares = [_of_share(upstream, turned, r, c) for r in rows for c in columns]
    if strides == 1:
        return shares[0]
    pixels = tf.nn.depth_to_space(tf.concat(shares, axis=-1), strides)
    return pixels[:, : size[0], : size[1]]


def _share(first, kernel_size, pixels, outputs, strides):
    """Every `strides`-th row of the images, or column, from the `first`.

    Returns:
        List of the kernel's rows that read these, last first; and how many zeros have
        to be added before and after the outputs to convolve with them.
    """
    place = first + (kernel_size - 1) // 2
    weights = list(range(place % strides, kernel_size, strides))[::-1]
    before = len(weights) - 1 - place // strides
    after = -(-pixels // strides) + place // strides - outputs
    return weights, [before, after]


def _of_share(upstream, turned, rows, columns):
    """The gradient for the pixels in some rows and columns, see `_share`."""
    (rows, down), (columns, across) = rows, columns
    weights = tf.gather(tf.gather(turned, rows, axis=0), columns, axis=1)
    return tf.nn.conv2d(upstream, weights, 1, [[0, 0], down, across, [0, 0]])


def pad(images, size):
    """`[B, H, W, C]` with `size` zero pixels on each of the four sides."""
    if size == 0:
        return images
    return tf.pad(images, [[0, 0], [size, size], [size, size], [0, 0]])
