"""Evaluates and exports what a run has trained."""

import os

from simclr_tf import data, distribution, evaluation, export
from simclr_tf.augmentation import EvaluationCrop
from simclr_tf.errors import UserError
from simclr_tf.experiment import files, networks
from simclr_tf.training import _common


def evaluate(config, model, step, splits, say=print):
    """Runs the evaluators, prints their table and writes `result*.json`.

    Args:
        config: `RunConfig`.
        model: `SimCLR` or `Classifier`.
        step: Int, the step that it was trained to.
        splits: `Splits`.
        say: Callable that prints a line for the user.

    Returns:
        Dict of floats as in `result.json`.
    """
    evaluators = config.eval.evaluators
    if model.linear_head is None and "head" in evaluators:
        say(
            "No linear head was trained: nearest neighbours judge the features instead."
        )
        evaluators = tuple(name for name in evaluators if name != "head") or ("knn",)
    chief = distribution.is_chief(splits.strategy)
    rows = {"trained": _judge(config, model.encoder, splits, evaluators, model)}
    if config.eval.compare_untrained:
        with splits.strategy.scope():
            encoder = networks.build_encoder(config)
        rows["untrained"] = _judge(config, encoder, splits, evaluators, None)
    results = {"global_step": float(step)}
    results["eval/regularization_loss"] = float(
        _common.l2_penalty(
            _common.undecayed(model.trainable_variables, model.optimizer),
            config.train.weight_decay,
        )
    )
    for row, figures in rows.items():
        prefix = "eval/" if row == "trained" else "eval/untrained_"
        results |= {f"{prefix}{name}": value for name, value in figures.items()}
    for line in _table(rows):
        say(line)
    for name in ("result.json", f"result_{step}.json") if chief else ():
        files.write_json(os.path.join(config.model_dir, name), results)
    return results


class Splits:
    """The labelled splits of a run, as batches for the encoder.

    Args:
        config: `RunConfig`.
        strategy: `tf.distribute.Strategy` that features are computed under.

    Raises:
        UserError: If the evaluation split does not exist or has no labels.
    """

    def __init__(self, config, strategy):
        self._config, self.strategy = config, strategy
        self._sources = {config.data.eval_split: self._open(config.data.eval_split)}
        self.num_classes = self._sources[config.data.eval_split].num_classes

    def features(self, encoder, training):
        """`Features` of the training split, or of the evaluation split.

        Args:
            encoder: Keras model.
            training: Bool, which split.
        """
        settings = self._config.data
        split = settings.train_split if training else settings.eval_split
        if split not in self._sources:
            self._sources[split] = self._open(split)
        source = self._sources[split]
        preprocess = EvaluationCrop(settings.image_size)
        batches = {
            "batch_size": self._config.eval.eval_batch_size,
            "limit_steps": 0 if training else self._config.eval.eval_steps,
        }
        with data.naming_broken_files(source):
            return evaluation.extract_features(
                encoder,
                distribution.distribute(
                    self.strategy,
                    lambda share: data.eval_batches(
                        source, preprocess=preprocess, share=share, **batches
                    ),
                ),
                num_examples=data.eval_examples(source, **batches),
            )

    def require_classes(self, num_classes):
        """Refuses a linear head that knows other classes than the labels."""
        if num_classes not in (None, self.num_classes):
            raise UserError(
                f"--eval_split={self._config.data.eval_split} of "
                f"--dataset={self._config.data.dataset} has {self.num_classes} "
                f"classes, the linear head {num_classes}."
            )

    def _open(self, split):
        settings = self._config.data
        source = data.open_source(settings.dataset, split, settings.data_dir)
        if not source.num_classes:
            raise UserError(
                f"Evaluation needs labels, and --dataset={settings.dataset} split "
                f"{split} has none. Use --mode=train or export."
            )
        return source


def _judge(config, encoder, splits, evaluators, model):
    """Figures of one encoder; without a trained model, a linear head is trained."""
    test = splits.features(encoder, training=False)
    train = None
    if "knn" in evaluators or model is None:
        train = splits.features(encoder, training=True)
    figures = {}
    if "head" in evaluators and model is not None:
        logits = model.classify(test.features)
        figures |= evaluation.top_k_accuracies(test.labels, logits)
    elif "head" in evaluators:
        figures |= evaluation.evaluate_linear(train, test, splits.num_classes)
    if "knn" in evaluators:
        knn = evaluation.evaluate_knn(
            train, test, splits.num_classes, config.eval.knn_neighbors
        )
        figures |= {name.replace("label", "knn"): value for name, value in knn.items()}
    return figures


_TITLES = {
    "label_top_1_accuracy": "linear head, top-1",
    "label_top_5_accuracy": "linear head, top-5",
    "knn_top_1_accuracy": "nearest neighbours, top-1",
    "knn_top_5_accuracy": "nearest neighbours, top-5",
}


def _table(rows):
    """Lines of a table: a figure a line, an encoder a column."""
    yield f"{'accuracy in %':<28}" + "".join(f"{name:>12}" for name in rows)
    for figure, title in _TITLES.items():
        cells = [figures[figure] for figures in rows.values() if figure in figures]
        if cells:
            yield f"{title:<28}" + "".join(f"{100 * value:>12.1f}" for value in cells)


def export_model(config, model, step):
    """Writes `saved_model/<step>/` anew; returns its path."""
    directory = os.path.join(config.model_dir, "saved_model")
    path = os.path.join(directory, str(step))
    export.save(
        model.encoder,
        path,
        image_size=config.data.image_size,
        projection_head=model.projection_head,
        linear_head=model.linear_head,
        ft_proj_selector=model.ft_proj_selector,
        overwrite=True,
    )
    files.keep_newest(directory, config.keep_hub_module_max)
    return path
