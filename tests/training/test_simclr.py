import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import simclr_tf
import tf_models
from simclr_tf import augmentation, losses, optimizers


def small_encoder(**kwargs):
    return tf_models.ResNet(depth=18, width_multiplier=0.0625, stem="cifar", **kwargs)


def tiny_encoder():
    """For what does not depend on the network."""
    return keras.Sequential(
        [
            keras.Input([16, 16, 3]),
            keras.layers.Conv2D(8, 3, strides=2),
            tf_models.BatchNormalization(),
            keras.layers.Activation("elu"),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )


def tiny_model():
    """As quick to trace as it can be."""
    head = tf_models.ProjectionHead(num_layers=2, output_dim=8)
    view = augmentation.CropAndFlip(16, seed=1)
    return simclr_tf.SimCLR(tiny_encoder(), head, view, num_classes=2)


def small_model(view=augmentation.CropAndFlip, num_classes=2, **kwargs):
    return simclr_tf.SimCLR(
        small_encoder(),
        tf_models.ProjectionHead(num_layers=2, output_dim=8),
        augmentation=view and view(16, seed=1),
        num_classes=num_classes,
        **kwargs,
    )


def compiled(model=None, optimizer=None, **kwargs):
    model = model or small_model()
    model.compile(
        optimizer=optimizer or optimizers.LARS(0.1),
        loss=losses.NTXent(0.5),
        **kwargs,
    )
    return model


def values(model):
    return [np.array(weight) for weight in model.weights]


def test_step_is_algorithm_1_written_out(smooth):
    # SGD, so that the update is the gradient; every network taken as a black box.
    model = small_model(view=None, num_classes=None)
    compiled(model, keras.optimizers.SGD(0.1))
    twin = small_model(view=None, num_classes=None)
    twin.set_weights(model.get_weights())
    view_a, view_b = tf.random.stateless_uniform([2, 4, 16, 16, 3], [0, 1])
    with tf.GradientTape() as tape:
        features = twin.encoder(tf.concat([view_a, view_b], 0), training=True)
        z = twin.projection_head(features, training=True)
        z = z / tf.norm(z, axis=1, keepdims=True)
        similarity = tf.exp(tf.matmul(z, z, transpose_b=True) / 0.5)
        terms = []
        for row in range(8):
            others = sum(similarity[row, k] for k in range(8) if k != row)
            terms.append(-tf.math.log(similarity[row, (row + 4) % 8] / others))
        loss = tf.add_n(terms) / 8
    trained = (
        twin.encoder.trainable_variables + twin.projection_head.trainable_variables
    )
    gradients = tape.gradient(loss, trained)
    logs = model.train_step((view_a, view_b))
    np.testing.assert_allclose(logs["contrast_loss"], loss, rtol=1e-5)
    ours = model.encoder.trainable_variables + model.projection_head.trainable_variables
    for variable, old, gradient in zip(ours, trained, gradients, strict=True):
        np.testing.assert_allclose(variable, old - 0.1 * gradient, atol=2e-5)


@pytest.mark.parametrize("micro_batch_size", [None, 4, 3])
def test_figures_beside_the_loss_are_those_of_the_projections(micro_batch_size):
    # Batch norm by its moving statistics, so that pieces embed as the whole batch does.
    model = small_model(None, micro_batch_size=micro_batch_size)
    model.encoder.trainable = model.projection_head.trainable = False
    compiled(model, keras.optimizers.SGD(0.0))
    view_a, view_b = tf.random.stateless_uniform([2, 8, 16, 16, 3], [0, 1])
    a, b = (model.projection_head(model.encoder(view)) for view in (view_a, view_b))
    expected = {
        "embedding_std": losses.embedding_std(a),
        "alignment": losses.alignment(a, b),
        "uniformity": losses.uniformity(a),
        "hardest_negative": losses.hardest_negative(a),
        "likely_false_negatives": losses.likely_false_negatives(a, b),
        "contrast_loss_chance": np.log(15),
    }
    logs = model.train_step(((view_a, view_b), tf.range(8) % 2))
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name], value, rtol=1e-3, err_msg=name)


def test_fit_takes_every_form_of_data(photos):
    images, labels = photos
    unit = (images / 255.0).astype("float32")
    sets = tf.data.Dataset.from_tensor_slices((images, labels))
    for x, y, batch_size, labelled in (
        (images, None, 8, False),
        (images, labels, 8, True),
        (unit, np.eye(2)[labels], 8, True),
        (sets.batch(8), None, None, True),
        (sets, None, 8, True),  # single images
        (sets.map(lambda image, label: image), None, 8, False),
    ):
        model = compiled(tiny_model(), keras.optimizers.SGD(0.1))
        history = model.fit(x, y, batch_size=batch_size, verbose=0).history
        assert np.isfinite(history["loss"][0])
        assert ("supervised_acc" in history) == labelled
        assert int(model.optimizer.iterations) == 2


def test_fit_takes_single_images_of_different_sizes(photos):
    images, labels = photos

    def generate():
        for index, (image, label) in enumerate(zip(images, labels, strict=True)):
            yield image[: 8 + index % 4], label

    sets = tf.data.Dataset.from_generator(
        generate,
        output_signature=(
            tf.TensorSpec([None, None, 3], tf.uint8),
            tf.TensorSpec([], tf.int64),
        ),
    )
    history = compiled(tiny_model()).fit(sets, batch_size=8, epochs=2, verbose=0)
    assert len(history.history["contrast_loss"]) == 2


def test_fit_takes_ready_views(photos):
    images, labels = photos
    views = (images[:, :, :12], images[:, :, 2:])
    sets = tf.data.Dataset.from_tensor_slices((views, labels)).batch(8)
    history = compiled(small_model(view=None)).fit(sets, verbose=0)
    assert "supervised_loss" in history.history
    pairs = tf.data.Dataset.from_tensor_slices(views).batch(8)
    history = compiled(small_model(view=None)).fit(pairs, verbose=0)
    assert "supervised_loss" not in history.history


def test_views_without_augmentation_are_required(photos):
    with pytest.raises(ValueError, match="view_a, view_b"):
        compiled(small_model(view=None)).fit(photos[0], verbose=0)


def test_training_lowers_the_loss_and_the_head_learns():
    colours = np.random.RandomState(0).randint(0, 256, [16, 1, 1, 3])
    labels = (colours[:, 0, 0, 0] > colours[:, 0, 0, 2]).astype("int64")
    noise = np.random.RandomState(1).randint(-20, 20, [16, 12, 12, 3])
    images = np.clip(colours + noise, 0, 255).astype("uint8")
    view = augmentation.CropAndFlip(12, seed=0)
    head = tf_models.ProjectionHead(num_layers=2, output_dim=8)
    model = simclr_tf.SimCLR(small_encoder(), head, view, num_classes=2)
    compiled(model, keras.optimizers.Adam(0.01))
    history = model.fit(images, labels, batch_size=16, epochs=40, verbose=0).history
    chance = np.log(31)
    assert np.mean(history["contrast_loss"][-5:]) < 0.8 * chance
    assert history["contrast_acc"][-1] > 0.3
    assert history["supervised_acc"][-1] > 0.8
    figures = model.evaluate(images, labels, verbose=0, return_dict=True)
    assert figures["label_top_1_accuracy"] > 0.6
    assert figures["label_top_5_accuracy"] == 1.0


def test_labels_do_not_touch_the_encoder(photos, smooth):
    images, labels = photos
    with_labels = compiled(optimizer=keras.optimizers.SGD(0.1))
    without = compiled(optimizer=keras.optimizers.SGD(0.1))
    without.set_weights(with_labels.get_weights())
    with_labels.train_step((images, labels))
    without.train_step(images)
    for ours, theirs in zip(
        values(with_labels.encoder), values(without.encoder), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert np.any(
        with_labels.linear_head.trainable_variables[0]
        != without.linear_head.trainable_variables[0]
    )


@pytest.mark.parametrize("step", ["train_step", "test_step"])
def test_images_without_a_label_do_not_count_for_the_head(photos, step):
    # The head's figures are those of a batch in which it sees the labelled alone.
    images, labels = photos
    some = np.where(np.arange(16) < 6, labels, -1)
    model = small_model(view=None)
    model.encoder.trainable = model.projection_head.trainable = False
    compiled(model, keras.optimizers.SGD(0.1))
    views = tf.random.stateless_uniform([2, 16, 16, 16, 3], [0, 1])
    kernel = model.linear_head.kernel
    figures, kernels = [], []
    weights = model.linear_head.get_weights()
    for shown, given in (((*views,), some), ((*views[:, :6],), labels[:6])):
        model.linear_head.set_weights(weights)
        model.reset_metrics()
        logs = getattr(model, step)((shown, given))
        figures.append({n: float(v) for n, v in logs.items() if n in OF_LABELS})
        kernels.append(np.array(kernel))
    assert figures[0] and figures[0] == pytest.approx(figures[1], abs=1e-5)
    np.testing.assert_allclose(*kernels, atol=1e-6)
    nothing = getattr(model, step)((tuple(views), np.full(16, -1)))
    assert all(np.isfinite(list(nothing.values())))


OF_LABELS = (
    "supervised_loss",
    "supervised_acc",
    "label_top_1_accuracy",
    "label_top_5_accuracy",
)


def test_predict_gives_features_after_the_evaluation_crop(photos):
    images, _ = photos
    model = compiled()
    features = model.predict(images, verbose=0)
    cropped = augmentation.EvaluationCrop(16)(images)
    expected = model.encoder(cropped, training=False)
    assert features.shape == (16, model.encoder.feature_dim)
    np.testing.assert_allclose(features, expected, atol=1e-5)


def test_evaluate_reports_the_validation_loss_and_moves_nothing(photos):
    images, labels = photos
    model = compiled(tiny_model())
    before = values(model)
    history = model.fit(
        images, labels, validation_data=(images, labels), batch_size=8, verbose=0
    )
    assert {"val_loss", "val_label_top_1_accuracy"} <= set(history.history)
    before = values(model.encoder)
    model.evaluate(images, labels, verbose=0)
    for old, new in zip(before, values(model.encoder), strict=True):
        np.testing.assert_array_equal(old, new)


def test_any_keras_model_is_an_encoder(photos):
    images, labels = photos
    encoder = keras.Sequential(
        [keras.layers.Conv2D(4, 3, input_shape=(16, 16, 3)), keras.layers.ReLU()]
    )  # [B, 14, 14, 4]: averaged over height and width
    model = simclr_tf.SimCLR(
        encoder,
        tf_models.ProjectionHead(mode="linear", output_dim=4),
        augmentation=augmentation.SimCLRAugmentation(16, seed=0),
    )
    compiled(model).fit(images, batch_size=8, verbose=0)
    assert model.predict(images, verbose=0).shape == (16, 4)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_stays_finite(photos, policy):
    keras.mixed_precision.set_global_policy(policy)
    model = small_model(augmentation.SimCLRAugmentation)
    compiled(model, optimizer=keras.optimizers.SGD(0.01))
    history = model.fit(*photos, batch_size=8, epochs=2, verbose=0)
    assert np.all(np.isfinite(history.history["loss"]))
    assert model.predict(photos[0], verbose=0).dtype == np.float32


def test_jit_compile_gives_the_same_step(photos, smooth):
    images, labels = photos
    plain, fast = (compiled(tiny_model(), jit_compile=jit) for jit in (False, True))
    fast.set_weights(plain.get_weights())
    for model in (plain, fast):
        model.fit(images, labels, batch_size=16, verbose=0, shuffle=False)
    for ours, theirs in zip(values(plain), values(fast), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_steps_per_execution(photos):
    model = compiled(tiny_model(), steps_per_execution=2)
    history = model.fit(*photos, batch_size=4, verbose=0)
    assert int(model.optimizer.iterations) == 4
    assert np.isfinite(history.history["loss"][0])


def test_weight_decay_of_the_loss_by_hand():
    def penalised(optimizer):
        model = compiled(small_model(weight_decay=0.5), optimizer)
        return model, float(model._weight_decay_loss())

    def half_square(variables):
        return sum(0.25 * np.sum(np.square(variable)) for variable in variables)

    model, lars = penalised(optimizers.LARS(0.1, weight_decay=0.5))
    np.testing.assert_allclose(
        lars, half_square([model.linear_head.trainable_variables[0]]), rtol=1e-5
    )
    model, sgd = penalised(keras.optimizers.SGD(0.1))
    kernels = [v for v in model.trainable_variables if len(v.shape) > 1]
    np.testing.assert_allclose(sgd, half_square(kernels), rtol=1e-5)  # biases are 0


def test_keras_file_round_trip(photos, tmp_path):
    model = compiled(small_model(augmentation.SimCLRAugmentation))
    model.fit(*photos, batch_size=8, verbose=0)
    model.save(tmp_path / "simclr.keras")
    again = keras.models.load_model(tmp_path / "simclr.keras")
    np.testing.assert_allclose(
        again.predict(photos[0], verbose=0), model.predict(photos[0], verbose=0), 1e-5
    )
    again.fit(*photos, batch_size=8, verbose=0)


def test_wrong_arguments_say_what_is_allowed():
    with pytest.raises(ValueError, match="num_classes.*>= 2.*got 1"):
        small_model(num_classes=1)
    with pytest.raises(ValueError, match=r"ft_proj_selector.*\[-3, 2\].*got 3"):
        small_model(ft_proj_selector=3)
    with pytest.raises(ValueError, match="weight_decay.*got -1"):
        small_model(weight_decay=-1)
