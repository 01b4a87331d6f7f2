"""From a command line to a configuration, or to one clear line."""

import json
import os
import subprocess
import sys

import pytest

import flags
import run
from simclr_tf.errors import UserError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def parse(*arguments):
    return flags.parse(["run.py", *arguments], say=lambda line: None)


def config_of(*arguments):
    return parse("--dataset=cifar10", "--model_dir=no/such/run", *arguments)[0]


FINETUNE = "--train_mode=finetune --checkpoint=run "
WRONG = {
    "--image_size=0": "--image_size must be a whole number >= 1 and <= 10000, got 0.",
    "--image_size=-3": "--image_size must be a whole number >= 1 and <= 10000, got -3.",
    "--image_size=2.5": "--image_size must be a whole number >= 1 and <= 10000, "
    "got 2.5.",
    "--temperature=0": "--temperature must be a number > 0 and <= 1000, got 0.",
    "--temperature=nan": "--temperature must be a number > 0 and <= 1000, got nan.",
    "--temperature=inf": "--temperature must be a number > 0 and <= 1000, got inf.",
    "--temperature=cold": "--temperature must be a number > 0 and <= 1000, got cold.",
    "--train_batch_size=0": "--train_batch_size must be a whole number >= 1 and "
    "<= 1048576, got 0.",
    "--eval_batch_size=0": "--eval_batch_size must be a whole number >= 1 and <= "
    "1048576, got 0.",
    "--train_epochs=0": "--train_epochs must be a whole number >= 1 and <= "
    "1000000, got 0.",
    "--train_steps=-1": "--train_steps must be a whole number >= 0 and <= "
    "1000000000, got -1.",
    "--checkpoint_epochs=0": "--checkpoint_epochs must be a whole number >= 1 and "
    "<= 1000000, got 0.",
    "--keep_checkpoint_max=-1": "--keep_checkpoint_max must be a whole number >= "
    "0 and <= 1000000, got -1.",
    "--learning_rate=-1": "--learning_rate must be a number >= 0 and <= 1000000, "
    "got -1.",
    "--weight_decay=-1": "--weight_decay must be a number >= 0 and <= 1000, got -1.",
    "--warmup_epochs=-1": "--warmup_epochs must be a number >= 0 and <= 1000000, "
    "got -1.",
    "--momentum=1": "--momentum must be a number >= 0 and < 1, got 1.",
    "--batch_norm_decay=1": "--batch_norm_decay must be a number >= 0 and < 1, got 1.",
    "--color_jitter_strength=1.3": "--color_jitter_strength must be a number >= 0 and "
    "<= 1.25, got 1.3.",
    "--min_crop_area=0": "--min_crop_area must be a number > 0 and <= 1, got 0.",
    "--width_multiplier=0": "--width_multiplier must be a number > 0 and <= 100, "
    "got 0.",
    "--sk_ratio=-1": "--sk_ratio must be a number >= 0 and <= 1, got -1.",
    "--proj_out_dim=0": "--proj_out_dim must be a whole number >= 1 and <= 65536, "
    "got 0.",
    "--num_proj_layers=0": "--num_proj_layers must be a whole number >= 1 and <= "
    "100, got 0.",
    "--knn_neighbors=0": "--knn_neighbors must be a whole number >= 1 and <= "
    "1000000, got 0.",
    "--seed=-1": "--seed must be a whole number >= 0 and <= 2147483647, got -1.",
    "--resnet_depth=51": "--resnet_depth must be one of 18, 34, 50, 101, 152, 200, "
    "got 51.",
    "--optimizer=sgd": "--optimizer must be one of momentum, adam, adamw, lamb, lars, "
    "got sgd.",
    "--mode=serve": "--mode must be one of train, eval, train_then_eval, export, "
    "embed, report, import, preview, prepare, check, got serve.",
    "--mode=import": "--source must be given with --mode=import, a file or folder; got "
    "none.",
    "--source=x": "--source must not be given with --mode=train: it is for import.",
    "--mode=import --source=x --sk_ratio=0.1 --resnet_depth=50": "--resnet_depth, "
    "--sk_ratio must not be given with --mode=import: the weights say it.",
    "--input_normalization=1,1,1,1,1,0": "--input_normalization must be auto, none, "
    "imagenet, caffe, or three means and three deviations > 0 with commas between, got "
    "1,1,1,1,1,0.",
    "--eval_timeout=-1": "--eval_timeout must be a number >= 0 and <= 1000000000, "
    "got -1.",
    "--embed_formats=npz,csv": "--embed_formats must be a list of npz, parquet, "
    "projector, got npz,csv.",
    "--knn_temperature=0": "--knn_temperature must be a number > 0 and <= 1000, got 0.",
    "--evaluators=head,svm": "--evaluators must be a list of head, knn, logistic, "
    "got head,svm.",
    "--evaluators=knn,knn": "--evaluators must be a list of head, knn, logistic, "
    "got knn,knn.",
    "--evaluators=": "--evaluators must be a list of head, knn, logistic, got nothing.",
    "--use_blur=maybe": "--use_blur must be true or false, got maybe.",
    "--dataset=": "--dataset must be text without control characters, got nothing.",
    "--model_dir=": "--model_dir must be text without control characters, got nothing.",
    "--temprature=1": "--temprature is no flag. Close: --temperature, "
    "--temperature_min, --temperature_max.",
    "--qqq": "--qqq is no flag.",
    "--learning_rate": "--learning_rate needs a value, got none.",
    "cifar10": "'cifar10' is no flag: flags begin with --.",
    "--use_tpu": "--tpu_name or --master must be given for a TPU, got neither. On a "
    "TPU virtual machine: --tpu_name=local.",
    "--use_tpu --tpu_name=t --distribution=none": "--distribution must be tpu with "
    "--use_tpu, got none. Leave out one of them.",
    "--model_dir=gs://b/run": "--model_dir must be a folder of the file system, got "
    "gs://b/run. Mount the bucket, and give the folder that it is mounted at.",
    "--distribution=none --num_cpu_replicas=2": "--num_cpu_replicas must be 0 with "
    "--distribution=none, got 2: it is for mirrored.",
    "--jit_compile --micro_batch_size=9": "--jit_compile must be false with "
    "--micro_batch_size, got true.",
    "--train_batch_size=8 --memory_size=7": "--memory_size must be 0 or at least "
    "--train_batch_size=8, got 7.",
    "--loss=supcon --memory_size=512": "--memory_size must be 0 with --loss=supcon, "
    "got 512: this loss takes no negatives of other batches.",
    "--train_mode=finetune --from_scratch --memory_size=512": "--memory_size must be 0 "
    "with --train_mode=finetune, got 512: it is for pretrain.",
    "--train_batch_size=8 --micro_batch_size=9": "--micro_batch_size must be at most "
    "--train_batch_size=8, got 9.",
    "--train_mode=finetune": "--train_mode=finetune needs --checkpoint, a folder or "
    "prefix that pre-training wrote, or --from_scratch; got none, and --model_dir has "
    "none to resume.",
    FINETUNE + "--on_nonfinite=skip": "--on_nonfinite must be stop or rewind with "
    "--train_mode=finetune, got skip: it is for pretrain.",
    FINETUNE + "--from_scratch": "--from_scratch must be false with --checkpoint=run, "
    "got true: leave out one of them.",
    "--from_scratch": "--from_scratch must be false with --train_mode=pretrain, got "
    "true: it is for finetune.",
    "--train_mode=distill": "--train_mode=distill needs --teacher, a checkpoint with a "
    "linear head or a SavedModel folder; got none.",
    FINETUNE + "--teacher=t": "--teacher must not be given with --train_mode=finetune, "
    "got t: it is for distill.",
    FINETUNE + "--label_weight=0.5": "--label_weight must not be given with "
    "--train_mode=finetune, got 0.5: it is for distill.",
    "--train_mode=distill --teacher=t --fine_tune_after_block=4": "--fine_tune_after_"
    "block must be -1 with --train_mode=distill, got 4: --train_mode=finetune freezes.",
    "--distill_temperature=0": "--distill_temperature must be a number > 0 and <= "
    "1000, got 0.",
    "--label_weight=1.5": "--label_weight must be a number >= 0 and <= 1, got 1.5.",
    "--label_fraction=0": "--label_fraction must be a number > 0 and <= 1, got 0.",
    "--label_fraction=1.1": "--label_fraction must be a number > 0 and <= 1, got 1.1.",
    "--label_seed=-1": "--label_seed must be a whole number >= 0 and <= 2147483647, "
    "got -1.",
    FINETUNE + "--label_fraction=0.1 --label_file=l": "--label_fraction must be 1 with "
    "--label_file=l, got 0.1: each chooses the images that have labels.",
    "--label_fraction=0.1": "--label_fraction must not be given with "
    "--train_mode=pretrain in training, got 0.1: it is for finetune, distill, "
    "--loss=supcon and --mode=eval.",
    "--label_file=l": "--label_file must not be given with --train_mode=pretrain in "
    "training, got l: it is for finetune, distill, --loss=supcon and --mode=eval.",
    "--augmentation=none": "--augmentation must be crop_and_flip or a list with "
    "--train_mode=pretrain, got none: it is for finetune and distill.",
    "--augmentation=blur": "--augmentation must begin with crop, which decides the "
    "size, got blur.",
    "--augmentation=crop,blurr": "--augmentation must be crop_and_flip, none, or a "
    "list of crop, flip, jitter, grayscale, blur, cutout, rotate, noise, sobel, "
    "solarize, equalize, got blurr. Close: blur.",
    "--augmentation=crop,": "--augmentation must be crop_and_flip, none, or a list of "
    "crop, flip, jitter, grayscale, blur, cutout, rotate, noise, sobel, solarize, "
    "equalize, got an empty word.",
    "--augmentation=crop,jitter(1.3)": "--augmentation must have a strength of jitter "
    "in [0, 1.25], got 1.3.",
    "--augmentation=crop,blur(p=1)": "--augmentation must give blur at most the "
    "arguments probability, min_sigma, max_sigma, got blur(p=1).",
    "--augmentation=crop,sobel(1,2)": "--augmentation must give sobel at most the "
    "arguments probability, got sobel(1,2).",
    "--augmentation=crop,blur(1,2,1)": "--augmentation must have a min_sigma of blur "
    "at most its max_sigma=1, got 2.",
    "--augmentation=crop,noise(nan)": "--augmentation must have a stddev of noise > 0 "
    "and finite, got nan.",
    "--augmentation=crop,noise(": "--augmentation must be words with commas between, "
    "arguments in brackets, as in crop,flip,jitter(0.5), got crop,noise(.",
    "--augmentation=crop,flip,crop": "--augmentation must crop once, got "
    "crop,flip,crop.",
    "--augmentation=crop|crop|crop": "--augmentation must be one view or two with | "
    "between, got 3.",
    FINETUNE + "--augmentation=crop|crop,blur": "--augmentation must be one view with "
    "--train_mode=finetune, got 2.",
    "--augmentation=crop,flip --nouse_blur": "--use_blur must not be given with "
    "--augmentation=crop,flip, got false: the word blur says it.",
    "--fine_tune_after_block=4": "--fine_tune_after_block must be -1 with "
    "--train_mode=pretrain, got 4: --train_mode=finetune freezes.",
    FINETUNE + "--fine_tune_after_block=5": "--fine_tune_after_block must be a whole "
    "number >= -1 and <= 4, got 5.",
    FINETUNE + "--encoder=VGG16 --fine_tune_after_block=3": "--fine_tune_after_block "
    "must be -1 or 4 for --encoder=VGG16, got 3.",
    "--ft_proj_selector=4": "--ft_proj_selector must be at most 3, the layers of this "
    "projection head, got 4.",
    "--ft_proj_selector=2 --proj_head_mode=linear": "--ft_proj_selector must be at "
    "most 1, the layers of this projection head, got 2.",
    "--ft_proj_selector=1 --proj_head_mode=none": "--ft_proj_selector must be at most "
    "0, the layers of this projection head, got 1.",
    "--ft_proj_selector=-2": "--ft_proj_selector must be a whole number >= -1 and "
    "<= 100, got -2.",
    "--encoder=VGG16 --sk_ratio=0.1": "--sk_ratio must not be given with "
    "--encoder=VGG16: only resnet has it.",
    "--encoder=VGG16 --se_ratio=0.1 --width_multiplier=2": "--width_multiplier, "
    "--se_ratio must not be given with --encoder=VGG16: only resnet has it.",
    "--warmup_epochs=6 --train_epochs=5": "--warmup_epochs must be at most "
    "--train_epochs=5, got 6.",
    "--variable_schema=(?!global_step) --checkpoint_scope=encoder": "--checkpoint_scope"
    " must be model with --variable_schema=(?!global_step), got encoder. Leave out the "
    "schema.",
    "--variable_schema=(?!conv)": "--variable_schema must leave out global_step and "
    "may leave out an optimizer and head, as in "
    "(?!global_step|(?:.*/|^)Momentum|head), got (?!conv). Use "
    "--checkpoint_scope=model or encoder instead.",
    "--preset=mnist": "--preset must be one of cifar10, cifar10_linear_eval, demo, "
    "demo_distill, demo_finetune_100pct, demo_finetune_10pct, demo_finetune_1pct, "
    "demo_linear_eval, distill, finetune_100pct, finetune_10pct, finetune_1pct, "
    "imagenet, imagenet_linear_eval, small_pictures, textures, v2, got mnist.",
    "--flagfile=no.flags": "--flagfile must be a file that can be read: [Errno 2] No "
    "such file or directory: 'no.flags'. For one that comes with the toolkit: "
    "--preset=demo or another.",
}


@pytest.mark.parametrize("arguments", WRONG)
def test_wrong_input_is_one_line(arguments):
    with pytest.raises(UserError) as caught:
        config_of(*arguments.split())
    assert str(caught.value) == WRONG[arguments]


@pytest.mark.parametrize(
    "arguments",
    [
        "--learning_rate=0",
        "--warmup_epochs=5 --train_epochs=5",
        "--warmup_epochs=6 --train_epochs=5 --train_steps=1000",
        "--train_epochs=5",  # shorter than the default warm-up
        "--preset=imagenet --train_epochs=5",  # and than that of a recipe
        "--ft_proj_selector=3",
        "--ft_proj_selector=-1 --proj_head_mode=none",
        "--color_jitter_strength=1.25",
        "--augmentation=crop,flip,jitter(0.5),grayscale,blur,cutout,rotate,noise,sobel,"
        "solarize(threshold=0.4),equalize|crop(0.2,1)",
        "--augmentation=crop,jitter() --preset=cifar10",
        "--resnet_depth=18 --sk_ratio=0.0625",
        "--use_tpu=False --tpu_name=t --tpu_zone=z --gcp_project=p --master=m",
        "--nouse_blur",
        "--encoder=VGG16 --width_multiplier=1",
        FINETUNE + "--global_bn=False --batch_norm_decay=0.99",
        FINETUNE + "--encoder=VGG16 --fine_tune_after_block=4",
        FINETUNE + "--label_fraction=1 --label_file=l",
        "--mode=eval --label_fraction=0.01",
        "--mode=eval --checkpoint=run --from_scratch",  # as flags.json may say
        "--train_mode=distill --teacher=t --checkpoint=run --label_fraction=0.1",
    ],
)
def test_allowed(arguments):
    config_of(*arguments.split())


def test_a_mistake_leaves_nothing_behind():
    with pytest.raises(UserError):
        config_of("--train_steps=7", "--image_size=0")
    assert config_of().train.train_steps == 0


def test_finetuning_resumes_without_a_checkpoint_flag(tmp_path):
    (tmp_path / "checkpoint").touch()
    config, _ = parse(
        "--train_mode=finetune", "--dataset=cifar10", f"--model_dir={tmp_path}"
    )
    assert config.checkpoint is None


SCHEMAS = {
    "?!global_step": "model",
    "(?!global_step)": "model",
    "(?!global_step|(?:.*/|^)Momentum|head)": "encoder",
    "(?!global_step|(?:.*/|^)LARSOptimizer|head)": "encoder",
    "(?!global_step|(?:.*/|^)LARSOptimizer|head_supervised)": "model",
}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_published_schemas_choose_what_a_checkpoint_fills(schema):
    config = config_of(f"--variable_schema={schema}")
    assert config.checkpoint_scope == SCHEMAS[schema]


def test_no_folder():
    with pytest.raises(UserError, match="^--model_dir must be given"):
        parse("--dataset=cifar10")


def test_evaluation_needs_data_that_export_does_not(tmp_path):
    folder = f"--model_dir={tmp_path}"
    with pytest.raises(UserError, match="--dataset must be given .* no flags.json in"):
        parse("--mode=eval", folder)
    assert parse("--mode=export", folder)[0].mode == "export"


def remember(folder, *arguments):
    folder.mkdir(exist_ok=True)
    _, values = parse(f"--model_dir={folder}", *arguments)
    (folder / "flags.json").write_text(json.dumps(values))


@pytest.mark.parametrize("mode", ["eval", "export", "embed"])
def test_a_run_remembers_its_flags(tmp_path, mode):
    remember(tmp_path, "--preset=demo", "--seed=3", "--use_tpu=False", "--tpu_name=t")
    before, _ = parse("--preset=demo", "--seed=3", f"--model_dir={tmp_path}")
    after, _ = parse(f"--mode={mode}", f"--model_dir={tmp_path}", "--eval_steps=2")
    assert after.mode == mode
    assert after.eval.eval_steps == 2
    for part in ("data", "augmentation", "model", "train"):
        assert getattr(after, part) == getattr(before, part)


def test_training_remembers_nothing(tmp_path):
    remember(tmp_path, "--preset=demo", "--seed=3")
    config, _ = parse(f"--model_dir={tmp_path}")
    assert config.train.seed is None


def test_a_preset_wins_over_what_is_remembered(tmp_path):
    remember(tmp_path, "--preset=demo", "--seed=3")
    config, _ = parse("--mode=eval", f"--model_dir={tmp_path}", "--preset=cifar10")
    assert config.data.dataset == "cifar10"
    assert config.train.seed == 3


def test_the_run_of_the_checkpoint_is_remembered(tmp_path):
    finetune = FINETUNE.split()
    remember(tmp_path / "tuned", "--dataset=cifar10", "--resnet_depth=18", *finetune)
    config, _ = parse("--mode=eval", f"--model_dir={tmp_path / 'tuned'}")
    assert config.checkpoint is None  # its own newest, not what it began with
    for path in (tmp_path / "tuned", tmp_path / "tuned" / "ckpt-3"):
        config, _ = parse("--mode=eval", f"--checkpoint={path}", "--model_dir=new")
        assert config.model.resnet_depth == 18
        assert config.model_dir == "new"


@pytest.mark.parametrize("text", ["{bad", "[1]", '{"image_size": 0}'])
def test_damaged_memory(tmp_path, text):
    (tmp_path / "flags.json").write_text(text)
    with pytest.raises(UserError, match="flags.json must be as a run wrote it: "):
        parse("--mode=eval", f"--model_dir={tmp_path}")


def test_values_are_json():
    _, values = parse("--preset=demo")
    assert json.loads(json.dumps(values)) == values
    assert values["preset"] == "demo"


@pytest.mark.parametrize("option", ["--help", "--helpfull", "--helpshort", "-h"])
def test_help(capsys, option):
    assert run.main(["run.py", option]) == 0
    assert "--temperature=0.1 (a number > 0 and <= 1000)" in capsys.readouterr().out


def test_the_command_answers_without_tensorflow():
    code = (
        "import sys, run; code = run.main(['run.py', '--temperature=0']);"
        "assert 'tensorflow' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert (
        done.stderr
        == "run.py: --temperature must be a number > 0 and <= 1000, got 0.\n"
    )
