"""The contents of a report: arrays and texts.

A part that cannot be shown is a str, the note that says why.
"""

import dataclasses
import os

import numpy as np

from simclr_tf.printing import printable

_SHORT = 2  # parts of a path that a caption shows


@dataclasses.dataclass(frozen=True)
class Sample:
    """Images of one split, and their features.

    Attributes:
        split: Str, the name of the split.
        total: Int, the number of images in the split.
        numbers: Int64 `[N]`, the positions of these images in the split.
        thumbnails: uint8 `[N, T, T, 3]`, the encoder's input, scaled down.
        features: Float32 `[N, C]`.
        labels: Int64 `[N]`, -1 for unknown labels; None without labels.
        class_names: Tuple of str, or None without labels.
        files: List of N str, or None if images have no names.
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
        """Str, the class of an image; empty if it is not known."""
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
    """Everything that a report shows.

    Attributes:
        folder: Str, the run's folder.
        title: Str.
        facts: Dict of str, what the run was trained with and on.
        flags: Dict from flags that differ from their defaults to their values.
        command: Str, a command that repeats the run, or the reason why none is known.
        batch_size: Int, or None if it is not known.
        train_mode: Str.
        num_classes: Int, the classes of the linear head or the labels, or None.
        step: Int, the step of the checkpoint.
        curves: Dict of `Curve` by tag.
        spectra: Dict from the steps of checkpoints to singular values of features, or a
            note.
        results_step: Int, the step that was evaluated, or None.
        rows: Dict of the evaluators' figures, from `read_results`.
        judged: `Sample` of the evaluation split, or a note.
        predicted: Int64 `[N]`, the linear head's class for each image of `judged`, or
            None.
        learned: `Sample` of the training split, or a note.
        gallery: List of `data.preview.Row`, or a note.
        projections: Two float `[n, E]`, of two views of training images, or a note.
        filters: Float `[h, w, 3, F]`, or a note.
        notes: List of str, further remarks for the reader.
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
