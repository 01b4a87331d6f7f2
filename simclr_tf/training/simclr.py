"""SimCLR as a Keras model: `compile`, `fit`, `evaluate`, `predict`."""

import tensorflow as tf
from tensorflow import keras

import tf_models
from simclr_tf import keras_compat
from simclr_tf.errors import UserError
from simclr_tf.training import (
    _batching,
    _checks,
    _common,
    _contrast,
    _micro_batches,
)
from simclr_tf.training._compiled import CompiledModel
from simclr_tf.training.temperature import LearnedTemperature, require

_LOGS = (
    "loss",
    "contrast_loss",
    "contrast_loss_chance",
    "contrast_acc",
    "contrast_entropy",
    "small_view_loss",
    "temperature",
    "embedding_std",
    "alignment",
    "uniformity",
    "memory_filled",
    "hardest_negative",
    "likely_false_negatives",
    "supervised_loss",
    "supervised_acc",
    "weight_decay",
    "gradient_norm",
    "label_top_1_accuracy",
    "label_top_5_accuracy",
)
_SERIALIZED = ("encoder", "projection_head", "augmentation", "memory", "temperature")


@keras.utils.register_keras_serializable(package="simclr_tf")
class SimCLR(CompiledModel):
    """Learns features by matching two views of an image among those of other images.

    With `augmentation`, `fit` takes images or `(images, labels)` and draws the two
    views itself. Without it, the data holds the views: `((view_a, view_b), labels)` or
    `(view_a, view_b)`. Images are uint8 0..255 or float 0..1, of any height and width,
    in colour or grey: NumPy arrays, or a `tf.data.Dataset` of batches or of single
    images (which are then batched, `batch_size` at a time). Labels, `[B]` indices (-1:
    not known) or `[B, K]` one-hot, are optional and only train a linear head on stopped
    gradients, unless the loss needs them, as `SupCon` does. Other images and labels are
    refused, except on a TPU, where values are not checked. Instead of labels, the data
    may have a batch of other images with labels, `(images, (other_images, labels))`:
    the head then learns from these, which the encoder processes as in evaluation.

    Views after the first two are the small views of multi-crop, all of one smaller
    size. The loss is then `(L + sum of S_v) / (V + 1)`, where `L` is the loss of the
    two full views and `S_v` that of each of the `V` small ones, see
    `simclr_tf.losses.nt_xent_small_views`. The encoder, and so its batch norm,
    processes each size separately.

    Args:
        encoder: Keras model from float images `[B, H, W, 3]` in [0, 1] to features
            `[B, C]` or `[B, h, w, C]` (then averaged over h and w).
        projection_head: `tf_models.ProjectionHead`, or any Keras layer or model from
            features `[B, C]` to `[B, E]`.
        augmentation: Layer of `simclr_tf.augmentation` that draws one view of each
            image, or a tuple of two if the views differ, or of more for small views:
            `(full, full) + 6 * (simclr_tf.augmentation.small_view(full, 96),)`. None if
            the data contains the views. The first layer does the evaluation
            preprocessing.
        num_classes: Int, classes of the online linear head; None for no head.
        ft_proj_selector: Int, which of `projection_head.hidden_layers` feeds the linear
            head: 0 the features, -1 the projection. If the projection head has no such
            method, there are only these two.
        micro_batch_size: Int, images that go through the networks at a time on each
            replica, so that the memory for activations depends on this and not on the
            batch; None sends all at once. The loss and its gradient are those of the
            whole batch, at the cost of a second forward pass. In training, batch norm
            sees one such piece (of all replicas, if it is synchronized) and updates its
            moving statistics once per piece. Pieces have equal sizes; with several
            replicas batches must have a fixed size. Networks must be deterministic: no
            dropout.
        weight_decay: Float, adds `weight_decay / 2 * |w|^2` to the loss for the
            variables that the optimizer does not decay itself: the linear head's kernel
            with LARS, all except batch norm's with SGD and Adam, none with AdamW and
            LAMB.
        memory: `NegativeMemory`, whose embeddings of earlier batches are further
            negatives in training; None for those of the batch alone. It needs a loss
            that takes negatives, as `NTXent` does.
        temperature: A temperature that changes, instead of the loss's own:
            `simclr_tf.training.LearnedTemperature`, or a schedule from the number of
            steps so far to the temperature, such as
            `simclr_tf.training.TemperatureWarmup`. It is logged as `temperature`. None
            for the loss's own.

    Call arguments:
        images: `[B, H, W, 3]` uint8 or float. With `augmentation`, they get its
            evaluation preprocessing first.
        training: Bool, whether the encoder's batch norm uses batch statistics.

    Returns:
        Float32 features `[B, C]`.

    Example:
        >>> encoder = tf_models.ResNet(depth=18, width_multiplier=0.25, stem="cifar")
        >>> model = SimCLR(encoder, tf_models.ProjectionHead(output_dim=64))
        >>> model(tf.zeros([2, 32, 32, 3])).shape
        TensorShape([2, 128])

    Reference: Chen et al. 2020, https://arxiv.org/abs/2002.05709, algorithm 1; the
    online linear head is that of section B.5 (v1) and Chen et al. 2020b (v2).
    """

    def __init__(
        self,
        encoder,
        projection_head,
        augmentation=None,
        num_classes=None,
        micro_batch_size=None,
        ft_proj_selector=0,
        weight_decay=0.0,
        memory=None,
        temperature=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if num_classes is not None and num_classes < 2:
            raise ValueError(f"`num_classes` must be None or >= 2, got {num_classes}.")
        if micro_batch_size is not None and micro_batch_size < 1:
            raise ValueError(
                f"`micro_batch_size` must be None or >= 1, got {micro_batch_size}."
            )
        if weight_decay < 0:
            raise ValueError(f"`weight_decay` must be >= 0, got {weight_decay}.")
        require(temperature)
        self.encoder = encoder
        self.projection_head = projection_head
        self.augmentation = _one_or_more(augmentation)
        self.num_classes = num_classes
        self.micro_batch_size = micro_batch_size
        self.ft_proj_selector = ft_proj_selector
        self.weight_decay = weight_decay
        self.memory = memory
        self.temperature = temperature
        self.linear_head = None
        self.draw_views = None  # what makes views of the `x` of a batch, if anything
        self._build_networks()
        self._trackers = {name: keras.metrics.Mean(name=name) for name in _LOGS}

    def _build_networks(self):
        """Creates every variable now, so that no step has to."""
        size = getattr(_common.first_of(self.augmentation), "image_size", None)
        features = tf.zeros([1, _common.feature_dim(self.encoder, size)])
        hidden = self._stages(features, training=False)
        if not -len(hidden) <= self.ft_proj_selector < len(hidden):
            raise ValueError(
                f"`ft_proj_selector` must be in [{-len(hidden)}, {len(hidden) - 1}] "
                f"for this projection head, got {self.ft_proj_selector}."
            )
        if self.num_classes is not None:
            self.linear_head = tf_models.LinearHead(self.num_classes)
            self.linear_head(hidden[self.ft_proj_selector])
        if self.memory is not None:
            self.memory.copy_networks(self.encoder, self.projection_head, size)
        self.built = True

    def compile(self, *args, **kwargs):
        """Sets how the model is trained, see `CompiledModel.compile`.

        Raises:
            ValueError: If an argument does not fit, or the loss cannot use the model's
                `memory` or `temperature`.
        """
        super().compile(*args, **kwargs)
        for name, part, what in (
            ("negatives", self.memory, "more negatives with a `memory` of them"),
            ("temperature", self.temperature, "a `temperature` from the model"),
        ):
            if part is not None and not getattr(self.loss, f"takes_{name}", False):
                raise UserError(
                    f"`loss` must take {what}, as NTXent does, got "
                    f"{type(self.loss).__name__}."
                )

    def call(self, images, training=False):
        return self.features(self._for_encoder(images), training)

    def _for_encoder(self, images):
        """Images for the encoder in evaluation."""
        if self.augmentation is None:
            return _common.as_unit_range(images)
        images = _checks.raw_images(images)
        return _common.first_of(self.augmentation)(images, training=False)

    def features(self, images, training=False):
        """Float32 features `[B, C]` of float images in [0, 1], used unchanged."""
        return _common.pooled(self.encoder(images, training=training))

    def train_step(self, data):
        """One step of the paper's algorithm 1; returns the running means."""
        views, labels = self._views(data)
        views = _checks.several(views)
        if self.memory is not None:
            rows = _common.global_rows(views[0])
            views = _checks.no_more_than_memory(views, rows, self.memory.size)
        return self._learn(views, labels)

    def _learn_from_views(self, views, labels):
        # [B, 2, S, S, 3], and [B, V, s, s, 3] of small views
        views = [tf.stack(group, axis=1) for group in (views[:2], views[2:]) if group]
        variables = self._variables_to_train(labels)
        labels = self._with_hidden(labels)
        negatives = self._exchange(views[0][:, 1])
        if self.micro_batch_size is None:
            with tf.GradientTape() as tape:
                projections, hidden = self._embed(views)
                loss, values = self._loss(projections, hidden, labels, negatives)
            gradients = keras_compat.scaled_gradients(
                tape, loss, variables, self.optimizer
            )
        else:
            gradients, values = self._learn_in_pieces(
                views, labels, negatives, variables
            )
        values["gradient_norm"] = self._apply(gradients, variables)
        return _common.track(self._trackers, values)

    def _exchange(self, images):
        """Embeddings of earlier steps, for which those of this one are stored."""
        if self.memory is None:
            return None
        return self.memory.exchange(
            images, self.encoder, self.projection_head, self.micro_batch_size
        )

    def _learn_in_pieces(self, views, labels, negatives, variables):
        """`_learn_from_views` up to the gradients, with networks that see pieces."""
        pieces = _micro_batches.pieces_of(views[0], self.micro_batch_size)
        state = _common.moving_state([self.encoder, self.projection_head])
        projections, hidden = _micro_batches.embed(self._embed, views, pieces, state)
        with tf.GradientTape() as tape:
            tape.watch(projections)
            loss, values = self._loss(projections, hidden, labels, negatives)
        # Some act on the loss directly too: the linear head, and weight decay.
        of_projections, *direct = keras_compat.scaled_gradients(
            tape, loss, [projections, *variables], self.optimizer
        )
        through_networks = _micro_batches.backward(
            self._embed, views, pieces, of_projections, variables
        )
        gradients = [
            through if at_once is None else through + at_once
            for through, at_once in zip(through_networks, direct, strict=True)
        ]
        return gradients, values

    def _embed(self, views):
        """Projections `[b, 2 + V, E]`, and the linear head's input for two views."""
        seen = [tf.concat(tf.unstack(group, axis=1), axis=0) for group in views]
        features = [self.features(images, training=True) for images in seen]
        features = tf.concat(features, axis=0)  # [(2 + V) b, C]
        hidden = self._stages(features, training=True)
        count = sum(group.shape[1] for group in views)
        projections, hidden = (
            tf.stack(tf.split(tf.cast(output, tf.float32), count), axis=1)
            for output in (hidden[-1], hidden[self.ft_proj_selector])
        )
        return projections, hidden[:, :2]

    def _with_hidden(self, labels):
        """Labels; those of other images with the linear head's input for them."""
        if not isinstance(labels, tuple) or self.linear_head is None:
            return labels
        images, labels = labels

        def embed(images):
            features = self.features(images, training=False)
            return [self._hidden(features)[:, tf.newaxis]]  # [b, 1, C]

        if self.micro_batch_size is None:
            return embed(images)[0], labels
        pieces = _micro_batches.pieces_of(images, self.micro_batch_size)
        return _micro_batches.embed(embed, images, pieces, state=[])[0], labels

    def _loss(self, projections, hidden, labels, negatives=None):
        """This replica's share of the loss, and the figures to track."""
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        full = tf.unstack(projections[:, :2], axis=1)
        temperature = self._current_temperature()
        contrast = self._contrast(*full, labels, negatives, temperature)
        small = _contrast.of_small_views(self.loss, projections, negatives, temperature)
        supervised = self._supervise(hidden, labels)
        weight_decay = self._weight_decay_loss()
        of_views = [contrast["contrast_loss"][:, tf.newaxis], *small.values()]
        of_views = tf.concat(of_views, axis=1)  # [b, 1 + V]
        loss = _common.global_mean(tf.reduce_mean(of_views, axis=1))
        if supervised:
            loss += _common.global_mean(*supervised["supervised_loss"])
        loss += weight_decay / replicas
        values = {"loss": replicas * loss, "weight_decay": weight_decay}
        if temperature is not None:
            values["temperature"] = temperature
        figures = _contrast.figures(self.loss, projections[:, :2], negatives)
        return loss, {**values, **contrast, **small, **figures, **supervised}

    def test_step(self, data):
        """Contrastive figures on two views; accuracy of the linear head on the images.

        The encoder runs in inference mode. The linear head gets raw images with the
        evaluation preprocessing; if the data contains views, it is judged on both.
        Small views are ignored.
        """
        views, labels = self._views(data)
        seen = tf.concat(views[:2], 0)
        features = self.features(seen)
        projections = self._stages(features, training=False)[-1]
        several = tf.cast(_common.global_rows(projections) > 2, tf.float32)
        values = self._contrast(
            *tf.split(projections, 2),
            labels,
            temperature=self._current_temperature(),
        )
        # An image that is alone in its batch has nothing to be told from.
        values = {
            name: (figure, several * tf.ones_like(figure))
            for name, figure in values.items()
        }
        values["loss"] = values["contrast_loss"]
        if labels is not None and self.linear_head is not None:
            if isinstance(labels, tuple):
                images, labels = labels
                logits = self.classify(self.features(images))
            elif self.augmentation is None:
                labels = tf.concat([labels, labels], 0)
                logits = self.classify(features)
            else:
                images = keras_compat.unpack(data)[0]
                logits = self.classify(self(images, training=False))
            for k in (1, 5):
                hits = _common.in_top_k(labels, logits, min(k, self.num_classes))
                values[f"label_top_{k}_accuracy"] = (hits, _common.known(labels))
        return _common.track(self._trackers, values)

    def classify(self, features):
        """The linear head's float32 logits `[B, num_classes]` of features `[B, C]`."""
        return self.linear_head(self._hidden(features))

    def _hidden(self, features):
        """The linear head's input for features, in inference."""
        hidden = self._stages(features, training=False)
        return tf.cast(hidden[self.ft_proj_selector], tf.float32)

    def _stages(self, features, training):
        return _common.hidden_layers(self.projection_head, features, training)

    def _views(self, data):
        """`((view_a, view_b, *small), labels)` of a batch in any form that `fit` takes.

        Labels of other images come as `(images, labels)`, ready for the encoder.
        """
        if _batching.is_views(data):
            data = (data, None)
        x, labels = keras_compat.unpack(data)
        x = x if self.draw_views is None else self.draw_views(x)
        views = tuple(x) if isinstance(x, (tuple, list)) else ()
        if not views and self.augmentation is not None:
            x = _checks.raw_images(x)
            layers = _batching.layers_of(self.augmentation)
            views = tuple(draw(x, training=True) for draw in layers)
        if len(views) < 2:
            raise ValueError(
                "Without `augmentation`, the data must be (view_a, view_b) or "
                f"((view_a, view_b), labels), got {data}."
            )
        views = tuple(_checks.views(_common.as_unit_range(view)) for view in views)
        if _contrast.needs_labels(self.loss):
            _checks.require_labels_of_images(labels, self.loss)
        elif labels is None or self.num_classes is None:
            return views, None
        if isinstance(labels, (tuple, list)):
            images, labels = labels
            return views, (self._for_encoder(images), self._checked(labels))
        return views, self._checked(labels)

    def _checked(self, labels):
        """Class indices `[B]` from labels in either form, checked for their range."""
        if self.num_classes is None:  # of a loss; it only asks which are equal
            return _common.sparse_labels(labels)
        _checks.require_label_kind(labels, self.num_classes)
        return _checks.labels(_common.sparse_labels(labels), self.num_classes)

    def _current_temperature(self):
        """The temperature of this step, a float32 scalar; None for the loss's own."""
        if self.temperature is None:
            return None
        return self.temperature(tf.convert_to_tensor(self.optimizer.iterations))

    def _contrast(self, view_a, view_b, labels, negatives=None, temperature=None):
        """Contrastive loss and metrics, each `[B]`, of projections `[B, E]`."""
        step = self.optimizer.iterations
        return _contrast.of_views(
            self.loss, view_a, view_b, labels, step, negatives, temperature
        )

    def _supervise(self, hidden, labels):
        """Loss and accuracy `[2B]` of the linear head on `[B, 2, C]`, with weights.

        No gradient flows back. An image with the label -1 has weight 0. Labels of other
        images come with the head's input, one row each.
        """
        if labels is None or self.linear_head is None:
            return {}
        if isinstance(labels, tuple):
            hidden, labels = labels
        labels = tf.tile(labels, [hidden.shape[1]])
        hidden = tf.concat(tf.unstack(hidden, axis=1), axis=0)
        logits = self.linear_head(tf.stop_gradient(hidden))
        known = _common.known(labels)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(
            tf.maximum(labels, 0), logits
        )
        hits = tf.equal(labels, tf.argmax(logits, axis=-1))
        return {"supervised_loss": (loss, known), "supervised_acc": (hits, known)}

    def _weight_decay_loss(self):
        undecayed = _common.undecayed(self.trainable_variables, self.optimizer)
        return _common.l2_penalty(undecayed, self.weight_decay)

    def _variables_to_train(self, labels):
        """All trainable variables, without the linear head's if there are no labels."""
        variables = self.encoder.trainable_variables
        variables = variables + self.projection_head.trainable_variables
        if labels is not None and self.linear_head is not None:
            variables = variables + self.linear_head.trainable_variables
        if isinstance(self.temperature, LearnedTemperature):
            variables = variables + self.temperature.trainable_variables
        return variables

    def get_config(self):
        return {
            **super().get_config(),
            **_common.serialized(self, _SERIALIZED),
            "num_classes": self.num_classes,
            "micro_batch_size": self.micro_batch_size,
            "ft_proj_selector": self.ft_proj_selector,
            "weight_decay": self.weight_decay,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**_common.deserialized(config))


def _one_or_more(augmentation):
    """The layers that draw views: full views of one size, then small ones."""
    if not isinstance(augmentation, (tuple, list)):
        return augmentation
    sizes = [getattr(layer, "image_size", None) for layer in augmentation]
    if len(sizes) < 2 or sizes[0] != sizes[1] or len(set(sizes[2:])) > 1:
        raise ValueError(
            "`augmentation` must be one layer, or two of one `image_size`, and behind "
            f"them those of small views, of one size too; got {len(sizes)} of {sizes}."
        )
    return tuple(augmentation)
