"""The update of all variables of ResNet-50 and its head by given gradients.

python -m benchmarks.optimizer_step [--rounds=15]
"""

import argparse

from benchmarks import contest


def ours():
    """A function that applies the same gradients again."""
    from simclr_tf import keras_compat, optimizers

    variables = _variables()
    optimizer = optimizers.LARS(0.1, weight_decay=1e-4)
    keras_compat.build_optimizer_state(optimizer, variables)
    return _repeated(
        variables, lambda g: optimizer.apply_gradients(zip(g, variables, strict=True))
    )


def published():
    """The same by the published code's operations."""
    import tensorflow as tf

    from benchmarks.published import LARS

    variables = _variables()
    variables = [v if isinstance(v, tf.Variable) else v.value for v in variables]
    return _repeated(variables, LARS(variables).apply)


def _variables():
    import tensorflow as tf

    import tf_models

    encoder, head = tf_models.ResNet(50), tf_models.ProjectionHead()
    head(tf.zeros([1, encoder.feature_dim]))
    return encoder.trainable_variables + head.trainable_variables


def _repeated(variables, apply):
    import tensorflow as tf

    gradients = [tf.random.normal(variable.shape) for variable in variables]

    @tf.function
    def step():
        apply(gradients)
        return tf.constant(0)

    return lambda: step().numpy()


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    this = __spec__.name
    ways = {
        "published": contest.Way(f"{this}:published"),
        "ours": contest.Way(f"{this}:ours"),
        "lightly": contest.Way(
            "benchmarks.peers:optimizer_step",
            {"depth": 50, "kind": "LARS"},
            by_peers=True,
        ),
        "torch SGD": contest.Way(
            "benchmarks.peers:optimizer_step",
            {"depth": 50, "kind": "SGD"},
            by_peers=True,
        ),
    }
    seconds = contest.medians(ways, parser.parse_args().rounds)
    contest.print_head("update", ways)
    contest.print_row("ResNet-50, LARS", seconds, "published", (2.85, "published"))


if __name__ == "__main__":
    main()
