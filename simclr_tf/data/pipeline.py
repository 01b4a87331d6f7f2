"""From a source to batches, in an order that depends on seed and position alone.

Position p, counted over all epochs, shows image `index_shuffle(p mod N)` of epoch
`p // N`, and a view is drawn from `(seed, position)`. Nothing depends on the number of
threads, replicas or workers, and a run resumes at any step without cost.
"""

import typing

import tensorflow as tf

from simclr_tf import keras_compat
from simclr_tf.data import decoding, threads
from simclr_tf.data.attempts import attempt_pieces
from simclr_tf.data.bad_images import BadImages
from simclr_tf.data.images import decode
from simclr_tf.data.share import WHOLE
from simclr_tf.data.sources import in_memory
from simclr_tf.data.views import LateViews, Views, layer_of_each

_SHUFFLE_BUFFER = 10_000  # of sources without random access
_PIECE = 16  # images of files that are read and changed together


def shuffled_index(position, num_examples, seed):
    """The image at a position in an endless stream of epochs.

    Args:
        position: Int64 scalar or `[n]`, counted over all epochs.
        num_examples: Int `N`.
        seed: Int in 0 .. 2^31 - 1.

    Returns:
        Int64 `[n]` in `0 .. N - 1`, each once per epoch.
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
    share=WHOLE,
    bad_images=None,
    late=False,
):
    """Batches of random views.

    Epochs follow each other without a gap: a batch may contain the end of one and the
    beginning of the next. If the source has random access, the order and the views at a
    step depend only on `seed` and the step. Otherwise a buffer of 10 000 images
    shuffles it, and `start_step` skips images that were seen.

    Only the parts of files that the crops show are decoded, see
    `simclr_tf.data.decoding`. The steps after the crop work on whole batches.

    Args:
        source: `Source`.
        batch_size: Int, images a step, over all replicas.
        num_steps: Int, the step at which the data set ends.
        view: Layer of `simclr_tf.augmentation`, called as `view(images, training=True,
            seed=...)`, or a sequence of `num_views` of them.
        num_views: Int, 1 for fine-tuning, more than 2 with small views.
        seed: Int.
        start_step: Int, the first step.
        cache: Bool, whether to keep decoded images in memory (at once for images of one
            size with random access, else after the first epoch).
        share: `Share`. Each element is then the rows of one replica, in turn.
        bad_images: `BadImages` of the source; None makes one of its own.
        late: Bool, whether `LateViews` with the same arguments will draw the views; the
            data then has its inputs in their place. See `takes_late_views`.

    Returns:
        `tf.data.Dataset` of `num_steps - start_step` batches:
        `((view_a, view_b), labels)` or `(images, labels)`, without `labels` if there
        are none; more views follow the first two.

    Raises:
        ValueError: If the batch is not a multiple of the replicas, or `late` does not
            fit.
    """
    if late and not takes_late_views(source, cache):
        raise ValueError(f"`late` must be False for {source.name}, got True.")
    if cache and source.image_shape and not source.random_access:
        source = in_memory(source)
    rows = share.rows(batch_size)
    views = Views(view, num_views, seed)
    if late:
        views = LateViews(view, num_views, seed, batch_size)
    bad_images = bad_images or BadImages(source)
    places = _Places(source.num_examples, batch_size, start_step, num_steps, seed)
    if source.random_access and source.image_shape:
        batches = _of_one_size(source, places, share, views)
    elif source.encoded and source.random_access and not cache and views.crop_first:
        batches = _of_files(source, places, share, views, bad_images)
    else:
        images = _decoded(source, places, share, cache, bad_images)
        images = images.map(
            lambda position, example: views.of_image(example, position),
            **threads.per_image(),
        )
        batches = images.batch(rows, drop_remainder=True)
    batches = batches.map(lambda *batch: _with_rows(batch, rows)).prefetch(2)
    options = tf.data.Options()
    options.experimental_warm_start = True  # while the training step is traced
    return threads.fixed(batches).with_options(options)


def takes_late_views(source, cache=False):
    """Whether `train_batches` can leave a source's views to `LateViews`.

    The source needs random access, to images of one size or to files.
    """
    if source.image_shape:
        return source.random_access or cache
    return source.encoded and source.random_access and not cache


class _Places(typing.NamedTuple):
    """Steps of a stream of images."""

    num_examples: int
    batch_size: int
    first_step: int
    last_step: int
    seed: int

    def positions(self, share):
        return share.positions(self.batch_size, self.first_step, self.last_step)

    def index(self, position):
        return shuffled_index(position, self.num_examples, self.seed)


def _of_one_size(source, places, share, views):
    """Batches of images that are read, cropped and changed together."""
    batch_size = places.batch_size

    def batch(positions):
        step, first = positions[0] // batch_size, positions[0] % batch_size
        place = (first, batch_size) if share.total > 1 else ()
        examples = source.read(places.index(positions))
        return views.of_batch(examples, step, place)

    positions = places.positions(share)
    positions = positions.batch(share.rows(batch_size), drop_remainder=True)
    return positions.map(batch, **threads.per_batch())


def _of_files(source, places, share, views, bad_images):
    """Batches of files: cropped as they are decoded, then changed together.

    They are made in pieces that fit a processor's cache. At most as many pictures are
    decoded at a time as there are cores.
    """
    batch_size, rows = places.batch_size, share.rows(places.batch_size)
    max_pixels = bad_images.policy.max_image_pixels
    spec = (views.crops_spec, *_label_spec(source))

    @tf.function(autograph=False)  # a function, so that it is traced but once
    def crops(position, index):
        encoded, *label = tf.nest.flatten(source.read_encoded(index))
        return (views.crops(encoded, position, max_pixels), *label)

    def read(number):
        position = share.position(number, batch_size)
        return crops(position, places.index(position)[0])

    def take(number):
        position = share.position(number, batch_size)
        index = places.index(position)[0]
        return bad_images.take_next(lambda index: crops(position, index), index, spec)

    def changed(numbers, values):
        position, (crops, *labels) = share.position(numbers[0], batch_size), values
        place = (position % batch_size, batch_size)
        return views.after_crops(crops, labels, position // batch_size, place)

    piece = max(size for size in range(1, _PIECE + 1) if rows % size == 0)
    numbers = share.numbers(batch_size, places.first_step, places.last_step)
    pieces = attempt_pieces(numbers, read, take, piece)
    return pieces.map(changed, num_parallel_calls=2).rebatch(rows)


def _decoded(source, places, share, cache, bad_images):
    """`(position, example)` for every position of the steps in the share."""
    if source.random_access and not cache:

        def read(position):
            index = places.index(position)[0]
            return position, _read_decoded(source, index, bad_images)

        return places.positions(share).map(read, **threads.per_image())
    first = places.first_step * places.batch_size
    last = places.last_step * places.batch_size
    images = _whole(source, bad_images)
    if source.random_access:
        images = tf.data.Dataset.range(source.num_examples).map(
            lambda index: _read_decoded(source, index, bad_images),
            **threads.per_image(),
        )
    if cache:
        images = images.cache()
    images = images.shuffle(min(source.num_examples, _SHUFFLE_BUFFER), places.seed)
    images = images.repeat().skip(first)
    images = tf.data.Dataset.zip((tf.data.Dataset.range(first, last), images))
    return images.filter(lambda position, _: share.has(position, places.batch_size))


def _whole(source, bad_images):
    """The examples of a source, without the bad ones of a sequential source."""
    examples = source.as_dataset()
    if source.random_access or source.image_shape:
        return examples
    examples = examples.enumerate().filter(
        lambda index, example: bad_images.is_whole(index, tf.nest.flatten(example)[0])
    )
    return examples.map(lambda _, example: example)


def _read_decoded(source, index, bad_images):
    if not source.encoded:
        return source.read(index)
    spec = (tf.TensorSpec([None, None, 3], tf.uint8), *_label_spec(source))
    spec = spec if len(spec) > 1 else spec[0]
    return bad_images.take_next(source.read, index, spec)


def _label_spec(source):
    return () if source.num_classes is None else (tf.TensorSpec([], tf.int64),)


def eval_batches(
    source, batch_size, preprocess, limit_steps=0, share=WHOLE, bad_images=None
):
    """Every image once, in order; the last batch is filled up with the first images.

    Args:
        source: `Source`.
        batch_size: Int, over all replicas; reduced if there are fewer images, and then
            a multiple of the replicas.
        preprocess: Callable from an image or a batch to float images of one size. With
            `EvaluationCrop`, only the visible part of files is decoded.
        limit_steps: Int > 0 ends after so many batches.
        share: `Share`. Each element is then the rows of one replica, in turn.
        bad_images: `BadImages` of the source; None makes one of its own. A bad image
            becomes black, and `indices` of the `BadImages` tell which: `drop_bad`
            leaves them out.

    Returns:
        `tf.data.Dataset` of `(images, labels)`, or `images` if there are no labels.
        Rows after the first `eval_examples` are the filling.
    """
    batch_size = min(batch_size, source.num_examples)
    batch_size += -batch_size % share.total
    steps = -(-source.num_examples // batch_size)
    steps = min(steps, limit_steps) if limit_steps else steps
    rows = share.rows(batch_size)
    bad_images = bad_images or BadImages(source)
    preprocess = keras_compat.converted(preprocess)

    def prepared(images, *labels):
        return (preprocess(images), *labels) if labels else preprocess(images)

    def read(position):
        return source.read(position % source.num_examples)

    @tf.function  # traced but once
    def read_file(index):
        return _evaluated(source, index, preprocess, bad_images)

    def read_or_fail(number):
        return read_file(share.position(number, batch_size) % source.num_examples)

    def take(number):
        index = share.position(number, batch_size) % source.num_examples
        return bad_images.take(read_file, index)[1]

    def shown(position, example):
        image, *label = tf.nest.flatten(example)
        if not source.image_shape:
            is_whole = bad_images.is_whole(position % source.num_examples, image)
            black = tf.zeros([1, 1, 3], tf.uint8)
            image = tf.cond(is_whole, lambda: image, lambda: black)
        return (image, *label) if label else image

    positions = share.positions(batch_size, 0, steps)
    if source.random_access and source.image_shape:
        batches = positions.batch(rows).map(read, **threads.per_batch())
        batches = batches.map(prepared, **threads.per_batch())
    elif source.encoded and source.random_access:
        numbers = share.numbers(batch_size, 0, steps)
        files = attempt_pieces(numbers, read_or_fail, take, rows)
        batches = files.map(lambda _, values: values)
    else:
        if source.random_access:
            images = positions.map(read, **threads.per_image())
        else:
            images = tf.data.Dataset.zip(
                (
                    tf.data.Dataset.range(steps * batch_size),
                    source.as_dataset().repeat(),
                )
            )
            images = images.filter(lambda p, _: share.has(p, batch_size))
            images = images.map(shown)
        batches = images.map(prepared, **threads.per_image()).batch(rows)
    batches = batches.map(lambda *batch: _with_rows(batch, rows)).prefetch(2)
    return threads.fixed(batches)


def _evaluated(source, index, preprocess, bad_images):
    """One file as evaluation sees it, and its label."""
    encoded, *label = tf.nest.flatten(source.read_encoded(index))
    max_pixels = bad_images.policy.max_image_pixels
    if hasattr(preprocess, "draw"):
        sizes = [preprocess.image_size]
        (image,) = decoding.crops(encoded, preprocess.draw, sizes, max_pixels)
    else:
        image = preprocess(decode(encoded, max_pixels=max_pixels))
    return (image, *label) if label else image


def eval_examples(source, batch_size, limit_steps=0):
    """Int, how many examples `eval_batches` shows."""
    shown = limit_steps * batch_size if limit_steps else source.num_examples
    return min(source.num_examples, shown)


def _with_rows(batch, rows):
    """The batch with a static number of rows."""
    for tensor in tf.nest.flatten(batch):
        tensor.set_shape([rows, *tensor.shape[1:]])
    return batch if len(batch) > 1 else batch[0]


def batched_views(dataset, augmentation, batch_size, num_views=2):
    """Batches of views from a data set of single images of any size.

    Every pass over the result draws new views, from the stream of the layer's seed.

    Args:
        dataset: Unbatched `tf.data.Dataset` of `image` or `(image, label)`.
        augmentation: Layer of `simclr_tf.augmentation`, or a tuple of `num_views`.
        batch_size: Int.
        num_views: Int.

    Returns:
        `tf.data.Dataset` of `(view_a, view_b)` or `((view_a, view_b), labels)`.
    """
    layers = layer_of_each(augmentation, num_views)
    draws = tf.data.Dataset.random(seed=layers[0].seed, rerandomize_each_iteration=True)

    def with_views(draw, example):
        image, *label = example if isinstance(example, tuple) else (example,)
        views = tuple(
            layer(image, training=True, seed=tf.stack([draw, number]))
            for number, layer in enumerate(layers)
        )
        return (views, *label) if label else views

    images = tf.data.Dataset.zip((draws, dataset))
    images = images.map(with_views, num_parallel_calls=tf.data.AUTOTUNE)
    return images.batch(batch_size).prefetch(2)
