"""What Keras users pass to `SimCLR.fit`: it works, or is refused in words."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import simclr_tf
from simclr_tf import augmentation, losses
from simclr_tf.errors import UserError

IMAGES = np.random.RandomState(0).randint(0, 256, [16, 8, 8, 3]).astype("uint8")
LABELS = np.arange(16) % 2
UNIT = (IMAGES / 255).astype("float32")


def small_model(head=None, policy=True, **compile_options):
    view = augmentation.CropAndFlip(8, seed=1) if policy else None
    encoder = keras.Sequential(
        [
            keras.layers.Input([8, 8, 3]),
            keras.layers.Conv2D(4, 3),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    model = simclr_tf.SimCLR(encoder, head or keras.layers.Dense(3), view, 2)
    model.compile(keras.optimizers.SGD(0.1), losses.NTXent(0.5), **compile_options)
    return model


@pytest.fixture(scope="module")
def eager():
    """A model that nothing traces, which takes time."""
    return small_model(run_eagerly=True)


@pytest.fixture(scope="module")
def traced():
    return small_model()


def test_what_keras_users_pass_works_together(tmp_path):
    model = small_model(steps_per_execution=2)
    options = {
        "validation_data": (IMAGES, LABELS),
        "batch_size": 6,  # the last batches have 4, and there is an odd number of them
        "verbose": 0,
    }
    calls = [
        keras.callbacks.ModelCheckpoint(
            str(tmp_path / "best.keras"), monitor="val_loss", save_best_only=True
        ),
        keras.callbacks.EarlyStopping("val_loss", min_delta=1e9, patience=1),
        keras.callbacks.TensorBoard(str(tmp_path / "logs"), histogram_freq=1),
    ]
    history = model.fit(IMAGES, LABELS, epochs=5, callbacks=calls, **options)
    assert len(history.history["val_loss"]) == 2  # stopped early
    assert int(model.optimizer.iterations) == 6
    assert list((tmp_path / "logs" / "validation").glob("events*"))
    again = keras.models.load_model(tmp_path / "best.keras")
    assert again.projection_head.units == 3
    best = np.argmin(history.history["val_loss"])
    if best == 1:
        np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])


def test_a_keras_file_goes_on_as_the_model_does(tmp_path):
    model = small_model(skip_nonfinite=True)
    model.fit(IMAGES, LABELS, batch_size=8, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.skip_nonfinite
    for one in (model, again):
        one.augmentation = augmentation.CropAndFlip(8, seed=5)
        one.fit(IMAGES, LABELS, batch_size=16, shuffle=False, verbose=0)
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_backup_and_restore_goes_on_after_an_interruption(tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise InterruptedError

    def train(*calls):
        keras.utils.set_random_seed(3)
        model = small_model()
        backup = keras.callbacks.BackupAndRestore(str(tmp_path / "backup"))
        options = {"batch_size": 8, "epochs": 3, "verbose": 0}
        return model, lambda: model.fit(
            IMAGES, LABELS, callbacks=[backup, *calls], **options
        )

    interrupted, fit = train(Interrupt())
    with pytest.raises(InterruptedError):
        fit()
    model, fit = train()
    history = fit()
    assert len(history.epoch) == 1
    assert int(model.optimizer.iterations) == 6
    kernel, before = (m.encoder.get_weights()[0] for m in (model, interrupted))
    assert np.any(kernel != before)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES.astype("float32"), r"in 0..1. Divide.*255.*Got values from 0 to 255"),
        (2 * UNIT - 1, r"in -1..1 pass images / 2 \+ 0.5.*Got values from -1 to 1"),
        (np.where(UNIT > 0.9, np.nan, UNIT), r"and \d+ NaN or infinite"),
        (IMAGES.astype("int64"), "uint8 0..255 or float 0..1, got int64.*astype"),
        (IMAGES.transpose(0, 3, 1, 2), r"channels come first.*moveaxis\(images, 1, -1"),
        (IMAGES[..., [0, 1, 2, 0]], r"\(16, 8, 8, 4\): pass images\[..., :3\]"),
        (IMAGES[0], r"one image: pass images\[None\]"),
        (IMAGES[:1], "at least 2 images, got 1"),
    ],
)
def test_images_that_would_teach_nothing_are_refused(eager, images, message):
    with pytest.raises(UserError, match=message):
        eager.fit(images, batch_size=8, verbose=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_weight": {0: 1.0, 1: 2.0}}, "class_weight.*must not be given"),
        ({"sample_weight": np.ones(16)}, "sample_weight.*must not be given"),
        ({"validation_data": (IMAGES, LABELS, LABELS)}, "validation_data.*weights"),
        ({"batch_size": 1}, "at least 2 images, got 1"),
        ({"y": LABELS + 1}, "0..1.*num_classes=2.*or -1.*from 1 to 2"),
        ({"y": LABELS - 2}, "0..1.*or -1.*from -2 to -1"),
        ({"y": np.eye(3)[LABELS]}, "num_classes=2 columns, got 3"),
        ({"y": np.array(["cat", "dog"] * 8)}, "whole numbers in 0..1"),
    ],
)
def test_options_that_pre_training_has_no_use_for_are_refused(eager, options, message):
    with pytest.raises(UserError, match=message):
        eager.fit(IMAGES, **{"y": LABELS, "batch_size": 8, "verbose": 0, **options})


@pytest.mark.parametrize(
    "images", [IMAGES, tf.data.Dataset.from_tensor_slices(IMAGES)], ids=["array", "set"]
)
def test_a_batch_size_that_does_not_fit_the_number_of_images(eager, images):
    with pytest.warns(UserWarning, match="64, but there are 16 images") as caught:
        eager.fit(images, batch_size=64, verbose=0)
    assert caught[0].filename == __file__
    with pytest.raises(UserError, match="none of the 16 images is left over alone"):
        eager.fit(images, batch_size=5, verbose=0)


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([UNIT, 255 * UNIT], "Divide those in 0..255"),
        ([UNIT, np.full_like(UNIT, np.nan)], "3072 NaN or infinite"),
        ([(UNIT, LABELS), (UNIT, LABELS + 5)], "Labels.*from 5 to 6"),
        ([UNIT, UNIT[:1]], "at least 2 images, got 1.*drop_remainder"),
    ],
)
def test_later_batches_are_refused_in_the_graph(traced, batches, message):
    spec = [tf.TensorSpec([None, 8, 8, 3], tf.float32), tf.TensorSpec([None], tf.int64)]
    spec = tuple(spec) if isinstance(batches[0], tuple) else spec[0]
    data = tf.data.Dataset.from_generator(lambda: batches, output_signature=spec)
    before = int(traced.optimizer.iterations)
    with pytest.raises(UserError, match=message) as caught:
        traced.fit(data, verbose=0)
    assert len(str(caught.value).splitlines()) == 1
    assert int(traced.optimizer.iterations) > before
    assert np.isfinite(traced.get_weights()[0]).all()


def test_views_may_be_standardised_but_not_in_0_to_255():
    model = small_model(policy=False)
    views = tf.constant(2 * (UNIT - 0.5) / 0.25)
    model.train_step((views, views))
    with pytest.raises(tf.errors.InvalidArgumentError, match="Divide those in 0..255"):
        model.train_step((views, tf.constant(255 * UNIT)))


def test_grey_images_are_those_with_three_equal_channels(eager):
    grey = IMAGES[..., :1]
    expected = eager.predict(np.repeat(grey, 3, axis=-1), verbose=0)
    for images in (grey, grey[..., 0]):
        np.testing.assert_array_equal(eager.predict(images, verbose=0), expected)
        eager.fit(images, batch_size=8, verbose=0)
        expected = eager.predict(np.repeat(grey, 3, axis=-1), verbose=0)
    singles = tf.data.Dataset.from_tensor_slices(grey[..., 0])
    assert eager.predict(singles, verbose=0).shape == (16, 4)
    eager.fit(singles, batch_size=8, verbose=0)
    eager.fit(singles.batch(8), verbose=0)


def test_a_classifier_refuses_images_in_0_to_255(eager):
    view = augmentation.CropAndFlip(8, seed=1)
    model = simclr_tf.Classifier(eager.encoder, 2, augmentation=view)
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    with pytest.raises(UserError, match="Divide those in 0..255"):
        model.fit(255 * UNIT, LABELS, verbose=0)


def test_single_images_in_0_to_255_of_different_sizes_are_refused(eager):
    data = tf.data.Dataset.from_generator(
        lambda: [255 * UNIT[0], 255 * UNIT[1][:7]],
        output_signature=tf.TensorSpec([None, None, 3], tf.float32),
    )
    with pytest.raises(UserError, match="Divide those in 0..255"):
        eager.fit(data, batch_size=2, verbose=0)


def test_a_tie_is_no_hit():
    model = small_model()
    model.linear_head.set_weights([np.zeros([4, 2]), np.zeros(2)])
    figures = model.test_step((IMAGES, LABELS))
    assert float(figures["label_top_1_accuracy"]) == 0
    assert float(figures["label_top_5_accuracy"]) == 1  # there are two classes
    model.linear_head.set_weights([np.zeros([4, 2]), np.array([1.0, 0.0])])
    model.reset_metrics()
    assert float(model.test_step((IMAGES, LABELS))["label_top_1_accuracy"]) == 0.5


def test_an_image_alone_in_a_batch_does_not_count_in_evaluation():
    model = small_model()
    seventeen = np.concatenate([IMAGES, IMAGES[:1]])
    model.test_step(seventeen[:16])
    before = float(model.get_metrics_result()["contrast_loss"])
    model.test_step(seventeen[16:])
    assert float(model.get_metrics_result()["contrast_loss"]) == before > 0


class Squeeze(keras.layers.Layer):
    def call(self, features):
        return tf.reduce_mean(features, axis=1)


def test_any_layer_is_a_projection_head():
    layers = [keras.layers.Dense(5, activation="relu"), keras.layers.Dense(3)]
    for head, width in ((keras.Sequential(layers), 3), (keras.layers.Dense(6), 6)):
        model = small_model(head)
        features, projections = model._stages(tf.ones([2, 4]), training=True)
        np.testing.assert_array_equal(features, np.ones([2, 4]))
        np.testing.assert_array_equal(projections, head(tf.ones([2, 4])))
        assert projections.shape[1] == width
        before = np.array(head.trainable_variables[0])
        model.train_step(IMAGES)
        assert np.any(before != head.trainable_variables[0])
    with pytest.raises(ValueError, match=r"\[B, C\] to projections \[B, E\].*\(1,\)"):
        small_model(Squeeze())
