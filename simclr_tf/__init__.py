"""SimCLR for TensorFlow and Keras: learn image features without labels."""

import importlib

__version__ = "0.1.0"

_HOMES = {
    "SimCLR": "simclr_tf.training.simclr",
    "Classifier": "simclr_tf.training.classifier",
    "Distillation": "simclr_tf.training.distillation",
    "NegativeMemory": "simclr_tf.training.negative_memory",
    "augmentation": None,
    "data": None,
    "distribution": None,
    "errors": None,
    "evaluation": None,
    "experiment": None,
    "export": None,
    "loggers": None,
    "losses": None,
    "optimizers": None,
    "report": None,
    "training": None,
    "weights": None,
}

__all__ = list(_HOMES)


def __getattr__(name):
    """Imports a public name on first use: parsing flags needs no TensorFlow."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES[name]
    if home is None:
        return importlib.import_module(f"{__name__}.{name}")
    return getattr(importlib.import_module(home), name)


def __dir__():
    return sorted({*globals(), *__all__})
