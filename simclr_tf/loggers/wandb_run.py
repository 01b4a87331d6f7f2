"""Weights & Biases, through its own client."""

import os
import secrets

from simclr_tf.loggers.base import Logger

_STEP = "global_step"


class WeightsAndBiases(Logger):
    """A run of Weights & Biases, the same one after a restart.

    The client's environment variables (`WANDB_PROJECT`, `WANDB_NAME`, ...) determine
    the project, name, id, group, type of job and folder. By default these are
    `simclr-tf`, the name of the run's folder, an id kept in `loggers.json`, the same
    id, `train` or `eval`, and the run's folder. An evaluation in a separate process is
    a separate run in the same group, since the service accepts one writer per run.

    Args:
        run: `Run`.
    """

    def __init__(self, run):
        import wandb

        known = run.known_id("wandb")
        training = known or secrets.token_hex(4)
        if known is None:
            run.remember_id("wandb", training)
        job = "train" if run.trains else "eval"
        suffix = "" if run.trains else "-eval"
        given = os.environ.get
        self._run = wandb.init(
            project=given("WANDB_PROJECT", "simclr-tf"),
            name=given("WANDB_NAME", run.name + suffix),
            id=given("WANDB_RUN_ID", training + suffix),
            group=given("WANDB_RUN_GROUP", training),
            job_type=given("WANDB_JOB_TYPE", job),
            dir=given("WANDB_DIR", run.folder),
            config=run.flags,
            resume="allow",
        )
        # Not the service's own step, which must rise: an evaluation may be of an
        # earlier step.
        self._run.define_metric("*", step_metric=_STEP)
        self._sent = 0
        if run.first_step:
            self._sent = self._run.summary.get(_STEP) or 0

    def scalars(self, part, step, values):
        # A killed process may have sent later steps, which would be sent twice.
        if part == "eval" or step > self._sent:
            self._run.log({**values, _STEP: step})

    def close(self, error=None):
        self._run.finish(exit_code=0 if error is None else 1)
