"""Checks whether batches are too large for the data or for the memory."""

import tensorflow as tf

from simclr_tf import distribution, keras_compat
from simclr_tf.errors import UserError
from simclr_tf.training import memory


def require_enough_images(config, source, replicas):
    """Refuses a batch that would hold an image among its own negatives.

    Args:
        config: `RunConfig`.
        source: `Source` of the training images.
        replicas: Int.

    Raises:
        UserError: With the largest batch that works.
    """
    count, batch_size = source.num_examples, config.train.train_batch_size
    if config.train.train_mode != "pretrain":
        return
    if config.train.memory_size >= count:
        raise UserError(
            f"--memory_size must be less than {count}, got {config.train.memory_size}: "
            f"{source.name} has {count:,} images, and none must always be among "
            "its own negatives."
        )
    if batch_size <= count:
        return
    raise UserError(
        f"--train_batch_size must be at most {count - count % replicas}, got "
        f"{batch_size}: {source.name} has {count:,} images, and an image must not be "
        "among its own negatives."
    )


def memory_of_a_step(config, strategy, model):
    """The memory that a step needs and that the machine has left, in words.

    Args:
        config: `RunConfig`.
        strategy: `tf.distribute.Strategy`.
        model: The compiled model.

    Returns:
        Str, for all replicas of this process; None for other training.

    Raises:
        UserError: If it cannot fit. For accelerators this is not known in advance.
    """
    train = config.train
    if train.train_mode != "pretrain":
        return None
    augmentation = config.augmentation
    views = [(2, config.data.image_size)]
    if augmentation.num_small_views:
        views.append((augmentation.num_small_views, augmentation.small_view_size))
    state = keras_compat.state_variables(model.optimizer)
    needed = memory.step_bytes(
        model.encoder,
        views,
        train.train_batch_size // strategy.num_replicas_in_sync,
        train.micro_batch_size,
        slots=round(len(state) / len(model.trainable_variables)),
        memory_size=train.memory_size,
        embedding_dim=config.model.proj_out_dim,
    )
    needed *= distribution.share(strategy).count
    words = f"about {memory.in_words(needed)} for a step"
    left = memory.available_bytes()
    accelerators = [*map(tf.config.list_logical_devices, ("GPU", "TPU"))]
    if left is None or any(accelerators):
        return words
    if needed > left:
        raise UserError(
            f"--train_batch_size={train.train_batch_size} needs {words}, and "
            f"{memory.in_words(left)} are left. Take a smaller one, or "
            "--micro_batch_size, which takes the batch in pieces."
        )
    return f"{words}, {memory.in_words(left)} are left"
