"""What all augmentation layers share: shapes, dtypes and seeds."""

import random

import tensorflow as tf
from tensorflow import keras


class ImageLayer(keras.layers.Layer):
    """A layer from images to float32 images in [0, 1], one or a batch of them.

    A subclass works on a batch in `process(images, training, seed)`.

    Args:
        seed: Int or None, seed of the layer's stream of draws. Two layers with the same
            seed give the same sequence. None takes a seed from Python's `random`.
        **kwargs: Those of `keras.layers.Layer`; the dtype is always float32.

    Call arguments:
        images: uint8 0..255 or float 0..1, `[H, W, 3]` or `[B, H, W, 3]`.
        training: Bool, whether to draw.
        seed: Int tensor `[2]` or `[4]`, or None. With a seed, the result depends only
            on images and seed. The last two numbers of `[4]` are (first, total): the
            images get the draws that rows `first ..` of a batch of `total` images get
            from the first two numbers. None takes the next seed of the layer's stream.
            In a parallel `dataset.map` that depends on the order in which calls happen
            to start, so pass a seed there if views must not depend on the number of
            threads. Under a strategy, the replicas draw what one device draws for the
            whole batch.
    """

    def __init__(self, seed=None, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.seed = seed
        self._stream = random.randrange(2**31) if seed is None else seed
        self._calls = tf.Variable(
            0,
            dtype=tf.int64,
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            name="calls",
        )
        self.built = True

    def call(self, images, training=True, seed=None):
        images = tf.convert_to_tensor(images)
        if images.shape.rank not in (3, 4) or images.shape[-1] != 3:
            raise ValueError(
                f"{self.name} needs RGB images [H, W, 3] or [B, H, W, 3], got shape "
                f"{images.shape}."
            )
        if images.dtype.is_integer:
            images = tf.image.convert_image_dtype(images, tf.float32)
        images = tf.cast(images, tf.float32)
        if training:
            seed = self._next_seed(images) if seed is None else tf.cast(seed, tf.int64)
        if images.shape.rank == 4:
            return self.process(images, training, seed)
        return self.process(images[tf.newaxis], training, seed)[0]

    def process(self, images, training, seed):
        """Float32 `[B, h, w, 3]` in [0, 1] from float32 `[B, H, W, 3]` in [0, 1]."""
        raise NotImplementedError

    def _next_seed(self, images):
        """The stream's next seed, with this replica's rows of the batch."""
        count = tf.convert_to_tensor(self._calls.assign_add(1))
        seed = tf.stack([tf.constant(self._stream, tf.int64), count])
        context = tf.distribute.get_replica_context()
        if context is None or context.num_replicas_in_sync == 1:
            return seed
        replica = context.replica_id_in_sync_group
        if isinstance(context.strategy, tf.distribute.TPUStrategy):
            # Draws for a batch of unknown size have no static shape: a stream each.
            return seed + tf.stack([tf.cast(replica, tf.int64) << 32, 0])
        rows = tf.shape(images, tf.int64)[:1] if images.shape.rank == 4 else [1]
        ends = tf.cumsum(context.all_gather(tf.cast(rows, tf.int64), axis=0))
        return tf.concat([seed, [ends[replica] - rows[0], ends[-1]]], axis=0)

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


def split_seed(seed, count):
    """Splits one seed, `[2]` or `[4]`, into `count` independent ones for the same rows.

    They are those of `tf.random.experimental.stateless_fold_in` with 0, 1, .., but the
    number that they share is drawn only once.
    """
    seed = tf.convert_to_tensor(seed)
    drawn = tf.random.stateless_uniform([], seed[:2], None, None, seed.dtype)
    rows = tf.unstack(seed[2:])
    return [tf.stack([drawn, number, *rows]) for number in range(count)]


def uniform(seed, images, low=0.0, high=1.0, columns=None):
    """Float32 draws from [low, high), one for each image: `[B]` or `[B, columns]`."""
    seed, count = tf.convert_to_tensor(seed), tf.shape(images)[0]
    of_image = [] if columns is None else [columns]
    if seed.shape[0] == 2:
        return tf.random.stateless_uniform([count, *of_image], seed, low, high)
    first, total = tf.unstack(tf.cast(seed[2:], tf.int32))
    draws = tf.random.stateless_uniform([total, *of_image], seed[:2], low, high)
    return draws[first : first + count]


def normal(seed, images):
    """Float32 standard normal draws in the shape of the images.

    Every image has its own range of the generator's counter, with four numbers per
    count, so that a replica only draws for its own rows.
    """
    seed, shape = tf.convert_to_tensor(seed), tf.shape(images)
    first = seed[2] if seed.shape[0] == 4 else tf.constant(0, seed.dtype)
    values = tf.reduce_prod(shape[1:])
    counts = -(-values // 4)
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed[:2])
    skipped = tf.cast(first, tf.int64) * tf.cast(counts, tf.int64)
    draws = tf.raw_ops.StatelessRandomNormalV2(
        shape=[shape[0], 4 * counts],
        key=key,
        counter=counter + tf.cast(tf.stack([skipped, 0]), tf.uint64),
        alg=1,  # Philox, whose counter it is
        dtype=tf.float32,
    )
    return tf.reshape(draws[:, :values], shape)


def chosen(seed, images, probability):
    """Bool `[B]`, each true with the given probability."""
    return uniform(seed, images) < probability


def per_image(values):
    """Values `[B]` as `[B, 1, 1, 1]`, or one as `[1, 1, 1]`, to match images."""
    values = tf.convert_to_tensor(values)
    return values[..., tf.newaxis, tf.newaxis, tf.newaxis]


def check_probability(name, value):
    """Raises an error unless the value is a probability."""
    if not 0 <= value <= 1:
        raise ValueError(f"`{name}` must be in [0, 1], got {value}.")


def check_size(name, value):
    """Raises an error unless the value is a positive int."""
    if isinstance(value, bool) or int(value) != value or value < 1:
        raise ValueError(f"`{name}` must be a positive int, got {value}.")
