"""One step of pre-training beside the published code's and lightly's.

    python -m benchmarks.training_step [--rounds=7] [--rows=0,1] [--kernels]

`--kernels` shows ours with and without oneDNN instead: as the command starts (on), as
TensorFlow starts on a processor without AVX-512 VNNI or the like (off), and so with
TensorFlow's own gradients of convolutions. With ONEDNN_MAX_CPU_ISA=AVX2 in the
environment, kernels are those of a processor that has no AVX-512.
"""

import argparse

from benchmarks import contest, machine

ROWS = (  # depth, size, batch, bfloat16; what ours is to be, and times whom
    (18, 32, 64, False, (machine.either(1.15, avx2=1.45), "published")),
    (18, 32, 64, True, (1.15, "lightly")),
    (50, 96, 16, False, (1.25, "published")),
    (50, 96, 16, True, (1.1, "lightly")),
)
KERNELS = {
    "ours": {"TF_ENABLE_ONEDNN_OPTS": "1"},
    "no oneDNN": {"TF_ENABLE_ONEDNN_OPTS": "0"},
    "no oneDNN, stock": {"TF_ENABLE_ONEDNN_OPTS": "0"},
}


def ours(depth, size, batch, width=1.0, bfloat16=False, stock=False, jit_compile=False):
    """A function that does one step on the same views again."""
    from simclr_tf import _startup

    _startup.import_tensorflow()
    import tensorflow as tf
    from tensorflow import keras

    import tf_models
    from simclr_tf import SimCLR, optimizers
    from simclr_tf.losses import NTXent
    from tf_models import convolution

    keras.mixed_precision.set_global_policy("mixed_bfloat16" if bfloat16 else "float32")
    if stock:
        convolution.is_faster = lambda images: False
    encoder = tf_models.ResNet(depth, width, stem="cifar" if size <= 32 else "imagenet")
    model = SimCLR(encoder, tf_models.ProjectionHead(), num_classes=10)
    optimizer = optimizers.LARS(0.1, weight_decay=1e-4)
    model.compile(optimizer, NTXent(0.1), jit_compile=jit_compile)
    views = tuple(tf.random.uniform([2, batch, size, size, 3]))
    labels = tf.range(batch) % 10
    step = tf.function(model.train_step)
    return lambda: step((views, labels))["loss"].numpy()


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", default="0,1,2,3")
    parser.add_argument("--kernels", action="store_true")
    options = parser.parse_args()
    this, rows = __spec__.name, map(int, options.rows.split(","))
    names = tuple(KERNELS) if options.kernels else ("published", "ours", "lightly")
    contest.print_head("images", names)
    for depth, size, batch, bfloat16, aim in map(ROWS.__getitem__, rows):
        work = {"depth": depth, "size": size, "batch": batch, "bfloat16": bfloat16}
        ways = {
            "published": contest.Way("benchmarks.published:training_step", work),
            "ours": contest.Way(f"{this}:ours", work),
            "lightly": contest.Way(
                "benchmarks.peers:training_step", work, by_peers=True
            ),
        }
        if options.kernels:
            aim = None
            ways = {
                name: contest.Way(
                    f"{this}:ours", {**work, "stock": "stock" in name}, environment
                )
                for name, environment in KERNELS.items()
            }
        seconds = contest.medians(ways, options.rounds)
        kind = "bfloat16" if bfloat16 else "float32"
        name = f"ResNet-{depth}, {size} px, {kind}"
        contest.print_row(
            name, seconds, names[-1 if options.kernels else 0], aim, batch
        )


if __name__ == "__main__":
    main()
