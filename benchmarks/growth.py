"""How the time of a step grows with the batch, the images and the network.

    python -m benchmarks.growth [--rounds=3]

Printed are seconds a step, the floating-point operations of the network's forward pass
that go with them, and the exponent of time over operations from each row to the next:
1 is linear, less means that larger work is done faster.
"""

import argparse

from benchmarks import contest

BASE = {"depth": 18, "size": 32, "batch": 64, "width": 1.0}
AXES = {
    "batch": (16, 32, 64, 128, 256),
    "size": (32, 64, 128, 224),
    "depth": (18, 50),
    "width": (0.25, 0.5, 1.0),
}
FOR_AXIS = {"size": {"batch": 4}, "depth": {"batch": 32}}  # so that memory suffices


def operations(depth, size, batch, width):
    """Float, of the convolutions of both views: a multiplication and an addition."""
    import tensorflow as tf

    import tf_models
    from tf_models import layers

    encoder = tf_models.ResNet(depth, width, stem="cifar" if size <= 32 else "imagenet")
    total, call = 0, layers.Convolution.call

    def counted(layer, images, training=None):
        nonlocal total
        outputs = call(layer, images, training=training)
        pixels = outputs.shape[1] * outputs.shape[2]
        total += 2 * pixels * int(tf.size(layer.convolution.kernel))
        return outputs

    layers.Convolution.call = counted
    encoder(tf.zeros([1, size, size, 3]))
    layers.Convolution.call = call
    return 2 * batch * total


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print(f"{'':<16}{'s a step':>10}{'GFLOP':>10}{'exponent':>10}")
    for axis, values in AXES.items():
        before = None
        for value in values:
            work = {**BASE, **FOR_AXIS.get(axis, {}), axis: value}
            way = contest.Way("benchmarks.training_step:ours", work)
            seconds = contest.medians({"ours": way}, rounds)["ours"]
            now = (operations(**work), seconds)
            exponent = f"{contest.slope(before, now):>10.2f}" if before else ""
            name = f"{axis} {value}"
            print(f"{name:<16}{seconds:>10.3f}{now[0] / 1e9:>10.1f}{exponent}")
            before = now


if __name__ == "__main__":
    main()
