"""ResNet encoders of SimCLR v1 and v2."""

import tensorflow as tf
from tensorflow import keras

from tf_models import convolution, folding, input_normalization
from tf_models.blocks import ResidualBlock
from tf_models.layers import ConvolutionNorm, global_average

_BLOCKS = {  # depth: whether blocks are bottlenecks, blocks in each group
    18: (False, (2, 2, 2, 2)),
    34: (False, (3, 4, 6, 3)),
    50: (True, (3, 4, 6, 3)),
    101: (True, (3, 4, 23, 3)),
    152: (True, (3, 8, 36, 3)),
    200: (True, (3, 24, 36, 3)),
}
_STEMS = ("imagenet", "cifar", "cifar_no_relu", "cifar_padded", "cifar_pool")
_VARIANTS = ("simclr", "torchvision")


def depth_of(bottleneck, counts):
    """The depth of a ResNet with given blocks.

    Args:
        bottleneck: Bool, whether they are bottlenecks.
        counts: Sequence of int, the blocks of each group.

    Returns:
        Int, or None if no ResNet has these.

    Example:
        >>> depth_of(True, [3, 4, 6, 3])
        50
    """
    blocks = (bottleneck, tuple(counts))
    return next((depth for depth in _BLOCKS if _BLOCKS[depth] == blocks), None)


@keras.utils.register_keras_serializable(package="tf_models")
class ResNet(keras.Model):
    """Residual network from images to features.

    It is built like the published SimCLR code's, unless `variant` says otherwise: with
    projection shortcuts in the first block of every group, the stride on the 3x3
    convolution, and the last scale of each block initialised to 0. Its variables exist
    after construction.

    Args:
        depth: 18, 34 (basic blocks), 50, 101, 152 or 200 (bottlenecks).
        width_multiplier: Positive float, factor for the 64, 128, 256 and 512 filters.
        sk_ratio: Float >= 0; > 0 turns on selective kernels and the stem and shortcuts
            of ResNet-D. SimCLRv2 uses 0.0625.
        se_ratio: Float >= 0; > 0 turns on squeeze-and-excitation.
        stem: "imagenet", which divides height and width by 4, or "cifar", one 3x3
            convolution, for pictures of about 32 pixels. PyTorch has variants of it:
            "cifar_padded" (solo-learn) pads images with two pixels of zeros,
            "cifar_no_relu" (lightly's small ResNet in a Sequential) has no ReLU, and
            "cifar_pool" is followed by the max pooling of "imagenet".
        variant: "simclr", or "torchvision" for networks of PyTorch: no projection where
            a block keeps the shape (the first one of ResNet-18 and 34), and max pooling
            padded on all four sides instead of only below and on the right.
        normalization: "none", or how images are normalised before the stem: "imagenet",
            with the mean and deviation of its colours, or three means and three
            deviations such as "0.5,0.5,0.5,0.25,0.25,0.25"; see
            `tf_models.input_normalization.constants`.
        global_bn: Bool, whether batch norm sees the batch of all replicas.
        batch_norm_decay: Float in [0, 1), momentum of the moving statistics.

    Call arguments:
        images: Float tensor `[B, H, W, 3]`, values in [0, 1].
        training: Bool, whether batch norm uses the statistics of the batch.

    Returns:
        Float32 tensor `[B, feature_dim]`, averaged over height and width.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> encoder = ResNet(depth=18, stem="cifar", width_multiplier=0.25)
        >>> encoder(tf.zeros([2, 32, 32, 3])).shape
        TensorShape([2, 128])

    Reference: He et al. 2016, https://arxiv.org/abs/1512.03385; Chen et al. 2020,
    https://arxiv.org/abs/2002.05709, section B.9 for the small stem; Chen et al. 2020b,
    https://arxiv.org/abs/2006.10029, section 2 for selective kernels.
    """

    def __init__(
        self,
        depth=50,
        width_multiplier=1,
        sk_ratio=0.0,
        se_ratio=0.0,
        stem="imagenet",
        global_bn=True,
        batch_norm_decay=0.9,
        variant="simclr",
        normalization="none",
        **kwargs,
    ):
        super().__init__(**kwargs)
        _check(depth, width_multiplier, sk_ratio, se_ratio, batch_norm_decay)
        _check_words(stem, variant, normalization)
        self.depth = depth
        self.width_multiplier = width_multiplier
        self.sk_ratio = sk_ratio
        self.se_ratio = se_ratio
        self.stem = stem
        self.global_bn = global_bn
        self.batch_norm_decay = batch_norm_decay
        self.variant = variant
        self.normalization = normalization
        norm = {
            "momentum": batch_norm_decay,
            "epsilon": 1e-5,
            "synchronized": global_bn,
        }
        # Attributes, not lists: Keras 3 leaves lists out of checkpoints.
        for layer in [*self._make_stem(norm), *self._make_blocks(norm)]:
            setattr(self, layer.name, layer)
        self.feature_dim = self._groups()[-1][-1].channels
        self.build([None, None, None, 3])

    def _filters(self, filters):
        return max(1, int(round(filters * self.width_multiplier)))

    def _make_stem(self, norm):
        if self.stem != "imagenet":
            shapes = [(64, 3, 1)]
        elif self.sk_ratio > 0:
            shapes = [(32, 3, 2), (32, 3, 1), (64, 3, 1)]
        else:
            shapes = [(64, 7, 2)]
        return [
            ConvolutionNorm(
                self._filters(filters),
                size,
                strides,
                relu=self.stem != "cifar_no_relu",
                norm=norm,
                name=f"stem_{i}",
            )
            for i, (filters, size, strides) in enumerate(shapes)
        ]

    def _make_blocks(self, norm):
        bottleneck, counts = _BLOCKS[self.depth]
        projects_at_once = bottleneck or self.variant == "simclr"
        return [
            ResidualBlock(
                self._filters(64 * 2**group),
                strides=2 if group > 0 and block == 0 else 1,
                bottleneck=bottleneck,
                project=block == 0 and (group > 0 or projects_at_once),
                sk_ratio=self.sk_ratio,
                se_ratio=self.se_ratio,
                norm=norm,
                name=f"group{group + 1}_block{block}",
            )
            for group, count in enumerate(counts)
            for block in range(count)
        ]

    def _stem(self):
        """The convolutions before the first group."""
        count = 3 if self.stem == "imagenet" and self.sk_ratio > 0 else 1
        return [getattr(self, f"stem_{number}") for number in range(count)]

    def _groups(self):
        """The blocks of group 1, of group 2, ..."""
        return [
            [getattr(self, f"group{group}_block{block}") for block in range(count)]
            for group, count in enumerate(_BLOCKS[self.depth][1], start=1)
        ]

    def build(self, input_shape):
        if self.built:
            return
        if input_shape[-1] != 3:
            raise ValueError(
                f"{self.name} needs images [B, H, W, 3], got {tuple(input_shape)}."
            )
        shape = [None, None, None, 3]
        for layer in self._stem():
            layer.build(shape)
            shape = [None, None, None, layer.filters]
        for block in sum(self._groups(), []):
            block.build(shape)
            shape = [None, None, None, block.channels]
        self.built = True

    def call(self, images, training=None):
        return self.endpoints(images, training)["final_avg_pool"]

    @tf.autograph.experimental.do_not_convert  # that would take half a second
    def endpoints(self, images, training=False):
        """The output of every stage.

        Args:
            images: Float tensor `[B, H, W, 3]`, values in [0, 1].
            training: Bool, whether batch norm uses the statistics of the batch.

        Returns:
            Dict of float tensors `[B, h, w, c]`: initial_conv, initial_max_pool (the
            same with the small stem), block_group1 .. block_group4; and float32
            final_avg_pool `[B, feature_dim]`.
        """
        outputs = {}
        images = input_normalization.normalize(images, self.normalization)
        hidden = tf.cast(images, self.compute_dtype)
        if self.stem == "cifar_padded":
            hidden = convolution.pad(hidden, 1)
        for layer in self._stem():
            hidden = layer(hidden, training=training)
        outputs["initial_conv"] = hidden
        if self.stem in ("imagenet", "cifar_pool"):
            hidden = self._max_pool(hidden)
        outputs["initial_max_pool"] = hidden
        for number, group in enumerate(self._groups(), start=1):
            for block in group:
                hidden = block(hidden, training=training)
            outputs[f"block_group{number}"] = hidden
        outputs["final_avg_pool"] = tf.cast(global_average(hidden), tf.float32)
        return outputs

    def _max_pool(self, images):
        if self.variant == "torchvision":  # after a ReLU no value is below the zeros
            return tf.nn.max_pool2d(convolution.pad(images, 1), 3, 2, "VALID")
        return tf.nn.max_pool2d(images, 3, 2, "SAME")

    def folded(self):
        """A faster version for inference, with the current weights.

        Batch norm is folded into the convolutions before it, and weights are constants
        of the graph. Tracing takes a while, so it pays off for many images.

        Returns:
            `tf.function` from float images `[B, H, W, 3]` in [0, 1] to features `[B,
            feature_dim]`, which equal those of a call up to rounding.
        """
        kernels = folding.kernels_of(self)

        @tf.function(reduce_retracing=True)
        def features(images):
            with folding.constant(kernels):
                return self(images, training=False)

        return features

    def freeze(self, fine_tune_after_block):
        """Freezes everything up to a block group.

        Frozen layers run in inference mode whatever `training` is, so their batch
        statistics do not change.

        Args:
            fine_tune_after_block: -1 freezes nothing, 0 the stem, k the stem and groups
                1 to k, 4 the whole encoder.

        Raises:
            ValueError: If it is not in -1..4.
        """
        if fine_tune_after_block not in range(-1, 5):
            raise ValueError(
                f"`fine_tune_after_block` must be in -1..4, got "
                f"{fine_tune_after_block}."
            )
        for number, layers in enumerate([self._stem(), *self._groups()]):
            for layer in layers:
                layer.trainable = number > fine_tune_after_block

    def get_config(self):
        return {
            **super().get_config(),
            "depth": self.depth,
            "width_multiplier": self.width_multiplier,
            "sk_ratio": self.sk_ratio,
            "se_ratio": self.se_ratio,
            "stem": self.stem,
            "global_bn": self.global_bn,
            "batch_norm_decay": self.batch_norm_decay,
            "variant": self.variant,
            "normalization": self.normalization,
        }


def _check(depth, width_multiplier, sk_ratio, se_ratio, batch_norm_decay):
    if depth not in _BLOCKS:
        raise ValueError(f"`depth` must be one of {list(_BLOCKS)}, got {depth}.")
    if width_multiplier <= 0:
        raise ValueError(
            f"`width_multiplier` must be positive, got {width_multiplier}."
        )
    for name, ratio in (("sk_ratio", sk_ratio), ("se_ratio", se_ratio)):
        if ratio < 0:
            raise ValueError(f"`{name}` must be >= 0, got {ratio}.")
    if not 0 <= batch_norm_decay < 1:
        raise ValueError(
            f"`batch_norm_decay` must be in [0, 1), got {batch_norm_decay}."
        )


def _check_words(stem, variant, normalization):
    for name, word, allowed in (
        ("stem", stem, _STEMS),
        ("variant", variant, _VARIANTS),
    ):
        if word not in allowed:
            raise ValueError(f"`{name}` must be one of {allowed}, got {word!r}.")
    try:
        input_normalization.constants(normalization)
    except ValueError as error:
        raise ValueError(
            f"`normalization` must be one of {input_normalization.ALLOWED}, got "
            f"{normalization!r}."
        ) from error
