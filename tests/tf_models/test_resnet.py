import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import tf_models


def parameters(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


@pytest.mark.parametrize(
    "arguments,encoder,head,tensors",
    [
        ({"depth": 18, "stem": "cifar"}, 11_173_056, 592_000, 73),
        ({"depth": 34, "stem": "cifar"}, 21_281_216, 592_000, 121),
        ({"depth": 50, "stem": "cifar"}, 23_500_352, 8_659_072, 169),
        ({"depth": 50}, 23_508_032, 8_659_072, 169),
        ({"depth": 50, "sk_ratio": 0.0625}, 35_215_584, 8_659_072, 239),
    ],
)
def test_parameter_counts_of_the_published_code(arguments, encoder, head, tensors):
    network = tf_models.ResNet(**arguments)
    projection = tf_models.ProjectionHead()
    projection.build([None, network.feature_dim])
    linear = tf_models.LinearHead(10)
    linear.build([None, network.feature_dim])
    assert parameters(network) == encoder
    assert parameters(projection) == head
    assert parameters(linear) == 10 * network.feature_dim + 10
    parts = (network, projection, linear)
    assert sum(len(part.trainable_variables) for part in parts) == tensors


@pytest.mark.parametrize(
    "arguments,millions",  # encoders of SimCLRv2, table 1
    [
        ({"depth": 50, "width_multiplier": 2}, 94),
        ({"depth": 101}, 43),
        ({"depth": 101, "sk_ratio": 0.0625}, 65),
        ({"depth": 152}, 58),
    ],
)
def test_sizes_of_the_second_paper(arguments, millions):
    assert round(parameters(tf_models.ResNet(**arguments)) / 1e6) == millions


def test_endpoints_of_the_published_code():
    network = tf_models.ResNet(18, stem="cifar")
    shapes = {
        name: tuple(value.shape)
        for name, value in network.endpoints(tf.zeros([2, 32, 32, 3])).items()
    }
    assert shapes == {
        "initial_conv": (2, 32, 32, 64),
        "initial_max_pool": (2, 32, 32, 64),
        "block_group1": (2, 32, 32, 64),
        "block_group2": (2, 16, 16, 128),
        "block_group3": (2, 8, 8, 256),
        "block_group4": (2, 4, 4, 512),
        "final_avg_pool": (2, 512),
    }
    large = tf_models.ResNet(50, width_multiplier=0.0625)
    outputs = large.endpoints(tf.zeros([1, 64, 64, 3]))
    assert outputs["initial_conv"].shape[1] == 32
    assert outputs["initial_max_pool"].shape[1] == 16
    assert outputs["block_group4"].shape == (1, 2, 2, 128)


def norm(images, layer, epsilon=1e-5):
    gamma, beta, mean, variance = (np.array(weight) for weight in layer.weights)
    return gamma * (images - mean) / np.sqrt(variance + epsilon) + beta


def randomise(layer):
    random = np.random.RandomState(0)
    layer.set_weights([0.5 + random.rand(*w.shape) for w in layer.get_weights()])


@pytest.mark.parametrize("bottleneck", [False, True])
def test_block_is_the_literal_sequence_of_operations(bottleneck):
    from tf_models.blocks import ResidualBlock

    block = ResidualBlock(4, 2, bottleneck, project=True, norm={"epsilon": 1e-5})
    block.build([None, None, None, 6])
    randomise(block)
    images = np.random.RandomState(1).rand(2, 9, 8, 6).astype("float32")

    def convolve(images, part, strides=1):
        (kernel,) = part.convolution.get_weights()
        pad = (kernel.shape[0] - 1) // 2
        padded = np.pad(images, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
        return norm(tf.nn.conv2d(padded, kernel, strides, "VALID").numpy(), part.norm)

    hidden = images
    if bottleneck:
        hidden = np.maximum(convolve(hidden, block.first), 0)
    hidden = np.maximum(convolve(hidden, block.middle, 2), 0)  # stride on the 3x3
    hidden = convolve(hidden, block.last)
    shortcut = convolve(images, block.shortcut.projection, 2)
    expected = np.maximum(hidden + shortcut, 0)
    found = block(images, training=False)
    np.testing.assert_allclose(found, expected, rtol=2e-4)


def test_blocks_start_as_their_shortcut():
    from tf_models.blocks import ResidualBlock

    images = tf.random.stateless_normal([2, 6, 6, 8], [0, 1])
    block = ResidualBlock(8, norm={})
    np.testing.assert_allclose(block(images), tf.nn.relu(images))


def test_shortcut_of_resnet_d_averages_before_it_projects():
    from tf_models.blocks import Shortcut

    images = np.random.RandomState(1).rand(1, 4, 6, 2).astype("float32")
    for strides, shape in ((1, (1, 4, 6, 3)), (2, (1, 2, 3, 3))):
        layer = Shortcut(3, strides, resnet_d=True, norm={"epsilon": 1e-5})
        found = layer(images, training=False)
        assert found.shape == shape
        (kernel,) = layer.projection.convolution.get_weights()
        window = images[0, :2, 2:4].mean(axis=(0, 1))
        column = 2 // strides
        expected = window @ kernel[0, 0] / np.sqrt(1 + 1e-5)
        np.testing.assert_allclose(found[0, 0, column], expected, rtol=1e-4)


def test_selective_kernel_is_the_literal_formula():
    from tf_models.attention import SelectiveKernel

    layer = SelectiveKernel(4, 2, 0.25, norm={"epsilon": 1e-5})
    images = np.random.RandomState(1).rand(2, 8, 8, 3).astype("float32")
    layer.build(images.shape)
    randomise(layer)
    branches = layer.branches(images, training=False).numpy()
    first, second = branches[..., :4], branches[..., 4:]
    summary = (first + second).mean(axis=(1, 2))
    (squeeze,) = layer.squeeze.convolution.get_weights()
    assert squeeze.shape[-1] == 32  # the least
    middle = np.maximum(norm(summary @ squeeze[0, 0], layer.squeeze.norm), 0)
    scores = middle @ layer.mixture.get_weights()[0][0, 0]
    share = 1 / (1 + np.exp(scores[:, 4:] - scores[:, :4]))[:, None, None]
    expected = share * first + (1 - share) * second
    assert expected.shape == (2, 4, 4, 4)
    np.testing.assert_allclose(layer(images, training=False), expected, rtol=1e-4)


def test_squeeze_excitation_is_the_literal_formula():
    from tf_models.attention import SqueezeExcitation

    layer = SqueezeExcitation(channels=6, filters=4, se_ratio=0.5)
    images = np.random.RandomState(1).rand(2, 5, 5, 6).astype("float32")
    layer.build(images.shape)
    randomise(layer)
    kernel, bias, gate_kernel, gate_bias = layer.get_weights()
    assert kernel.shape == (1, 1, 6, 2)
    hidden = np.maximum(images.mean(axis=(1, 2)) @ kernel[0, 0] + bias, 0)
    gate = 1 / (1 + np.exp(-(hidden @ gate_kernel[0, 0] + gate_bias)))
    np.testing.assert_allclose(layer(images), images * gate[:, None, None], rtol=1e-4)


@pytest.mark.parametrize("block", range(-1, 5))
def test_what_is_frozen_keeps_weights_and_statistics(block):
    # Defect B2 of the published code.
    network = tf_models.ResNet(18, width_multiplier=0.0625, stem="cifar")
    network.freeze(block)
    images = tf.random.stateless_uniform([4, 8, 8, 3], [0, 1])
    optimizer = keras.optimizers.SGD(0.1)
    before = {}
    for number in range(5):
        layers = network._stem() if number == 0 else network._groups()[number - 1]
        before[number] = [np.array(w) for layer in layers for w in layer.weights]
    for _ in range(3):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(network(images, training=True) ** 2)
        variables = network.trainable_variables
        if variables:
            gradients = tape.gradient(loss, variables)
            optimizer.apply_gradients(zip(gradients, variables, strict=True))
    for number in range(5):
        layers = network._stem() if number == 0 else network._groups()[number - 1]
        after = [np.array(w) for layer in layers for w in layer.weights]
        same = [
            np.array_equal(a, b) for a, b in zip(before[number], after, strict=True)
        ]
        assert all(same) if number <= block else not any(same)


@pytest.mark.parametrize(
    "arguments",
    [
        {"depth": 18, "stem": "cifar", "se_ratio": 0.25},
        {"depth": 50, "sk_ratio": 0.0625, "global_bn": False},
        {"depth": 18, "variant": "torchvision", "normalization": "imagenet"},
    ],
)
def test_keras_file_round_trip(arguments, tmp_path):
    network = tf_models.ResNet(width_multiplier=0.0625, **arguments)
    images = tf.random.stateless_uniform([2, 32, 32, 3], [0, 1])
    network(images, training=True)
    network.save(tmp_path / "network.keras")
    again = keras.models.load_model(tmp_path / "network.keras")
    assert again.get_config() == network.get_config()
    np.testing.assert_array_equal(again(images), network(images))


def test_checkpoints_hold_every_variable_once(tmp_path):
    network = tf_models.ResNet(50, width_multiplier=0.0625, sk_ratio=0.1, se_ratio=0.1)
    prefix = tf.train.Checkpoint(encoder=network).write(str(tmp_path / "c"))
    names = [name for name, _ in tf.train.list_variables(prefix)]
    held = [name for name in names if name.startswith("encoder/")]
    assert len(held) == len(network.weights)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_gives_float32_features_near_those_of_float32(policy):
    images = tf.random.stateless_uniform([4, 16, 16, 3], [0, 1])
    plain = tf_models.ResNet(18, width_multiplier=0.25, stem="cifar")
    keras.mixed_precision.set_global_policy(policy)
    mixed = tf_models.ResNet(18, width_multiplier=0.25, stem="cifar")
    mixed.set_weights(plain.get_weights())
    found = tf.function(mixed)(images, training=True)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, plain(images, training=True), atol=0.1)


@pytest.mark.parametrize(
    "arguments,message",
    [
        ({"depth": 19}, r"`depth` must be one of \[18, .*got 19"),
        ({"width_multiplier": 0}, "`width_multiplier` must be positive, got 0"),
        ({"sk_ratio": -1}, "`sk_ratio` must be >= 0, got -1"),
        ({"se_ratio": -1}, "`se_ratio` must be >= 0"),
        (
            {"stem": "small"},
            r"`stem` must be one of \('imagenet', 'cifar', .*got 'small",
        ),
        (
            {"variant": "b"},
            r"`variant` must be one of \('simclr', 'torchvision'\), got",
        ),
        (
            {"normalization": "x"},
            "`normalization` must be one of none, imagenet, caffe, or si",
        ),
        ({"normalization": "1,1,1,1,1,0"}, "deviations > 0, got '1,1,1,1,1,0'"),
        ({"batch_norm_decay": 1}, r"`batch_norm_decay` must be in \[0, 1\)"),
    ],
)
def test_wrong_arguments_say_what_is_allowed(arguments, message):
    with pytest.raises(ValueError, match=message):
        tf_models.ResNet(**arguments)
    with pytest.raises(ValueError, match="must be in -1..4, got 5"):
        tf_models.ResNet(18, width_multiplier=0.0625).freeze(5)


def test_images_are_normalized_before_the_zeros_around_them():
    images = tf.random.stateless_uniform([2, 16, 16, 3], [0, 1])
    plain = tf_models.ResNet(18, width_multiplier=0.125)
    network = tf_models.ResNet(
        18, width_multiplier=0.125, normalization="0.25,0.5,0.75,0.5,0.25,2"
    )
    network.set_weights(plain.get_weights())
    by_hand = (images - [0.25, 0.5, 0.75]) / [0.5, 0.25, 2]
    np.testing.assert_allclose(network(images), plain(by_hand), rtol=1e-5, atol=1e-6)
    assert np.abs(network(images) - plain(images)).max() > 1e-2


@pytest.mark.parametrize(
    "stem,first,pooled",
    [("cifar", 16, 16), ("cifar_padded", 18, 18), ("cifar_pool", 16, 8)],
)
def test_sizes_behind_small_stems(stem, first, pooled):
    network = tf_models.ResNet(18, width_multiplier=0.125, stem=stem)
    outputs = network.endpoints(tf.zeros([1, 16, 16, 3]))
    assert outputs["initial_conv"].shape == (1, first, first, 8)
    assert outputs["initial_max_pool"].shape == (1, pooled, pooled, 8)


@pytest.mark.parametrize("depth,fewer", [(18, 4224), (50, 0)])
def test_torchvision_projects_only_where_shapes_change(depth, fewer):
    ours, theirs = (
        tf_models.ResNet(depth, variant=variant)
        for variant in ("simclr", "torchvision")
    )
    assert parameters(ours) - parameters(theirs) == fewer
