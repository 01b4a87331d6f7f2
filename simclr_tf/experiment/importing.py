"""Turns weights of other origin into a run: `--mode=import`."""

import dataclasses
import os

from simclr_tf import optimizers
from simclr_tf.errors import UserError
from simclr_tf.experiment import checkpoints, files, hub_backbones, networks, saving
from simclr_tf.weights import comparison, importing, layout, report

_SMALL = 32  # pixels, where the stem is for small pictures and no other size is given


def import_run(config, flag_values, say=print):
    """Writes `ckpt-<step>` and `flags.json` from the weights at `--source`.

    Args:
        config: `RunConfig`. Only what weights do not tell about networks is taken from
            it: `stem`, `input_normalization`, `ft_proj_selector`, the image size; and
            `encoder` where they are of a network of `keras.applications` or KerasHub.
        flag_values: Dict, every flag and its value, for `flags.json`.
        say: Callable that prints a line for the user.

    Raises:
        UserError: If there is a run in `--model_dir`, or the weights cannot be
            imported; then nothing is written.
    """
    folder = config.model_dir
    _require_new(folder)
    read = _resnet if config.model.encoder == "resnet" else _network_of_keras
    config, model, step = read(config, say)
    about = checkpoints.description(config, model, 0, train_steps=step)
    files.make_directory(folder)
    try:
        saving.Keeper(model, about, folder, keep=1).save(step, figures={})
    except OSError as error:
        raise UserError(f"--model_dir={folder}: {error.strerror}.") from error
    values = flag_values | {
        name: value for name, value in config.flags().items() if name in flag_values
    }
    files.write_json(os.path.join(folder, "flags.json"), values)
    say(f"Checkpoint: {os.path.join(folder, f'ckpt-{step}')}")
    say(f"Next: python run.py --mode=eval --model_dir={folder} --dataset=...")


def _resnet(config, say):
    """`(config, model, step)` of the ResNet at `--source`, of any origin."""
    with _naming(config):
        found, architecture = importing.read(
            config.source, config.model.stem, config.model.input_normalization
        )
        config = _of(config, architecture)
        model = networks.build_model(
            config, optimizers.WarmupCosine(1.0, 0, 1), architecture.num_classes
        )
        layout.fill(found, model.encoder, model.projection_head, model.linear_head)
        for line in _report(config, found, architecture):
            say(line)
        try:
            difference = comparison.compare(found.run, model.encoder)
            say(f"  compared   features differ by {difference:.1e} from the source's")
        except comparison.CannotRun as reason:
            say(f"  compared   no: {reason}")
    return config, model, found.step


def _network_of_keras(config, say):
    """The same of weights of the network that `--encoder` names."""
    encoder, word = config.model.encoder, config.model.input_normalization
    library = networks.library_of(encoder)
    if word == "auto":
        word = library.own_normalization(encoder)
    if library is hub_backbones:
        encoder = os.path.abspath(encoder)
    network = dataclasses.replace(
        config.model,
        encoder=encoder,
        input_normalization=word,
        proj_head_mode="none",
    )
    train = dataclasses.replace(config.train, train_mode="pretrain", ft_proj_selector=0)
    config = dataclasses.replace(config, model=network, train=train)
    model = networks.build_model(config, optimizers.WarmupCosine(1.0, 0, 1), None)
    with _naming(config):
        library.load_weights(model.encoder, config.source)
    say(f"{library.ORIGIN}: {config.source}")
    say(f"  model      {networks.encoder_name(config)} without its top")
    say(f"  images     {config.data.image_size} px, normalization {word}")
    return config, model, 0


def _naming(config):
    return importing.naming(f"--source={config.source}")


def _require_new(folder):
    names = os.listdir(folder) if os.path.isdir(folder) else []
    if any(name == "flags.json" or name.startswith("ckpt-") for name in names):
        raise UserError(
            f"--model_dir={folder} holds a run: --mode=import needs a new folder."
        )


def _of(config, architecture):
    """The configuration of a run with these networks."""
    encoder, head = architecture.encoder, architecture.projection_head
    model = dataclasses.replace(
        config.model,
        encoder="resnet",
        stem=encoder["stem"],
        resnet_depth=encoder["depth"],
        width_multiplier=encoder["width_multiplier"],
        sk_ratio=encoder["sk_ratio"],
        se_ratio=encoder["se_ratio"],
        resnet_variant=encoder["variant"],
        input_normalization=encoder["normalization"],
        proj_head_mode=head["mode"],
        num_proj_layers=head["num_layers"],
        proj_out_dim=head["output_dim"],
    )
    data = config.data
    if encoder["stem"] != "imagenet" and data.image_size == type(data)().image_size:
        data = dataclasses.replace(data, image_size=_SMALL)
    layers = head["num_layers"] if head["mode"] != "none" else 0
    if config.train.ft_proj_selector > layers:
        raise UserError(
            f"its projection head has {layers} layers, and --ft_proj_selector="
            f"{config.train.ft_proj_selector} asks for more."
        )
    train = dataclasses.replace(config.train, train_mode="pretrain")
    return dataclasses.replace(config, model=model, data=data, train=train)


def _report(config, found, architecture):
    """Lines about what was found."""
    network, heads = config.model, []
    if network.proj_head_mode != "none":
        heads.append(f"projection head of {network.num_proj_layers} layers")
    if architecture.num_classes:
        heads.append(f"linear head of {architecture.num_classes} classes")
    yield f"{found.origin}: {config.source}"
    yield f"  model      {networks.encoder_name(config)}, stem {network.stem}"
    yield f"  heads      {', '.join(heads) or 'none'}"
    yield (
        f"  images     {config.data.image_size} px, normalization "
        f"{network.input_normalization}"
    )
    yield f"  matched    {len(found.arrays)} variables, none of the encoder missing"
    if found.assumed:
        yield f"  assumed    {', '.join(found.assumed)}"
    if found.changed:
        yield f"  changed    {'; '.join(found.changed)}"
    if found.left_over:
        yield f"  left over  {report.shortened(found.left_over)}"
