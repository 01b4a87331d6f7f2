import numpy as np
import pytest
from tensorflow import keras

import simclr_tf
import tf_models
from simclr_tf import augmentation, keras_compat
from simclr_tf.errors import UserError
from simclr_tf.training import callbacks


def small_classifier(fine_tune_after_block=-1, global_bn=True, **kwargs):
    encoder = tf_models.ResNet(
        depth=18, width_multiplier=0.0625, stem="cifar", global_bn=global_bn
    )
    model = simclr_tf.Classifier(
        encoder, 2, fine_tune_after_block=fine_tune_after_block, **kwargs
    )
    model.compile(
        keras.optimizers.SGD(0.1),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def snapshot(layer):
    return [np.array(weight) for weight in layer.weights]


def changed(layer, before):
    return [
        not np.array_equal(old, new)
        for old, new in zip(before, snapshot(layer), strict=True)
    ]


@pytest.mark.parametrize("global_bn", [True, False])
def test_linear_evaluation_leaves_the_encoder_bit_identical(photos, global_bn):
    # Defect B2 of the published code: batch statistics moved under a frozen encoder.
    model = small_classifier(4, global_bn)
    encoder, head = snapshot(model.encoder), snapshot(model.linear_head)
    model.fit(*photos, epochs=2, verbose=0)
    assert not any(changed(model.encoder, encoder))
    assert all(changed(model.linear_head, head))
    assert len(model.trainable_variables) == 2


def test_projection_under_a_linear_evaluation_is_frozen_too(photos):
    # Defect B12: the projection head stayed trainable.
    head = tf_models.ProjectionHead(num_layers=2, output_dim=4)
    model = small_classifier(4, projection_head=head, ft_proj_selector=1)
    before = snapshot(head)
    model.fit(*photos, verbose=0)
    assert not any(changed(head, before))


def test_all_blocks_learn_by_default(photos):
    model = small_classifier(-1)
    before = snapshot(model.encoder)
    model.fit(*photos, epochs=3, verbose=0)  # scales that start at 0 take a step or two
    assert all(changed(model.encoder, before))


def test_zero_init_logits_layer_starts_at_zero(photos):
    # Defect B1: the flag had no effect.
    model = small_classifier(4, zero_init_logits_layer=True)
    np.testing.assert_array_equal(
        model.predict(photos[0], verbose=0), np.zeros((16, 2))
    )
    model = small_classifier(4)
    assert np.any(model.predict(photos[0], verbose=0))


def test_middle_layer_of_the_projection_head_feeds_the_linear_head(photos):
    head = tf_models.ProjectionHead(num_layers=2, output_dim=4)
    model = small_classifier(projection_head=head, ft_proj_selector=1)
    unit = photos[0].astype("float32") / 255
    hidden = head.hidden_layers(model.encoder(unit), training=False)[1]
    np.testing.assert_allclose(model(unit), model.linear_head(hidden), atol=1e-6)


def test_layers_of_the_projection_head_that_nobody_sees_are_frozen():
    # The optimizer warned of variables without a gradient.
    head = tf_models.ProjectionHead(num_layers=3, output_dim=4)
    model = small_classifier(projection_head=head, ft_proj_selector=1)
    assert len(head.trainable_variables) == 3  # kernel, gamma and beta of the first
    assert {id(v) for v in head.trainable_variables} <= {
        id(v) for v in model.trainable_variables
    }
    head = tf_models.ProjectionHead(num_layers=2, output_dim=4)
    small_classifier(projection_head=head, ft_proj_selector=-1)
    assert len(head.trainable_variables) == 5  # the last layer has no beta


def test_features_in_place_of_images(photos):
    unit = photos[0].astype("float32") / 255
    for options in ({}, {"ft_proj_selector": 1}):
        head = tf_models.ProjectionHead(num_layers=2, output_dim=4)
        model = small_classifier(4, projection_head=head, **options)
        features = np.array(model.encoder(unit, training=False))
        np.testing.assert_allclose(
            model(features, training=True), model(unit, training=True), atol=1e-6
        )
        before, start = snapshot(model.encoder), snapshot(model.linear_head)
        model.fit(features, photos[1], verbose=0)
        assert all(changed(model.linear_head, start))
        assert not any(changed(model.encoder, before))


def test_a_frozen_encoder_draws_nothing(photos):
    encoder = keras.Sequential(
        [
            keras.layers.Conv2D(4, 3, input_shape=(12, 14, 3)),
            keras.layers.Dropout(0.5),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    unit = photos[0].astype("float32") / 255
    frozen = simclr_tf.Classifier(encoder, 2, fine_tune_after_block=4)
    np.testing.assert_array_equal(frozen(unit, training=True), frozen(unit))
    tuned = simclr_tf.Classifier(encoder, 2)
    assert np.any(np.array(tuned(unit, training=True)) != np.array(tuned(unit)))


def test_augmentation_takes_raw_images(photos):
    model = small_classifier(augmentation=augmentation.CropAndFlip(16, seed=0))
    model.fit(*photos, verbose=0)
    crop = augmentation.EvaluationCrop(16)(photos[0])
    expected = model.linear_head(model.encoder(crop, training=False))
    np.testing.assert_allclose(model.predict(photos[0], verbose=0), expected, atol=1e-5)


def test_weight_decay_enters_the_loss(photos):
    plain, decayed = small_classifier(), small_classifier(weight_decay=2.0)
    decayed.set_weights(plain.get_weights())
    kernels = [v for v in plain.trainable_variables if len(v.shape) > 1]
    expected = sum(np.sum(np.square(kernel)) for kernel in kernels)
    difference = [
        model.evaluate(*photos, batch_size=16, verbose=0)[0]
        for model in (decayed, plain)
    ]
    np.testing.assert_allclose(difference[0] - difference[1], expected, rtol=1e-4)


def test_keras_file_round_trip(photos, tmp_path):
    model = small_classifier(2)
    model.save(tmp_path / "classifier.keras")
    again = keras.models.load_model(tmp_path / "classifier.keras")
    np.testing.assert_allclose(
        again.predict(photos[0], verbose=0), model.predict(photos[0], verbose=0), 1e-5
    )
    assert len(again.trainable_variables) == len(model.trainable_variables)


def test_wrong_arguments_say_what_is_allowed():
    with pytest.raises(ValueError, match="needs a `projection_head`"):
        small_classifier(ft_proj_selector=1)
    plain = keras.Sequential([keras.layers.Conv2D(4, 3, input_shape=(16, 16, 3))])
    with pytest.raises(ValueError, match="-1 or 4.*got 2"):
        simclr_tf.Classifier(plain, 2, fine_tune_after_block=2)


def dense_classifier(**compile_options):
    """A linear model of four pixels, quick to trace."""
    encoder = keras.Sequential([keras.layers.Input([2, 2, 3]), keras.layers.Flatten()])
    model = simclr_tf.Classifier(encoder, 3)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1.0), loss, **compile_options)
    return model


UNIT = np.random.RandomState(0).rand(8, 2, 2, 3).astype("float32")
LABELS = np.arange(8) % 3


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "xla"])
def dense(request):
    return dense_classifier(jit_compile=request.param)


def test_knows_the_norm_of_the_gradient_of_its_step(dense):
    before = [np.array(variable) for variable in dense.trainable_variables]
    dense.fit(UNIT, LABELS, verbose=0)
    moved = [
        old - np.array(new)
        for old, new in zip(before, dense.trainable_variables, strict=True)
    ]
    norms = [np.linalg.norm(gradient) for gradient in moved]
    norm, counts = dense.gradient_norms.total()
    np.testing.assert_allclose(norm, np.linalg.norm(norms), rtol=1e-5)
    assert counts == 1
    (path, largest), other = dense.gradient_norms.largest()
    np.testing.assert_allclose((largest, other[1]), sorted(norms)[::-1], rtol=1e-5)
    assert path == keras_compat.variable_path(
        dense.trainable_variables[int(np.argmax(norms))]
    )


@pytest.mark.parametrize("call", ["fit", "evaluate"])
@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (UNIT, LABELS - 1, r"0..2, .*num_classes=3: leave out.*-1.*from -1 to 1"),
        (UNIT, LABELS[:, None] + 1.0, r"Labels must be in 0..2.*from 1 to 3"),
        (UNIT, np.eye(4)[LABELS], "num_classes=3 columns, got 4"),
        (255 * UNIT, LABELS, "Divide those in 0..255"),
        (np.where(UNIT > 0.9, np.nan, UNIT), LABELS, r"\d+ NaN or infinite"),
    ],
)
def test_what_it_cannot_learn_from_is_refused(call, images, labels, message):
    model = dense_classifier(run_eagerly=True)
    with pytest.raises(UserError, match=message):
        getattr(model, call)(images, labels, verbose=0)
    assert int(model.optimizer.iterations) == 0


def test_later_batches_are_refused_in_the_graph():
    model = dense_classifier()
    with pytest.raises(UserError, match="Labels must be in 0..2"):
        labels = np.append(LABELS, 7)
        model.fit(np.append(UNIT, UNIT[:1], 0), labels, 8, shuffle=False, verbose=0)
    assert np.isfinite(model.get_weights()[0]).all()


def test_a_step_that_is_not_finite_ends_the_training_in_words():
    model = dense_classifier(run_eagerly=True)
    model.linear_head.set_weights([np.full([12, 3], np.inf), np.zeros(3)])
    with pytest.raises(UserError, match="at step 1: loss nan, norm of .* nan, .*: "):
        model.fit(UNIT, LABELS, verbose=0, callbacks=[callbacks.NonFinite()])
