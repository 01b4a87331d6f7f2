"""Flags: what the command does, where results go, on which devices."""

from flags import values

values.one_of(
    "mode",
    "train",
    ["train", "eval", "train_then_eval", "export"],
    "train; eval: judge the newest checkpoint; train_then_eval; export: write a "
    "SavedModel. All but train write one.",
)
values.string(
    "preset",
    None,
    "A recipe that comes with the toolkit, such as demo or cifar10; flags given beside "
    "it win.",
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
    "Of old commands: a schema that leaves out the head means "
    "--checkpoint_scope=encoder.",
)
values.integer(
    "checkpoint_epochs", 1, "Epochs between two checkpoints.", low=1
)
values.integer(
    "checkpoint_steps", 0, "Steps between two; 0: as --checkpoint_epochs says.", low=0
)
values.integer("keep_checkpoint_max", 5, "Checkpoints to keep; 0: all.", low=0)
values.integer("keep_hub_module_max", 1, "SavedModels to keep; 0: all.", low=0)
values.integer(
    "train_summary_steps",
    100,
    "Steps between two lines and TensorBoard summaries; 0: once a checkpoint.",
    low=0,
)
values.boolean("use_tpu", False, "Train on a TPU.")
values.string("tpu_name", None, "Name of the TPU.")
values.string("tpu_zone", None, "Zone of the TPU.")
values.string("gcp_project", None, "Project of the TPU.")
values.string("master", None, "Address of the TPU where it has no name.")

_SCHEMAS = {
    "?!global_step": "model",
    "(?!global_step)": "model",
    "(?!global_step|(?:.*/|^)Momentum|head)": "encoder",
    "(?!global_step|(?:.*/|^)LARSOptimizer|head)": "encoder",
}


@values.together("variable_schema")
def _known_schema(variable_schema):
    if variable_schema is not None and variable_schema not in _SCHEMAS:
        return (
            "--variable_schema names variables of TensorFlow 1; allowed are "
            f"{', '.join(_SCHEMAS)}, got {variable_schema}. Use "
            "--checkpoint_scope=model or encoder."
        )
    return None


@values.together("use_tpu", "tpu_name", "tpu_zone", "gcp_project", "master")
def _no_tpu_yet(use_tpu, **others):
    given = [f"--{name}" for name, value in others.items() if value is not None]
    given = ["--use_tpu"] * use_tpu + given
    if given:
        return f"{', '.join(given)}: TPUs are not supported yet. Leave it out."
    return None


def checkpoint_scope(scope, schema):
    """What is filled, from `--checkpoint_scope` and `--variable_schema`."""
    return _SCHEMAS.get(schema, scope)
