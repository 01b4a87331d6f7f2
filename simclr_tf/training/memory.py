"""Estimates the memory of a pre-training step, and finds out what is available."""

import os

import tensorflow as tf

# Their gradients need neither their output nor, mostly, anybody else's do: what comes
# before or after them is kept instead.
_NOT_KEPT = {
    "AddV2",
    "BiasAdd",
    "Cast",
    "FusedBatchNormV3",
    "Identity",
    "Mul",
    "Reshape",
    "SquaredDifference",
}
# Images of the batch that is looked at: no kernel of a convolution has this height.
_SHOWN = 13
# The graph, threads, and what kernels need beside their results.
_PROGRAM = 150_000_000
# Of a loss at once: similarities, their softmax, and the gradients of both.
_MATRICES = 4
_ROWS_AT_ONCE = 2048
_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


def step_bytes(
    encoder,
    views,
    batch_size,
    micro_batch_size=None,
    slots=1,
    memory_size=0,
    embedding_dim=128,
):
    """Approximate number of bytes that a step needs on top of the process.

    It counts the activations that the gradient needs, the largest of them twice more
    for the gradient itself, the views of three batches, the loss, gradients and
    optimizer state. It is an estimate, because the workspace of kernels depends on the
    processor.

    Args:
        encoder: Built Keras model from images `[B, H, W, 3]`.
        views: List of pairs of ints, number of views of an image and their height and
            width, such as `[(2, 224)]`.
        batch_size: Int, images per step on this device.
        micro_batch_size: Int, images that go through the networks at a time; None
            means all.
        slots: Int, optimizer variables for each variable of the encoder.
        memory_size: Int, embeddings of a `NegativeMemory`, which holds a copy of the
            encoder too; 0 means none.
        embedding_dim: Int, the length of an embedding.

    Returns:
        Int.
    """
    shown = min(batch_size, micro_batch_size or batch_size)
    activations = pixels = 0
    for count, size in views:
        kept, largest = _activations(encoder, size)
        activations += count * shown * (kept + 2 * largest)
        pixels += count * batch_size * size**2
    batches = 3 * pixels * 3 * 4  # one is learned from, and two wait
    rows = 2 * batch_size
    loss = _MATRICES * 4 * rows * min(rows + memory_size, _ROWS_AT_ONCE)
    weights = sum(4 * int(tf.size(variable)) for variable in encoder.variables)
    copies = 1 + slots + bool(memory_size)
    # What is stored, what replaces it, and the negatives of the loss.
    stored = 3 * 4 * memory_size * embedding_dim
    return _PROGRAM + activations + batches + loss + stored + copies * weights


def available_bytes():
    """Int, bytes that the machine or the process's control group has left.

    None if the system does not tell.
    """
    found = []
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
        found.append(1024 * int(lines["MemAvailable"].split()[0]))
    except (OSError, KeyError, ValueError):
        pass
    for limit, usage in _CGROUPS:
        if os.path.exists(limit):
            found += _left(limit, usage)
    return min(found, default=None)


def in_words(count):
    """Bytes in readable form: "1.5 GB"."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.{1 if count < 10 * size else 0}f} {unit}"
    return f"{count / 1e3:.0f} kB"


def _left(limit, usage):
    """A list with what a control group has left, or an empty one."""
    try:
        with open(limit, encoding="ascii") as at_most, open(usage) as now:
            return [int(at_most.read()) - int(now.read())]
    except (OSError, ValueError):  # "max": no limit
        return []


def _activations(encoder, image_size):
    """Bytes of one image's stored activations, and of the largest one."""
    spec = tf.TensorSpec([_SHOWN, image_size, image_size, 3], tf.float32)
    graph = tf.function(lambda x: encoder(x, training=True)).get_concrete_function(spec)
    sizes = [
        (operation.type, output.shape[1:].num_elements() * output.dtype.size)
        for operation in graph.graph.get_operations()
        for output in operation.outputs
        if output.dtype.is_floating and output.shape.rank == 4
        if output.shape[0] == _SHOWN and output.shape.is_fully_defined()
    ]
    kept = sum(size for kind, size in sizes if kind not in _NOT_KEPT)
    return kept, max((size for _, size in sizes), default=0)
