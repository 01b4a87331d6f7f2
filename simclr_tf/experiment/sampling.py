"""Images of a run for its report, and what the networks make of them."""

import os

import numpy as np
import tensorflow as tf

from simclr_tf import data, losses
from simclr_tf.augmentation import EvaluationCrop
from simclr_tf.data import preview
from simclr_tf.errors import UserError
from simclr_tf.experiment import checkpoint_files, checkpoints, reading, views
from simclr_tf.losses.spectrum import rank_of
from simclr_tf.report.contents import Sample
from simclr_tf.report.folder import Curve
from simclr_tf.report.pictures import thumbnails
from simclr_tf.training import _common

_THUMBNAIL = 96  # pixels
_GALLERY = 6  # images
_FEW = 256  # images, where a few are enough


def sample(config, extract, source):
    """`Sample` of up to `--report_images` of a source, with thumbnails and features.

    Args:
        config: `RunConfig`.
        extract: `evaluation.features.extractor` of an encoder.
        source: `data.Source`.

    Raises:
        UserError: If too many of the images cannot be read.
    """
    part, rows = _part(source, config.report.report_images)
    batches, bad = _batches(config, part)
    small = []

    def noted():
        for batch in batches:
            images = batch[0] if isinstance(batch, tuple) else batch
            small.append(thumbnails(images, _THUMBNAIL))
            yield batch

    with bad.counted():
        found = extract(noted(), part.num_examples)
    kept = np.setdiff1d(np.arange(part.num_examples), bad.indices)
    if not len(kept):
        raise UserError(f"none of the images of {source.name} can be read.")
    names = part.file_names() if part.names_at_hand else None
    return Sample(
        split=source.name,
        total=source.num_examples,
        numbers=rows[kept],
        thumbnails=np.concatenate(small)[kept],
        features=found.features[kept],
        labels=None if found.labels is None else found.labels[kept],
        class_names=source.class_names,
        files=None if names is None else [names[row] for row in kept],
    )


def spectra(config, encoder, prefix, source):
    """Singular values of features at every checkpoint of a run.

    Args:
        config: `RunConfig`.
        encoder: Keras model; in the end it is filled from `prefix`.
        prefix: Str, one of the checkpoints.
        source: `data.Source`, of which 256 images are embedded.

    Returns:
        Dict from steps to float32 arrays, see `losses.singular_values`.

    Raises:
        UserError: If too many of the images cannot be read.
    """
    part, _ = _part(source, _FEW)
    batches, bad = _batches(config, part)
    with bad.counted():
        batches = [batch[0] if part.num_classes else batch for batch in batches]
    run_dir, found = os.path.dirname(prefix), {}
    for step in checkpoint_files.steps(run_dir):
        path = checkpoint_files.path_of(run_dir, step)
        if checkpoint_files.damage(path) is None:
            checkpoints.fill(path, encoder)
            features = [_features(encoder, images) for images in batches]
            features = tf.concat(features, axis=0)[: part.num_examples]
            found[step] = losses.singular_values(features).numpy()
    checkpoints.fill(prefix, encoder)
    return found


def ranks(spectra):
    """`Curve` of the effective rank, from the result of `spectra`."""
    values = np.array([float(rank_of(values)) for values in spectra.values()])
    return Curve(np.array(list(spectra), int), values, np.zeros(len(spectra)))


def gallery(config, source, seed):
    """List of `preview.Row`: images beside the views that the training draws."""
    layers = views.build_views(config, seed)
    return preview.draw_rows(source, layers, _GALLERY, num_pairs=1, seed=seed)


def projections(config, model, source, seed):
    """Projections `[n, E]` of two views of images, by networks in inference mode.

    Args:
        config: `RunConfig`.
        model: `SimCLR`.
        source: `data.Source`, of which 256 images are taken.
        seed: Int, of the views.

    Returns:
        Tuple of two arrays.

    Raises:
        UserError: If the train mode has no two views, or images cannot be read.
    """
    if config.train.train_mode != "pretrain":
        raise UserError(f"--train_mode={config.train.train_mode} compares no views.")
    part, _ = _part(source, _FEW)
    bad = data.BadImages(part, reading.policy(config))
    layers = views.build_views(config, seed)[:2]
    batches = data.train_batches(
        part, part.num_examples, 1, view=layers, seed=seed, bad_images=bad
    )
    with bad.counted():
        batch = next(iter(batches))
    pair, size = batch[0] if part.num_classes else batch, config.eval.eval_batch_size
    return tuple(_project(model, view, size) for view in pair)


def _part(source, most):
    """Up to `most` random images of a source, and their numbers in it.

    Of a source that is read in order, the first.
    """
    rows = np.arange(min(most, source.num_examples))
    if source.random_access and source.num_examples > most:
        random = np.random.RandomState(0)
        rows = np.sort(random.choice(source.num_examples, most, replace=False))
    return data.Subset(source, rows), rows


def _batches(config, part):
    """Batches of a source as evaluation sees them, and its `BadImages`."""
    bad = data.BadImages(part, reading.policy(config))
    crop = EvaluationCrop(config.data.image_size)
    size = config.eval.eval_batch_size
    return data.eval_batches(part, size, crop, bad_images=bad), bad


def _project(model, images, size):
    found = []
    for start in range(0, len(images), size):
        features = _features(model.encoder, images[start : start + size])
        stages = _common.hidden_layers(model.projection_head, features, False)
        found.append(stages[-1].numpy())
    return np.concatenate(found)


def _features(encoder, images):
    return _common.pooled(encoder(images, training=False))
