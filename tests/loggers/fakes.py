"""The few calls of two services' clients that we make, kept in memory.

What is tested with them is our side: which run is resumed, what is sent. The tests say
the same of the clients themselves, where these are installed.
"""

import types


def mlflow():
    """A module like `mlflow`, with a store of its own."""
    runs, active = {}, []

    def start_run(run_id=None, run_name=None):
        if run_id is None:
            run_id = f"run{len(runs)}"
            info = types.SimpleNamespace(run_id=run_id, run_name=run_name)
            data = types.SimpleNamespace(params={})
            runs[run_id] = types.SimpleNamespace(info=info, data=data, metrics=[])
        runs[run_id].info.status = "RUNNING"
        active.append(runs[run_id])
        return runs[run_id]

    def log_metrics(metrics, step, run_id):
        for key, value in metrics.items():
            metric = types.SimpleNamespace(key=key, value=value, step=step)
            runs[run_id].metrics.append(metric)

    def log_params(params):
        assert len(params) <= 100
        active[-1].data.params |= {key: str(value) for key, value in params.items()}

    def end_run(status):
        active.pop().info.status = status

    def history(run_id, key):
        return [metric for metric in runs[run_id].metrics if metric.key == key]

    client = types.SimpleNamespace(get_metric_history=history, get_run=runs.get)
    return types.SimpleNamespace(
        set_experiment=lambda name: None,
        start_run=start_run,
        log_metrics=log_metrics,
        log_params=log_params,
        end_run=end_run,
        MlflowClient=lambda: client,
    )


class WandbRun:
    """A run as `wandb.init` gives it; `asked` is what it was asked for."""

    def __init__(self, asked, summary):
        self.asked, self.summary = asked, summary
        self.rows, self.axes, self.exit_code = [], {}, None

    def define_metric(self, name, step_metric):
        self.axes[name] = step_metric

    def log(self, values):
        self.rows.append(values)
        self.summary |= values

    def finish(self, exit_code):
        self.exit_code = exit_code


def wandb():
    """A module like `wandb`; `runs` is what was started, oldest first.

    As with the service, a run that is resumed knows its last figures.
    """
    runs, summaries = [], {}

    def init(**asked):
        summary = summaries.setdefault(asked["id"], {})
        runs.append(WandbRun(asked, summary))
        return runs[-1]

    return types.SimpleNamespace(init=init, runs=runs)
