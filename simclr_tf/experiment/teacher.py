"""The teacher that `--teacher` names."""

import dataclasses
import os

from simclr_tf.errors import UserError
from simclr_tf.experiment import checkpoints, networks
from simclr_tf.training.classifier import Classifier
from simclr_tf.training.teacher import SavedModelTeacher


def load(config, num_classes):
    """The teacher, and the number of its classes.

    Call this in the scope of the strategy that will train.

    Args:
        config: `RunConfig`.
        num_classes: Int, classes of the labels; None if there are none.

    Returns:
        `(teacher, num_classes)`: a Keras model or layer from float images to logits.

    Raises:
        UserError: If there is no teacher, or it returns no logits for these classes.
    """
    path = config.train.teacher
    if os.path.exists(os.path.join(path, "saved_model.pb")):
        teacher = SavedModelTeacher(path)
        known = teacher.num_classes(config.data.image_size)
    else:
        teacher = _from_checkpoint(config, path)
        known = teacher.num_classes
    if num_classes not in (None, known):
        raise UserError(
            f"--teacher={path} knows {known} classes, and the labels of --dataset="
            f"{config.data.dataset} are of {num_classes}: they must be the same."
        )
    return teacher, known


def _from_checkpoint(config, path):
    """The networks of a checkpoint by its description, whatever the flags say."""
    if os.path.isdir(path) or os.path.exists(f"{path}.index"):
        prefix = checkpoints.find(path, "teacher")
    else:
        raise UserError(
            f"--teacher={path}: nothing there. Allowed: a folder that a run wrote, a "
            "prefix such as .../ckpt-300, or a SavedModel folder."
        )
    about = checkpoints.describe(prefix, "teacher")
    if about["num_classes"] is None:
        raise UserError(
            f"--teacher={path} has no linear head, and so no logits: {prefix} was "
            "trained without labels. Fine-tune it first."
        )
    config = dataclasses.replace(config, model=checkpoints.networks_of(about))
    teacher = Classifier(
        networks.build_encoder(config),
        about["num_classes"],
        projection_head=networks.build_projection_head(config),
        ft_proj_selector=about["ft_proj_selector"],
        fine_tune_after_block=4,
        name="teacher",
    )
    checkpoints.fill(
        prefix, teacher.encoder, teacher.projection_head, teacher.linear_head
    )
    return teacher
