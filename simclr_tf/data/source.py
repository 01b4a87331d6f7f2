"""Where images come from: one small interface, one class for each place."""

import os

import numpy as np
import tensorflow as tf

from simclr_tf.errors import UserError


class Source:
    """Images, and their labels where there are any, by number.

    Attributes:
        name: Str, for people.
        num_examples: Int `N`.
        class_names: Tuple of str, or None where images have no labels.
        image_shape: `(H, W, 3)`, or None where images differ in size.
        random_access: Bool, whether `read` is there.
    """

    random_access = True

    def __init__(
        self,
        name,
        num_examples,
        class_names=None,
        image_shape=None,
        labels=None,
        file_names=None,
    ):
        self.name = name
        self.num_examples = num_examples
        self.class_names = class_names
        self.image_shape = image_shape
        # Each a sequence, a function that reads one when it is asked for, or None.
        self._read_labels, self._read_file_names = labels, file_names

    @property
    def num_classes(self):
        """Int, or None where images have no labels."""
        return None if self.class_names is None else len(self.class_names)

    def labels(self):
        """Every label by number, without decoding an image.

        Returns:
            NumPy int64 `[N]`, -1 where a label is not known; None where there are none.
        """
        labels = _called(self._read_labels)
        return None if labels is None else np.asarray(labels, np.int64)

    def file_names(self):
        """Every image's file by number, without decoding an image.

        Returns:
            List of str, paths or base names; None where images have no names.
        """
        names = _called(self._read_file_names)
        return None if names is None else list(names)

    def read(self, index):
        """Examples by number, in graph mode.

        Args:
            index: Int64 scalar; or `[B]` where all images have one size.

        Returns:
            `(images, labels)`, or `images` where there are no labels: uint8
            `[.., H, W, 3]` and int64.
        """
        raise NotImplementedError

    def as_dataset(self, mask=None):
        """Unbatched `tf.data.Dataset` of every example once, in order of number.

        Args:
            mask: Bool `[N]`, the examples to take; the others are not decoded. None
                takes all.
        """
        numbers = tf.data.Dataset.range(self.num_examples)
        if mask is not None:
            numbers = tf.data.Dataset.from_tensor_slices(np.flatnonzero(mask))
        return numbers.map(self.read, num_parallel_calls=tf.data.AUTOTUNE)


class ArraySource(Source):
    """Images in memory.

    Args:
        images: uint8 `[N, H, W, 3]`, or grey `[N, H, W]` or `[N, H, W, 1]`.
        labels: Int `[N]` or None.
        class_names: Sequence of str; None numbers the classes.
        name: Str.
        file_names: List of `N` str, a function that gives it, or None.

    Raises:
        ValueError: If shapes or dtypes are others.
    """

    def __init__(
        self, images, labels=None, class_names=None, name="arrays", file_names=None
    ):
        images = tf.convert_to_tensor(images)
        if images.shape.rank == 3:
            images = images[..., tf.newaxis]
        rgb_or_grey = images.shape.rank == 4 and images.shape[-1] in (1, 3)
        if images.dtype != tf.uint8 or not rgb_or_grey:
            raise ValueError(
                "`images` must be uint8 [N, H, W, 3], [N, H, W, 1] or [N, H, W], got "
                f"{images.dtype.name} {images.shape}."
            )
        if labels is not None:
            labels = tf.cast(labels, tf.int64)
            if labels.shape != images.shape[:1]:
                raise ValueError(
                    f"`labels` must be [{images.shape[0]}], got {labels.shape}."
                )
            if class_names is None:
                class_names = range(int(tf.reduce_max(labels)) + 1)
            class_names = tuple(str(name) for name in class_names)
        super().__init__(
            name,
            images.shape[0],
            class_names if labels is not None else None,
            (images.shape[1], images.shape[2], 3),
            labels,
            file_names,
        )
        self._images, self._labels = images, labels

    def read(self, index):
        images = tf.gather(self._images, index)
        if images.shape[-1] == 1:
            images = tf.image.grayscale_to_rgb(images)
        if self._labels is None:
            return images
        return images, tf.gather(self._labels, index)


class FileSource(Source):
    """Image files, decoded when they are read: JPEG, PNG, GIF's first frame, BMP.

    Args:
        paths: List of str.
        labels: Int list of the same length, or None.
        class_names: Tuple of str, or None.
        name: Str.

    Raises:
        UserError: If a file is not an image that can be read.
    """

    def __init__(self, paths, labels=None, class_names=None, name="files"):
        self.paths = list(paths)
        super().__init__(
            name, len(paths), class_names, labels=labels, file_names=self.paths
        )
        self._paths = tf.constant(self.paths)
        self._labels = None if labels is None else tf.constant(labels, tf.int64)

    def read(self, index):
        image = decode(tf.io.read_file(tf.gather(self._paths, index)))
        if self._labels is None:
            return image
        return image, tf.gather(self._labels, index)

    def file_names(self):
        return list(self.paths)


class SequentialSource(Source):
    """A data set that can only be read in its own order, such as a large TFDS one.

    Args:
        dataset: Unbatched `tf.data.Dataset` of what `parse` takes, in an order that is
            always the same.
        num_examples: Int.
        class_names: Tuple of str, or None.
        image_shape: `(H, W, 3)` or None.
        name: Str.
        parse: Callable in graph mode from an element to `(image, label)` or `image`,
            images uint8 `[H, W, 3]`; None where the elements are that already.
        labels: Int `[N]`, a function that reads it, or None.
        file_names: List of `N` str, a function that reads it, or None.
    """

    random_access = False

    def __init__(
        self,
        dataset,
        num_examples,
        class_names,
        image_shape,
        name,
        parse=None,
        labels=None,
        file_names=None,
    ):
        super().__init__(
            name, num_examples, class_names, image_shape, labels, file_names
        )
        self._dataset, self._parse = dataset, parse

    def as_dataset(self, mask=None):
        dataset = self._dataset
        if mask is not None:
            wanted = tf.constant(mask)
            dataset = dataset.enumerate().filter(lambda number, _: wanted[number])
            dataset = dataset.map(lambda _, element: element)
        if self._parse is None:
            return dataset
        return dataset.map(self._parse, num_parallel_calls=tf.data.AUTOTUNE)


def decode(encoded):
    """uint8 RGB `[H, W, 3]` of one encoded image."""
    image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    return tf.ensure_shape(image, [None, None, 3])


def in_memory(source):
    """The same examples as an `ArraySource`, for images of one size."""
    batches = source.as_dataset().batch(1024)
    parts = [batch if isinstance(batch, tuple) else (batch,) for batch in batches]
    arrays = [tf.concat(column, axis=0) for column in zip(*parts, strict=True)]
    return ArraySource(
        *arrays,
        class_names=source.class_names,
        name=source.name,
        file_names=source.file_names,
    )


def require_directory(path, flag="data_dir"):
    """Refuses a path that is no folder."""
    if not os.path.isdir(path):
        raise UserError(f"--{flag} must be a folder, got {path}.")


def _called(value):
    return value() if callable(value) else value
