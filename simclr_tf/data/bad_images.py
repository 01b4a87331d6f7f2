"""Images that cannot be read: skipped, counted and named, up to a share of the data.

Files that are found to be bad when a data set is opened are left out. Files that break
or vanish later are skipped when they are met. In training, the next image that can be
read takes their place, so that a step's images depend only on its position and on the
files; in evaluation, their rows are left out.
"""

import contextlib
import os
import threading

import numpy as np
import tensorflow as tf

from simclr_tf.data import checks
from simclr_tf.data.attempts import attempt, attempt_next
from simclr_tf.data.bad_image_policy import SKIP_FEW, too_many
from simclr_tf.errors import UserError
from simclr_tf.printing import printable

# A run that is under way bears so many times what is allowed when it is opened: it has
# come far, and files vanish for other reasons than those that a wrong folder has.
_MORE_LATER = 10
_NAMED = 20  # so many are named to the user one by one


class BadImages:
    """The bad images met while a source is read; one object per process.

    Args:
        source: `Source`.
        policy: `BadImagePolicy`.
        path: Str or None, a text file that lists each with its reason.
        say: Callable that prints a line for the user, or None.
    """

    def __init__(self, source, policy=SKIP_FEW, path=None, say=None):
        self.policy = policy
        self._source, self._path, self._say = source, path, say
        self._found, self._error = {}, None
        self._lock = threading.Lock()
        self._named = _names_in(path)
        for file, reason in source.origin.bad:
            self._write(file, reason)

    @property
    def indices(self):
        """Sorted list of int, the bad images that were met."""
        return sorted(self._found)

    def take(self, read, index):
        """Tries to `read` an image; graph mode.

        Args:
            read: Function in graph mode from an index to tensors.
            index: Int64 scalar.

        Returns:
            `(readable, values)`: bool scalar, and what `read` gives; zeros (`[0, ..]`
            where a size is not known) if it fails.
        """
        readable, values = attempt(read, index)
        return self._reported(readable, index), values

    def is_whole(self, index, image):
        """Whether an image of a sequential source could be decoded: it is not empty.

        Args:
            index: Int64 scalar, its number.
            image: uint8 `[H, W, 3]`; graph mode.

        Returns:
            Bool scalar.
        """
        return self._reported(tf.size(image) > 0, index)

    def take_next(self, read, index, spec):
        """Reads the first image from `index` on that can be read.

        Args:
            read: As of `take`.
            index: Int64 scalar.
            spec: Nested `tf.TensorSpec` of what `read` gives.

        Returns:
            What `read` gives.
        """

        def take(index):
            readable, values = self.take(read, index)
            return readable, (index + 1) % self._source.num_examples, values

        return attempt_next(take, index, spec)

    @contextlib.contextmanager
    def counted(self):
        """Context for reading batches; too many bad images end it with one line.

        Raises:
            UserError: Instead of TensorFlow's version of the same error.
        """
        try:
            yield
        except tf.errors.OpError as error:
            if self._error:
                raise self._error from None
            files = getattr(self._source.origin, "files", ())
            gone = [file for file in files if file in error.message]
            if gone or isinstance(error, tf.errors.DataLossError):
                raise UserError(
                    f"{gone[0] if gone else self._source.name} cannot be read any more "
                    f"({error.message.splitlines()[0]}). Mend it and run the same "
                    "command again."
                ) from error
            raise

    def _reported(self, readable, index):
        report = tf.cond(readable, lambda: False, lambda: self._report(index))
        with tf.control_dependencies([report]):
            return tf.identity(readable)

    def _report(self, index):
        return tf.numpy_function(self._note, [index], tf.bool)

    def _note(self, index):
        """Records a bad image; raises an error if there are too many."""
        index = int(index)
        with self._lock:
            if self._error:
                raise self._error
            if index not in self._found:
                file, reason = self._diagnosis(index)
                self._found[index] = (file, reason)
                self._say_one(file, reason)
                self._named |= _names_in(self._path)  # by other workers
                self._write(file, reason)
                self._require_few()
        return True

    def _require_few(self):
        total, policy = self._source.num_examples, self.policy
        allowed = policy.allowed(total, _MORE_LATER)
        if len(self._found) > allowed or len(self._found) == total:
            bad = list(self._found.values())
            self._error = UserError(too_many(bad, total, policy))
            raise self._error

    def _diagnosis(self, index):
        paths = getattr(self._source, "paths", None)
        if paths is None:
            names = self._source.file_names()
            name = names[index] if names else f"image {index} of {self._source.name}"
            return name, "it cannot be decoded"
        reason = checks.problem(paths[index], self.policy.max_image_pixels)
        return paths[index], reason or "it cannot be decoded"

    def _write(self, file, reason):
        """Adds it to the file, once for all runs that write there."""
        file = printable(file)
        if self._path and file not in self._named:
            self._named.add(file)
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            with open(self._path, "a", encoding="utf-8") as log:
                log.write(f"{file}\t{printable(reason)}\n")

    def _say_one(self, file, reason):
        """Prints it, until there are many."""
        if self._say and len(self._found) <= _NAMED:
            self._say(f"Skipped the image {printable(file)}: {reason}.")
        if self._say and len(self._found) == _NAMED:
            self._say(f"More of them are named in {self._path or 'no place'} only.")


def stand_ins(bad, num_examples):
    """The image shown in place of each: itself, or the next good one.

    Args:
        bad: Int indices of bad images, but not of all images.
        num_examples: Int `N`.

    Returns:
        Int64 `[N]`.

    Example:
        >>> print(stand_ins([1, 2, 4], 5))
        [0 3 3 3 0]
    """
    good = np.setdiff1d(np.arange(num_examples), bad)
    places = np.searchsorted(good, np.arange(num_examples))
    return good[places % len(good)]


def _names_in(path):
    """The files that a list of bad images already contains."""
    if path is None or not os.path.exists(path):
        return set()
    with open(path, encoding="utf-8") as file:
        return {line.split("\t")[0] for line in file}
