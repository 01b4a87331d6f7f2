"""The MLP between features and the contrastive loss."""

import tensorflow as tf
from tensorflow import keras

from tf_models.batch_normalization import BatchNormalization

_MODES = ("none", "linear", "nonlinear")


@keras.utils.register_keras_serializable(package="tf_models")
class ProjectionHead(keras.layers.Layer):
    """Maps features to the space in which views are compared.

    A "nonlinear" head of N layers has N - 1 dense layers as wide as the features, each
    with batch norm and ReLU, and a last one with batch norm that only scales. "linear"
    is that last one alone, "none" is the identity. No dense layer has a bias.

    Args:
        mode: "none", "linear" or "nonlinear".
        num_layers: Int >= 1, dense layers of a "nonlinear" head.
        output_dim: Int >= 1, `E`.
        global_bn: Bool, whether batch norm sees the batch of all replicas.
        batch_norm_decay: Float in [0, 1), momentum of the moving statistics.

    Call arguments:
        features: Float tensor `[B, C]`.
        training: Bool, whether batch norm uses the statistics of the batch.

    Returns:
        Float32 tensor `[B, output_dim]` (`[B, C]` if "none"), not normalised.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> head = ProjectionHead(num_layers=2, output_dim=16)
        >>> [layer.shape[-1] for layer in head.hidden_layers(tf.zeros([4, 32]))]
        [32, 32, 16]

    Reference: Chen et al. 2020, https://arxiv.org/abs/2002.05709, section 4.2;
    https://arxiv.org/abs/2006.10029, section 3.1, for more layers.
    """

    def __init__(
        self,
        mode="nonlinear",
        num_layers=3,
        output_dim=128,
        global_bn=True,
        batch_norm_decay=0.9,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if mode not in _MODES:
            raise ValueError(f"`mode` must be one of {_MODES}, got {mode!r}.")
        for name, value in (("num_layers", num_layers), ("output_dim", output_dim)):
            if value < 1:
                raise ValueError(f"`{name}` must be >= 1, got {value}.")
        self.mode = mode
        self.num_layers = num_layers
        self.output_dim = output_dim
        self.global_bn = global_bn
        self.batch_norm_decay = batch_norm_decay

    def build(self, input_shape):
        channels = input_shape[-1]
        for number in range(self._depth()):
            last = number == self._depth() - 1
            units = self.output_dim if last else channels
            dense = keras.layers.Dense(
                units,
                use_bias=False,
                kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
                name=f"dense_{number}",
            )
            norm = BatchNormalization(
                center=not last,
                momentum=self.batch_norm_decay,
                epsilon=1e-5,
                synchronized=self.global_bn,
                name=f"batch_normalization_{number}",
            )
            dense.build([None, channels])
            norm.build([None, units])
            # Attributes, not lists: Keras 3 leaves lists out of checkpoints.
            setattr(self, dense.name, dense)
            setattr(self, norm.name, norm)
        self.built = True

    def _depth(self):
        return {"none": 0, "linear": 1, "nonlinear": self.num_layers}[self.mode]

    def call(self, features, training=None):
        return self.hidden_layers(features, training)[-1]

    def hidden_layers(self, features, training=False):
        """Every stage of the head.

        Args:
            features: Float tensor `[B, C]`.
            training: Bool, whether batch norm uses the statistics of the batch.

        Returns:
            List of float32 tensors: the features, each layer's output, the projection.
        """
        if not self.built:
            self.build(features.shape)
        outputs = [tf.cast(features, tf.float32)]
        hidden = tf.cast(features, self.compute_dtype)
        for number in range(self._depth()):
            dense = getattr(self, f"dense_{number}")
            norm = getattr(self, f"batch_normalization_{number}")
            hidden = norm(dense(hidden), training=training)
            if number < self._depth() - 1:
                hidden = tf.nn.relu(hidden)
            outputs.append(tf.cast(hidden, tf.float32))
        return outputs

    def freeze_after(self, layer):
        """Freezes everything after one of the `hidden_layers`.

        Args:
            layer: Int, 0 freezes the whole head, -1 nothing.
        """
        for number in range(layer % (self._depth() + 1), self._depth()):
            getattr(self, f"dense_{number}").trainable = False
            getattr(self, f"batch_normalization_{number}").trainable = False

    def get_config(self):
        return {
            **super().get_config(),
            "mode": self.mode,
            "num_layers": self.num_layers,
            "output_dim": self.output_dim,
            "global_bn": self.global_bn,
            "batch_norm_decay": self.batch_norm_decay,
        }
