"""What it costs to save a run, and to go on with it.

python -m benchmarks.checkpoints --resnet_depth=18 --width_multiplier=0.25 --step=1.0
"""

import argparse
import os
import tempfile
import time

from simclr_tf import data, optimizers, stopping
from simclr_tf.augmentation import SimCLRAugmentation
from simclr_tf.distribution import make_strategy
from simclr_tf.experiment import (
    checkpoint_files,
    checkpoints,
    networks,
    saving,
)
from simclr_tf.experiment.config import ModelConfig, RunConfig
from simclr_tf.training.callbacks import NonFinite

PERIOD = 100  # steps between two checkpoints; an epoch is mostly longer


def seconds(function):
    """`(wall, processor)`: the shortest of three times that a function took."""
    walls, processors = [], []
    for _ in range(3):
        wall, processor = time.perf_counter(), time.process_time()
        function()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return min(walls), min(processors)


def show(times):
    """Both times, for people."""
    return "{:.2f} s ({:.2f} s of a processor)".format(*times)


def first_batch(source, step):
    """How long a run that begins at a step waits for its first batch."""
    view = SimCLRAugmentation(32, blur=False, seed=0)

    def wait():
        batches = data.train_batches(
            source, 256, step + 100, view=view, seed=0, start_step=step
        )
        next(iter(batches))

    return seconds(wait)


def questions(strategy):
    """How long the question for signals and the time takes at the end of a step."""
    with stopping.deferred() as signal:
        save = saving.SaveRun(None, signal, strategy, 0, 10**9, every=10**9, minutes=60)
        save.set_model(None)
        count = 10_000
        begin = time.perf_counter()
        for step in range(count):
            save.on_train_batch_end(step)
        return (time.perf_counter() - begin) / count


def main():
    """Prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resnet_depth", type=int, default=18)
    parser.add_argument("--width_multiplier", type=float, default=0.25)
    parser.add_argument("--step", type=float, default=1.0, help="seconds of one step")
    arguments = parser.parse_args()
    config = RunConfig(
        model=ModelConfig(
            resnet_depth=arguments.resnet_depth,
            width_multiplier=arguments.width_multiplier,
        )
    )
    model = networks.build_model(config, optimizers.WarmupCosine(0.1, 0, 10), 10)
    about = checkpoints.description(config, model, 0)
    non_finite = NonFinite()
    non_finite.set_model(model)
    to_check = seconds(non_finite.check_weights)
    with tempfile.TemporaryDirectory() as folder:
        keeper = saving.Keeper(model, about, folder, keep=2)
        keeper.save(0, {})
        steps = iter(range(1, 10))
        to_save = seconds(lambda: keeper.save(next(steps), {}))
        prefix = checkpoint_files.newest(folder, "model_dir")
        size = sum(
            os.path.getsize(os.path.join(folder, name))
            for name in os.listdir(folder)
            if name.startswith(os.path.basename(prefix))
        )
        to_verify = seconds(lambda: checkpoint_files.damage(prefix))
        to_restore = seconds(lambda: checkpoints.restore(prefix, model))
    question = questions(make_strategy("none"))
    share = ((to_check[0] + to_save[0]) / PERIOD + question) / arguments.step
    print(f"checkpoint of {size / 1e6:.1f} MB")
    for name, times in (
        ("to check", to_check),
        ("to save", to_save),
        ("to verify", to_verify),
        ("to restore", to_restore),
    ):
        print(f"  {name:<10} {show(times)}")
    print(f"signals and time, each step: {1e6 * question:.1f} microseconds")
    print(
        f"one checkpoint in {PERIOD} steps of {arguments.step:g} s: {share:.2%} of them"
    )
    source = data.open_source("bundled", "train")
    for step in (10, 1_000_000):
        print(f"first batch from step {step:,}: {show(first_batch(source, step))}")


if __name__ == "__main__":
    main()
