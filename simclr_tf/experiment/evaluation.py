"""Evaluates the model of a run."""

import dataclasses
import functools
import os

import numpy as np

from simclr_tf import data, distribution, evaluation, losses
from simclr_tf.augmentation import EvaluationCrop
from simclr_tf.errors import UserError
from simclr_tf.experiment import (
    comparing,
    files,
    labels,
    networks,
    reading,
    splits,
    table,
)
from simclr_tf.training import _common

# Images that tell the effective rank as well as all (RankMe, section 3).
_RANKED = 25_600


def evaluate(config, model, step, splits, log, probe_of_head=None, say=print):
    """Runs the evaluators, prints their table, writes and logs `result*.json`.

    Args:
        config: `RunConfig`.
        model: `SimCLR` or `Classifier`.
        step: Int, the step up to which it was trained.
        splits: `Splits`.
        log: `loggers.Loggers`, open in the chief.
        probe_of_head: Str or None, the `--probe_dataset` from which the linear head
            learned; the head is not used for others.
        say: Callable that prints a line for the user.

    Returns:
        Dict of floats, as in `result.json`.
    """
    has_head = model.linear_head is not None
    if not has_head and "head" in config.eval.evaluators:
        say(
            "No linear head was trained: nearest neighbours judge the features instead."
        )
    elif probe_of_head != config.data.probe_dataset:
        has_head = False
        if "head" in config.eval.evaluators:
            learned, judged = _data_sets(probe_of_head, config.data.probe_dataset)
            say(
                f"The linear head knows the classes of {learned}, not of {judged}: it "
                "does not judge."
            )
    names = _evaluator_names(config, has_head)
    chief = distribution.is_chief(splits.strategy)
    rows = {"trained": _judge(config, model.encoder, splits, names, model)}
    rows |= _judge_others(config, splits, names)
    results = {"global_step": float(step)}
    results["eval/regularization_loss"] = float(
        _common.l2_penalty(
            _common.undecayed(model.trainable_variables, model.optimizer),
            config.train.weight_decay,
        )
    )
    for row, figures in rows.items():
        prefix = {"trained": "eval/", "untrained": "eval/untrained_"}
        prefix = prefix.get(row, f"eval/{row}/")
        results |= {f"{prefix}{name}": value for name, value in figures.items()}
    for line in table.lines(rows):
        say(line)
    if chief:
        for name in ("result.json", f"result_{step}.json"):
            files.write_json(os.path.join(config.model_dir, name), results)
    figures = {name: results[name] for name in results if name.startswith("eval/")}
    log.scalars("eval", step, figures)
    return results


class Splits:
    """The labelled splits of a run, as batches for the encoder.

    Args:
        config: `RunConfig`.
        strategy: `tf.distribute.Strategy` for computing features.

    Attributes:
        num_classes: Int, of the evaluation split.
        compared: Dict from the path of another run to its `comparing.Other`.
        of_others: Dict of the figures of these, and of an encoder with random weights,
            after the first `evaluate`; they are the same for every checkpoint.

    Raises:
        UserError: If the evaluation split does not exist or has no labels, or a run to
            be compared has no checkpoint.
    """

    def __init__(self, config, strategy):
        self._config, self.strategy = config, strategy
        self.compared, self.of_others = comparing.others(config), {}
        self._sources = {}
        self._source(training=False)

    @property
    def num_classes(self):
        """Int, classes of the splits that are open."""
        return max(source.num_classes for source in self._sources.values())

    def features(self, encoder, training, image_size=None):
        """`Features` of the training split, or of the evaluation split.

        Args:
            encoder: Keras model.
            training: Bool, which split.
            image_size: Int, size of the cropped images; None takes that of the flags.
        """
        config = self._config
        if image_size:
            its_data = dataclasses.replace(config.data, image_size=image_size)
            config = dataclasses.replace(config, data=its_data)
        limit = 0 if training else config.eval.eval_steps
        source = self._source(training)
        found, _ = features_of(encoder, source, config, self.strategy, limit)
        return found

    def require_classes(self, num_classes, probe_of_head=None):
        """Refuses, before training, what the evaluators of a model could not do.

        Args:
            num_classes: Int, classes of its linear head; None if it has none.
            probe_of_head: See `evaluate`.

        Raises:
            UserError: If the head knows other classes than the labels, or an evaluator
                learns from the training split and that has no labels.
        """
        settings = self._config.data
        if settings.probe_dataset != probe_of_head:
            num_classes = None  # its head does not judge
        if _learners(self._config, num_classes is not None):
            self._source(training=True)
        if num_classes not in (None, self.num_classes):
            where = f"--dataset={settings.dataset}"
            if settings.probe_dataset:
                where = f"--probe_dataset={settings.probe_dataset}"
            raise UserError(
                f"--eval_split={settings.eval_split} of "
                f"{where} has "
                f"{self.num_classes} classes, the linear head {num_classes}."
            )

    def _source(self, training):
        """The images from which evaluators learn, or on which they are judged."""
        if training not in self._sources:
            self._sources[training] = self._open(training)
        return self._sources[training]

    def _open(self, training):
        settings, names = self._config.data, ",".join(self._config.eval.evaluators)
        learned = "probe_split" if settings.probe_dataset else "train_split"
        flag = learned if training else "eval_split"
        where = "probe_dataset" if settings.probe_dataset else "dataset"
        source = splits.open_for_evaluators(self._config, training, self._say())
        for line in source.reasons():
            self._say()(f"{source.name}: {line}.")
        if not _is_labelled(source):
            alone = ", or --evaluators=head without --compare and --compare_untrained"
            cure = alone * training
            raise UserError(
                f"--evaluators={names} {'learns from' if training else 'needs'} labels,"
                f" and --{where}={getattr(settings, where)} --{flag}="
                f"{getattr(settings, flag)} has none. Give a "
                f"labelled --{flag}, or --mode=train or export{cure}."
            )
        source = labels.known_labels(source)
        return self._labelled_part(source) if training else source

    def _say(self):
        is_chief = distribution.is_chief(self.strategy)
        return print if is_chief else lambda line: None

    def _labelled_part(self, source):
        """The part of the training split whose labels may be used."""
        # A run that trains has said how many there are.
        said = "train" in self._config.mode or not distribution.is_chief(self.strategy)
        say = (lambda line: None) if said else print
        return labels.labelled_part(self._config, source, say)


def features_of(encoder, source, config, strategy, limit_steps=0):
    """`Features` of the images of a source, under a strategy.

    Args:
        encoder: Keras model.
        source: `data.Source`.
        config: `RunConfig`, for the size of images and batches.
        strategy: `tf.distribute.Strategy`.
        limit_steps: Int > 0 ends after so many batches.

    Returns:
        `(features, rows)`, the second being int64 numbers of the images: bad images are
        left out.
    """
    preprocess = EvaluationCrop(config.data.image_size)
    batches = {"batch_size": config.eval.eval_batch_size, "limit_steps": limit_steps}
    say = print if distribution.is_chief(strategy) else lambda line: None
    bad = reading.bad_images(config, source, say)
    with bad.counted():
        found = evaluation.extract_features(
            encoder,
            distribution.distribute(
                strategy,
                lambda share: data.eval_batches(
                    source,
                    preprocess=preprocess,
                    share=share,
                    bad_images=bad,
                    **batches,
                ),
            ),
            num_examples=data.eval_examples(source, **batches),
        )
    rows = np.arange(len(found.features))
    rows = np.setdiff1d(rows, reading.bad_of_all(strategy, bad))
    labels = None if found.labels is None else found.labels[rows]
    return evaluation.Features(found.features[rows], labels), rows


def _data_sets(*probes):
    """Names of the data sets in messages; None is the one trained on."""
    return [f"--probe_dataset={probe}" if probe else "--dataset" for probe in probes]


def _is_labelled(source):
    """Whether images have classes; in some unlabelled splits all are -1."""
    if not source.num_classes:
        return False
    if source.labels_at_hand:
        return bool((source.labels() >= 0).any())
    _, label = next(iter(source.as_dataset()))
    return int(label) >= 0


def _evaluator_names(config, has_head):
    """The evaluators of the flags; nearest neighbours in place of a missing head."""
    names = config.eval.evaluators
    if has_head:
        return names
    return tuple(name for name in names if name != "head") or ("knn",)


def _learners(config, has_head):
    """Those of them that learn from the training split."""
    names = _evaluator_names(config, has_head)
    others = config.eval.compare_untrained or config.eval.compare
    return [name for name in names if name != "head" or others]


def _judge_others(config, splits, names):
    """Figures by row, of the untrained encoder and of those of other runs."""

    def judge(row, make, image_size=None):
        if row not in splits.of_others:
            with splits.strategy.scope():
                encoder = make()
            found = _judge(config, encoder, splits, names, None, image_size)
            splits.of_others[row] = found

    if config.eval.compare_untrained:
        judge("untrained", lambda: networks.build_encoder(config))
    for path, other in splits.compared.items():
        judge(path, other.load, other.image_size)
    return splits.of_others


def _judge(config, encoder, splits, names, model, image_size=None):
    """Figures of one encoder; without a trained model, a linear head is trained."""
    test = splits.features(encoder, False, image_size)
    train = None
    if model is None or set(names) != {"head"}:
        train = splits.features(encoder, True, image_size)
    known = {
        **evaluation.EVALUATORS,
        "knn": functools.partial(
            evaluation.evaluate_knn,
            neighbors=config.eval.knn_neighbors,
            temperature=config.eval.knn_temperature,
        ),
    }
    if model is not None:
        known["head"] = lambda train, test, num_classes: model.classify(test.features)
    figures = evaluation.evaluate_features(
        train, test, splits.num_classes, {name: known[name] for name in names}
    )
    figures["effective_rank"] = float(losses.effective_rank(test.features[:_RANKED]))
    # The names that the published code writes.
    for k in (1, 5) if "head" in names else ():
        figures[f"label_top_{k}_accuracy"] = figures[f"head_top_{k}_accuracy"]
    return figures
