"""From a `RunConfig` to networks, views, optimizer and models."""

import os

import tensorflow as tf
from tensorflow import keras

import tf_models
from simclr_tf import keras_compat, losses, optimizers
from simclr_tf.experiment import applications, hub_backbones
from simclr_tf.experiment.checkpoints import input_normalization, stem
from simclr_tf.experiment.config import LOSS_ARGUMENTS
from simclr_tf.training.classifier import Classifier
from simclr_tf.training.distillation import Distillation
from simclr_tf.training.negative_memory import NegativeMemory
from simclr_tf.training.simclr import SimCLR
from simclr_tf.training.temperature import LearnedTemperature, TemperatureWarmup


def build_encoder(config):
    """`tf_models.ResNet`, or the network of Keras that is named."""
    network, size = config.model, config.data.image_size
    if network.encoder == "resnet":
        return tf_models.ResNet(
            depth=network.resnet_depth,
            width_multiplier=network.width_multiplier,
            sk_ratio=network.sk_ratio,
            se_ratio=network.se_ratio,
            stem=stem(config),
            global_bn=network.global_bn,
            batch_norm_decay=network.batch_norm_decay,
            variant=network.resnet_variant,
            normalization=input_normalization(config),
            name="encoder",
        )
    return library_of(network.encoder).build(
        network.encoder,
        size,
        input_normalization(config),
        # Small views are of another size than the others.
        any_size=bool(config.augmentation.num_small_views),
    )


def library_of(encoder):
    """The module that makes an `--encoder` other than resnet."""
    return hub_backbones if hub_backbones.is_one(encoder) else applications


def encoder_name(config):
    """The encoder's name in the log: "ResNet-18 x 0.25"."""
    network = config.model
    if network.encoder != "resnet":
        return os.path.basename(os.path.normpath(network.encoder))
    parts = [f"ResNet-{network.resnet_depth}"]
    parts += [f"x {network.width_multiplier:g}"] * (network.width_multiplier != 1)
    parts += ["SK"] * (network.sk_ratio > 0) + ["SE"] * (network.se_ratio > 0)
    return " ".join(parts)


def build_projection_head(config):
    """The projection head of the flags."""
    return tf_models.ProjectionHead(
        mode=config.model.proj_head_mode,
        num_layers=config.model.num_proj_layers,
        output_dim=config.model.proj_out_dim,
        global_bn=config.model.global_bn,
        batch_norm_decay=config.model.batch_norm_decay,
        name="projection_head",
    )


def build_schedule(config, num_examples):
    """Learning rate by step, and the number of steps, from the reference's formulas."""
    train = config.train
    batch_size = train.train_batch_size
    total_steps = train.train_steps or optimizers.training_steps(
        num_examples, batch_size, train.train_epochs
    )
    peak = optimizers.scaled_learning_rate(
        train.learning_rate, batch_size, train.learning_rate_scaling
    )
    warmup = optimizers.warmup_steps(num_examples, batch_size, train.warmup_epochs)
    return optimizers.WarmupCosine(peak, min(warmup, total_steps - 1), total_steps)


def build_model(config, schedule, num_classes, teacher=None):
    """The compiled model of the train mode, with every variable created.

    Args:
        config: `RunConfig`.
        schedule: Learning rate by step.
        num_classes: Int or None.
        teacher: The teacher of a student in training; a trained student needs none.
    """
    train = config.train
    loss = metrics = None
    options = {"jit_compile": train.jit_compile}
    if train.train_mode == "pretrain":
        model = _simclr(config, num_classes)
        options["skip_nonfinite"] = train.on_nonfinite == "skip"
        loss = build_loss(config)
    elif teacher is None:
        model = Classifier(**_classifier(config, num_classes))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        metrics = [keras.metrics.SparseCategoricalAccuracy(name="supervised_acc")]
    else:
        model = Distillation(
            **_classifier(config, num_classes),
            teacher=teacher,
            temperature=train.distill_temperature,
            label_weight=train.label_weight,
        )
    optimizer = optimizers.build_optimizer(
        train.optimizer,
        schedule,
        momentum=train.momentum,
        weight_decay=train.weight_decay,
    )
    model.compile(optimizer=optimizer, loss=loss, metrics=metrics, **options)
    keras_compat.build_optimizer_state(model.optimizer, model.trainable_variables)
    return model


def build_loss(config):
    """The contrastive loss of pre-training."""
    train = config.train
    names = LOSS_ARGUMENTS[train.loss]
    return losses.build(train.loss, **{name: getattr(train, name) for name in names})


def _simclr(config, num_classes):
    train = config.train
    memory = None
    if train.memory_size:
        memory = NegativeMemory(train.memory_size, train.memory_momentum)
    return SimCLR(
        build_encoder(config),
        build_projection_head(config),
        num_classes=num_classes if train.lineareval_while_pretraining else None,
        micro_batch_size=train.micro_batch_size or None,
        ft_proj_selector=train.ft_proj_selector,
        weight_decay=train.weight_decay,
        memory=memory,
        temperature=_temperature(train),
    )


def _temperature(train):
    """The temperature of `SimCLR`; None if it does not change."""
    if train.learn_temperature:
        bounds = train.temperature_min, train.temperature_max
        return LearnedTemperature(train.temperature, *bounds)
    if train.temperature_warmup_steps:
        steps = train.temperature_warmup_steps
        return TemperatureWarmup(train.temperature_start, train.temperature, steps)
    return None


def _classifier(config, num_classes):
    """The arguments of a `Classifier` or a `Distillation`."""
    train = config.train
    return {
        "encoder": build_encoder(config),
        "num_classes": num_classes,
        "projection_head": build_projection_head(config),
        "ft_proj_selector": train.ft_proj_selector,
        "fine_tune_after_block": train.fine_tune_after_block,
        "zero_init_logits_layer": train.zero_init_logits_layer,
        "weight_decay": train.weight_decay,
    }


def parameter_count(variables):
    """Number of scalars in a list of variables."""
    return sum(int(tf.size(variable)) for variable in variables)
