"""Encoders of other runs, evaluated beside that of this one: `--compare`."""

import dataclasses

from simclr_tf.experiment import checkpoints, networks


class Other:
    """The encoder of a run, given as a folder or a prefix.

    Args:
        config: `RunConfig` of the run with which it is compared.
        path: Str, as in `--compare`.

    Raises:
        UserError: If there is no checkpoint.
    """

    def __init__(self, config, path):
        self._prefix = checkpoints.find(path, "compare")
        about = checkpoints.describe(self._prefix, "compare")
        self.image_size = about["image_size"]
        data = dataclasses.replace(config.data, image_size=self.image_size)
        self._config = dataclasses.replace(
            config, data=data, model=checkpoints.networks_of(about)
        )

    def load(self):
        """The encoder with its weights; call this in the scope of the strategy."""
        encoder = networks.build_encoder(self._config)
        checkpoints.fill(self._prefix, encoder)
        return encoder


def others(config):
    """Dict from each path of `--compare` to its `Other`."""
    paths = (config.eval.compare or "").split(",")
    paths = [path.strip() for path in paths if path.strip()]
    return {path: Other(config, path) for path in paths}
