"""Flags: what the command does, where results go, on which devices."""

import re

from flags import values

values.one_of(
    "mode",
    "train",
    "train eval train_then_eval export embed report import preview prepare "
    "check".split(),
    "train: train. eval: evaluate the newest checkpoint, then each new one until the "
    "training is done; see --eval_timeout. train_then_eval: both. export: write only "
    "what --export_formats says, by default a SavedModel; eval and train_then_eval "
    "write it too. embed: write the features of --eval_split. report: write a page "
    "about the run, report.html; train_then_eval writes it too. import: turn the "
    "weights at --source into a run; the network is recognised from the weights. "
    "preview: write pictures of random training images beside their views; takes the "
    "flags of a training. prepare: write a packed copy of --dataset to --model_dir, "
    "for use as --dataset. check: read every image of --train_split and report, "
    "without training.",
)
values.string(
    "preset",
    None,
    "A recipe that comes with the toolkit, such as demo or cifar10. Flags on the "
    "command line win, before or after it.",
)
values.string("model_dir", None, "Folder of the run: checkpoints, results, events.")
values.string(
    "source",
    None,
    "import: a checkpoint or SavedModel of the published SimCLR code, or a ResNet of "
    "PyTorch (torchvision, lightly, solo-learn) as .safetensors, .pth or .ckpt; with "
    "--encoder=NAME, weights of that network (.h5) or the folder of a KerasHub preset.",
)
values.string(
    "checkpoint",
    None,
    "Folder or prefix of a checkpoint to start from, if --model_dir has none yet. "
    "Networks and image size are taken from it; their flags need not be given.",
)
values.one_of(
    "checkpoint_scope",
    "model",
    ["model", "encoder"],
    "What is loaded from --checkpoint: encoder and projection head (model), or only "
    "the encoder.",
)
values.string(
    "variable_schema",
    None,
    "Accepted for published commands: (?!global_step|...|head) means "
    "--checkpoint_scope=encoder; without head it means model.",
)
values.boolean(
    "resume_with_other_flags",
    False,
    "Resume although flags differ that change what is computed, such as a learning "
    "rate, or a folder of images that was moved. Without it such a command is "
    "refused.",
)
values.integer("checkpoint_epochs", 1, "Epochs between checkpoints.", low=1, high=10**6)
values.integer(
    "checkpoint_steps",
    0,
    "Steps between checkpoints. 0: use --checkpoint_epochs.",
    low=0,
    high=10**9,
)
values.integer(
    "keep_checkpoint_max", 5, "Checkpoints to keep. 0: all.", low=0, high=10**6
)
values.integer(
    "keep_hub_module_max",
    1,
    "SavedModels to keep, and as many of each other format. 0: all.",
    low=0,
    high=10**6,
)
values.floating(
    "checkpoint_minutes",
    0.0,
    "Longest time between checkpoints, in addition to --checkpoint_epochs or "
    "--checkpoint_steps. 0: no limit.",
    low=0,
    high=10**6,
)
values.string(
    "keep_best",
    None,
    "Also keep the checkpoint with the best value of this figure: loss, "
    "contrast_loss, contrast_acc, supervised_loss, supervised_acc (means since the "
    "last line of the log), or one of result.json such as eval/knn_top_1_accuracy, if "
    "--mode=eval runs beside the training. The lowest loss is the best, and the "
    "highest of every other figure.",
)
values.integer(
    "train_summary_steps",
    100,
    "Steps between lines of the log and TensorBoard summaries. 0: once per checkpoint.",
    low=0,
    high=10**9,
)
values.some_of(
    "loggers",
    ["tensorboard", "jsonl"],
    ["tensorboard", "jsonl", "wandb", "mlflow"],
    "Where summaries and evaluations go. tensorboard: events in train/ and eval/ of "
    "the run. jsonl: a line each in its metrics.jsonl. wandb: Weights & Biases. "
    "mlflow: MLflow. The last two are extras to install, and go by their own "
    "environment variables.",
)
values.span(
    "profile_steps",
    None,
    "The first and the last step, as in 10,20, that TensorFlow's profiler records for "
    "TensorBoard. The profile is written to train/plugins/profile in the run's "
    "folder.",
    low=1,
)
values.integer(
    "preview_images", 8, "preview: images on the sheet, one per row.", low=1, high=1000
)
values.integer(
    "preview_pairs", 3, "preview: pairs of views of each image.", low=1, high=100
)
values.one_of(
    "distribution",
    "auto",
    ["auto", "none", "mirrored", "multi_worker", "tpu"],
    "none: one device. mirrored: all GPUs, or --num_cpu_replicas. multi_worker: the "
    "processes in the environment variable TF_CONFIG, or of Slurm's srun. auto: a TPU "
    "if one is named, else several workers, else several GPUs, else one device.",
)
values.integer(
    "num_cpu_replicas",
    0,
    "mirrored: replicas on the CPU. 0: use the GPUs.",
    low=0,
    high=1024,
)
values.boolean("use_tpu", False, "The same as --distribution=tpu.")
values.string(
    "tpu_name", None, "Name of a Cloud TPU, or local on a TPU virtual machine."
)
values.string("tpu_zone", None, "Zone of the TPU.")
values.string("gcp_project", None, "Project of the TPU.")
values.string("master", None, "Address grpc://host:port of a TPU without a name.")

_IN_THE_WEIGHTS = {
    "resnet_depth",
    "width_multiplier",
    "sk_ratio",
    "se_ratio",
    "resnet_variant",
    "proj_head_mode",
    "num_proj_layers",
    "proj_out_dim",
}
_LEFT_OUT = {"?!global_step", "Momentum", "LARSOptimizer", "Adam", "head_supervised"}
_HEADS = {"head", "head_contrastive"}


def scope_of(variable_schema, checkpoint_scope):
    """What `--checkpoint` fills.

    Args:
        variable_schema: Str or None, a pattern `(?!a|b|c)` of what the published code
            for TensorFlow 1 did not read. Step, optimizer and linear head are never
            read here; what matters is whether the projection head is.
        checkpoint_scope: Str, what is filled where there is no schema.

    Returns:
        "model" or "encoder".

    Raises:
        ValueError: If the schema leaves out anything else.

    Example:
        >>> scope_of("(?!global_step|(?:.*/|^)Momentum|head)", "model")
        'encoder'
    """
    if variable_schema is None:
        return checkpoint_scope
    words = variable_schema.replace("(?:.*/|^)", "").removeprefix("(").removesuffix(")")
    left_out = set(words.split("|"))
    if not words.startswith("?!global_step") or not left_out <= _LEFT_OUT | _HEADS:
        raise ValueError(variable_schema)
    return "encoder" if left_out & _HEADS else "model"


@values.check
def _source_is_for_import(mode, source):
    if mode == "import" and source is None:
        return "--source must be given with --mode=import, a file or folder; got none."
    if mode != "import" and source is not None:
        return f"--source must not be given with --mode={mode}: it is for import."
    return None


@values.check
def _weights_say_what_they_are(mode, given):
    named = sorted(given & _IN_THE_WEIGHTS)
    if mode == "import" and named:
        listed = ", ".join(f"--{name}" for name in named)
        return f"{listed} must not be given with --mode=import: the weights say it."
    return None


@values.check
def _schema_is_known(variable_schema, checkpoint_scope, given):
    try:
        meant = scope_of(variable_schema, checkpoint_scope)
    except ValueError:
        return (
            "--variable_schema must leave out global_step and may leave out an "
            "optimizer and head, as in (?!global_step|(?:.*/|^)Momentum|head), got "
            f"{variable_schema}. Use --checkpoint_scope=model or encoder instead."
        )
    if "checkpoint_scope" in given and meant != checkpoint_scope:
        return (
            f"--checkpoint_scope must be {meant} with --variable_schema="
            f"{variable_schema}, got {checkpoint_scope}. Leave out the schema."
        )
    return None


@values.check
def _best_is_of_a_figure(keep_best):
    if keep_best and not re.fullmatch(r"(\w+_)?(loss|acc)|eval/\w+", keep_best):
        return (
            "--keep_best must be a loss or accuracy such as contrast_loss, "
            "supervised_acc or eval/knn_top_1_accuracy, got "
            f"{keep_best}."
        )
    return None


@values.check
def _folder_is_of_the_file_system(model_dir):
    if model_dir and "://" in model_dir:
        return (
            f"--model_dir must be a folder of the file system, got {model_dir}. Mount "
            "the bucket, and give the folder that it is mounted at."
        )
    return None


def kind_of_distribution(use_tpu, distribution, given):
    """What `--distribution` means beside the published `--use_tpu`.

    Args:
        use_tpu: Bool, the flag.
        distribution: Str, the flag.
        given: Set of the flags on the command line.

    Returns:
        Str, one that `simclr_tf.distribution.make_strategy` takes, and whether the
        flags that name a TPU count.
    """
    without_tpu = "use_tpu" in given and not use_tpu and distribution == "auto"
    return ("tpu" if use_tpu else distribution), not without_tpu


@values.check
def _devices_fit(use_tpu, distribution, num_cpu_replicas, tpu_name, master):
    if use_tpu and distribution not in ("auto", "tpu"):
        return (
            f"--distribution must be tpu with --use_tpu, got {distribution}. Leave out "
            "one of them."
        )
    if (use_tpu or distribution == "tpu") and not (tpu_name or master):
        return (
            "--tpu_name or --master must be given for a TPU, got neither. On a TPU "
            "virtual machine: --tpu_name=local."
        )
    if num_cpu_replicas and distribution not in ("auto", "mirrored"):
        return (
            f"--num_cpu_replicas must be 0 with --distribution={distribution}, got "
            f"{num_cpu_replicas}: it is for mirrored."
        )
    return None
