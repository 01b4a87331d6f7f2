"""Two views of 32-pixel images a second, beside the published policy image by image.

    python -m benchmarks.views

Runs the two in turn and prints the median of each and their ratio: compare ratios, not
figures of different runs.
"""

import statistics
import time

import tensorflow as tf

from simclr_tf import augmentation, data

IMAGES, BATCH, ROUNDS = 2560, 256, 5


def literal_view(image):
    """One view by tf.image, one image at a time, as the published code draws it."""
    image = tf.image.convert_image_dtype(image, tf.float32)
    begin, size, _ = tf.image.sample_distorted_bounding_box(
        tf.shape(image),
        tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),
        min_object_covered=0.1,
        aspect_ratio_range=(3 / 4, 4 / 3),
        area_range=(0.08, 1.0),
        max_attempts=100,
    )
    image = tf.image.resize(tf.slice(image, begin, size), (32, 32), "bicubic")
    image = tf.image.random_flip_left_right(image)
    adjustments = (
        lambda x: x * tf.random.uniform([], 0.6, 1.4),
        lambda x: tf.image.random_contrast(x, 0.6, 1.4),
        lambda x: tf.image.random_saturation(x, 0.6, 1.4),
        lambda x: tf.image.random_hue(x, 0.1),
    )

    def jittered():
        order, changed = tf.random.shuffle(tf.range(4)), image
        for slot in range(4):
            branches = [lambda f=f, x=changed: f(x) for f in adjustments]
            changed = tf.switch_case(order[slot], branches)
            changed = tf.clip_by_value(changed, 0.0, 1.0)
        return changed

    image = tf.cond(tf.random.uniform([]) < 0.8, jittered, lambda: image)
    gray = tf.tile(tf.image.rgb_to_grayscale(image), [1, 1, 3])
    image = tf.where(tf.random.uniform([]) < 0.2, gray, image)
    return tf.clip_by_value(tf.reshape(image, [32, 32, 3]), 0.0, 1.0)


def images_per_second(batches):
    """Images a second of a data set, after its first batch."""
    iterator = iter(batches)
    next(iterator)
    start = time.perf_counter()
    count = sum(1 for _ in iterator)
    return count * BATCH / (time.perf_counter() - start)


def main():
    """Prints the table."""
    source = data.open_source("bundled")
    view = augmentation.SimCLRAugmentation(32, 0.5, blur=False, seed=0)
    ours = data.train_batches(source, BATCH, IMAGES // BATCH, view=view)
    theirs = source.as_dataset().take(IMAGES).map(lambda image, label: image)
    theirs = theirs.map(
        lambda image: (literal_view(image), literal_view(image)),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    theirs = theirs.batch(BATCH).prefetch(2)
    speeds = [
        (images_per_second(ours), images_per_second(theirs)) for _ in range(ROUNDS)
    ]
    ours, theirs = (statistics.median(column) for column in zip(*speeds, strict=True))
    print(f"{'two views, 32 px':<24}{'images/s':>10}")
    print(f"{'tf.image, one by one':<24}{theirs:>10.0f}")
    print(f"{'SimCLRAugmentation':<24}{ours:>10.0f}   x {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
