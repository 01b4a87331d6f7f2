"""ResNet-50 of the published code with selective kernels and squeeze-and-excitation."""

import numpy as np
import pytest

from simclr_tf import export
from tests.weights import published
from tests.weights.published import IMAGES, NORM, assert_same

RESNETS = {50: (True, (2, 1, 1, 1))}  # see tests/conftest.py


def paths_of_bottlenecks(counts, sk, se):
    """`(kernel, norm)` of a ResNet-50 in the order of application; no norm is None."""
    root = "model/resnet_model/"
    stem = f"{root}initial_conv_relu_max_pool/"
    convolutions, last = ([0, 2, 4], 6) if sk else ([0], 2)
    for place in convolutions:
        norm = last if place == convolutions[-1] else place + 1
        yield f"{stem}{place}/conv2d/kernel", f"{stem}{norm}/bn"
    for group, count in enumerate(counts):
        for layer in range(count):
            block = f"{root}block_groups/{group}/layers/{layer}/"
            if layer == 0:
                # In front are pooling and, with a stride, its padding.
                place = (1 if group == 0 else 2) if sk else 0
                shortcut = f"{block}projection_layers"
                yield f"{shortcut}/{place}/conv2d/kernel", f"{shortcut}/{place + 1}/bn"
            main = f"{block}conv_relu_dropblock_layers"
            yield f"{main}/0/conv2d/kernel", f"{main}/1/bn"
            if sk:
                convolution = f"{main}/3/conv2d_fixed_padding/conv2d/kernel"
                yield convolution, f"{main}/3/batch_norm_relu/bn"
                yield f"{main}/3/conv2d_0/kernel", f"{main}/3/batch_norm_relu_1/bn"
                yield f"{main}/3/conv2d_1/kernel", None
                yield f"{main}/5/conv2d/kernel", f"{main}/6/bn"
            else:
                yield f"{main}/3/conv2d/kernel", f"{main}/4/bn"
                yield f"{main}/6/conv2d/kernel", f"{main}/7/bn"
            if se:
                place = f"{main}/{8 if sk else 9}"
                yield f"{place}/se_reduce/kernel", None
                yield f"{place}/se_expand/kernel", None


def convolutions_of_bottlenecks(counts, sk, se):
    """`(shape, what is behind)` of a ResNet-50 x 1/16 in the order of application."""
    stem = [[3, 3, 3, 2], [3, 3, 2, 2], [3, 3, 2, 4]] if sk else [[7, 7, 3, 4]]
    for shape in stem:
        yield shape, "norm"
    channels = 4
    for group, count in enumerate(counts):
        width = 4 * 2**group
        for layer in range(count):
            if layer == 0:
                yield [1, 1, channels, 4 * width], "norm"
            yield [1, 1, channels, width], "norm"
            if sk:
                yield [3, 3, width, 2 * width], "norm"
                yield [1, 1, width, 32], "norm"
                yield [1, 1, 32, 2 * width], "nothing"
            else:
                yield [3, 3, width, width], "norm"
            yield [1, 1, width, 4 * width], "norm"
            if se:
                yield [1, 1, 4 * width, width // 4], "bias"
                yield [1, 1, width // 4, 4 * width], "bias"
            channels = 4 * width


def with_values(paths, convolutions):
    """Values at paths `(kernel, norm)` of such convolutions."""
    listed = [("global_step", [])]
    for (kernel, norm), (shape, behind) in zip(paths, convolutions, strict=True):
        listed.append((kernel, shape))
        if behind == "bias":
            listed.append((kernel.replace("kernel", "bias"), shape[-1:]))
        if behind == "norm":
            listed += [(f"{norm}/{kind}", shape[-1:]) for kind in NORM]
    return published.random_values(listed)


def numbered_paths(convolutions):
    """`(kernel, norm)` as TensorFlow 1 numbers them."""
    norms = 0
    for number, (_, behind) in enumerate(convolutions):
        kernel = f"base_model/conv2d{f'_{number}' * bool(number)}/kernel"
        norm = f"base_model/batch_normalization{f'_{norms}' * bool(norms)}"
        norms += behind == "norm"
        yield kernel, norm


def assert_is_the_network(imported, values, paths, convolutions, recipe):
    kernels, norms = [], []
    for (kernel, norm), (_, behind) in zip(paths, convolutions, strict=True):
        bias = kernel.replace("kernel", "bias")
        with_bias = (values[kernel], values.get(bias))
        kernels.append(with_bias if behind == "bias" else values[kernel])
        if behind == "norm":
            norms.append({kind: values[f"{norm}/{kind}"] for kind in NORM})
    expected = np.array(published.Network(kernels, norms).features(IMAGES, **recipe))
    assert_same(imported.encoder(IMAGES), expected)
    assert imported.encoder.sk_ratio == (0.0625 if recipe["sk"] else 0.0)
    assert imported.encoder.se_ratio == (0.25 if recipe["se"] else 0.0)
    assert (imported.projection_head.mode, imported.linear_head) == ("none", None)
    assert imported.step == 7


@pytest.mark.parametrize("code", ["tf1", "tf2"])
@pytest.mark.parametrize(
    "sk,se", [(False, False), (True, False), (False, True), (True, True)]
)
def test_features(code, sk, se, tmp_path):
    counts = RESNETS[50][1]
    convolutions = list(convolutions_of_bottlenecks(counts, sk, se))
    if code == "tf1":
        paths = list(numbered_paths(convolutions))
        values = with_values(paths, convolutions)
        published.write_tf1(str(tmp_path / "ckpt-7"), values)
    else:
        paths = list(paths_of_bottlenecks(counts, sk, se))
        values = with_values(paths, convolutions)
        published.write_tf2(values, tmp_path)
    imported = export.import_checkpoint(str(tmp_path / "ckpt-7"))
    recipe = {"bottleneck": True, "blocks": counts, "sk": sk, "se": se}
    assert_is_the_network(imported, values, paths, convolutions, recipe)
