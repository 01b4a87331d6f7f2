"""A memory of negatives: embeddings of earlier batches, by a momentum encoder."""

import tensorflow as tf
from tensorflow import keras

from simclr_tf import keras_compat
from simclr_tf.training import _common, _micro_batches


@keras.utils.register_keras_serializable(package="simclr_tf")
class NegativeMemory(keras_compat.UntrainedLayer):
    """The last embeddings of a momentum encoder, negatives for small batches.

    `SimCLR(..., memory=NegativeMemory(4096))` compares every row not only with the
    batch, but also with `size` embeddings of the batches before. They come from copies
    of the encoder and the projection head whose weights `m` follow those of the
    networks, `w`: `m <- momentum * m + (1 - momentum) * w` after every step. Of each
    image, the second view is stored. The newest embeddings replace the oldest; until
    all places are filled, there are fewer negatives.

    The copies start with the weights that the networks have when training starts, and
    receive no gradient. As in training the networks do, their batch norm takes the
    statistics of the batch, over all replicas if it is synchronized; nothing reads its
    moving statistics. Every replica holds the same memory.

    Args:
        size: Int >= 1, how many embeddings are kept, at least as many as the images of
            a batch of all replicas. Keep it well below the number of images, so that
            an image seldom meets its own embedding of the epoch before.
        momentum: Float in [0, 1).
        make_networks: Callable that returns `(encoder, projection_head)`, new ones like
            those of the model, for networks that Keras cannot copy. None copies them.
        **kwargs: Those of `keras.layers.Layer`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import simclr_tf, tf_models
        >>> memory = NegativeMemory(size=4096)
        >>> encoder = tf_models.ResNet(depth=18, width_multiplier=0.25, stem="cifar")
        >>> head = tf_models.ProjectionHead(output_dim=64)
        >>> model = simclr_tf.SimCLR(encoder, head, memory=memory)
        >>> memory.embeddings.shape
        TensorShape([4096, 64])

    Reference: He et al. 2020, https://arxiv.org/abs/1911.05722, section 3.2; Chen et
    al. 2020b, https://arxiv.org/abs/2006.10029, section 2, with a memory of 65,536 and
    a momentum of 0.999.
    """

    def __init__(self, size, momentum=0.999, make_networks=None, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        if size < 1:
            raise ValueError(f"`size` must be at least 1, got {size}.")
        if not 0 <= momentum < 1:
            raise ValueError(f"`momentum` must be in [0, 1), got {momentum}.")
        self.size = size
        self.momentum = momentum
        self.make_networks = make_networks
        self.encoder = self.projection_head = None
        self.embeddings = self.stored = None

    def copy_networks(self, encoder, projection_head, image_size=None):
        """Creates every variable; `SimCLR` calls this once.

        Args:
            encoder: Built Keras model, see `SimCLR`.
            projection_head: Built Keras layer.
            image_size: Int or None, height and width to build an encoder with.

        Raises:
            ValueError: If the memory has a model already, or a network cannot be
                copied.
        """
        if self.built:
            raise ValueError("`memory` belongs to another model: make one for each.")
        features = tf.zeros([1, _common.feature_dim(encoder, image_size)])

        def project(head):
            return _common.hidden_layers(head, features, training=False)

        with keras_compat.every_replica_its_own():
            first, second = self._made()
            self.encoder = _copy(
                encoder,
                first,
                "encoder",
                lambda copy: _common.feature_dim(copy, image_size),
            )
            self.projection_head = _copy(
                projection_head, second, "projection_head", project
            )
            self._make_places(project(self.projection_head)[-1].shape[-1])
        self.hold()
        self.built = True

    def _make_places(self, embedding_dim):
        options = {"initializer": "zeros", "trainable": False}  # an empty place is 0
        shape = [self.size, embedding_dim]
        self.embeddings = self.add_weight(shape=shape, name="embeddings", **options)
        self.stored = self.add_weight(shape=[], dtype="int64", name="stored", **options)

    def _made(self):
        """What `make_networks` returns; a pair of None without it."""
        if self.make_networks is None:
            return None, None
        copies = self.make_networks()
        if not (isinstance(copies, (tuple, list)) and len(copies) == 2):
            raise ValueError(
                f"`make_networks` must return (encoder, projection_head), got {copies}."
            )
        return copies

    def exchange(self, images, encoder, projection_head, micro_batch_size=None):
        """Stores the embeddings of a batch, and returns those of earlier ones.

        Call it before the networks are updated: it first lets the copies follow the
        update of the step before.

        Args:
            images: Float tensor `[b, H, W, 3]`, one view of this replica's images.
            encoder: The model's encoder.
            projection_head: The model's projection head.
            micro_batch_size: Int or None, see `SimCLR`.

        Returns:
            Float32 tensor `[size, E]`, the same on all replicas; rows of zeros are
            empty places. No gradient flows to it.
        """
        earlier = tf.identity(tf.convert_to_tensor(self.embeddings))
        self._follow(encoder, projection_head)
        self._store(self._embed(images, micro_batch_size))
        return earlier

    def _follow(self, encoder, projection_head):
        # Before anything is stored, the copies have weights of their own.
        momentum = tf.where(tf.convert_to_tensor(self.stored) > 0, self.momentum, 0.0)
        pairs = [
            *keras_compat.paired_variables(encoder, self.encoder),
            *keras_compat.paired_variables(projection_head, self.projection_head),
        ]
        for theirs, mine in pairs:
            if mine.dtype.is_floating:  # no counters, and no seeds
                share = tf.cast(momentum, mine.dtype)
                mine.assign(share * mine + (1 - share) * theirs)

    def _embed(self, images, micro_batch_size):
        def network(images):
            features = _common.pooled(self.encoder(images, training=True))
            return _common.hidden_layers(self.projection_head, features, True)[-1:]

        if micro_batch_size is None:
            return network(images)[0]
        pieces = _micro_batches.pieces_of(images, micro_batch_size)
        return _micro_batches.embed(network, images, pieces, state=[])[0]

    def _store(self, embeddings):
        embeddings = _of_all_replicas(tf.cast(embeddings, tf.float32))  # [B, E]
        count = tf.shape(embeddings, tf.int64)[0]
        stored = tf.convert_to_tensor(self.stored)
        places = (stored + tf.range(count)) % self.size
        self.embeddings.assign(
            tf.tensor_scatter_nd_update(
                tf.convert_to_tensor(self.embeddings),
                places[:, tf.newaxis],
                embeddings,
            )
        )
        self.stored.assign(stored + count)

    def get_config(self):
        make_networks = self.make_networks
        if make_networks is not None:
            make_networks = keras.utils.serialize_keras_object(make_networks)
        return {
            **super().get_config(),
            "size": self.size,
            "momentum": self.momentum,
            "make_networks": make_networks,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**_common.deserialized(config))


def _copy(network, copy, what, build):
    """A network like `network`, with variables of its own.

    Args:
        network: Built Keras layer.
        copy: The copy, if there is one already.
        what: Str, the argument of `SimCLR` that brought the network.
        build: Callable that builds a copy.
    """
    try:
        if copy is None:
            copy = _from_config(network)
        if not copy.built and (config := network.get_build_config()):
            copy.build_from_config(config)
        build(copy)
        pairs = keras_compat.paired_variables(network, copy)
    except Exception as error:  # whatever the constructor of a user's class says
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise _no_copy(what, reason) from error
    if copy is network:
        raise _no_copy(what, "`make_networks` returns the network itself")
    if any(theirs.shape != mine.shape for theirs, mine in pairs):
        raise _no_copy(what, "what its config makes has variables of other shapes")
    # Batch norm that is frozen is frozen in the copy, which not every config says.
    layers = zip(network._flatten_layers(), copy._flatten_layers(), strict=True)
    for theirs, mine in layers:
        mine.trainable = theirs.trainable
    return copy


def _from_config(network):
    if isinstance(network, keras.Model):
        return keras.models.clone_model(network)
    return type(network).from_config(network.get_config())


def _no_copy(what, reason):
    return ValueError(
        f"`memory` needs a copy of `{what}`, and there is none ({reason}). Give the "
        "class a `get_config`, or pass NegativeMemory(make_networks=...), a function "
        "that returns a new encoder and a new projection head."
    )


def _of_all_replicas(rows):
    """Rows `[B, E]` of all replicas, in the order of the global batch."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return rows
    return tf.ensure_shape(context.all_gather(rows, axis=0), [None, rows.shape[-1]])
