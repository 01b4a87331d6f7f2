"""Weights & Biases, by its own client."""

import os
import secrets

from simclr_tf.loggers.base import Logger

_STEP = "global_step"


class WeightsAndBiases(Logger):
    """A run of Weights & Biases, the same one after a restart.

    Project, name, id, group, kind of job and folder are those of the client's variables
    (`WANDB_PROJECT`, `WANDB_NAME`, ...); without them `simclr-tf`, the name of the
    run's folder, an id kept in `loggers.json`, that id, train or eval, and the run's
    folder. An evaluation in a process of its own is a run of its own in the same group:
    the service takes one writer a run.

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
        # A step of its own, not the service's: an evaluation may look back.
        self._run.define_metric("*", step_metric=_STEP)
        self._sent = 0
        if run.first_step:
            self._sent = self._run.summary.get(_STEP) or 0

    def scalars(self, part, step, values):
        # Steps that a process which died has sent are the same again.
        if part == "eval" or step > self._sent:
            self._run.log({**values, _STEP: step})

    def close(self, error=None):
        self._run.finish(exit_code=0 if error is None else 1)
