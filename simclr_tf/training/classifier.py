"""A linear head on an encoder: linear evaluation, and fine-tuning from any block."""

import tensorflow as tf
from tensorflow import keras

import tf_models
from simclr_tf.training import _checks, _common
from simclr_tf.training._gradient_norms import WatchedModel


@keras.utils.register_keras_serializable(package="simclr_tf")
class Classifier(WatchedModel):
    """Class logits from a pre-trained encoder; used like any Keras model.

    `fit` takes labels in the form of the compiled loss. Images without a label (-1)
    must be left out. Images are checked as in `SimCLR.fit`.

    The layers that `fine_tune_after_block` freezes do not change by one bit in
    training, batch statistics included. If that is the whole encoder, the model can be
    trained on features that were computed once (`extract_features`), with the same
    result.

    Args:
        encoder: Keras model from float images `[B, H, W, 3]` in [0, 1] to features
            `[B, C]` or `[B, h, w, C]`.
        num_classes: Int >= 2.
        projection_head: `tf_models.ProjectionHead`, or another layer from `[B, C]` to
            `[B, E]`, that was trained with the encoder; needed if `ft_proj_selector` is
            not 0.
        ft_proj_selector: Int, the output of `projection_head.hidden_layers` that the
            linear head sits on: 0 the encoder's features, 1 the first layer's output
            (SimCLRv2), -1 the projection.
        fine_tune_after_block: Int in -1..4. -1 trains everything, 0 all after the stem,
            k all after block group k, 4 only the linear head (the projection layers
            below it are frozen too). An encoder other than `tf_models.ResNet` takes -1
            or 4.
        zero_init_logits_layer: Bool, whether the linear head starts at zero.
        augmentation: Layer of `simclr_tf.augmentation` for raw images, such as
            `CropAndFlip`; None if the data is preprocessed.
        weight_decay: Float, adds `weight_decay / 2 * |w|^2` to the loss for the
            variables that the optimizer does not decay itself.

    Call arguments:
        images: `[B, H, W, 3]` uint8 or float in [0, 1], with `augmentation` also grey;
            or float `[B, C]`, features that the encoder computed before.
        training: Bool.

    Returns:
        Float32 logits `[B, num_classes]`.

    Reference: Chen et al. 2020, https://arxiv.org/abs/2002.05709, sections B.6, B.7;
    Chen et al. 2020b, https://arxiv.org/abs/2006.10029, section 3.1.
    """

    def __init__(
        self,
        encoder,
        num_classes,
        projection_head=None,
        ft_proj_selector=0,
        fine_tune_after_block=-1,
        zero_init_logits_layer=False,
        augmentation=None,
        weight_decay=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if ft_proj_selector != 0 and projection_head is None:
            raise ValueError(
                f"`ft_proj_selector`={ft_proj_selector} needs a `projection_head`."
            )
        self.encoder = encoder
        self.num_classes = num_classes
        self.projection_head = projection_head if ft_proj_selector != 0 else None
        self.ft_proj_selector = ft_proj_selector
        self.fine_tune_after_block = fine_tune_after_block
        self.zero_init_logits_layer = zero_init_logits_layer
        self.augmentation = augmentation
        self.weight_decay = weight_decay
        self.linear_head = tf_models.LinearHead(
            num_classes, zero_init=zero_init_logits_layer
        )
        size = getattr(augmentation, "image_size", None)
        hidden = self._hidden(tf.zeros([1, _common.feature_dim(encoder, size)]), False)
        self.linear_head(hidden)
        self._freeze()
        self.built = True

    def _freeze(self):
        if hasattr(self.encoder, "freeze"):
            self.encoder.freeze(self.fine_tune_after_block)
        elif self.fine_tune_after_block in (-1, 4):
            self.encoder.trainable = self.fine_tune_after_block == -1
        else:
            raise ValueError(
                "`fine_tune_after_block` must be -1 or 4 for an encoder without block "
                f"groups, got {self.fine_tune_after_block}."
            )
        if self.projection_head is not None:
            self.projection_head.trainable = self.fine_tune_after_block != 4
            if hasattr(self.projection_head, "freeze_after"):  # no one sees the rest
                self.projection_head.freeze_after(self.ft_proj_selector)

    def compile(self, *args, **kwargs):
        """`keras.Model.compile`."""
        super().compile(*args, **kwargs)
        self._watch_gradients()

    def compile_from_config(self, config):
        """Compiles as `get_compile_config` says."""
        self.compile(**keras.utils.deserialize_keras_object(config))

    def fit(self, x=None, y=None, batch_size=None, *args, **kwargs):
        """`keras.Model.fit`.

        Raises:
            UserError: If the model cannot use the images or labels.
        """
        is_images = hasattr(x, "dtype") and len(x.shape) != 2
        if is_images and self.augmentation is not None:
            _checks.require_arrays(x, y, batch_size or 32, self.num_classes)
        with _checks.in_words():
            return super().fit(x, y, batch_size, *args, **kwargs)

    def evaluate(self, *args, **kwargs):
        """`keras.Model.evaluate`; refuses the same data as `fit`."""
        with _checks.in_words():
            return super().evaluate(*args, **kwargs)

    def train_step(self, data):
        """Keras' step, after a check that the model can learn from the data."""
        self.gradient_norms.clear()
        return super().train_step(self._checked(data))

    def test_step(self, data):
        """Keras' step, with the same check of the data."""
        return super().test_step(self._checked(data))

    def _checked(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if self.augmentation is None and x.shape.rank == 4:
            x = _checks.views(_common.as_unit_range(x))
        if tf.is_tensor(y):
            y = _checks.known_labels(y, self.num_classes)
        return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)

    def call(self, images, training=False):
        if len(images.shape) != 2:
            images = self.preprocess(images, training)
        return self.logits(images, training)

    def preprocess(self, images, training=False):
        """Float images in [0, 1] for the encoder; random views in training."""
        if self.augmentation is None:
            return _common.as_unit_range(images)
        return self.augmentation(_checks.raw_images(images), training=training)

    def logits(self, images, training=False):
        """Logits `[B, num_classes]` of preprocessed images, or of features `[B, C]`."""
        # Frozen, the encoder may still hold layers that draw in training, as dropout.
        training = training and self.fine_tune_after_block != 4
        features = images
        if len(images.shape) != 2:
            features = _common.pooled(self.encoder(images, training=training))
        return self.linear_head(self._hidden(features, training))

    def classify(self, features):
        """Float32 logits `[B, num_classes]` of the encoder's features `[B, C]`."""
        return self.linear_head(self._hidden(features, False))

    def _hidden(self, features, training):
        if self.projection_head is None:
            return features
        hidden = _common.hidden_layers(self.projection_head, features, training)
        return hidden[self.ft_proj_selector]

    @property
    def losses(self):
        """Weight decay, and losses that the layers add."""
        if not self.weight_decay or getattr(self, "optimizer", None) is None:
            return super().losses
        undecayed = _common.undecayed(self.trainable_variables, self.optimizer)
        return [*super().losses, _common.l2_penalty(undecayed, self.weight_decay)]

    def get_config(self):
        return {
            **super().get_config(),
            **_common.serialized(self, ("encoder", "projection_head", "augmentation")),
            "num_classes": self.num_classes,
            "ft_proj_selector": self.ft_proj_selector,
            "fine_tune_after_block": self.fine_tune_after_block,
            "zero_init_logits_layer": self.zero_init_logits_layer,
            "weight_decay": self.weight_decay,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**_common.deserialized(config))
