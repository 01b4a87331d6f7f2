"""The set of flags, and bounds that absl has no word for."""

from absl import flags as absl_flags

# Ours alone: `--help` shows these, and a process may parse more than once.
FLAGS = absl_flags.FlagValues()
# Flags belong to the module that calls the functions below.
absl_flags.disclaim_key_flags()


def floating(name, default, help_text, above=None, low=None, high=None, below=None):
    """Defines a float flag; `above` and `below` are not allowed themselves."""
    absl_flags.DEFINE_float(name, default, help_text, flag_values=FLAGS)
    words = [
        f"{word} {bound:g}"
        for word, bound in (
            ("above", above),
            ("at least", low),
            ("at most", high),
            ("below", below),
        )
        if bound is not None
    ]

    def allowed(value):
        return (
            value is None
            or (above is None or value > above)
            and (low is None or value >= low)
            and (high is None or value <= high)
            and (below is None or value < below)
        )

    if words:
        _bound(name, allowed, " and ".join(words))


def integer(name, default, help_text, low=None, high=None):
    """Defines an int flag."""
    absl_flags.DEFINE_integer(name, default, help_text, flag_values=FLAGS)
    words = [f"at least {low}"] * (low is not None)
    words += [f"at most {high}"] * (high is not None)

    def allowed(value):
        return value is None or (
            (low is None or value >= low) and (high is None or value <= high)
        )

    if words:
        _bound(name, allowed, " and ".join(words))


def boolean(name, default, help_text):
    """Defines a bool flag."""
    absl_flags.DEFINE_bool(name, default, help_text, flag_values=FLAGS)


def string(name, default, help_text):
    """Defines a str flag."""
    absl_flags.DEFINE_string(name, default, help_text, flag_values=FLAGS)


def strings(name, default, help_text, allowed):
    """Defines a comma-separated list of known words."""
    absl_flags.DEFINE_list(name, default, help_text, flag_values=FLAGS)
    _bound(
        name,
        lambda value: bool(value) and set(value) <= set(allowed),
        f"words of {', '.join(allowed)}",
    )


def one_of(name, default, allowed, help_text):
    """Defines a flag that is one of some words."""
    absl_flags.DEFINE_enum(name, default, allowed, help_text, flag_values=FLAGS)


def one_of_ints(name, default, allowed, help_text):
    """Defines a flag that is one of some ints."""
    absl_flags.DEFINE_integer(name, default, help_text, flag_values=FLAGS)
    words = "one of " + ", ".join(map(str, allowed))
    _bound(name, lambda value: value in allowed, words)


def together(*names):
    """Decorates a check of several flags, which returns a message or None."""

    def register(check):
        def validate(values):
            message = check(**values)
            if message:
                raise absl_flags.ValidationError(message)
            return True

        absl_flags.register_multi_flags_validator(names, validate, flag_values=FLAGS)
        return check

    return register


def _bound(name, allowed, words):
    def validate(value):
        if not allowed(value):
            shown = ",".join(value) if isinstance(value, list) else value
            raise absl_flags.ValidationError(f"--{name} must be {words}, got {shown}.")
        return True

    absl_flags.register_validator(name, validate, flag_values=FLAGS)
