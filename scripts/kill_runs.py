"""Kills training processes at random moments, and compares what comes of their runs.

    python scripts/kill_runs.py --kills=50 --devices=one

One run is left alone. Others are killed (SIGKILL), started again by the same command
and killed again, until they end. Of each, the weights, the state of the optimizer and
the loss of every step must be those of the run that was left alone, bit for bit.
"""

import argparse
import functools
import glob
import multiprocessing
import os
import random
import re
import sys
import tempfile
import time
from multiprocessing import forkserver

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from simclr_tf import _startup  # noqa: E402

FLAGS = (
    "--dataset=bundled --image_size=8 --resnet_depth=18 --width_multiplier=0.015625 "
    "--num_proj_layers=2 --proj_out_dim=4 --train_batch_size=8 --warmup_epochs=0 "
    "--use_blur=False --seed=1 --checkpoint_steps=3 --train_summary_steps=1 "
    "--keep_checkpoint_max=2"
).split()
# What every process of a run is started with, by --devices.
DEVICES = {
    "one": ("--distribution=none",),
    "replicas": ("--num_cpu_replicas=2",),
    "workers": ("--distribution=multi_worker",),
}


def start_server():
    """The context of processes that need not import TensorFlow again, nor greet."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tensorflow", "tensorflow.keras"])
    stderr = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        forkserver.ensure_running()
    os.dup2(stderr, 2)
    os.close(stderr)
    return context


def work(flags, tf_config, output):
    """The command, in a process of its own."""
    os.setpgrp()
    if tf_config:
        os.environ["TF_CONFIG"] = tf_config
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    import run

    sys.exit(run.main(["run.py", *flags]))


def start(context, devices, folder, steps):
    """The processes of one attempt, the chief first, and the chief's output."""
    from scripts import launch_workers

    flags = [
        *FLAGS,
        *DEVICES[devices],
        f"--train_steps={steps}",
        f"--model_dir={folder}",
    ]
    configs = [""]
    if devices == "workers":
        addresses = launch_workers.free_addresses(2)
        configs = [launch_workers.tf_config(addresses, index) for index in range(2)]
    outputs = [f"{folder}.{index}.log" for index in range(len(configs))]
    for output in outputs:
        open(output, "w").close()
    processes = [
        context.Process(target=work, args=(flags, config, output), daemon=True)
        for config, output in zip(configs, outputs, strict=True)
    ]
    for process in processes:
        process.start()
    return processes, outputs[0]


def steps_done(output):
    """How many steps an attempt says that it has done."""
    with open(output, encoding="utf-8") as file:
        return len(re.findall(r"^step ", file.read(), re.MULTILINE))


def attempt(context, devices, folder, steps, chance=None):
    """Starts a run, or goes on with it; True where it came to its end.

    With `chance`, a `random.Random`, it is killed some steps on, or before the first.
    """
    processes, output = start(context, devices, folder, steps)
    after = chance.randrange(12) if chance else None
    while any(process.is_alive() for process in processes):
        if chance and steps_done(output) >= after:
            # Anywhere in a step or a save; before the first, anywhere in the start.
            time.sleep(chance.random() * (0.3 if after else 10.0))
            break
        time.sleep(0.005)
    was_alive = any(process.is_alive() for process in processes)
    for process in processes:
        process.kill()
        process.join()
    if was_alive:
        return False
    with open(output, encoding="utf-8") as file:
        text = file.read()
    codes = [process.exitcode for process in processes]
    if any(codes):
        raise SystemExit(f"Exit codes {codes}: not ended by this script.\n{text}")
    return True


@functools.cache
def result(folder, steps):
    """`(variables, losses)`: of the last checkpoint by path, and of each step."""
    _startup.import_tensorflow()
    import tensorflow as tf

    reader = tf.train.load_checkpoint(os.path.join(folder, f"ckpt-{steps}"))
    keys = reader.get_variable_to_shape_map()
    variables = {
        key: reader.get_tensor(key).tobytes()
        for key in keys
        if key.startswith(("model/", "optimizer/"))
    }
    losses = {}
    for file in sorted(glob.glob(os.path.join(glob.escape(folder), "train", "*"))):
        records = tf.data.TFRecordDataset(file).ignore_errors()  # the last is cut
        for record in records.as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                if value.tag == "train/total_loss":
                    loss = float(tf.make_ndarray(value.tensor))
                    losses.setdefault(event.step, set()).add(loss)
    return variables, losses


def compare(folder, undisturbed, steps):
    """Ends the script unless two runs are the same; how many values it compared."""
    variables, losses = result(folder, steps)
    expected, expected_losses = result(undisturbed, steps)
    if sorted(expected_losses) != list(range(1, steps + 1)):
        raise SystemExit(f"Losses of the steps {sorted(expected_losses)} alone.")
    for name, found, wanted in (
        ("variables", variables, expected),
        ("losses", losses, expected_losses),
    ):
        keys = sorted(found.keys() | wanted.keys())
        wrong = [key for key in keys if found.get(key) != wanted.get(key)]
        if wrong:
            raise SystemExit(f"{folder}: {len(wrong)} {name} differ: {wrong[:5]}")
    return len(variables), len(losses)


def main():
    """Kills until there were enough kills; prints how many."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="how many at least")
    parser.add_argument("--steps", type=int, default=60, help="of each run")
    parser.add_argument("--devices", choices=DEVICES, default="one")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    arguments = parser.parse_args()
    chance, steps = random.Random(arguments.seed), arguments.steps
    context = start_server()
    kills = runs = 0
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = os.path.join(folder, "undisturbed")
        attempt(context, arguments.devices, undisturbed, steps)
        while kills < arguments.kills:
            killed = os.path.join(folder, f"killed{runs}")
            while not attempt(context, arguments.devices, killed, steps, chance):
                kills += 1
            variables, losses = compare(killed, undisturbed, steps)
            runs += 1
            print(
                f"{kills} kills over {runs} runs of {steps} steps, "
                f"--devices={arguments.devices}: {variables} variables and {losses} "
                "losses of each the same, bit for bit.",
                flush=True,
            )


if __name__ == "__main__":
    main()
