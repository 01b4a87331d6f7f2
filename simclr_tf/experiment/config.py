"""The configuration of a run as frozen dataclasses.

`flags/` fills them at the edge of the command; the rest of `simclr_tf.experiment` reads
them. Nothing else in the library does: layers, losses and models take plain arguments.
A field has the name of its flag; `flags/` documents and bounds each.
"""

import dataclasses

# The fields of `ModelConfig` that decide which checkpoints fit.
ENCODER_FIELDS = ("encoder", "input_normalization")
RESNET_FIELDS = (
    "stem",
    "resnet_depth",
    "width_multiplier",
    "sk_ratio",
    "se_ratio",
    "resnet_variant",
)
HEAD_FIELDS = ("proj_head_mode", "num_proj_layers", "proj_out_dim")

# The flags that each `--loss` uses; they have the names of its arguments.
LOSS_ARGUMENTS = {
    "nt_xent": ("temperature", "hidden_norm"),
    "nt_logistic": ("temperature", "hidden_norm", "semi_hard"),
    "margin_triplet": ("margin", "hidden_norm", "semi_hard"),
    "supcon": ("temperature", "hidden_norm"),
    "dcl": ("temperature", "hidden_norm"),
    "dclw": ("temperature",),
    "debiased": ("temperature", "positive_prior"),
    "hard_negatives": ("temperature", "positive_prior", "negative_concentration"),
    "false_negatives": (
        "temperature",
        "false_negative_threshold",
        "false_negative_top_k",
        "attract_false_negatives",
    ),
    "generalized": ("temperature", "embedding_prior", "embedding_prior_weight"),
}
# Those of them that need a label of each image, or -1.
LABELLED_LOSSES = ("supcon",)
# Those that take no negatives of a memory.
LOSSES_OF_THE_BATCH = ("supcon", "generalized")


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Which images, and how they are read."""

    dataset: str = "imagenet2012"
    data_dir: str | None = None
    train_split: str = "train"
    eval_split: str = "validation"
    held_out_fraction: float | None = None
    held_out_seed: int = 0
    probe_dataset: str | None = None
    probe_split: str = "train"
    tfrecord_image_key: str = "image/encoded"
    tfrecord_label_key: str = "image/class/label"
    tfrecord_name_key: str = "image/filename"
    allow_outside_paths: bool = False
    cache_dataset: bool = False
    image_size: int = 224
    on_bad_image: str = "skip"
    max_bad_fraction: float = 0.01
    max_image_pixels: int = 250_000_000
    prepare_size: int = 320
    label_fraction: float = 1.0
    label_seed: int = 0
    label_file: str | None = None


@dataclasses.dataclass(frozen=True)
class AugmentationConfig:
    """How a random view is drawn."""

    augmentation: str = "crop_and_flip"
    color_jitter_strength: float = 1.0
    use_blur: bool = True
    min_crop_area: float = 0.08
    num_small_views: int = 0
    small_view_size: int = 96
    small_view_min_area: float = 0.05
    small_view_max_area: float = 0.14
    augment_on: str = "host"


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The networks: everything that decides the shapes of a checkpoint's variables."""

    encoder: str = "resnet"
    stem: str = "auto"
    resnet_depth: int = 50
    width_multiplier: float = 1.0
    sk_ratio: float = 0.0
    se_ratio: float = 0.0
    resnet_variant: str = "simclr"
    input_normalization: str = "auto"
    global_bn: bool = True
    batch_norm_decay: float = 0.9
    proj_head_mode: str = "nonlinear"
    num_proj_layers: int = 3
    proj_out_dim: int = 128


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """What is optimised, with what, and for how long."""

    train_mode: str = "pretrain"
    train_batch_size: int = 512
    micro_batch_size: int = 0
    train_epochs: int = 100
    train_steps: int = 0
    optimizer: str = "lars"
    learning_rate: float = 0.3
    learning_rate_scaling: str = "linear"
    warmup_epochs: float = 10.0
    weight_decay: float = 1e-6
    momentum: float = 0.9
    loss: str = "nt_xent"
    temperature: float = 0.1
    learn_temperature: bool = False
    temperature_min: float = 0.01
    temperature_max: float = 1.0
    temperature_start: float | None = None
    temperature_warmup_steps: int = 0
    hidden_norm: bool = True
    margin: float = 0.8
    semi_hard: bool = False
    positive_prior: float = 0.1
    negative_concentration: float = 1.0
    false_negative_threshold: float = 0.7
    false_negative_top_k: int = 0
    attract_false_negatives: bool = False
    embedding_prior: str = "logsumexp"
    embedding_prior_weight: float | None = None
    memory_size: int = 0
    memory_momentum: float = 0.999
    lineareval_while_pretraining: bool = True
    fine_tune_after_block: int = -1
    ft_proj_selector: int = 0
    zero_init_logits_layer: bool = False
    from_scratch: bool = False
    teacher: str | None = None
    distill_temperature: float = 1.0
    label_weight: float = 0.0
    precision: str = "float32"
    jit_compile: bool = False
    on_nonfinite: str = "stop"
    seed: int | None = None


@dataclasses.dataclass(frozen=True)
class EvalConfig:
    """How features are evaluated."""

    eval_batch_size: int = 256
    eval_steps: int = 0
    evaluators: tuple[str, ...] = ("head",)
    knn_neighbors: int = 20
    knn_temperature: float = 0.07
    compare_untrained: bool = False
    compare: str | None = None
    eval_timeout: float = 600.0
    embed_formats: tuple[str, ...] = ("npz",)


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """Formats in which the trained encoder is written."""

    export_formats: tuple[str, ...] = ("saved_model",)
    model_licence: str | None = None


@dataclasses.dataclass(frozen=True)
class ReportConfig:
    """What the page about a run shows."""

    report: bool = True
    report_images: int = 2000
    runs: str | None = None


@dataclasses.dataclass(frozen=True)
class DistributionConfig:
    """On which devices; see `simclr_tf.distribution.make_strategy`."""

    distribution: str = "auto"
    num_cpu_replicas: int = 0
    tpu_name: str | None = None
    tpu_zone: str | None = None
    gcp_project: str | None = None
    master: str | None = None


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """One run of the command."""

    mode: str = "train"
    source: str | None = None
    model_dir: str | None = None
    checkpoint: str | None = None
    checkpoint_epochs: int = 1
    checkpoint_steps: int = 0
    checkpoint_scope: str = "model"
    checkpoint_minutes: float = 0.0
    resume_with_other_flags: bool = False
    keep_checkpoint_max: int = 5
    keep_best: str | None = None
    keep_hub_module_max: int = 1
    train_summary_steps: int = 100
    loggers: tuple[str, ...] = ("tensorboard", "jsonl")
    profile_steps: tuple[int, int] | None = None
    preview_images: int = 8
    preview_pairs: int = 3
    data: DataConfig = DataConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    eval: EvalConfig = EvalConfig()
    export: ExportConfig = ExportConfig()
    report: ReportConfig = ReportConfig()
    devices: DistributionConfig = DistributionConfig()

    def flags(self):
        """Dict of every field by the name of its flag, with values as JSON has them."""
        flat = {}
        for name, value in dataclasses.asdict(self).items():
            flat |= value if isinstance(value, dict) else {name: value}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in flat.items()
        }

    @classmethod
    def of_flags(cls, values):
        """The config that `flags` gave; what is not among the values is the default."""
        return _fill(cls, values)


def _fill(kind, values):
    """A config dataclass from values by the names of its fields, as JSON has them."""
    filled = {}
    for field in dataclasses.fields(kind):
        if dataclasses.is_dataclass(field.default):
            filled[field.name] = _fill(type(field.default), values)
        elif field.name in values:
            value = values[field.name]
            filled[field.name] = tuple(value) if isinstance(value, list) else value
    return kind(**filled)
