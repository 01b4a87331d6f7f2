"""Evaluators by name, applied to an encoder or to its features.

An evaluator is any callable `(train, test, num_classes)` that returns the class scores
`[M, K]` of `test`, or a `Result`; `train` and `test` are `Features`.
"""

import tensorflow as tf

from simclr_tf import keras_compat
from simclr_tf.errors import UserError
from simclr_tf.evaluation import accuracy
from simclr_tf.evaluation.features import extractor
from simclr_tf.evaluation.linear import evaluate_linear
from simclr_tf.evaluation.logistic import evaluate_logistic
from simclr_tf.evaluation.nearest_neighbors import evaluate_knn
from simclr_tf.training import _batching, _common

EVALUATORS = {
    "head": evaluate_linear,
    "knn": evaluate_knn,
    "logistic": evaluate_logistic,
}


def evaluate(
    encoder,
    train,
    test,
    num_classes,
    evaluators=("knn", "logistic"),
    preprocess=None,
    batch_size=256,
):
    """Evaluates any Keras encoder with simple classifiers on its features.

    Args:
        encoder: Keras model from images to `[B, C]` or `[B, h, w, C]`, or a model that
            has one as its attribute `encoder`, such as `SimCLR`.
        train: Labelled images to learn from: a `tf.data.Dataset` of `(images, labels)`,
            in batches or one by one, or a pair of arrays. Labels are indices or
            one-hot.
        test: Labelled images to be judged on, likewise.
        num_classes: Int `K >= 2`.
        evaluators: Some of the names head, knn and logistic, or a dict from names to
            evaluators: `{"knn": functools.partial(evaluate_knn, neighbors=200)}`.
        preprocess: Callable from images of the data, one or a batch, to images for the
            encoder, such as `simclr_tf.augmentation.EvaluationCrop(224)`. None means
            the evaluation preprocessing of the model's `augmentation` or, if there is
            none, uint8 to float in [0, 1].
        batch_size: Int, images per batch of the encoder, if the data is not in batches
            yet.

    Returns:
        Dict `<evaluator>_<figure>` -> float, with the figures of `figures`, and
        `logistic_l2`.

    Raises:
        UserError: If there are no labels, or an evaluator is unknown.

    Example:
        >>> images, labels = tf.random.uniform([8, 4, 4, 3]), [0, 1] * 4
        >>> encoder = tf.keras.layers.AveragePooling2D(2)
        >>> found = evaluate(encoder, (images, labels), (images, labels), 2, ["knn"])
        >>> sorted(found)[:2]
        ['knn_mean_per_class_accuracy', 'knn_top_1_accuracy']
    """
    evaluators = named(evaluators)
    preprocess = preprocess or preprocessing_of(encoder)
    extract = extractor(encoder_of(encoder))
    train, test = (
        extract(labelled_batches(data, name, preprocess, batch_size))
        for name, data in (("train", train), ("test", test))
    )
    return evaluate_features(train, test, num_classes, evaluators)


def evaluate_features(train, test, num_classes, evaluators=("knn", "logistic")):
    """`evaluate` for features that are computed already.

    Args:
        train: `Features` with labels; None if no evaluator learns.
        test: `Features` with labels.
        num_classes: Int.
        evaluators: See `evaluate`.

    Returns:
        See `evaluate`.

    Raises:
        UserError: See `evaluate`.
    """
    evaluators, num_classes = named(evaluators), int(num_classes)
    if num_classes < 2:
        raise UserError(f"`num_classes` must be >= 2, got {num_classes}.")
    for name, features in (("train", train), ("test", test)):
        if features is not None:
            accuracy.require_labels(features.labels, num_classes, name)
    train, test = train and _with_int64(train), _with_int64(test)
    found = {}
    for name, evaluator in evaluators.items():
        result = evaluator(train, test, num_classes)
        if not isinstance(result, accuracy.Result):
            result = accuracy.Result(result)
        said = accuracy.figures(test.labels, result.scores) | dict(result.chosen)
        found |= {f"{name}_{figure}": value for figure, value in said.items()}
    return found


def _with_int64(features):
    """`Features` with int64 labels, whatever integers they came as."""
    labels = features.labels
    return features if labels is None else features._replace(labels=labels.astype("i8"))


def named(evaluators):
    """Dict from name to evaluator, from such a dict or from names in `EVALUATORS`.

    Raises:
        UserError: If a name is unknown.
    """
    if isinstance(evaluators, dict):
        return evaluators
    if isinstance(evaluators, str):
        evaluators = (evaluators,)
    unknown = [name for name in evaluators if name not in EVALUATORS]
    if unknown or not evaluators:
        raise UserError(
            f"`evaluators` must be names out of {', '.join(EVALUATORS)}, or a dict "
            f"from names to functions, got {', '.join(map(str, unknown)) or 'none'}."
        )
    return {name: EVALUATORS[name] for name in evaluators}


def encoder_of(model):
    """The encoder inside a model, or the model itself if it has none."""
    encoder = getattr(model, "encoder", None)
    return model if encoder is None else encoder


def preprocessing_of(model):
    """Callable from raw images to images for the model's encoder."""
    augmentation = _common.first_of(getattr(model, "augmentation", None))
    if augmentation is None:
        return _common.as_unit_range
    return lambda images: augmentation(images, training=False)


def labelled_batches(data, name, preprocess, batch_size):
    """`tf.data.Dataset` of preprocessed `(images, labels)` batches.

    Args:
        data: See `evaluate`.
        name: Str, the argument's name, for errors.
        preprocess: Callable.
        batch_size: Int.

    Raises:
        UserError: If there are no labels, or the data set does not end.
    """
    if not isinstance(data, tf.data.Dataset):
        if not isinstance(data, (tuple, list)) or len(data) != 2:
            raise UserError(
                f"`{name}` must be a tf.data.Dataset of (images, labels), or a pair "
                f"(images, labels) of arrays, got {type(data).__name__}."
            )
        data = tf.data.Dataset.from_tensor_slices(tuple(data)).batch(batch_size)
    spec = data.element_spec
    if not isinstance(spec, tuple) or len(spec) != 2:
        raise UserError(
            f"`{name}` must have labels, (images, labels) in each element: evaluators "
            f"learn from them. Got {spec}."
        )
    if data.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise UserError(f"`{name}` must be a data set that ends, got a repeated one.")
    single = _batching.holds_single_images(data)
    preprocess = keras_compat.converted(preprocess)
    data = data.map(
        lambda images, labels: (preprocess(images), labels),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return (data.batch(batch_size) if single else data).prefetch(2)
