"""The ablations of the SimCLR paper, small: on the bundled images, by the demo."""

import dataclasses
import typing

from simclr_tf.experiment.config import LOSS_ARGUMENTS


def as_flags(params):
    """The flags of a trial where every axis is a flag.

    Args:
        params: Dict of str, what was chosen on each axis.

    Returns:
        List of str.
    """
    return [f"--{name}={value}" for name, value in params.items()]


@dataclasses.dataclass(frozen=True)
class Ablation:
    """A grid over flags, or over names that stand for some.

    Attributes:
        axes: Dict from each axis to its values, str. `seed` is one that tables give
            the mean over.
        flags: Tuple of str, flags of every trial.
        flags_of: Callable from the choice on each axis to flags.
    """

    axes: dict[str, list[str]]
    flags: tuple[str, ...] = ()
    flags_of: typing.Callable = as_flags


def _pair(params):
    """One view gets both transformations, the other none, as in the paper's study."""
    params = dict(params)
    chosen = dict.fromkeys([params.pop("first"), params.pop("second")])
    # Images of one size need not be cropped; `crop` stands first in any case.
    first = ["crop" if "crop" in chosen else _WHOLE]
    first += [_ALWAYS.get(word, word) for word in chosen if word != "crop"]
    return [f"--augmentation={','.join(first)}|{_WHOLE}", *as_flags(params)]


_WHOLE = "crop(1,1)"
# As it is in the study, on every image: of themselves they change half of them.
_ALWAYS = {
    "cutout": "cutout(probability=1)",
    "jitter": "jitter(probability=1)",
    "sobel": "sobel(1)",
    "noise": "noise(probability=1)",
    "blur": "blur(1)",
}
_WORDS = ["crop", "cutout", "jitter", "sobel", "noise", "blur", "rotate"]

# Peak rates of a batch of 256 that are usual for each.
_RATES = {"lars": 1.5, "momentum": 0.1, "adam": 0.001, "adamw": 0.001, "lamb": 0.005}


def _optimizer(params):
    params = dict(params)
    rate = _RATES[params["optimizer"]] * float(params.pop("times_usual_rate"))
    return [*as_flags(params), f"--learning_rate={rate:g}"]


_SEEDS = ["1", "2", "3"]
# Cheap: no table is wanted, and no graph for serving.
_DEMO = (
    "--preset=demo",
    "--evaluators=knn",
    "--compare_untrained=false",
    "--export_formats=safetensors",
)

ABLATIONS = {
    "augmentation_pairs": Ablation(  # figure 5
        {"first": _WORDS, "second": _WORDS, "seed": _SEEDS}, _DEMO, _pair
    ),
    "temperature_x_batch": Ablation(  # table 5 and figure 9
        {
            "temperature": ["0.05", "0.1", "0.2", "0.5", "1"],
            "train_batch_size": ["64", "128", "256", "512"],
            "seed": _SEEDS,
        },
        # As many images for each batch size.
        (*_DEMO, "--train_epochs=8", "--checkpoint_epochs=8"),
    ),
    "memory": Ablation(  # SimCLRv2, section 2, for batches that are small
        {"memory_size": ["0", "256", "1024", "4096"], "seed": _SEEDS},
        # As many images as in the demo, and a rate that small batches are used to.
        (
            *_DEMO,
            "--train_batch_size=32",
            "--train_steps=2400",
            "--learning_rate_scaling=sqrt",
            "--learning_rate=0.09375",
        ),
    ),
    "losses": Ablation(  # at equal steps, each loss with its own defaults
        {
            "loss": list(LOSS_ARGUMENTS),
            "train_batch_size": ["64", "256"],
            "seed": _SEEDS,
        },
        _DEMO,
    ),
    "head": Ablation(  # figure 8
        {
            "proj_head_mode": ["none", "linear", "nonlinear"],
            "proj_out_dim": ["16", "64", "256"],
            "seed": _SEEDS,
        },
        _DEMO,
    ),
    "optimizer": Ablation(
        {
            "optimizer": list(_RATES),
            "times_usual_rate": ["0.3", "1", "3"],
            "seed": _SEEDS,
        },
        _DEMO,
        _optimizer,
    ),
}
