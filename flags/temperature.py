"""Flags: a temperature of the contrastive loss that changes."""

from flags import values

values.boolean(
    "learn_temperature",
    False,
    "pretrain: learn the temperature with the networks, from --temperature on.",
)
values.floating(
    "temperature_min",
    0.01,
    "Lowest temperature of --learn_temperature.",
    above=0,
    high=1000,
)
values.floating(
    "temperature_max",
    1.0,
    "Highest temperature of --learn_temperature.",
    above=0,
    high=1000,
)
values.floating(
    "temperature_start",
    None,
    "Temperature of the first step; it moves to --temperature in a straight line over "
    "--temperature_warmup_steps.",
    above=0,
    high=1000,
)
values.integer(
    "temperature_warmup_steps",
    0,
    "pretrain: steps from --temperature_start to --temperature. 0: it is constant.",
    low=0,
    high=10**9,
)


@values.check
def _pretraining_has_a_temperature(
    mode, train_mode, learn_temperature, temperature_warmup_steps
):
    if "train" not in mode or train_mode == "pretrain":
        return None
    if learn_temperature or temperature_warmup_steps:
        name = "learn_temperature" if learn_temperature else "temperature_warmup_steps"
        return (
            f"--{name} must not be given with --train_mode={train_mode}: it is for "
            "pretrain."
        )
    return None


@values.check
def _bounds_fit(learn_temperature, temperature, temperature_min, temperature_max):
    if not learn_temperature:
        return None
    if temperature_min >= temperature_max:
        return (
            f"--temperature_min must be below --temperature_max={temperature_max:g}, "
            f"got {temperature_min:g}."
        )
    if not temperature_min <= temperature <= temperature_max:
        return (
            f"--temperature must be from --temperature_min={temperature_min:g} to "
            f"--temperature_max={temperature_max:g} with --learn_temperature, got "
            f"{temperature:g}."
        )
    return None


@values.check
def _warmup_fits(learn_temperature, temperature_start, temperature_warmup_steps):
    if temperature_warmup_steps and temperature_start is None:
        return (
            "--temperature_warmup_steps needs --temperature_start, the temperature of "
            f"the first step, got {temperature_warmup_steps} without it."
        )
    if temperature_start is not None and not temperature_warmup_steps:
        return (
            "--temperature_start needs --temperature_warmup_steps, got "
            f"{temperature_start:g} without it."
        )
    if learn_temperature and temperature_warmup_steps:
        return (
            "--temperature_warmup_steps must be 0 with --learn_temperature, got "
            f"{temperature_warmup_steps}: it is either learned or given."
        )
    return None
