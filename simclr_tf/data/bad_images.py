"""Images that cannot be read: skipped, counted and named, up to a share of the data.

When a data set is opened, the bad files that are seen then are left out. What breaks or
vanishes later is skipped where it is met: in training, the next image that can be read
takes its place, so that what a step shows is a function of its position and of the
files alone; in evaluation its row is left out.
"""

import contextlib
import dataclasses
import os
import threading

import numpy as np
import tensorflow as tf

from simclr_tf.data import checks
from simclr_tf.data.images import MAX_PIXELS
from simclr_tf.data.label_subset import listed
from simclr_tf.errors import UserError
from simclr_tf.printing import printable

# A run that is under way bears so many times what is allowed when it is opened: it has
# come far, and files vanish for other reasons than those that a wrong folder has.
_MORE_LATER = 10
_NAMED = 20  # so many are named to the user one by one


@dataclasses.dataclass(frozen=True)
class BadImagePolicy:
    """What is done about images that cannot be read.

    Attributes:
        on_bad_image: "skip", or "fail" at the first.
        max_bad_fraction: Float in [0, 1], share of bad images above which a data set is
            refused when it is opened; ten times as many may break while it is used. One
            bad image is always allowed, except with 0.
        max_image_pixels: Int, pixels of the largest picture that is allowed.
    """

    on_bad_image: str = "skip"
    max_bad_fraction: float = 0.01
    max_image_pixels: int = MAX_PIXELS

    def require_few(self, bad, total):
        """Refuses a data set of which too many images are bad.

        Args:
            bad: List of `(file, reason)`.
            total: Int, images in all.

        Raises:
            UserError: Naming some of them.
        """
        if len(bad) > self.allowed(total) or (bad and len(bad) == total):
            raise UserError(_too_many(bad, total, self))

    def allowed(self, total, times=1):
        """How many of `total` images may be bad, or `times` as many."""
        if self.on_bad_image == "fail" or self.max_bad_fraction == 0:
            return 0
        return max(times * self.max_bad_fraction * total, 1)


SKIP_FEW = BadImagePolicy()


class BadImages:
    """The bad images that are met while a source is read; one for each process.

    Args:
        source: `Source`.
        policy: `BadImagePolicy`.
        path: Str or None, a text file that names each with its reason.
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
        """Sorted list of int, those that were met."""
        return sorted(self._found)

    def take(self, read, index):
        """What `read` makes of an image; graph mode.

        Args:
            read: Function in graph mode from an index to tensors.
            index: Int64 scalar.

        Returns:
            `(readable, values)`: bool scalar, and what `read` gives; zeros (`[0, ..]`
            where a size is not known) if it fails.
        """
        example = tf.data.Dataset.from_tensors(index).map(
            lambda index: (tf.constant(True), read(index))
        )
        nothing = tf.data.Dataset.from_tensors(
            tf.nest.map_structure(_zeros, example.element_spec)
        )
        example = example.ignore_errors().concatenate(nothing).take(1)
        readable, values = example.get_single_element()
        report = tf.cond(readable, lambda: False, lambda: self._report(index))
        with tf.control_dependencies([report]):
            readable = tf.identity(readable)
        values = tf.nest.map_structure(_with_shape, values, nothing.element_spec[1])
        return readable, values

    def take_next(self, read, index, spec):
        """What `read` makes of the first image from `index` on that can be read.

        Args:
            read: As of `take`.
            index: Int64 scalar.
            spec: Nested `tf.TensorSpec` of what `read` gives.

        Returns:
            What `read` gives.
        """

        def attempt(readable, index, values):
            readable, values = self.take(read, index)
            return readable, (index + 1) % self._source.num_examples, values

        start = (False, index, tf.nest.map_structure(_zeros, spec))
        scalars = [tf.TensorShape([])] * 2
        shapes = (*scalars, tf.nest.map_structure(lambda one: one.shape, spec))
        return tf.while_loop(
            lambda readable, *_: ~readable, attempt, start, shape_invariants=shapes
        )[2]

    def take_all(self, read, positions, indices, spec):
        """What `read` makes of several images, those that are bad replaced.

        All are tried at once, which costs next to nothing; only where that fails they
        are tried one by one.

        Args:
            read: Function in graph mode from a position and an index to tensors.
            positions: Int64 `[n]`, what `read` is told beside the index.
            indices: Int64 `[n]`.
            spec: Nested `tf.TensorSpec` of what `read` gives for one.

        Returns:
            What `read` gives, batched.
        """
        each = tf.data.Dataset.from_tensor_slices((positions, indices))
        count = tf.size(positions, tf.int64)

        def one_by_one(position, index):
            return self.take_next(lambda index: read(position, index), index, spec)

        def tried():
            values = each.map(read, num_parallel_calls=cores())
            values = values.batch(count).map(lambda *values: (True, values))
            nothing = tf.data.Dataset.from_tensors((False, _zeros_of(values)))
            return values.ignore_errors().concatenate(nothing).take(1)

        readable, values = tried().get_single_element()
        return tf.cond(
            readable,
            lambda: values,
            lambda: each.map(one_by_one).batch(count).get_single_element(),
        )

    @contextlib.contextmanager
    def counted(self):
        """Where batches are read: too many bad images end it with one line.

        Raises:
            UserError: In place of what TensorFlow makes of the same error.
        """
        try:
            yield
        except tf.errors.OpError:
            if self._error:
                raise self._error from None
            raise

    def _report(self, index):
        return tf.numpy_function(self._note, [index], tf.bool)

    def _note(self, index):
        """Writes down a bad image; raises if there are too many."""
        index = int(index)
        with self._lock:
            if self._error:
                raise self._error
            if index not in self._found:
                file, reason = self._diagnosis(index)
                self._found[index] = (file, reason)
                self._say_one(file, reason)
                self._write(file, reason)
                self._require_few()
        return True

    def _require_few(self):
        total, policy = self._source.num_examples, self.policy
        allowed = policy.allowed(total, _MORE_LATER)
        if len(self._found) > allowed or len(self._found) == total:
            bad = list(self._found.values())
            self._error = UserError(_too_many(bad, total, policy))
            raise self._error

    def _diagnosis(self, index):
        paths = getattr(self._source, "paths", None)
        if paths is None:
            names = self._source.file_names()
            return names[index] if names else f"image {index}", "it cannot be decoded"
        reason = checks.problem(paths[index], self.policy.max_image_pixels)
        return paths[index], reason or "it cannot be decoded"

    def _write(self, file, reason):
        """Names it in the file, once over all runs that write there."""
        file = printable(file)
        if self._path and file not in self._named:
            self._named.add(file)
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            with open(self._path, "a", encoding="utf-8") as log:
                log.write(f"{file}\t{printable(reason)}\n")

    def _say_one(self, file, reason):
        """Names it to the user, until there are many."""
        if self._say and len(self._found) <= _NAMED:
            self._say(f"Skipped the image {printable(file)}: {reason}.")
        if self._say and len(self._found) == _NAMED:
            self._say(f"More of them are named in {self._path or 'no place'} only.")


def stand_ins(bad, num_examples):
    """The image that is shown in the place of each: itself, or the next that is good.

    Args:
        bad: Int indices of bad images, not all.
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


def _too_many(bad, total, policy):
    allowed = "none is allowed with --on_bad_image=fail"
    if policy.on_bad_image != "fail":
        allowed = f"--max_bad_fraction={policy.max_bad_fraction:g} allows fewer"
    named = listed(_described(bad))
    return (
        f"Cannot read {len(bad)} of {total} images, and {allowed}: {named}. Mend or "
        "remove them."
    )


def _described(bad):
    return [f"{printable(file)} ({reason})" for file, reason in bad]


def _names_in(path):
    """The files that a list of bad images names already."""
    if path is None or not os.path.exists(path):
        return set()
    with open(path, encoding="utf-8") as file:
        return {line.split("\t")[0] for line in file}


def _zeros(spec):
    return tf.zeros([side or 0 for side in spec.shape], spec.dtype)


def _zeros_of(dataset):
    _, spec = dataset.element_spec
    return tf.nest.map_structure(_zeros, spec)


def cores():
    """Int, the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _with_shape(value, spec):
    known = [side or None for side in spec.shape]
    return tf.ensure_shape(value, known)
