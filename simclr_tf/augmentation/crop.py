"""Random crops for views, and the central crop for evaluation."""

import tensorflow as tf
from tensorflow import keras

from simclr_tf.augmentation import _base
from simclr_tf.augmentation.resampling import resample

_ATTEMPTS = 10


@keras.utils.register_keras_serializable(package="simclr_tf")
class RandomResizedCrop(_base.ImageLayer):
    """Cuts a box of random area and shape and resizes it bicubically to a square.

    Boxes are drawn like those of `tf.image.sample_distorted_bounding_box` in the
    published code. The ratio of width to height is uniform in its range times that of
    the image; then the height is uniform between those of the smallest and of the
    largest area that fits. Boxes that cover less than `min_object_covered` of the image
    are drawn again.

    Args:
        image_size: Int, height and width of the result.
        area_range: Pair of floats in (0, 1], share of the area.
        aspect_ratio_range: Pair of positive floats.
        flip_probability: Float, share of images that are also mirrored left to right.
        min_object_covered: Float in [0, 1], as in the published code; 0 allows boxes as
            small as `area_range` says.
        **kwargs: `seed` and those of `keras.layers.Layer`.

    Call arguments, returns: see `ImageLayer`; the result is `[.., S, S, 3]` in [0, 1].

    Reference: Chen et al. 2020, https://arxiv.org/abs/2002.05709, appendix A.
    """

    def __init__(
        self,
        image_size,
        area_range=(0.08, 1.0),
        aspect_ratio_range=(3 / 4, 4 / 3),
        flip_probability=0.0,
        min_object_covered=0.1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        _base.check_size("image_size", image_size)
        if not 0 < area_range[0] <= area_range[1] <= 1:
            raise ValueError(
                f"`area_range` must be 0 < low <= high <= 1, got {area_range}."
            )
        if not 0 < aspect_ratio_range[0] <= aspect_ratio_range[1]:
            raise ValueError(
                "`aspect_ratio_range` must be 0 < low <= high, got "
                f"{aspect_ratio_range}."
            )
        _base.check_probability("flip_probability", flip_probability)
        _base.check_probability("min_object_covered", min_object_covered)
        self.image_size = image_size
        self.area_range = tuple(area_range)
        self.aspect_ratio_range = tuple(aspect_ratio_range)
        self.flip_probability = flip_probability
        self.min_object_covered = min_object_covered

    @tf.autograph.experimental.do_not_convert  # that would take half a second
    def process(self, images, training, seed):
        size = (self.image_size, self.image_size)
        if not training:
            whole = tf.concat([[0, 0], tf.shape(images)[1:3]], axis=0)[tf.newaxis]
            return tf.clip_by_value(resample(images, whole, size), 0.0, 1.0)
        boxes, flip = self.draw(_shapes(images), seed)
        return tf.clip_by_value(resample(images, boxes, size, flip), 0.0, 1.0)

    def draw(self, shapes, seed):
        """The random draws for pictures, of which only the sizes are needed.

        Args:
            shapes: Int `[B, 2]`, heights and widths.
            seed: Int `[2]` or `[4]`, see `ImageLayer`.

        Returns:
            `(boxes, flip)`: int32 `[B, 4]` as from `boxes`, and bool `[B]`, which
            images are mirrored left to right, or None if none ever is.
        """
        for_box, for_flip = _base.split_seed(seed, 2)
        flip = None
        if self.flip_probability:
            flip = _base.chosen(for_flip, shapes, self.flip_probability)
        return self.boxes_of_shapes(shapes, for_box), flip

    def boxes(self, images, seed):
        """A random box for every image.

        Args:
            images: `[B, H, W, 3]`.
            seed: Int `[2]` or `[4]`, see `ImageLayer`.

        Returns:
            Int32 `[B, 4]`: top, left, height, width.
        """
        return self.boxes_of_shapes(_shapes(images), seed)

    def boxes_of_shapes(self, shapes, seed):
        """`boxes` for images of which only heights and widths `[B, 2]` are known."""
        height, width = tf.split(tf.cast(shapes, tf.float32), 2, axis=1)  # each [B, 1]
        draws = _base.uniform(seed, shapes, columns=4 * _ATTEMPTS)
        draws = tf.split(draws, 4, axis=1)  # each [B, attempts]
        low, high = self.aspect_ratio_range
        aspect = (low + (high - low) * draws[0]) * width / height
        low, high = (
            tf.sqrt(area * height * width / aspect) for area in self.area_range
        )
        high = tf.minimum(tf.minimum(high, height), width / aspect)
        low = tf.minimum(low, high)
        box_height = tf.round(low + (high - low) * draws[1])
        box_width = tf.round(box_height * aspect)
        least = max(self.area_range[0], self.min_object_covered) * height * width
        fits = (box_height * box_width >= least) & (box_width <= width)
        first = tf.argmax(fits, axis=1)  # the first True
        found = tf.reduce_any(fits, axis=1)
        height, width = height[:, 0], width[:, 0]
        box_height = tf.where(found, _at(box_height, first), height)
        box_width = tf.where(found, _at(box_width, first), width)
        top = tf.floor(draws[2][:, 0] * (height - box_height))
        left = tf.floor(draws[3][:, 0] * (width - box_width))
        boxes = tf.stack([top, left, box_height, box_width], axis=1)
        return tf.cast(boxes, tf.int32)

    def get_config(self):
        return {
            **super().get_config(),
            "image_size": self.image_size,
            "area_range": self.area_range,
            "aspect_ratio_range": self.aspect_ratio_range,
            "flip_probability": self.flip_probability,
            "min_object_covered": self.min_object_covered,
        }


@keras.utils.register_keras_serializable(package="simclr_tf")
class RandomFlip(_base.ImageLayer):
    """Mirrors images left to right.

    Args:
        probability: Float in [0, 1].
        **kwargs: `seed` and those of `keras.layers.Layer`.

    Call arguments, returns: see `ImageLayer`.
    """

    def __init__(self, probability=0.5, **kwargs):
        super().__init__(**kwargs)
        _base.check_probability("probability", probability)
        self.probability = probability

    def process(self, images, training, seed):
        if not training:
            return images
        flip = _base.per_image(_base.chosen(seed, images, self.probability))
        return tf.where(flip, images[:, :, ::-1], images)

    def get_config(self):
        return {**super().get_config(), "probability": self.probability}


@keras.utils.register_keras_serializable(package="simclr_tf")
class EvaluationCrop(_base.ImageLayer):
    """The preprocessing of evaluation: the centre, resized; nothing is random.

    If the result is larger than 32 pixels, the central `crop_proportion` is taken; for
    smaller ones the whole image is resized.

    Args:
        image_size: Int, height and width of the result.
        crop_proportion: Float in (0, 1].
        **kwargs: Those of `keras.layers.Layer`.

    Call arguments, returns: see `ImageLayer`; the result is `[.., S, S, 3]` in [0, 1].
    """

    def __init__(self, image_size, crop_proportion=0.875, **kwargs):
        super().__init__(**kwargs)
        _base.check_size("image_size", image_size)
        if not 0 < crop_proportion <= 1:
            raise ValueError(
                f"`crop_proportion` must be in (0, 1], got {crop_proportion}."
            )
        self.image_size = image_size
        self.crop_proportion = crop_proportion

    def call(self, images, training=False, seed=None):
        return super().call(images, training=False)

    def process(self, images, training, seed):
        size = (self.image_size, self.image_size)
        boxes, _ = self.draw(_shapes(images)[:1])
        return tf.clip_by_value(resample(images, boxes, size), 0.0, 1.0)

    @property
    def takes_whole_images(self):
        """Bool, whether whole images are resized instead of cropped to a square."""
        return self.image_size <= 32

    def draw(self, shapes, seed=None):
        """The box of every picture, and no flips; see `RandomResizedCrop.draw`."""
        if self.takes_whole_images:
            return tf.concat([tf.zeros_like(shapes), shapes], axis=1), None
        return center_box(shapes, *[self.image_size] * 2, self.crop_proportion), None

    def get_config(self):
        return {
            **super().get_config(),
            "image_size": self.image_size,
            "crop_proportion": self.crop_proportion,
        }


def center_crop(image, height, width, crop_proportion=0.875):
    """Crops the centre in the aspect ratio of the result and resizes it bicubically.

    Args:
        image: uint8 0..255 or float 0..1, `[H, W, 3]` or `[B, H, W, 3]`.
        height: Int, of the result.
        width: Int, of the result.
        crop_proportion: Float in (0, 1], size of the crop as a share of the largest
            that fits.

    Returns:
        Float32 `[.., height, width, 3]` in [0, 1].
    """
    image = tf.convert_to_tensor(image)
    if image.dtype.is_integer:
        image = tf.image.convert_image_dtype(image, tf.float32)
    images = image if image.shape.rank == 4 else image[tf.newaxis]
    box = center_box(tf.shape(images)[1:3], height, width, crop_proportion)
    cropped = resample(tf.cast(images, tf.float32), box[tf.newaxis], (height, width))
    cropped = tf.clip_by_value(cropped, 0.0, 1.0)
    return cropped if image.shape.rank == 4 else cropped[0]


def center_box(image_shape, height, width, crop_proportion=0.875):
    """The box that `center_crop` takes.

    Args:
        image_shape: Int tensor `[2]`, or `[B, 2]`, heights and widths of images.
        height: Int, of the result.
        width: Int, of the result.
        crop_proportion: Float in (0, 1].

    Returns:
        Int32 `[.., 4]`: top, left, height, width.

    Example:
        >>> print(center_box([375, 500], 224, 224).numpy())
        [ 24  86 328 328]
    """
    size = tf.cast(image_shape, tf.float32)
    target = tf.constant([height, width], tf.float32)
    # Of the largest box of that shape.
    scale = tf.reduce_min(size / target, axis=-1, keepdims=True)
    box = tf.cast(tf.math.rint(crop_proportion * scale * target), tf.int32)
    offset = (tf.cast(image_shape, tf.int32) - box + 1) // 2
    return tf.concat([offset, box], axis=-1)


def _shapes(images):
    """Height and width of every image, int32 `[B, 2]`."""
    shape = tf.shape(images)
    return tf.broadcast_to(shape[1:3], [shape[0], 2])


def _at(table, column):
    return tf.gather(table, column, axis=1, batch_dims=1)
