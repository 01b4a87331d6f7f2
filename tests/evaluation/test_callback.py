import os

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import simclr_tf
import tf_models
from simclr_tf import evaluation
from simclr_tf.errors import UserError
from tests import programs

KEY = "val_knn_top_1_accuracy"


def small_simclr():
    model = simclr_tf.SimCLR(
        tf_models.ResNet(depth=18, width_multiplier=0.0625, stem="cifar"),
        tf_models.ProjectionHead(num_layers=2, output_dim=8),
        simclr_tf.augmentation.SimCLRAugmentation(8, blur=False, seed=0),
    )
    model.compile("sgd")
    return model


def test_history_tensorboard_and_checkpoints_see_the_figures(photos, tmp_path):
    model = small_simclr()
    best = str(tmp_path / "best.weights.h5")
    history = model.fit(
        photos[0],  # unlabelled
        batch_size=8,
        epochs=2,
        verbose=0,
        callbacks=[
            evaluation.EvaluateFeatures(photos, photos, 2, ("knn", "logistic")),
            keras.callbacks.TensorBoard(tmp_path / "log"),
            keras.callbacks.ModelCheckpoint(
                best, KEY, mode="max", save_best_only=True, save_weights_only=True
            ),
        ],
    ).history
    assert len(history[KEY]) == len(history["val_logistic_l2"]) == 2
    found = evaluation.evaluate(model, photos, photos, 2)
    assert history[KEY][-1] == found["knn_top_1_accuracy"]
    assert os.path.exists(best)
    names = set()
    for file in (tmp_path / "log" / "validation").iterdir():
        for record in tf.data.TFRecordDataset(str(file)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            names |= {value.tag for value in event.summary.value}
    assert any("knn_top_1_accuracy" in name for name in names)


def test_a_plain_keras_model_every_second_epoch(photos):
    images, labels = photos
    features = keras.Sequential(
        [keras.Input([12, 14, 3]), keras.layers.GlobalAveragePooling2D()]
    )
    model = keras.Sequential([features, keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    probes = [
        evaluation.EvaluateFeatures(photos, photos, 2, every_epochs=2),
        evaluation.EvaluateFeatures(photos, photos, 2, ["logistic"], encoder=features),
    ]
    scaled = images.astype("float32") / 255
    history = model.fit(scaled, labels, epochs=4, verbose=0, callbacks=probes).history
    assert len(history[KEY]) == 2
    assert history["val_logistic_top_1_accuracy"] == [1.0] * 4


def test_judging_does_not_touch_the_training(photos):
    def weights(*callbacks):
        keras.utils.set_random_seed(1)
        model = small_simclr()
        model.fit(photos[0], batch_size=8, epochs=2, verbose=0, callbacks=callbacks)
        return [np.array(weight) for weight in model.encoder.get_weights()]

    evaluators = ("head", "knn", "logistic")
    probe = evaluation.EvaluateFeatures(photos, photos, 2, evaluators)
    for watched, alone in zip(weights(probe), weights(), strict=True):
        np.testing.assert_array_equal(watched, alone)


def test_mistakes_show_before_the_training(photos):
    for wrong, message in (
        ({"train": photos[0]}, "`train` must be"),
        ({"test": (photos[0],)}, "`test` must be"),
        ({"evaluators": ("svm",)}, "got svm"),
        ({"every_epochs": 0}, "`every_epochs` must be >= 1, got 0"),
    ):
        given = {"train": photos, "test": photos, "num_classes": 2, **wrong}
        with pytest.raises(UserError, match=message):
            evaluation.EvaluateFeatures(**given)


def test_two_replicas_see_what_one_device_sees():
    printed = programs.run("tests/evaluation/evaluate_replicas_script.py")
    assert printed.splitlines()[-1] == "equal"
