"""Flags: the networks."""

import re

from flags import values

values.string(
    "encoder",
    "resnet",
    "resnet, a network of keras.applications such as MobileNetV2, or the folder of a "
    "KerasHub preset.",
)
values.one_of(
    "stem",
    "auto",
    ["auto", "cifar", "cifar_no_relu", "cifar_padded", "cifar_pool", "imagenet"],
    "First layers of the ResNet. imagenet: the paper's. cifar: for small pictures, "
    "one convolution at full resolution. Variants in PyTorch's networks: "
    "cifar_no_relu (lightly) has no ReLU, cifar_padded (solo-learn) pads with two "
    "pixels of zeros, cifar_pool is followed by max pooling. auto: cifar up to "
    "--image_size=32, else imagenet; in --mode=import what the weights tell.",
)
values.one_of(
    "resnet_variant",
    "simclr",
    ["simclr", "torchvision"],
    "torchvision: as in PyTorch's networks, without a projection in the first block "
    "of ResNet-18 and 34, and with max pooling padded on all sides.",
)
values.string(
    "input_normalization",
    "auto",
    "Mean and deviation of the colours with which the encoder normalises images in "
    "[0, 1]: none, imagenet, caffe (blue first, in 0..255), or numbers such as "
    "0.5,0.5,0.5,0.25,0.25,0.25. auto: none; in --mode=import what networks of that "
    "origin are trained with.",
)
values.one_of("resnet_depth", 50, (18, 34, 50, 101, 152, 200), "Layers of the ResNet.")
values.floating(
    "width_multiplier",
    1.0,
    "Factor for the number of filters of every ResNet layer.",
    above=0,
    high=100,
)
values.floating(
    "sk_ratio",
    0.0,
    "Selective kernels, together with the stem and shortcuts of ResNet-D; SimCLRv2 "
    "uses 0.0625. 0: none.",
    low=0,
    high=1,
)
values.floating(
    "se_ratio",
    0.0,
    "Squeeze-and-excitation: its inner filters as a share of the block's. 0: none.",
    low=0,
    high=1,
)
values.boolean("global_bn", True, "Compute batch norm over the batch of all replicas.")
values.floating(
    "batch_norm_decay",
    0.9,
    "Momentum of batch norm's moving statistics.",
    low=0,
    below=1,
)
values.one_of(
    "proj_head_mode", "nonlinear", ["none", "linear", "nonlinear"], "Projection head."
)
values.integer("proj_out_dim", 128, "Dimensions of the projection.", low=1, high=2**16)
values.integer(
    "num_proj_layers", 3, "Layers of a nonlinear projection head.", low=1, high=100
)
values.integer(
    "ft_proj_selector",
    0,
    "Layer of the projection head that feeds the linear head. 0: the encoder's "
    "features. 1: the output of the first layer, and so on. -1: the projection.",
    low=-1,
    high=100,
)


@values.check
def _normalization_is_known(input_normalization):
    numbers = re.fullmatch(r"(\d*\.?\d+,){5}\d*\.?\d+", input_normalization, re.ASCII)
    if input_normalization in ("auto", "none", "imagenet", "caffe"):
        return None
    if numbers and all(float(d) > 0 for d in input_normalization.split(",")[3:]):
        return None
    return (
        "--input_normalization must be auto, none, imagenet, caffe, or three means and "
        f"three deviations > 0 with commas between, got {input_normalization}."
    )


@values.check
def _selector_exists(ft_proj_selector, proj_head_mode, num_proj_layers):
    layers = {"none": 0, "linear": 1}.get(proj_head_mode, num_proj_layers)
    if ft_proj_selector > layers:
        return (
            f"--ft_proj_selector must be at most {layers}, the layers of this "
            f"projection head, got {ft_proj_selector}."
        )
    return None


@values.check
def _only_resnet_has_these(
    encoder,
    width_multiplier,
    sk_ratio,
    se_ratio,
    resnet_variant,
    given,
):
    # Those of a preset are no mistake: `--preset=demo --encoder=MobileNetV2` is clear.
    asked = {
        "width_multiplier": width_multiplier != 1,
        "sk_ratio": sk_ratio > 0,
        "se_ratio": se_ratio > 0,
        "resnet_variant": resnet_variant != "simclr",
    }
    names = [f"--{name}" for name in asked if asked[name] and name in given]
    if encoder != "resnet" and names:
        listed = ", ".join(names)
        return (
            f"{listed} must not be given with --encoder={encoder}: only resnet has it."
        )
    return None
