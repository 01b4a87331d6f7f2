"""Every flag of the published code is here, with its name and default."""

import dataclasses
import json

import pytest

import flags
from simclr_tf import losses
from simclr_tf.errors import UserError
from simclr_tf.experiment import networks
from simclr_tf.experiment.config import (
    LABELLED_LOSSES,
    LOSS_ARGUMENTS,
    RunConfig,
    TrainConfig,
)

# Where we differ: `dataset` is None (then the bundled images), `use_tpu` is False.
REFERENCE = {
    "learning_rate": 0.3,
    "learning_rate_scaling": "linear",
    "warmup_epochs": 10.0,
    "weight_decay": 1e-6,
    "batch_norm_decay": 0.9,
    "train_batch_size": 512,
    "train_split": "train",
    "train_epochs": 100,
    "train_steps": 0,
    "eval_steps": 0,
    "eval_batch_size": 256,
    "checkpoint_epochs": 1,
    "checkpoint_steps": 0,
    "eval_split": "validation",
    "dataset": None,
    "cache_dataset": False,
    "mode": "train",
    "train_mode": "pretrain",
    "lineareval_while_pretraining": True,
    "checkpoint": None,
    "zero_init_logits_layer": False,
    "fine_tune_after_block": -1,
    "master": None,
    "model_dir": None,
    "data_dir": None,
    "use_tpu": False,
    "tpu_name": None,
    "tpu_zone": None,
    "gcp_project": None,
    "optimizer": "lars",
    "momentum": 0.9,
    "eval_name": None,
    "keep_checkpoint_max": 5,
    "keep_hub_module_max": 1,
    "temperature": 0.1,
    "hidden_norm": True,
    "proj_head_mode": "nonlinear",
    "proj_out_dim": 128,
    "num_proj_layers": 3,
    "ft_proj_selector": 0,
    "global_bn": True,
    "width_multiplier": 1.0,
    "resnet_depth": 50,
    "sk_ratio": 0.0,
    "se_ratio": 0.0,
    "image_size": 224,
    "color_jitter_strength": 1.0,
    "use_blur": True,
}
OURS = {
    "preset": None,
    "checkpoint_scope": "model",
    "resume_with_other_flags": False,
    "source": None,
    "stem": "auto",
    "resnet_variant": "simclr",
    "input_normalization": "auto",
    "variable_schema": None,
    "checkpoint_minutes": 0.0,
    "keep_best": None,
    "train_summary_steps": 100,
    "loggers": ["tensorboard", "jsonl"],
    "profile_steps": None,
    "encoder": "resnet",
    "min_crop_area": 0.08,
    "seed": None,
    "precision": "float32",
    "micro_batch_size": 0,
    "memory_size": 0,
    "memory_momentum": 0.999,
    "distribution": "auto",
    "num_cpu_replicas": 0,
    "jit_compile": False,
    "on_nonfinite": "stop",
    "evaluators": ["head"],
    "knn_neighbors": 20,
    "knn_temperature": 0.07,
    "compare_untrained": False,
    "compare": None,
    "label_fraction": 1.0,
    "label_seed": 0,
    "label_file": None,
    "on_bad_image": "skip",
    "max_bad_fraction": 0.01,
    "max_image_pixels": 250_000_000,
    "prepare_size": 320,
    "augmentation": "crop_and_flip",
    "from_scratch": False,
    "teacher": None,
    "distill_temperature": 1.0,
    "label_weight": 0.0,
    "eval_timeout": 600.0,
    "embed_formats": ["npz"],
    "export_formats": ["saved_model"],
    "model_licence": None,
    "preview_images": 8,
    "preview_pairs": 3,
    "held_out_fraction": None,
    "held_out_seed": 0,
    "probe_dataset": None,
    "probe_split": "train",
    "tfrecord_image_key": "image/encoded",
    "tfrecord_label_key": "image/class/label",
    "tfrecord_name_key": "image/filename",
    "num_small_views": 0,
    "small_view_size": 96,
    "small_view_min_area": 0.05,
    "small_view_max_area": 0.14,
    "augment_on": "host",
    "allow_outside_paths": False,
    "report": True,
    "report_images": 2000,
    "runs": None,
    "loss": "nt_xent",
    "margin": 0.8,
    "semi_hard": False,
    "positive_prior": 0.1,
    "negative_concentration": 1.0,
    "false_negative_threshold": 0.7,
    "false_negative_top_k": 0,
    "attract_false_negatives": False,
    "embedding_prior": "logsumexp",
    "embedding_prior_weight": None,
}
GIVEN = {"dataset": "cifar10", "model_dir": "run"}


def parse(*arguments):
    given = [f"--{name}={value}" for name, value in GIVEN.items()]
    return flags.parse(["run.py", *given, *arguments], say=lambda line: None)


def fields_of(config):
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from fields_of(value)
        else:
            yield field.name, value


def test_the_reference_has_48():
    assert len(REFERENCE) == 48


def test_names_defaults_and_types():
    _, values = parse()
    assert values == REFERENCE | OURS | GIVEN
    for name, default in (REFERENCE | OURS).items():
        if default is not None:
            assert type(values[name]) is type(default), name


def test_a_config_of_the_defaults_is_the_default_config():
    config, _ = parse()
    assert dict(fields_of(config)) == dict(fields_of(RunConfig())) | GIVEN


CHANGED = {
    "learning_rate": 0.5,
    "learning_rate_scaling": "sqrt",
    "warmup_epochs": 2.5,
    "weight_decay": 0.25,
    "batch_norm_decay": 0.5,
    "train_batch_size": 8,
    "train_split": "test",
    "train_epochs": 7,
    "train_steps": 9,
    "eval_steps": 3,
    "eval_batch_size": 4,
    "checkpoint_epochs": 2,
    "checkpoint_steps": 6,
    "eval_split": "test",
    "dataset": "bundled",
    "cache_dataset": True,
    "mode": "train_then_eval",
    "train_mode": "finetune",
    "lineareval_while_pretraining": False,
    "source": None,  # of --mode=import
    "checkpoint": "other/ckpt-3",
    "checkpoint_scope": "encoder",
    "resume_with_other_flags": True,
    "stem": "imagenet",
    "resnet_variant": "torchvision",
    "input_normalization": "imagenet",
    "zero_init_logits_layer": True,
    "fine_tune_after_block": 2,
    "model_dir": "elsewhere",
    "data_dir": "tfds",
    "optimizer": "adam",
    "momentum": 0.5,
    "checkpoint_minutes": 2.5,
    "keep_checkpoint_max": 0,
    "keep_best": "contrast_loss",
    "keep_hub_module_max": 0,
    "train_summary_steps": 0,
    "loggers": ("jsonl", "wandb"),
    "profile_steps": (3, 7),
    "temperature": 0.5,
    "hidden_norm": False,
    "proj_head_mode": "linear",
    "proj_out_dim": 64,
    "num_proj_layers": 2,
    "ft_proj_selector": 1,
    "global_bn": False,
    "encoder": "resnet",
    "width_multiplier": 0.25,
    "resnet_depth": 18,
    "sk_ratio": 0.0625,
    "se_ratio": 0.25,
    "loss": "nt_xent",  # of pretrain, as those below; see there
    "margin": 0.8,
    "semi_hard": False,
    "positive_prior": 0.1,
    "negative_concentration": 1.0,
    "false_negative_threshold": 0.7,
    "false_negative_top_k": 0,
    "attract_false_negatives": False,
    "embedding_prior": "logsumexp",
    "embedding_prior_weight": None,
    "image_size": 32,
    "color_jitter_strength": 0.5,
    "use_blur": False,
    "min_crop_area": 0.2,
    "seed": 3,
    "precision": "mixed_bfloat16",
    "jit_compile": True,
    "on_nonfinite": "rewind",
    "evaluators": ("head", "knn", "logistic"),
    "knn_neighbors": 5,
    "knn_temperature": 0.5,
    "compare_untrained": True,
    "compare": "runs/a,runs/b",
    "label_fraction": 0.5,
    "label_seed": 7,
    "label_file": None,  # instead of a fraction
    "on_bad_image": "fail",
    "max_bad_fraction": 0.5,
    "max_image_pixels": 1000,
    "prepare_size": 256,
    "augmentation": "none",
    "from_scratch": False,  # instead of a checkpoint
    "teacher": None,  # of distill, as the weight of the labels
    "distill_temperature": 2.0,
    "label_weight": 0.0,
    "eval_timeout": 1.5,
    "embed_formats": ("parquet", "projector"),
    "export_formats": ("onnx", "litert"),
    "model_licence": "CC BY 4.0",
    "preview_images": 5,
    "preview_pairs": 2,
    "held_out_fraction": 0.25,
    "held_out_seed": 5,
    "probe_dataset": "mnist",
    "probe_split": "test",
    "tfrecord_image_key": "i",
    "tfrecord_label_key": "l",
    "tfrecord_name_key": "n",
    "allow_outside_paths": True,
    "report": False,
    "report_images": 50,
    "runs": None,  # of --mode=report
    "micro_batch_size": 0,  # of pretrain; see below
    "memory_size": 0,  # of pretrain; see below
    "memory_momentum": 0.99,
    "num_small_views": 0,  # of pretrain; see below
    "small_view_size": 48,
    "small_view_min_area": 0.1,
    "small_view_max_area": 0.2,
    "augment_on": "host",  # of pretrain; see below
    "distribution": "tpu",
    "num_cpu_replicas": 0,
    "tpu_name": "t",
    "tpu_zone": "z",
    "gcp_project": "p",
    "master": "grpc://m:1",
}


def test_every_flag_reaches_its_field():
    arguments = [
        f"--{name}={','.join(map(str, value)) if isinstance(value, tuple) else value}"
        for name, value in CHANGED.items()
        if value is not None
    ]
    config, _ = parse(*arguments)
    assert dict(fields_of(config)) == CHANGED


def test_a_config_gives_its_flags_back():
    config, values = parse("--evaluators=knn,logistic", "--seed=3")
    given = config.flags()
    assert given == {name: values[name] for name in given}
    assert json.loads(json.dumps(given)) == given


def test_flags_of_devices_pieces_and_small_views_reach_their_field():
    arguments = ["--micro_batch_size=64", "--num_cpu_replicas=4"]
    arguments += ["--memory_size=4096", "--memory_momentum=0.99"]
    config, _ = parse(*arguments, "--num_small_views=6", "--augment_on=device")
    assert config.train.micro_batch_size == 64
    assert (config.train.memory_size, config.train.memory_momentum) == (4096, 0.99)
    assert config.augmentation.num_small_views == 6
    assert config.augmentation.augment_on == "device"
    assert config.devices.num_cpu_replicas == 4


def test_flags_of_labels_and_teachers_reach_their_field():
    config, _ = parse("--train_mode=finetune", "--from_scratch", "--label_file=l.txt")
    assert config.train.from_scratch and config.data.label_file == "l.txt"
    config, _ = parse("--train_mode=distill", "--teacher=t", "--label_weight=0.25")
    assert (config.train.teacher, config.train.label_weight) == ("t", 0.25)


LOSSES = {
    "margin_triplet": {"margin": 0.4, "semi_hard": True, "hidden_norm": False},
    "hard_negatives": {"positive_prior": 0.2, "negative_concentration": 0.5},
    "false_negatives": {
        "temperature": 0.3,
        "false_negative_threshold": 0.9,
        "false_negative_top_k": 8,
        "attract_false_negatives": True,
    },
    "generalized": {"embedding_prior": "normal", "embedding_prior_weight": 2.0},
}


@pytest.mark.parametrize("name", LOSSES)
def test_flags_of_losses_reach_their_field_and_the_loss(name):
    arguments = [f"--{flag}={value}" for flag, value in LOSSES[name].items()]
    config, _ = parse(f"--loss={name}", *arguments)
    loss = networks.build_loss(config)
    assert type(loss) is losses.LOSSES[name]
    for flag, value in LOSSES[name].items():
        assert getattr(config.train, flag) == getattr(loss, flag) == value


def test_the_table_of_losses_is_that_of_the_library():
    assert list(LOSS_ARGUMENTS) == list(losses.LOSSES)
    for name, arguments in LOSS_ARGUMENTS.items():
        loss = losses.build(name)
        assert set(arguments) == set(loss._arguments) - {"sigma", "seed"}
        assert (name in LABELLED_LOSSES) == loss.needs_labels
        for argument in arguments:  # a flag has the default of the argument
            assert getattr(loss, argument) == getattr(TrainConfig(), argument)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--margin=1"], "--margin must not be given with --loss=nt_xent, got 1.0"),
        (
            ["--loss=margin_triplet", "--temperature=1"],
            "--temperature must not be given with --loss=margin_triplet, got 1.0",
        ),
        (
            ["--loss=generalized", "--embedding_prior=normal", "--temperature=1"],
            "--temperature must not be given with --loss=generalized "
            "--embedding_prior=normal, got 1.0",
        ),
        (
            ["--loss=dclw", "--nohidden_norm"],
            "--hidden_norm must be true with --loss=dclw, got false",
        ),
        (
            ["--loss=dcl", "--train_mode=finetune", "--from_scratch"],
            "--loss must not be given with --train_mode=finetune, got dcl",
        ),
        (
            ["--loss=dcl", "--num_small_views=2"],
            "--num_small_views must be 0 with --loss=dcl, got 2",
        ),
        (
            ["--loss=supcon", "--probe_dataset=mnist"],
            "--probe_dataset must not be given with --loss=supcon, got mnist",
        ),
    ],
)
def test_a_loss_refuses_what_it_does_not_use(arguments, message):
    with pytest.raises(UserError) as raised:
        parse(*arguments)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def test_flags_of_a_preset_that_a_loss_does_not_use_are_passed_over():
    config, _ = parse("--loss=margin_triplet", "--preset=demo")  # has a temperature
    assert config.train.loss == "margin_triplet"


@pytest.mark.parametrize(
    ("arguments", "kind", "tpu_name"),
    [
        ([], "auto", None),
        (["--tpu_name=t"], "auto", "t"),
        (["--use_tpu", "--tpu_name=t"], "tpu", "t"),
        # What the published commands say where there is none.
        (["--use_tpu=False", "--tpu_name=t"], "auto", None),
    ],
)
def test_published_tpu_flags_choose_the_distribution(arguments, kind, tpu_name):
    config, _ = parse(*arguments)
    assert (config.devices.distribution, config.devices.tpu_name) == (kind, tpu_name)


@pytest.mark.parametrize("name", sorted(REFERENCE | OURS))
def test_help_names_every_flag(name):
    assert f"\n  --{name}=" in flags.help_text()


def test_help_shows_no_flag_of_others_and_fits_the_screen():
    lines = flags.help_text().splitlines()
    named = {line.split("=")[0].strip(" -") for line in lines if "  --" in line[:4]}
    assert named == set(REFERENCE | OURS)
    assert max(map(len, lines)) <= 88
