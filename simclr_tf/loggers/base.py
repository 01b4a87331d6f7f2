"""The interface of a logger, and the description of a run that it gets."""

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
        first_step: Int, the steps that were done before this training; 0 for a new run.
            None if this process only evaluates.
        flags: Dict of all flags, for services that show them.
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
        """The id of this run in a service; None for a new run.

        Raises:
            UserError: If the file with the ids cannot be read.
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
    """Writes figures to one place.

    Attributes:
        errors: Tuple of the exceptions that it raises when it cannot write. Clients of
            services raise errors of any class.
    """

    errors = (Exception,)

    def scalars(self, part, step, values):
        """Writes one summary.

        Args:
            part: Str, "train" or "eval".
            step: Int, the global step of the summary.
            values: Dict from name to float, not necessarily finite.
        """
        raise NotImplementedError

    def images(self, step, images):
        """Writes pictures: a dict from name to float `[N, H, W, 3]` in [0, 1]."""

    def close(self, error=None):
        """Ends the log; `error` is the exception that ended the run early, or None."""
