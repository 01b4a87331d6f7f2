"""Flags: what the command does, where results go, on which devices."""

from flags import values

values.one_of(
    "mode",
    "train",
    ["train", "eval", "train_then_eval", "export"],
    "eval: judge the newest checkpoint. export: only write a SavedModel. All but train "
    "write one.",
)
values.string(
    "preset",
    None,
    "A recipe that comes with the toolkit, such as demo or cifar10. Flags given beside "
    "it win, before or after.",
)
values.string("model_dir", None, "Folder of the run: checkpoints, results, events.")
values.string(
    "checkpoint",
    None,
    "Folder or prefix of a checkpoint to start from, if --model_dir has none yet.",
)
values.one_of(
    "checkpoint_scope",
    "model",
    ["model", "encoder"],
    "What --checkpoint fills: encoder and projection head, or the encoder alone.",
)
values.string(
    "variable_schema",
    None,
    "Of published commands: (?!global_step|...|head) means --checkpoint_scope=encoder, "
    "without head it means model.",
)
values.integer("checkpoint_epochs", 1, "Epochs between two checkpoints.", low=1)
values.integer(
    "checkpoint_steps", 0, "Steps between two. 0: as --checkpoint_epochs says.", low=0
)
values.integer("keep_checkpoint_max", 5, "Checkpoints to keep. 0: all.", low=0)
values.integer("keep_hub_module_max", 1, "SavedModels to keep. 0: all.", low=0)
values.integer(
    "train_summary_steps",
    100,
    "Steps between two lines and TensorBoard summaries. 0: once a checkpoint.",
    low=0,
)
values.boolean("use_tpu", False, "Train on a TPU; not supported yet.")
values.string("tpu_name", None, "Name of the TPU.")
values.string("tpu_zone", None, "Zone of the TPU.")
values.string("gcp_project", None, "Project of the TPU.")
values.string("master", None, "Address of the TPU where it has no name.")

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
def _no_tpu_yet(use_tpu, given):
    if use_tpu:
        return "--use_tpu must be false, got true: TPUs are not supported yet."
    named = {"tpu_name", "master"} & given
    if named and "use_tpu" not in given:
        # Published commands mean a TPU by this: not to be passed over in silence.
        return (
            f"--{min(named)} must not be given without --use_tpu=False: TPUs are not "
            "supported yet."
        )
    return None
