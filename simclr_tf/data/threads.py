"""How many elements a pipeline makes at a time: as many as there are cores.

Left to itself, `tf.data` tunes the number while an iterator is in use. The thread that
does so sleeps for longer and longer, up to a minute, and may miss that the iterator is
dropped: the program then waits for it. What it would find here is the number of cores.
"""

import os

import tensorflow as tf

_BATCHES = 16  # that are in memory while they are made


def cores():
    """Int, number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def per_image():
    """Keyword arguments of a `map` over images."""
    return {"num_parallel_calls": cores()}


def per_batch():
    """Keyword arguments of a `map` over whole batches."""
    return {"num_parallel_calls": min(cores(), _BATCHES)}


def fixed(dataset):
    """The `tf.data.Dataset`, with no thread that tunes these numbers."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
