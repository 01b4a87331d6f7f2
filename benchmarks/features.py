"""Features of ResNet-50 at 224 px a second, beside Keras' `predict` and torch.

python -m benchmarks.features [--rounds=7] [--batch=32]
"""

import argparse
import tempfile

from benchmarks import contest

BATCHES = 3


def ours(how, batch, bfloat16=False):
    """A function that computes features; `how` is extract, predict or saved_model."""
    from simclr_tf import _startup

    _startup.import_tensorflow()
    import tensorflow as tf
    from tensorflow import keras

    import simclr_tf
    import tf_models
    from simclr_tf.evaluation.features import extractor

    keras.mixed_precision.set_global_policy("mixed_bfloat16" if bfloat16 else "float32")
    encoder = tf_models.ResNet(50)
    images = tf.random.uniform([batch, 224, 224, 3])
    if how == "extract":
        batches = tf.data.Dataset.from_tensors(images).repeat(BATCHES)
        extract = extractor(encoder, constant=True)
        return lambda: extract(batches)
    if how == "predict":
        model = simclr_tf.SimCLR(encoder, tf_models.ProjectionHead())
        images = tf.tile(images, [BATCHES, 1, 1, 1]).numpy()
        return lambda: model.predict(images, batch_size=batch, verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        simclr_tf.export.save(encoder, folder, image_size=224)
        saved = tf.saved_model.load(folder)
    serve = saved.signatures["preprocessed"]

    def compute():
        for _ in range(BATCHES):
            serve(images=images)["features"].numpy()

    return compute


def keras_predict(batch):
    """`predict` of the published network in plain Keras."""
    import tensorflow as tf

    from benchmarks.published import resnet

    model = resnet(50, 224)
    images = tf.random.uniform([BATCHES * batch, 224, 224, 3]).numpy()
    return lambda: model.predict(images, batch_size=batch, verbose=0)


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, default=32)
    options = parser.parse_args()
    batch = {"batch": options.batch}
    torch = {"depth": 50, "size": 224, "batches": BATCHES, **batch}
    for bfloat16, aim in ((False, 1.3), (True, 1.3)):
        kind = {"bfloat16": bfloat16}
        ways = {
            "torch": contest.Way(
                "benchmarks.peers:features", {**torch, **kind}, by_peers=True
            ),
            "keras predict": contest.Way(f"{__spec__.name}:keras_predict", batch),
            **{
                name: contest.Way(
                    f"{__spec__.name}:ours", {"how": how, **batch, **kind}
                )
                for name, how in {
                    "ours": "extract",
                    "predict": "predict",
                    "saved_model": "saved_model",
                }.items()
            },
        }
        seconds = contest.medians(ways, options.rounds)
        contest.print_head("bfloat16" if bfloat16 else "float32", ways)
        contest.print_row(
            "ResNet-50, 224 px",
            seconds,
            "keras predict",
            (aim, "torch"),
            BATCHES * options.batch,
        )


if __name__ == "__main__":
    main()
