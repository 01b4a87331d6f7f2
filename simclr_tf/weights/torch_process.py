"""Computes features with PyTorch, in a separate process.

Some releases of PyTorch and TensorFlow crash when one process imports both.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile

import numpy as np

from tf_models import input_normalization

_SECONDS = 600


class CannotRun(Exception):
    """The source of the weights cannot compute features here; the message says why."""


class Refused(CannotRun):
    """PyTorch works, but not with these weights."""


def features(program, modules, images, encoder, *arguments, weights=None):
    """Runs a program that computes features of images.

    Args:
        program: Str, the name of a file beside this one. It is called with a folder and
            `arguments`. In the folder it reads `images.npy`, normalised `[B, 3, H, W]`,
            and `weights.npz` if there are `weights`, and writes `features.npy`.
        modules: Tuple of str, the modules that it imports.
        images: Float `[B, H, W, 3]` in [0, 1].
        encoder: `tf_models.ResNet`, which determines how images are normalised.
        *arguments: Str.
        weights: Dict from names to arrays, or None.

    Returns:
        Float32 `[B, C]`.

    Raises:
        CannotRun: If a module is not installed or does not work.
        Refused: If the program fails.
    """
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    if absent:
        raise CannotRun(f"{' and '.join(absent)} would have to be installed")
    images = input_normalization.normalize(images, encoder.normalization)
    images = np.asarray(images, np.float32).transpose(0, 3, 1, 2)
    path = os.path.join(os.path.dirname(__file__), program)
    with tempfile.TemporaryDirectory() as folder:
        np.save(os.path.join(folder, "images.npy"), images)
        if weights is not None:
            weights = {n: np.asarray(a, np.float32) for n, a in weights.items()}
            np.savez(os.path.join(folder, "weights.npz"), **weights)
        _run([sys.executable, path, folder, *arguments])
        return np.load(os.path.join(folder, "features.npy"), allow_pickle=False)


def _run(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotRun(f"PyTorch does not respond ({type(error).__name__})") from error
    last = (done.stderr.strip().splitlines() or [""])[-1]
    if done.returncode == 1 and not last.startswith(("ImportError", "OSError")):
        raise Refused(f"PyTorch cannot compute features with these weights ({last})")
    if done.returncode:
        raise CannotRun(f"PyTorch does not work here ({last or done.returncode})")
