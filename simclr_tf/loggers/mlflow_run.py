"""MLflow, through its own client."""

import os
import re

from simclr_tf.loggers.base import Logger

_EXPERIMENT = {"MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"}
_MOST_PARAMETERS = 100  # in one call


class MLflow(Logger):
    """A run of MLflow, the same one after a restart.

    The client's environment variables determine where it is stored, its experiment and
    its id (`MLFLOW_TRACKING_URI`, `MLFLOW_EXPERIMENT_NAME`, `MLFLOW_RUN_ID`, ...).
    Without them it is stored at MLflow's default place, in the experiment `simclr-tf`,
    and its id is kept in `loggers.json`. It is named after the run's folder. An
    evaluation in a separate process adds to the training's run.

    Args:
        run: `Run`.
    """

    def __init__(self, run):
        import mlflow

        self._mlflow = mlflow
        known = os.environ.get("MLFLOW_RUN_ID") or run.known_id("mlflow")
        self._owns = run.trains or known is None
        self._sent = 0
        if known is None:
            self._id = self._new(run)
            run.remember_id("mlflow", self._id)
            return
        self._id = known
        if run.trains:
            mlflow.start_run(run_id=known)
        if run.first_step:
            history = mlflow.MlflowClient().get_metric_history(known, "learning_rate")
            self._sent = max((point.step for point in history), default=0)

    def _new(self, run):
        """Starts a run with the flags as its parameters; returns its id."""
        if not _EXPERIMENT & os.environ.keys():
            self._mlflow.set_experiment("simclr-tf")
        run_id = self._mlflow.start_run(run_name=run.name).info.run_id
        flags = [item for item in run.flags.items() if item[1] is not None]
        for start in range(0, len(flags), _MOST_PARAMETERS):
            self._mlflow.log_params(dict(flags[start : start + _MOST_PARAMETERS]))
        return run_id

    def scalars(self, part, step, values):
        # A killed process may have sent later steps, which would be sent twice.
        if part == "eval" or step > self._sent:
            named = {_allowed(name): value for name, value in values.items()}
            self._mlflow.log_metrics(named, step=step, run_id=self._id)

    def close(self, error=None):
        if not self._owns:
            return
        stopped = isinstance(error, KeyboardInterrupt)
        status = "KILLED" if stopped else "FAILED"
        self._mlflow.end_run("FINISHED" if error is None else status)


def _allowed(name):
    """A name that MLflow accepts, as it may store the metric in a file of that name.

    Example:
        >>> _allowed("eval/../runs/a@b/knn_top_1_accuracy")
        'eval/runs/a_b/knn_top_1_accuracy'
    """
    parts = re.sub(r"[^\w./ -]", "_", name).split("/")
    return "/".join(part for part in parts if part.strip("."))
