"""How many unreadable images a data set may have."""

import dataclasses

from simclr_tf.data.images import MAX_PIXELS
from simclr_tf.data.label_subset import listed
from simclr_tf.errors import UserError
from simclr_tf.printing import printable


@dataclasses.dataclass(frozen=True)
class BadImagePolicy:
    """What to do about images that cannot be read.

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
        """Refuses a data set with too many bad images.

        Args:
            bad: List of `(file, reason)`.
            total: Int, number of all images.

        Raises:
            UserError: Naming some of them.
        """
        if len(bad) > self.allowed(total) or (bad and len(bad) == total):
            raise UserError(too_many(bad, total, self))

    def allowed(self, total, times=1):
        """How many of `total` images may be bad, multiplied by `times`."""
        if self.on_bad_image == "fail" or self.max_bad_fraction == 0:
            return 0
        return max(times * self.max_bad_fraction * total, 1)


SKIP_FEW = BadImagePolicy()


def too_many(bad, total, policy):
    """The message that refuses a data set and names some bad images."""
    allowed = "none is allowed with --on_bad_image=fail"
    if len(bad) == total:
        allowed = "no other is there"
    elif policy.on_bad_image != "fail":
        allowed = f"--max_bad_fraction={policy.max_bad_fraction:g} allows fewer"
    named = listed(_described(bad))
    return (
        f"Cannot read {len(bad)} of {total} images, and {allowed}: {named}. Mend or "
        "remove them."
    )


def _described(bad):
    return [f"{printable(file)} ({reason})" for file, reason in bad]
