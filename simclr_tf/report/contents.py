"""What a report shows: arrays and texts. Where a part is missing, a str says why."""

import dataclasses
import os

import numpy as np

from simclr_tf.printing import printable

_SHORT = 2  # parts of a path in a caption


@dataclasses.dataclass(frozen=True)
class Sample:
    """Images of one split, and what the encoder makes of them.

    Attributes:
        split: Str, what the split is called.
        total: Int, how many images the split has.
        numbers: Int64 `[N]`, the places of these in it.
        thumbnails: uint8 `[N, T, T, 3]`, what the encoder sees, made small.
        features: Float32 `[N, C]`.
        labels: Int64 `[N]`, -1 where a label is not known; None without labels.
        class_names: Tuple of str, or None without labels.
        files: List of N str, or None where images have no names.
    """

    split: str
    total: int
    numbers: np.ndarray
    thumbnails: np.ndarray
    features: np.ndarray
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None
    files: list | None = None

    @property
    def count(self):
        """Int N."""
        return len(self.features)

    @property
    def has_labels(self):
        """Bool, whether any image has a known label."""
        return self.labels is not None and bool((self.labels >= 0).any())

    def class_of(self, row):
        """Str, the class of an image; empty where it is not known."""
        if self.labels is None or self.labels[row] < 0:
            return ""
        return printable(self.class_names[self.labels[row]])

    def name_of(self, row):
        """Str, the end of an image's path, or its number."""
        if self.files is None:
            return f"image {self.numbers[row]}"
        return printable("/".join(self.files[row].split(os.sep)[-_SHORT:]))

    @property
    def described(self):
        """Str, such as "2,000 of 10,000 images of bundled train"."""
        part = "all" if self.count == self.total else f"{self.count:,} of"
        return f"{part} {self.total:,} images of {self.split}"


@dataclasses.dataclass(frozen=True)
class Contents:
    """All that a report shows.

    Attributes:
        folder: Str, of the run.
        title: Str.
        facts: Dict of str, what it was trained with and on.
        flags: Dict from flags that differ from their default to their values.
        command: Str, that repeats the run; or why none is known.
        batch_size: Int.
        train_mode: Str.
        num_classes: Int or None, of the linear head or of the labels.
        step: Int, of the checkpoint.
        curves: Dict of `Curve` by tag.
        spectra: Dict from the steps of checkpoints to singular values of features, or a
            note.
        results_step: Int or None, the step that was evaluated.
        rows: Dict of figures of evaluators, from `read_results`.
        judged: `Sample` of the evaluation split, or a note.
        predicted: Int64 `[N]`, the class of each image of `judged` by the linear head;
            or None.
        learned: `Sample` of the training split, or a note.
        gallery: List of `data.preview.Row`, or a note.
        projections: Two float `[n, E]`, of two views of training images; or a note.
        filters: Float `[h, w, 3, F]`, or a note.
        notes: List of str, what a reader should know.
    """

    folder: str
    title: str
    facts: dict
    flags: dict
    command: str
    batch_size: int | None
    train_mode: str
    num_classes: int | None
    step: int
    curves: dict
    spectra: dict | str
    results_step: int | None
    rows: dict
    judged: Sample | str
    predicted: np.ndarray | None
    learned: Sample | str
    gallery: list | str
    projections: tuple | str
    filters: np.ndarray | str
    notes: list
