"""From a source to batches, in an order that is a function of seed and position.

Position p, counted over all epochs, shows image `index_shuffle(p mod N)` of epoch
`p // N`, and a view is drawn from `(seed, position)`: nothing depends on the number of
threads, and a run resumes at any step at no cost.
"""

import tensorflow as tf

from simclr_tf.data.source import in_memory

_SHUFFLE_BUFFER = 10_000  # of sources without random access


def shuffled_index(position, num_examples, seed):
    """The image at a position of an endless stream of epochs.

    Args:
        position: Int64 scalar or `[n]`, counted over all epochs.
        num_examples: Int `N`.
        seed: Int in 0 .. 2^31 - 1.

    Returns:
        Int64 `[n]` in `0 .. N - 1`; every epoch has each once.
    """
    position = tf.reshape(tf.cast(position, tf.int64), [-1])
    epoch = position // num_examples
    keys = tf.stack([tf.fill(tf.shape(epoch), seed), tf.cast(epoch, tf.int32)], axis=1)
    # The raw operation, because tf.random.experimental.index_shuffle pads a seed of
    # several rows along the wrong axis.
    return tf.raw_ops.RandomIndexShuffle(
        index=position % num_examples,
        seed=tf.pad(keys, [[0, 0], [1, 0]]),
        max_index=tf.constant(num_examples - 1, tf.int64),
        rounds=8,  # with 4, small sets come nearly in order
    )


def train_batches(
    source,
    batch_size,
    num_steps,
    *,
    view,
    num_views=2,
    seed=0,
    start_step=0,
    cache=False,
):
    """Batches of random views.

    Epochs follow each other without a gap: a batch may hold the end of one and the
    beginning of the next. Where the source has random access, the order and the views
    at a step depend on `seed` and the step alone. Where it has not, a buffer of 10 000
    images shuffles it, and `start_step` skips what was seen.

    Args:
        source: `Source`.
        batch_size: Int, images a batch.
        num_steps: Int, the step at which the data set ends.
        view: Layer of `simclr_tf.augmentation`, called as `view(images, training=True,
            seed=...)`.
        num_views: 2, or 1 for fine-tuning.
        seed: Int.
        start_step: Int, the first step.
        cache: Bool, whether to keep decoded images in memory (random access to images
            of one size, after the first epoch else).

    Returns:
        `tf.data.Dataset` of `num_steps - start_step` batches: `((view_a, view_b),
        labels)` or `(images, labels)`, without `labels` where there are none.
    """
    if cache and source.image_shape and not source.random_access:
        source = in_memory(source)

    def with_views(position, example):
        """Views of an image, or of a batch of them, by their place in the stream."""
        images, *labels = example if isinstance(example, tuple) else (example,)
        views = tuple(
            view(
                images,
                training=True,
                seed=tf.stack([seed, position * num_views + number]),
            )
            for number in range(num_views)
        )
        return (views if num_views > 1 else views[0], *labels)

    if source.random_access and source.image_shape:
        steps = tf.data.Dataset.range(start_step, num_steps)

        def batch(step):
            positions = step * batch_size + tf.range(batch_size, dtype=tf.int64)
            indices = shuffled_index(positions, source.num_examples, seed)
            return with_views(step, source.read(indices))

        batches = steps.map(batch, num_parallel_calls=tf.data.AUTOTUNE)
    else:
        first, last = start_step * batch_size, num_steps * batch_size
        numbered = _numbered_images(source, first, last, seed, cache)
        images = numbered.map(with_views, num_parallel_calls=tf.data.AUTOTUNE)
        batches = images.batch(batch_size, drop_remainder=True)
    if source.num_classes is None:
        batches = batches.map(lambda views: views)
    return batches.prefetch(2)


def _numbered_images(source, first, last, seed, cache):
    """`(position, example)` for the positions first .. last - 1."""
    positions = tf.data.Dataset.range(first, last)
    if source.random_access and not cache:

        def read(position):
            index = shuffled_index(position, source.num_examples, seed)[0]
            return position, source.read(index)

        return positions.map(read, num_parallel_calls=tf.data.AUTOTUNE)
    images = source.as_dataset()
    if cache:
        images = images.cache()
    images = images.shuffle(min(source.num_examples, _SHUFFLE_BUFFER), seed)
    return tf.data.Dataset.zip((positions, images.repeat().skip(first)))


def eval_batches(source, batch_size, preprocess, limit_steps=0):
    """Every image once, in order, the last batch smaller.

    Args:
        source: `Source`.
        batch_size: Int.
        preprocess: Callable from an image or a batch to float images of one size.
        limit_steps: Int > 0 ends after so many batches.

    Returns:
        `tf.data.Dataset` of `(images, labels)`, or `images` where there are no labels.
    """
    dataset = source.as_dataset()
    if source.image_shape:
        dataset = dataset.batch(batch_size)

    def prepared(images, *labels):
        return (preprocess(images), *labels) if labels else preprocess(images)

    dataset = dataset.map(prepared, num_parallel_calls=tf.data.AUTOTUNE)
    if not source.image_shape:
        dataset = dataset.batch(batch_size)
    return (dataset.take(limit_steps) if limit_steps else dataset).prefetch(2)


def batched_views(dataset, augmentation, batch_size, num_views=2):
    """Batches of views of a user's own data set of single images of any size.

    Every pass over the result draws anew, from the stream of the layer's seed.

    Args:
        dataset: Unbatched `tf.data.Dataset` of `image` or `(image, label)`.
        augmentation: Layer of `simclr_tf.augmentation`.
        batch_size: Int.
        num_views: Int.

    Returns:
        `tf.data.Dataset` of `(view_a, view_b)` or `((view_a, view_b), labels)`.
    """
    draws = tf.data.Dataset.random(
        seed=augmentation.seed, rerandomize_each_iteration=True
    )

    def with_views(draw, example):
        image, *label = example if isinstance(example, tuple) else (example,)
        views = tuple(
            augmentation(image, training=True, seed=tf.stack([draw, number]))
            for number in range(num_views)
        )
        return (views, *label) if label else views

    images = tf.data.Dataset.zip((draws, dataset))
    images = images.map(with_views, num_parallel_calls=tf.data.AUTOTUNE)
    return images.batch(batch_size).prefetch(2)
