"""Weights of the published SimCLR code give the features of its networks here."""

import numpy as np
import pytest
import tensorflow as tf

import run
from simclr_tf import export
from simclr_tf.errors import UserError
from simclr_tf.weights import architecture, tf1
from tests.weights import published
from tests.weights.published import IMAGES, NORM, assert_same, write_tf2

RESNETS = {}  # those of the paper, see tests/conftest.py
RECIPES = {
    "r18_32": {"bottleneck": False, "blocks": (2, 2, 2, 2), "small": True},
    "r18_224": {"bottleneck": False, "blocks": (2, 2, 2, 2)},
    "r50_224": {"bottleneck": True, "blocks": (3, 4, 6, 3)},
    "r50_sk_224": {"bottleneck": True, "blocks": (3, 4, 6, 3), "sk": True},
}


def numbered(values, layer, kind):
    """The variables of `base_model/conv2d`, `conv2d_1`, ... as a list."""
    found = []
    while (name := f"base_model/{layer}{f'_{len(found)}' * bool(found)}") + (
        f"/{kind}"
    ) in values:
        found.append(name)
    return found


def network_of_tf1(values):
    """The published network, with biases beside kernels where there are some."""
    kernels = [
        (values[f"{name}/kernel"], values[f"{name}/bias"])
        if f"{name}/bias" in values
        else values[f"{name}/kernel"]
        for name in numbered(values, "conv2d", "kernel")
    ]
    norms = [
        {kind: values[f"{name}/{kind}"] for kind in NORM}
        for name in numbered(values, "batch_normalization", "gamma")
    ]
    return published.Network(kernels, norms)


@pytest.mark.parametrize("network", RECIPES)
def test_tf1_checkpoint(network, tmp_path):
    values = published.random_values(published.names("tf1", network))
    values |= {f"{name}/Momentum": values[name] for name in list(values)}
    values["global_step"] = np.int64(250)
    published.write_tf1(str(tmp_path / "model.ckpt-250"), values)
    imported = export.import_checkpoint(str(tmp_path))
    expected = np.array(network_of_tf1(values).features(IMAGES, **RECIPES[network]))
    assert_same(imported.encoder(IMAGES), expected)
    assert imported.step == 250
    assert_heads_are_theirs(
        imported,
        values,
        expected,
        "head_contrastive/nl_{}/dense/kernel",
        "head_contrastive/nl_{}/batch_normalization",
        "head_supervised/linear_layer/dense",
    )


def assert_heads_are_theirs(imported, values, features, dense, norm, linear):
    logits = features @ values[f"{linear}/kernel"] + values[f"{linear}/bias"]
    assert_same(imported.linear_head(features), logits)
    hidden, count = features, imported.projection_head.num_layers
    for number in range(count):
        hidden = hidden @ values[dense.format(number)]
        scale = {n: values.get(f"{norm.format(number)}/{n}", 0.0) for n in NORM}
        hidden = (hidden - scale["moving_mean"]) / np.sqrt(
            scale["moving_variance"] + 1e-5
        )
        hidden = hidden * scale["gamma"] + scale["beta"]
        hidden = np.maximum(hidden, 0) if number < count - 1 else hidden
    assert_same(imported.projection_head(features), hidden)


def paths_of_r18():
    """`(kernel, norm)` of every convolution, in the order in which they are applied."""
    root = "model/resnet_model/"
    stem = f"{root}initial_conv_relu_max_pool/"
    yield f"{stem}0/conv2d/kernel", f"{stem}2/bn"
    for group in range(4):
        for layer in range(2):
            block = f"{root}block_groups/{group}/layers/{layer}/"
            lists = [("shortcut_layers", 0)] * (layer == 0)
            for name, number in (
                *lists,
                ("conv2d_bn_layers", 0),
                ("conv2d_bn_layers", 2),
            ):
                yield (
                    f"{block}{name}/{number}/conv2d/kernel",
                    f"{block}{name}/{number + 1}/bn",
                )


def network_of_tf2(values, paths):
    norms = [{k: values[f"{norm}/{k}"] for k in NORM} for _, norm in paths if norm]
    return published.Network([values[kernel] for kernel, _ in paths], norms)


def write_saved_model(values, folder):
    """As the code does: variables have a shorter path in a list beside the model."""
    root = published.tree(values)
    module = tf.Module()
    # In the order of the alphabet this is not the order of the model.
    module.model = root.model
    module.trainable_variables_list = list(root.model.trainable_variables)
    tf.saved_model.save(module, str(folder))


@pytest.mark.parametrize(
    "write,kind",
    [
        (write_tf2, "r18_32"),
        (write_tf2, "r18_224"),
        (write_saved_model, "r18_32"),
    ],
)
def test_tf2_of_resnet_18(write, kind, tmp_path):
    values = published.random_values(published.names("tf2", kind))
    write(values, tmp_path)
    imported = export.import_checkpoint(str(tmp_path))
    network = network_of_tf2(values, list(paths_of_r18()))
    expected = np.array(network.features(IMAGES, **RECIPES[kind]))
    assert_same(imported.encoder(IMAGES), expected)
    assert imported.step == (7 if write is write_tf2 else 0)
    assert_heads_are_theirs(
        imported,
        values,
        expected,
        "model/_projection_head/linear_layers/{}/dense/kernel",
        "model/_projection_head/linear_layers/{}/bn_relu/bn",
        "model/supervised_head/linear_layer/dense",
    )


class Served(tf.Module):
    """As the published code serves a network, with features of our choice."""

    def __init__(self, model, features):
        self.model, self._features = model, features

    @tf.function
    def __call__(self, inputs, trainable):
        return {"final_avg_pool": self._features(inputs)}


@pytest.mark.parametrize("factor", [1.0, 1.01])
def test_features_of_a_saved_model_are_compared(factor, tmp_path, capsys):
    values = published.random_values(published.names("tf2", "r18_32"))

    def features(images):
        network = network_of_tf2(values, list(paths_of_r18()))
        return factor * network.features(images, **RECIPES["r18_32"])

    served = Served(published.tree(values).model, features)
    spec = tf.TensorSpec([None, None, None, 3])
    served.__call__.get_concrete_function(spec, trainable=False)
    tf.saved_model.save(served, str(tmp_path / "theirs"))
    folder = tmp_path / "run"
    arguments = ["--mode=import", f"--source={tmp_path / 'theirs'}"]
    code = run.main(["run.py", *arguments, f"--model_dir={folder}"])
    out, err = capsys.readouterr()
    if factor == 1.0:
        assert code == 0 and "compared   features differ by" in out
        assert (folder / "ckpt-0.index").exists()
    else:
        assert code == 2 and "the source computes different features" in err
        assert not folder.exists()


def full_size(network, width):
    """`Found` of the published shapes; their values take no memory."""
    listed = published.literal_names("tf1", network)
    arrays = {}
    for name, shape in listed:
        wide = [
            size * width if size > 10 and not (size == 32 and shape[0] == 1) else size
            for size in shape
        ]
        arrays[name] = np.broadcast_to(np.float32(0), wide)
    return tf1.read(arrays)


@pytest.mark.parametrize(
    "network,width,expected",
    [
        ("r18_32", 1, {"depth": 18, "stem": "cifar"}),
        ("r50_224", 1, {"depth": 50}),
        ("r50_224", 2, {"depth": 50, "width_multiplier": 2}),
        ("r50_sk_224", 1, {"depth": 50, "sk_ratio": 0.0625}),
    ],
)
def test_architecture_of_the_published_shapes(network, width, expected):
    networks = architecture.infer(full_size(network, width))
    plain = {"width_multiplier": 1, "sk_ratio": 0.0, "se_ratio": 0.0}
    plain |= {"stem": "imagenet", "variant": "simclr", "normalization": "none"}
    assert networks.encoder == plain | expected


def test_what_the_encoder_has_left_over_is_refused(tmp_path):
    values = published.random_values(published.names("tf1", "r18_32"))
    published.write_tf1(str(tmp_path / "a"), values | {"other/kernel": np.ones(2)})
    assert export.import_checkpoint(str(tmp_path / "a")).step == 0
    more = {"base_model/conv2d/scale": np.ones(2)}
    published.write_tf1(str(tmp_path / "b"), values | more)
    with pytest.raises(UserError, match="1 are left over.*\n.*base_model/conv2d/scale"):
        export.import_checkpoint(str(tmp_path / "b"))


def test_what_the_encoder_of_tf2_has_left_over_is_refused(tmp_path):
    values = published.random_values(published.names("tf2", "r18_32"))
    for owner in ("other", "resnet_model"):
        (tmp_path / owner).mkdir()
        more = {f"model/{owner}/scale": np.ones(2, "float32")}
        write_tf2(values | more, tmp_path / owner)
    assert export.import_checkpoint(str(tmp_path / "other")).step == 7
    message = "1 are left over.*\n.*model/resnet_model/scale"
    with pytest.raises(UserError, match=message):
        export.import_checkpoint(str(tmp_path / "resnet_model"))


@pytest.mark.parametrize("shape", [[32, 16], [32]])
def test_a_projection_head_of_another_kind_is_refused(shape, tmp_path):
    values = published.random_values(published.names("tf1", "r18_32"))
    values["head_contrastive/nl_0/dense/kernel"] = np.ones(shape, "float32")
    published.write_tf1(str(tmp_path / "a"), values)
    with pytest.raises(UserError, match="projection head must have the shapes"):
        export.import_checkpoint(str(tmp_path / "a"))


def test_blocks_that_take_in_what_the_shortcut_pooled_are_refused():
    stem = {"": (3, 3, 3, 2), "_1": (3, 3, 2, 2), "_2": (3, 3, 2, 4)}
    block = {"_3": (1, 1, 4, 4), "_4": (3, 3, 4, 4), "_5": (3, 3, 4, 4)}
    arrays = {
        f"base_model/conv2d{number}/kernel": np.zeros(shape)
        for number, shape in {**stem, **block, "_6": (3, 3, 4, 4)}.items()
    }
    with pytest.raises(UserError, match="a ResNet-18 or 34 with --sk_ratio"):
        tf1.read(arrays)
