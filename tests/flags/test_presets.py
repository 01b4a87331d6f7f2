"""Recipes, and the commands that the published README prints."""

import dataclasses
import os
import shlex

import pytest

import flags


def what_it_needs(name):
    """What no recipe can know: folders of other runs, and of one's own images."""
    teacher = "--teacher=teacher" if "distill" in name else ""
    images = "--dataset=photos" if name in ("small_pictures", "textures") else ""
    return f"--checkpoint=pretrained --model_dir=run {teacher} {images}"


def parse(command, say=lambda line: None):
    return flags.parse(["run.py", *shlex.split(command)], say)[0]


def test_the_published_recipes_are_here():
    assert flags.presets() == [
        "cifar10",
        "cifar10_linear_eval",
        "demo",
        "demo_distill",
        "demo_finetune_100pct",
        "demo_finetune_10pct",
        "demo_finetune_1pct",
        "demo_linear_eval",
        "distill",
        "finetune_100pct",
        "finetune_10pct",
        "finetune_1pct",
        "imagenet",
        "imagenet_linear_eval",
        "small_pictures",
        "textures",
        "v2",
    ]


@pytest.mark.parametrize("name", flags.presets())
def test_every_preset_parses_from_any_folder(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = parse(f"--preset={name} {what_it_needs(name)}")
    assert config.data.dataset is not None


@pytest.mark.parametrize("name", flags.presets())
def test_every_preset_is_a_flag_file_that_says_what_it_is(name):
    folder = os.path.join(os.path.dirname(flags.__file__), "presets")
    path = os.path.join(folder, f"{name}.flags")
    rest = what_it_needs(name)
    assert parse(f"--flagfile={path} {rest}") == parse(f"--preset={name} {rest}")
    with open(path, encoding="utf-8") as file:
        assert file.readline().startswith("# ")


@pytest.mark.parametrize(
    "command", ["--preset=demo --train_steps=7", "--train_steps=7 --preset=demo"]
)
def test_flags_win_over_a_preset_in_any_order(command):
    config = parse(command)
    assert config.train.train_steps == 7
    assert config.data.dataset == "bundled"


def test_epochs_that_are_given_win_over_steps_of_a_preset():
    config = parse("--preset=demo --train_epochs=3 --checkpoint_epochs=2")
    assert (config.train.train_epochs, config.train.train_steps) == (3, 0)
    assert (config.checkpoint_epochs, config.checkpoint_steps) == (2, 0)
    config = parse("--preset=demo --train_epochs=3 --train_steps=5")
    assert config.train.train_steps == 5


def test_another_encoder_takes_a_preset_of_a_resnet():
    assert parse("--preset=demo --encoder=MobileNetV2").model.encoder == "MobileNetV2"


def test_training_without_data_is_the_demo_and_says_so():
    said = []
    config = parse("--mode=train_then_eval --train_steps=7", said.append)
    assert said == ["No --dataset given: the bundled images with --preset=demo."]
    assert config == parse("--preset=demo --mode=train_then_eval --train_steps=7")


def test_data_in_a_flag_file_is_given(tmp_path):
    path = tmp_path / "mine.flags"
    path.write_text("# mine\n--dataset=cifar10\n--model_dir=run\n")
    said = []
    config = parse(f"--flagfile={path}", said.append)
    assert said == []
    assert config.data.dataset == "cifar10"
    assert config.train.optimizer == "lars"


PRETRAIN = """
    --train_mode=pretrain --train_batch_size=512 --train_epochs=1000
    --learning_rate=1.0 --weight_decay=1e-4 --temperature=0.5
    --dataset=cifar10 --image_size=32 --eval_split=test --resnet_depth=18
    --use_blur=False --color_jitter_strength=0.5
    --model_dir=/tmp/simclr_test --use_tpu=False
"""
LINEAR = """
    --mode=train_then_eval --train_mode=finetune
    --fine_tune_after_block=4 --zero_init_logits_layer=True
    --variable_schema='(?!global_step|(?:.*/|^)Momentum|head)'
    --global_bn=False --optimizer=momentum --learning_rate=0.1 --weight_decay=0.0
    --train_epochs=100 --train_batch_size=512 --warmup_epochs=0
    --dataset=cifar10 --image_size=32 --eval_split=test --resnet_depth=18
    --checkpoint=/tmp/simclr_test --model_dir=/tmp/simclr_test_ft --use_tpu=False
"""


def test_published_cifar10_commands_are_the_presets():
    assert parse(PRETRAIN) == parse("--preset=cifar10 --model_dir=/tmp/simclr_test")
    linear = parse(LINEAR)
    assert linear.checkpoint_scope == "encoder"
    assert linear == parse(
        "--mode=train_then_eval --preset=cifar10_linear_eval "
        "--checkpoint=/tmp/simclr_test --model_dir=/tmp/simclr_test_ft "
        "--image_size=32 --resnet_depth=18"  # which the checkpoint brings
    )


def test_published_cifar10_commands_run_for_fewer_epochs():
    assert parse(PRETRAIN + "--train_epochs=2").train.train_epochs == 2
    assert parse(LINEAR + "--train_epochs=2").train.train_epochs == 2


def test_published_imagenet_command_passes_a_flag_that_was_missing():
    config = parse("--dataset=imagenet2012 --model_dir=run --train_summary_steps=0")
    assert config.train_summary_steps == 0


def test_imagenet_recipes():
    first, second = (
        parse(f"--preset={name} --model_dir=r") for name in ("imagenet", "v2")
    )
    assert first.train.learning_rate * first.train.train_batch_size / 256 == 4.8
    assert (first.train.learning_rate_scaling, first.model.num_proj_layers) == (
        "linear",
        2,
    )
    assert second.train.learning_rate_scaling == "sqrt"
    assert second.train.warmup_epochs == 0.05 * second.train.train_epochs
    assert (second.train.learning_rate, second.model.num_proj_layers) == (0.1, 3)


@pytest.mark.parametrize(("share", "epochs"), [("1pct", 60), ("10pct", 30)])
def test_semi_supervised_recipes(share, epochs):
    config = parse(f"--preset=finetune_{share} --checkpoint=c --model_dir=r")
    assert config.data.dataset == f"imagenet2012_subset/{share}"
    assert config.train.train_epochs == epochs
    assert config.train.ft_proj_selector == 1
    assert config.checkpoint_scope == "model"  # the head's first layer comes along
    assert config.train.fine_tune_after_block == -1


def test_recipes_for_all_labels_and_distillation():
    config = parse("--preset=finetune_100pct --checkpoint=c --model_dir=r")
    assert (config.train.ft_proj_selector, config.train.train_epochs) == (0, 30)
    config = parse("--preset=distill --teacher=t --model_dir=r")
    assert (config.train.distill_temperature, config.train.label_weight) == (1, 0)
    assert config.train.warmup_epochs == 0.05 * config.train.train_epochs == 20


# Of linear evaluation, the checkpoint brings them.
DEMOS = [
    name
    for name in flags.presets()
    if name.startswith("demo_") and not name.endswith("linear_eval")
]


@pytest.mark.parametrize("name", DEMOS)
def test_recipes_that_follow_the_demo_have_its_networks_and_images(name):
    demo = parse("--preset=demo")
    config = parse(f"--preset={name} {what_it_needs(name)}")
    width = 0.125 if name == "demo_distill" else 0.25  # a smaller student
    assert config.model == dataclasses.replace(demo.model, width_multiplier=width)
    assert config.data.image_size == demo.data.image_size
    assert config.data.dataset == "bundled" and config.data.eval_split == "test"
    share = {"1pct": 0.01, "10pct": 0.1}.get(name.rsplit("_", 1)[1], 1.0)
    assert config.data.label_fraction == share


def test_a_supervised_baseline_of_the_demo():
    config = parse("--preset=demo_finetune_1pct --from_scratch --model_dir=r")
    assert config.train.from_scratch and config.checkpoint is None
