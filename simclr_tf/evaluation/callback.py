"""Evaluators during `fit`."""

from tensorflow import keras

from simclr_tf.errors import UserError
from simclr_tf.evaluation import evaluators as _evaluators
from simclr_tf.evaluation.features import extractor


class EvaluateFeatures(keras.callbacks.Callback):
    """Evaluates the features of the model in training, after its epochs.

    The figures are added to the logs of the epoch as `val_<evaluator>_<figure>`, such
    as `val_knn_top_1_accuracy`. `History`, TensorBoard and, if they come later in the
    list of callbacks, `ModelCheckpoint` and `EarlyStopping` see them. The images need
    not be those of the training: an encoder may learn from unlabelled images and be
    judged on others.

    Args:
        train: Labelled images to learn from, see `simclr_tf.evaluation.evaluate`.
        test: Labelled images to be judged on.
        num_classes: Int `K >= 2`.
        evaluators: See `simclr_tf.evaluation.evaluate`.
        every_epochs: Int >= 1, epochs between evaluations.
        preprocess: See `simclr_tf.evaluation.evaluate`.
        batch_size: See `simclr_tf.evaluation.evaluate`.
        encoder: Keras model to evaluate; None means the `encoder` of the model in
            training or, if it has none, that model itself.

    Raises:
        UserError: If there are no labels, or an argument is out of its range.

    Example:
        >>> import simclr_tf
        >>> probe = EvaluateFeatures(
        ...     simclr_tf.data.load("bundled", split="train"),
        ...     simclr_tf.data.load("bundled", split="test"),
        ...     num_classes=10,
        ... )  # model.fit(unlabelled_images, callbacks=[probe])
    """

    def __init__(
        self,
        train,
        test,
        num_classes,
        evaluators=("knn",),
        every_epochs=1,
        preprocess=None,
        batch_size=256,
        encoder=None,
    ):
        super().__init__()
        if every_epochs < 1:
            raise UserError(f"`every_epochs` must be >= 1, got {every_epochs}.")
        self.evaluators = _evaluators.named(evaluators)
        self.num_classes = num_classes
        self.every_epochs = every_epochs
        self.preprocess = preprocess
        self.batch_size = batch_size
        self.encoder = encoder
        self._data = {"train": train, "test": test}
        for name, data in self._data.items():  # a mistake shows before the training
            _evaluators.labelled_batches(data, name, lambda images: images, batch_size)

    def on_train_begin(self, logs=None):
        preprocess = self.preprocess or _evaluators.preprocessing_of(self.model)
        self._batches = [
            _evaluators.labelled_batches(data, name, preprocess, self.batch_size)
            for name, data in self._data.items()
        ]
        self._extract = None

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every_epochs or logs is None:
            return
        if self._extract is None:  # not before, when the model may not be built
            encoder = self.encoder
            if encoder is None:
                encoder = _evaluators.encoder_of(self.model)
            self._extract = extractor(encoder)
        train, test = (self._extract(batches) for batches in self._batches)
        found = _evaluators.evaluate_features(
            train, test, self.num_classes, self.evaluators
        )
        logs.update({f"val_{name}": value for name, value in found.items()})
