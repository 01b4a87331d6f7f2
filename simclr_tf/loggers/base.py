"""What a logger is, and what it is told of the run."""

import dataclasses
import json
import os

from simclr_tf import atomic
from simclr_tf.errors import UserError

_IDS = "loggers.json"


@dataclasses.dataclass(frozen=True)
class Run:
    """The run whose figures are logged.

    Attributes:
        folder: Str, the run's folder, which exists.
        first_step: Int, the steps that were done before this training: 0 where it is a
            new one. None where nothing is trained, only evaluated.
        flags: Dict of every flag, for services that show them.
    """

    folder: str
    first_step: int | None = None
    flags: dict = dataclasses.field(default_factory=dict)

    @property
    def name(self):
        """Str, the last part of the folder's path."""
        return os.path.basename(os.path.abspath(self.folder))

    @property
    def trains(self):
        """Bool, whether this process trains."""
        return self.first_step is not None

    def known_id(self, service):
        """The id that this run has in a service; None for a new run.

        Raises:
            UserError: If the file of the ids cannot be read.
        """
        return None if self.first_step == 0 else self._ids().get(service)

    def remember_id(self, service, run_id):
        """Keeps an id in the run's folder, for `known_id` after a restart."""
        text = json.dumps(self._ids() | {service: run_id}, indent=2, sort_keys=True)
        atomic.write(os.path.join(self.folder, _IDS), text + "\n")

    def _ids(self):
        path = os.path.join(self.folder, _IDS)
        if not os.path.exists(path):
            return {}
        try:
            with open(path, encoding="utf-8") as file:
                return dict(json.load(file))
        except (OSError, TypeError, ValueError) as error:
            raise UserError(f"{path} must be as a run wrote it: {error}") from error


class Logger:
    """One place that figures go to.

    Attributes:
        errors: Tuple of the exceptions that mean that it cannot write. Clients of
            services raise errors of any class.
    """

    errors = (Exception,)

    def scalars(self, part, step, values):
        """Takes one summary.

        Args:
            part: Str, "train" or "eval".
            step: Int, the global step that it is of.
            values: Dict from name to float, which need not be finite.
        """
        raise NotImplementedError

    def images(self, step, images):
        """Takes pictures: a dict from name to float `[N, H, W, 3]` in [0, 1]."""

    def close(self, error=None):
        """Ends the log; `error` is what ended the run early, or None."""
