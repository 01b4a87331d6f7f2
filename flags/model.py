"""Flags: the networks."""

from flags import values

values.string(
    "encoder",
    "resnet",
    "resnet, or a network of keras.applications such as MobileNetV2.",
)
values.one_of_ints(
    "resnet_depth", 50, (18, 34, 50, 101, 152, 200), "Layers of the ResNet."
)
values.floating(
    "width_multiplier", 1.0, "Times the filters of every ResNet layer.", above=0
)
values.floating(
    "sk_ratio",
    0.0,
    "Selective kernels, and the stem and shortcuts of ResNet-D, where above 0; SimCLRv2 "
    "takes 0.0625.",
    low=0,
)
values.floating("se_ratio", 0.0, "Squeeze-and-excitation where above 0.", low=0)
values.boolean("global_bn", True, "Batch norm over the batch of all replicas.")
values.floating(
    "batch_norm_decay", 0.9, "Momentum of batch norm's statistics.", low=0, below=1
)
values.one_of(
    "proj_head_mode", "nonlinear", ["none", "linear", "nonlinear"], "Projection head."
)
values.integer("proj_out_dim", 128, "Dimensions of the projection.", low=1)
values.integer(
    "num_proj_layers", 3, "Layers of a nonlinear projection head.", low=1
)
values.integer(
    "ft_proj_selector",
    0,
    "Which layer of the projection head feeds the linear head: 0 the encoder's features, "
    "1 the first layer's output, ..., -1 the projection.",
    low=-1,
)


@values.together("ft_proj_selector", "proj_head_mode", "num_proj_layers")
def _selector_exists(ft_proj_selector, proj_head_mode, num_proj_layers):
    layers = {"none": 0, "linear": 1}.get(proj_head_mode, num_proj_layers)
    if ft_proj_selector > layers:
        return (
            f"--ft_proj_selector must be at most {layers}, the layers of this projection "
            f"head, got {ft_proj_selector}."
        )
    return None


@values.together("encoder", "width_multiplier", "sk_ratio", "se_ratio")
def _only_resnet_has_these(encoder, width_multiplier, sk_ratio, se_ratio):
    given = {
        "width_multiplier": width_multiplier != 1,
        "sk_ratio": sk_ratio > 0,
        "se_ratio": se_ratio > 0,
    }
    if encoder != "resnet" and any(given.values()):
        names = ", ".join(f"--{name}" for name, is_given in given.items() if is_given)
        return f"{names}: only for --encoder=resnet, got --encoder={encoder}."
    return None
