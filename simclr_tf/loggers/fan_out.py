"""Passes the figures of a run to all of its loggers."""

import importlib

from simclr_tf.errors import UserError
from simclr_tf.loggers.json_lines import JSONLines
from simclr_tf.loggers.mlflow_run import MLflow
from simclr_tf.loggers.tensorboard import TensorBoard
from simclr_tf.loggers.wandb_run import WeightsAndBiases

_KINDS = {
    "tensorboard": TensorBoard,
    "jsonl": JSONLines,
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
}
_CLIENTS = ("wandb", "mlflow")  # names of packages, and of our extras for them


def require(names):
    """Refuses loggers whose packages are not installed.

    Args:
        names: Iterable of str.

    Raises:
        UserError: With the command that installs the first that is missing.
    """
    for name in names:
        if name not in _CLIENTS:
            continue
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise UserError(
                f"--loggers={name} needs the package {name}, which cannot be imported "
                f'({error}): pip install ".[{name}]" in the clone of simclr-tf.'
            ) from error


class Loggers:
    """The loggers of a run; there are none until `open` is called.

    When a logger fails, it is reported once and no longer used; the run continues. As a
    context manager this closes all loggers, and tells them what ended the run early.

    Args:
        say: Callable that prints a line for the user.

    Example:
        >>> import tempfile
        >>> from simclr_tf.loggers import Run
        >>> folder = tempfile.mkdtemp()
        >>> with Loggers() as log:
        ...     log.open(["jsonl"], Run(folder, first_step=0))
        ...     log.scalars("train", 20, {"train/total_loss": 1.5})
        >>> print(open(f"{folder}/metrics.jsonl").read(), end="")
        {"step": 20, "wall_time": ..., "train/total_loss": 1.5}
    """

    def __init__(self, say=print):
        self._say = say
        self._loggers = {}
        self._is_open = False

    def open(self, names, run):
        """Opens loggers; does nothing if they are already open.

        Args:
            names: Iterable of `tensorboard`, `jsonl`, `wandb` and `mlflow`.
            run: `Run`.

        Raises:
            UserError: If one cannot be opened, such as when a service cannot be
                reached.
        """
        if self._is_open:
            return
        self._is_open = True
        for name in names:
            kind = _KINDS[name]
            try:
                self._loggers[name] = kind(run)
            except kind.errors as error:
                raise UserError(
                    f"--loggers={name} cannot be opened: {_reason(error)}. Set it up, "
                    f"or leave {name} out."
                ) from error

    def scalars(self, part, step, values):
        """Passes on one summary, see `Logger.scalars`."""
        where = f" at step {step}"
        self._each(where, lambda logger: logger.scalars(part, step, values))

    def images(self, step, images):
        """Passes on pictures, see `Logger.images`."""
        self._each(f" at step {step}", lambda logger: logger.images(step, images))

    def close(self, error=None):
        """Ends all logs, see `Logger.close`."""
        self._each("", lambda logger: logger.close(error))
        self._loggers = {}

    def __enter__(self):
        """Returns the loggers themselves."""
        return self

    def __exit__(self, kind, error, traceback):
        """Closes them, however the block ended."""
        self.close(error)

    def _each(self, where, action):
        for name, logger in list(self._loggers.items()):
            try:
                action(logger)
            except logger.errors as error:
                del self._loggers[name]
                self._say(
                    f"Warning{where}: --loggers={name} gets nothing from now on "
                    f"({_reason(error)})."
                )


def _reason(error):
    """The first line of an error, without the full stop."""
    text = getattr(error, "strerror", None) or str(error)
    lines = text.strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")
