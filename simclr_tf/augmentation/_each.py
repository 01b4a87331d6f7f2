"""Layers as one compiled loop over the images of a batch, for pipelines on a processor.

A batch is larger than any cache, so every operation on a whole batch waits for memory.
Here an image goes through all steps before the next one begins, and XLA fuses many
operations into one loop over its pixels. It compiles once for every shape of batch and
has no gradients. Layers that are called by themselves, or in a model, process whole
batches.
"""

import functools
import itertools
import os
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from simclr_tf import _startup


def apply(steps, images, seeds):
    """Applies layers one after the other; up to rounding, as if called in turn.

    Args:
        steps: List of `ImageLayer`s. Neighbours with `change_planes` share a loop if
            TensorFlow can compile for this processor; the others are called.
        images: Float32 `[B, H, W, 3]` or `[H, W, 3]` in [0, 1].
        seeds: List of int `[2]` or `[4]`, one per layer, see `ImageLayer`.

    Returns:
        Float32 `[.., h, w, 3]` in [0, 1].
    """
    if images.shape.rank == 3:
        return apply(steps, images[tf.newaxis], seeds)[0]
    pairs = zip(steps, seeds, strict=True)
    for in_loop, group in itertools.groupby(pairs, lambda pair: _fits(pair[0])):
        if in_loop:
            images = _changed(images, list(group))
        else:
            for step, seed in group:
                images = step(images, training=True, seed=seed)
    return images


def _fits(step):
    """Whether a step may be in a loop: if its own class, not a base class, says how."""
    return "change_planes" in vars(type(step)) and has_compiler()


@functools.cache
def has_compiler():
    """Whether this TensorFlow can compile for the processor; some on Windows cannot."""
    shape = [512, 512]

    @tf.function(jit_compile=True, autograph=False)
    def product(matrix):
        return matrix @ matrix

    with tf.device("CPU"):
        product = product.get_concrete_function(tf.TensorSpec(shape))

    def compute(_):
        with tf.device("CPU"):
            product(tf.zeros(shape))

    # By as many threads at once as pipelines may have: see `without_greetings`.
    threads = 4 * (os.cpu_count() or 1)
    try:
        with _startup.without_greetings(), ThreadPoolExecutor(threads) as pool:
            list(pool.map(compute, range(threads)))
    except tf.errors.OpError:
        return False
    return True


def _changed(images, group):
    """Images after pairs of a layer and its seed."""
    changes = tuple(step.change_planes for step, _ in group)
    draws = tuple(step.choose(images, seed) for step, seed in group)
    return tf.ensure_shape(_loop(changes)(images, draws), images.shape)


@functools.cache
def _loop(changes):
    """The function from images and what is drawn for each change to changed images.

    Layers of one kind share it whatever their settings, so that it compiles only once.
    """

    def changed(example):
        image, draws = example
        planes = tf.transpose(image, [2, 0, 1])  # neighbours have one channel
        for change, (chosen, *its_draws) in zip(changes, draws, strict=True):
            change = functools.partial(change, planes, *its_draws)
            planes = tf.cond(chosen, change, functools.partial(tf.identity, planes))
        return tf.transpose(planes, [1, 2, 0])

    @tf.function(jit_compile=True, autograph=False)
    def loop(images, draws):
        return tf.map_fn(changed, (images, draws), fn_output_signature=tf.float32)

    return loop
