"""What the published TensorFlow 2 code does, stated anew: what ours is held against.

Networks of plain Keras layers, batch norm in separate operations, similarities of the
whole batch at once, LARS variable by variable, views image by image.
"""

import tensorflow as tf
from tensorflow import keras

_BLOCKS = {18: (False, (2, 2, 2, 2)), 50: (True, (3, 4, 6, 3))}


def resnet(depth, size, width=1.0):
    """A Keras model from `[B, S, S, 3]` to features `[B, C]`."""
    bottleneck, groups = _BLOCKS[depth]
    inputs = keras.Input([size, size, 3])
    if size <= 32:
        hidden = _convolution(inputs, round(64 * width), 3)
    else:
        hidden = _convolution(inputs, round(64 * width), 7, 2)
        hidden = keras.layers.MaxPooling2D(3, 2, "same")(hidden)
    for group, count in enumerate(groups):
        for block in range(count):
            strides = 2 if group and not block else 1
            filters = round(64 * 2**group * width)
            hidden = _block(hidden, filters, strides, bottleneck, project=not block)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(hidden))


def _block(hidden, filters, strides, bottleneck, project):
    channels = 4 * filters if bottleneck else filters
    shortcut = hidden
    if project:
        shortcut = _convolution(hidden, channels, 1, strides, relu=False)
    if bottleneck:
        hidden = _convolution(hidden, filters, 1)
    hidden = _convolution(hidden, filters, 3, strides)
    hidden = _convolution(hidden, channels, 1 if bottleneck else 3, relu=False)
    return keras.layers.ReLU()(hidden + shortcut)


def _convolution(hidden, filters, kernel_size, strides=1, relu=True):
    if strides > 1 and kernel_size > 1:
        hidden = keras.layers.ZeroPadding2D((kernel_size - 1) // 2)(hidden)
    padding = "same" if strides == 1 else "valid"
    hidden = keras.layers.Conv2D(
        filters, kernel_size, strides, padding, use_bias=False
    )(hidden)
    hidden = _norm()(hidden)
    return keras.layers.ReLU()(hidden) if relu else hidden


def _norm(**options):
    return keras.layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, synchronized=True, **options
    )


def projection_head(features, outputs=128):
    """A Keras model from features `[B, C]` to projections `[B, outputs]`."""
    inputs = hidden = keras.Input([features])
    for _ in range(2):
        hidden = keras.layers.Dense(features, use_bias=False)(hidden)
        hidden = keras.layers.ReLU()(_norm()(hidden))
    hidden = keras.layers.Dense(outputs, use_bias=False)(hidden)
    return keras.Model(inputs, _norm(center=False)(hidden))


def nt_xent(projections, temperature=0.1):
    """Loss and contrastive accuracy of `[2 B, E]`, first views before second ones."""
    first, second = tf.split(tf.math.l2_normalize(projections, -1), 2)
    rows = tf.shape(first)[0]
    labels, masks = (
        tf.one_hot(tf.range(rows), 2 * rows),
        tf.one_hot(tf.range(rows), rows),
    )
    losses = []
    for a, b in ((first, second), (second, first)):
        same = tf.matmul(a, a, transpose_b=True) / temperature - masks * 1e9
        other = tf.matmul(a, b, transpose_b=True) / temperature
        logits = tf.concat([other, same], 1)
        losses.append(tf.nn.softmax_cross_entropy_with_logits(labels, logits))
    hits = tf.equal(tf.argmax(other, 1), tf.argmax(masks, 1))
    return tf.reduce_mean(losses[0] + losses[1]), tf.reduce_mean(tf.cast(hits, "float"))


class LARS:
    """A few small operations for each variable.

    Args:
        variables: List of `tf.Variable`.
    """

    def __init__(self, variables, rate=0.1, momentum=0.9, decay=1e-4):
        self.rate, self.momentum, self.decay = tf.Variable(rate), momentum, decay
        self.velocities = [tf.Variable(tf.zeros(v.shape)) for v in variables]
        self.variables = variables

    def apply(self, gradients):
        """One step."""
        for gradient, variable, velocity in zip(
            gradients, self.variables, self.velocities, strict=True
        ):
            ratio = 1.0
            if len(variable.shape) > 1:
                gradient += self.decay * variable
                norm, of_gradient = tf.norm(variable, ord=2), tf.norm(gradient, ord=2)
                ratio = tf.where(
                    norm > 0,
                    tf.where(of_gradient > 0, 0.001 * norm / of_gradient, 1.0),
                    1.0,
                )
            moved = self.momentum * velocity + self.rate * ratio * gradient
            velocity.assign(moved)
            variable.assign(variable - moved)


def training_step(depth, size, batch, width=1.0, bfloat16=False):
    """A function that does one step of pre-training on the same views again."""
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if bfloat16 else "float32")
    encoder = resnet(depth, size, width)
    head = projection_head(encoder.output_shape[-1])
    linear = keras.layers.Dense(10)
    linear(tf.zeros([1, encoder.output_shape[-1]]))
    views = tf.random.uniform([batch, size, size, 6])
    labels = tf.one_hot(tf.range(batch) % 10, 10)
    variables = [
        *encoder.trainable_variables,
        *head.trainable_variables,
        *linear.trainable_variables,
    ]
    variables = [v if isinstance(v, tf.Variable) else v.value for v in variables]
    optimizer = LARS(variables)

    @tf.function
    def step(views):
        with tf.GradientTape() as tape:
            features = encoder(tf.concat(tf.split(views, 2, -1), 0), training=True)
            projections = tf.cast(head(features, training=True), tf.float32)
            contrast, _ = nt_xent(projections)
            logits = tf.cast(linear(tf.stop_gradient(features)), tf.float32)
            supervised = tf.nn.softmax_cross_entropy_with_logits(
                tf.concat([labels, labels], 0), logits
            )
            loss = contrast + tf.reduce_mean(supervised)
        optimizer.apply(tape.gradient(loss, variables))
        return loss

    return lambda: step(views).numpy()


def view(image, size, color, blur, strength=1.0):
    """One view of a float image by tf.image, as `preprocess_for_train` draws it."""
    begin, shape, _ = tf.image.sample_distorted_bounding_box(
        tf.shape(image),
        tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),
        min_object_covered=0.1,
        aspect_ratio_range=(3 / 4, 4 / 3),
        area_range=(0.08, 1.0),
        max_attempts=100,
    )
    image = tf.image.resize(tf.slice(image, begin, shape), (size, size), "bicubic")
    image = tf.image.random_flip_left_right(image)
    if color:
        image = _sometimes(0.8, lambda x: _jitter(x, strength), image)
        image = _sometimes(0.2, _grayscale, image)
    image = tf.clip_by_value(tf.reshape(image, [size, size, 3]), 0.0, 1.0)
    return _sometimes(0.5, _blurred, image) if blur else image


def _sometimes(probability, change, image):
    return tf.cond(
        tf.random.uniform([]) < probability, lambda: change(image), lambda: image
    )


def _jitter(image, strength):
    """Four changes in random order."""
    spread = 0.8 * strength
    changes = (
        lambda x: x * tf.random.uniform([], 1 - spread, 1 + spread),
        lambda x: tf.image.random_contrast(x, 1 - spread, 1 + spread),
        lambda x: tf.image.random_saturation(x, 1 - spread, 1 + spread),
        lambda x: tf.image.random_hue(x, 0.2 * strength),
    )
    order = tf.random.shuffle(tf.range(4))
    for slot in range(4):
        branches = [lambda f=f, x=image: f(x) for f in changes]
        image = tf.clip_by_value(tf.switch_case(order[slot], branches), 0.0, 1.0)
    return image


def _grayscale(image):
    return tf.tile(tf.image.rgb_to_grayscale(image), [1, 1, 3])


def _blurred(image):
    """Two depthwise convolutions of one image."""
    radius = image.shape[0] // 10 // 2
    window = tf.range(-radius, radius + 1, dtype=tf.float32)
    window = tf.exp(-tf.square(window) / (2.0 * tf.random.uniform([], 0.1, 2.0) ** 2))
    window = tf.tile(
        (window / tf.reduce_sum(window))[:, None, None, None], [1, 1, 3, 1]
    )
    for each in (window, tf.transpose(window, [1, 0, 2, 3])):
        image = tf.nn.depthwise_conv2d(image[None], each, [1, 1, 1, 1], "SAME")[0]
    return image
