"""Packs a data set for many epochs: `--mode=prepare`."""

from simclr_tf.data.prepare import prepare
from simclr_tf.experiment import files, reading, splits


def pack(config, say=print):
    """Writes both splits of the flags to `--model_dir` at `--prepare_size`.

    Args:
        config: `RunConfig`.
        say: Callable that prints a line for the user.

    Raises:
        UserError: If the training split cannot be opened, or the folder cannot be
            written or holds something else.
    """
    settings, directory = config.data, config.model_dir
    sources = splits.open_to_prepare(config, say)
    files.make_directory(directory)
    for split, source in sources.items():
        say(f"Packing {source.name} {split}: {source.num_examples:,} images.")
        bad = reading.bad_images(config, source, say)
        with bad.counted():
            prepare(source, split, directory, settings.prepare_size, bad, say)
    say(f"Next: python run.py --dataset={directory} --model_dir=...")
