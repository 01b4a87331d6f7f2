"""Every loss against its formula read literally, in all the ways it is computed."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from simclr_tf import losses
from simclr_tf.losses import _rows, contrastive_accuracy, contrastive_entropy
from tests.losses import literal

RANDOM = np.random.RandomState(0)
A = RANDOM.randn(6, 4).astype("float32")
B = (A + RANDOM.randn(6, 4)).astype("float32")
MEMORY = RANDOM.randn(5, 4).astype("float32")
FILLED = MEMORY.copy()
MEMORY = np.insert(MEMORY, [1, 5], 0.0, axis=0)  # with two empty places
LABELS = np.array([2, -1, 0, 2, -1, 2])

# Loss, and its formula from two views to one value for each image.
LOSSES = {
    "nt_xent": (losses.NTXent(0.4), lambda a, b, **m: literal.nt_xent(a, b, 0.4, **m)),
    "nt_logistic": (
        losses.NTLogistic(0.4),
        lambda a, b, **m: literal.nt_logistic(a, b, 0.4, **m),
    ),
    "nt_logistic, dot products": (
        losses.NTLogistic(2.0, hidden_norm=False),
        lambda a, b, **m: literal.nt_logistic(a, b, 2.0, norm=False, **m),
    ),
    "nt_logistic, semi-hard": (
        losses.NTLogistic(0.4, semi_hard=True),
        lambda a, b, **m: literal.nt_logistic(a, b, 0.4, True, **m),
    ),
    "margin_triplet": (
        losses.MarginTriplet(0.8),
        lambda a, b, **m: literal.margin_triplet(a, b, 0.8, **m),
    ),
    "margin_triplet, semi-hard": (
        losses.MarginTriplet(0.3, hidden_norm=False, semi_hard=True),
        lambda a, b, **m: literal.margin_triplet(a, b, 0.3, True, norm=False, **m),
    ),
    "supcon": (losses.SupCon(0.4), lambda a, b: literal.supcon(a, b, 0.4, LABELS)),
    "dcl": (losses.DCL(0.4), lambda a, b, **m: literal.dcl(a, b, 0.4, **m)),
    "dclw": (
        losses.DCLW(0.4, sigma=0.7),
        lambda a, b, **m: literal.dclw(a, b, 0.4, 0.7, **m),
    ),
    "debiased": (
        losses.Debiased(0.4, positive_prior=0.1),
        lambda a, b, **m: literal.debiased(a, b, 0.4, 0.1, **m),
    ),
    "debiased, clamped": (
        losses.Debiased(0.4, positive_prior=0.5),
        lambda a, b, **m: literal.debiased(a, b, 0.4, 0.5, **m),
    ),
    "hard_negatives": (
        losses.HardNegatives(0.4, 0.1, negative_concentration=1.5),
        lambda a, b, **m: literal.hard_negatives(a, b, 0.4, 0.1, 1.5, **m),
    ),
    "false_negatives": (
        losses.FalseNegatives(0.4, false_negative_threshold=0.3),
        lambda a, b, **m: literal.false_negatives(a, b, 0.4, 0.3, 0, False, **m),
    ),
    "false_negatives, top": (
        losses.FalseNegatives(0.4, 0.1, false_negative_top_k=2),
        lambda a, b, **m: literal.false_negatives(a, b, 0.4, 0.1, 2, False, **m),
    ),
    "false_negatives, attracted": (
        losses.FalseNegatives(0.4, 0.3, attract_false_negatives=True),
        lambda a, b, **m: literal.false_negatives(a, b, 0.4, 0.3, 0, True, **m),
    ),
    "generalized": (
        losses.GeneralizedContrastive(0.4, embedding_prior_weight=0.2),
        lambda a, b: literal.generalized(a, b, 0.4, 0.2),
    ),
}
WITH_NEGATIVES = [name for name in LOSSES if LOSSES[name][0].takes_negatives]
each_loss = pytest.mark.parametrize("name", LOSSES)
WEIGHTS = np.linspace(-1.0, 2.0, 6)


def extras_of(loss, **more):
    return {**more, **({"labels": LABELS} if loss.needs_labels else {})}


@pytest.fixture(params=["at once", "by blocks"])
def cells(request, monkeypatch):
    if request.param == "by blocks":  # 12 rows in blocks of 5: the last is filled up
        monkeypatch.setattr(_rows, "MAX_CELLS", 5 * 12)


def value_and_gradients(loss, view_a, view_b, **more):
    """Losses, the metrics, and gradients of the sum weighted by `WEIGHTS`."""

    views = [tf.constant(view_a), tf.constant(view_b)]
    with tf.GradientTape() as tape:
        tape.watch(views)
        values, *figures = loss.call_with_metrics(*views, **extras_of(loss, **more))
        weighted = tf.reduce_sum(WEIGHTS.astype("float32") * values)
    return values, figures, tape.gradient(weighted, views)


def slope(function, size=1e-5):
    return (function(size) - function(-size)) / (2 * size)


def literal_gradients(formula, **more):
    """The gradients of `value_and_gradients` by finite differences."""
    found = np.zeros([2, *A.shape])
    for index in np.ndindex(*found.shape):
        at = np.zeros(found.shape)
        at[index] = 1.0

        def value(size, at=at):
            return WEIGHTS @ formula(A + size * at[0], B + size * at[1], **more)

        found[index] = slope(value)
    return found


@each_loss
def test_values_metrics_and_gradients_are_those_of_the_formula(name, cells):
    loss, formula = LOSSES[name]
    values, (accuracies, entropies), gradients = value_and_gradients(loss, A, B)
    np.testing.assert_allclose(values, formula(A, B), rtol=1e-5, atol=1e-5)
    more = {"weights": literal.vmf_weights(A, B, 0.7)} if name == "dclw" else {}
    expected = literal_gradients(formula, **more)
    np.testing.assert_allclose(gradients, expected, rtol=1e-4, atol=2e-5)
    norm = getattr(loss, "hidden_norm", True)
    temperature = getattr(loss, "temperature", 1.0)
    np.testing.assert_array_equal(accuracies, contrastive_accuracy(A, B, norm))
    entropy = contrastive_entropy(A, B, temperature, norm)
    np.testing.assert_allclose(entropies, entropy, rtol=1e-4)
    assert values.dtype == tf.float32
    plain = loss.call(A, B, **extras_of(loss))
    np.testing.assert_allclose(plain, values, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", WITH_NEGATIVES)
def test_filled_places_of_a_memory_are_negatives(name, cells):
    loss, formula = LOSSES[name]
    values, _, gradients = value_and_gradients(loss, A, B, negatives=MEMORY)
    expected = formula(A, B, negatives=FILLED)
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5)
    more = {"weights": literal.vmf_weights(A, B, 0.7)} if name == "dclw" else {}
    expected = literal_gradients(formula, negatives=FILLED, **more)
    np.testing.assert_allclose(gradients, expected, rtol=1e-4, atol=2e-5)


TEMPERED = {
    "nt_logistic": lambda t: literal.nt_logistic(A, B, t, negatives=FILLED),
    "supcon": lambda t: literal.supcon(A, B, t, LABELS),
    "dcl": lambda t: literal.dcl(A, B, t, FILLED),
    "dclw": lambda t: literal.dclw(A, B, t, 0.7, FILLED),
    "debiased": lambda t: literal.debiased(A, B, t, 0.1, FILLED),
    "debiased, clamped": lambda t: literal.debiased(A, B, t, 0.5, FILLED),
    "hard_negatives": lambda t: literal.hard_negatives(A, B, t, 0.1, 1.5, FILLED),
    "false_negatives": lambda t: literal.false_negatives(
        A, B, t, 0.3, 0, False, FILLED
    ),
    "generalized": lambda t: literal.generalized(A, B, t, 0.2),
}


@pytest.mark.parametrize("name", TEMPERED)
def test_a_temperature_tensor_counts_and_has_the_gradient_of_the_formula(name, cells):
    loss, _ = LOSSES[name]
    extras = extras_of(loss, **({"negatives": MEMORY} if loss.takes_negatives else {}))
    t = tf.constant(0.7)
    with tf.GradientTape() as tape:
        tape.watch(t)
        values = loss.call(A, B, temperature=t, **extras)
        mean = tf.reduce_mean(values)
    np.testing.assert_allclose(values, TEMPERED[name](0.7), rtol=1e-5, atol=1e-5)
    expected = slope(lambda size: np.mean(TEMPERED[name](0.7 + size)))
    np.testing.assert_allclose(tape.gradient(mean, t), expected, rtol=1e-3, atol=1e-5)


@each_loss
def test_half_precision_extremes_and_lone_images_stay_finite(name, cells):
    loss, _ = LOSSES[name]
    half = [tf.cast(view, tf.float16) for view in (A, B)]
    values, *_ = value_and_gradients(loss, *half)
    exact, *_ = value_and_gradients(loss, *[tf.cast(view, tf.float32) for view in half])
    np.testing.assert_allclose(values, exact, rtol=1e-6, atol=1e-6)
    variants = [loss]
    if loss.takes_temperature:
        sharp = {**loss.get_config(), "temperature": 0.005}
        variants.append(type(loss).from_config(sharp))
    zero = np.zeros_like(A)
    for loss in variants:
        for view_a, view_b in ((A, A), (A, -A), (1e4 * A, B), (zero, zero), (zero, B)):
            values, _, gradients = value_and_gradients(loss, view_a, view_b)
            assert np.all(np.isfinite(values))
            assert np.all(np.isfinite(gradients))
    lone = loss.call(A[:1], B[:1], **({"labels": [1]} if loss.needs_labels else {}))
    assert np.all(np.isfinite(lone)) and np.all(np.abs(lone) < 100)


def test_xla_gives_the_same_by_blocks(monkeypatch):
    monkeypatch.setattr(_rows, "MAX_CELLS", 5 * 12)
    names = ["nt_xent", "nt_logistic, semi-hard", "false_negatives, top"]
    chosen = [LOSSES[name][0] for name in [*names, "hard_negatives"]]
    chosen += [losses.GeneralizedContrastive(embedding_prior="hypersphere")]

    def step(a, b, memory):
        found = []
        for loss in chosen:
            more = {"negatives": memory} if loss.takes_negatives else {"step": 3}
            with tf.GradientTape() as tape:
                tape.watch([a, b])
                values = loss.call(a, b, **more)
            found += [values, *tape.gradient(values, [a, b])]
        return found

    inputs = [tf.constant(rows) for rows in (A, B, MEMORY)]
    compiled = tf.function(step, jit_compile=True)(*inputs)
    for found, expected in zip(compiled, step(*inputs), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@each_loss
def test_survives_its_config_and_is_built_by_its_name(name):
    loss, _ = LOSSES[name]
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is type(loss) and again.get_config() == loss.get_config()
    arguments = {key: getattr(loss, key) for key in loss._arguments}
    built = losses.build(name.split(",")[0], **arguments)
    assert built.get_config() == loss.get_config()


def test_takes_batches_of_unknown_size():
    spec = tf.TensorSpec([None, 4])
    for loss, formula in (LOSSES["dcl"], LOSSES["generalized"]):
        call = tf.function(loss.call, input_signature=[spec, spec])
        np.testing.assert_allclose(call(A, B), formula(A, B), rtol=1e-5, atol=1e-5)


def test_blocks_hold_no_more_cells_than_allowed(monkeypatch, products):
    monkeypatch.setattr(_rows, "MAX_CELLS", 40)
    value_and_gradients(losses.DCL(), A, B)
    # 12 rows in blocks of 3 (40 / 12), forward and again backward.
    assert products.count(3 * 12) >= 2 * 4 and max(products) <= 40


WRONG = {
    "temperature": (losses.DCL, 0.0),
    "margin": (losses.MarginTriplet, 0.0),
    "sigma": (losses.DCLW, 0.0),
    "positive_prior": (losses.Debiased, 1.0),
    "negative_concentration": (losses.HardNegatives, -0.1),
    "false_negative_threshold": (losses.FalseNegatives, 1.5),
    "false_negative_top_k": (losses.FalseNegatives, -1),
    "embedding_prior": (losses.GeneralizedContrastive, "cauchy"),
    "embedding_prior_weight": (losses.GeneralizedContrastive, -1.0),
}


@pytest.mark.parametrize("argument", WRONG)
def test_wrong_arguments_are_said(argument):
    loss, value = WRONG[argument]
    with pytest.raises(ValueError, match=f"`{argument}` must.*got {value}"):
        loss(**{argument: value})


def test_build_names_what_it_does_not_know():
    with pytest.raises(ValueError, match="`name` must be one of nt_xent, .*got simple"):
        losses.build("simple")
    with pytest.raises(ValueError, match="`margin` must not be given for dcl: it has"):
        losses.build("dcl", margin=1.0)


def test_losses_without_a_use_for_negatives_refuse_them():
    for loss in (losses.SupCon(), losses.GeneralizedContrastive()):
        with pytest.raises(ValueError, match="`negatives` must be None for"):
            loss.call(A, B, negatives=MEMORY, labels=LABELS)
    for loss in (
        losses.MarginTriplet(),
        losses.GeneralizedContrastive(embedding_prior="normal"),
    ):
        with pytest.raises(ValueError, match="`temperature` must be None for"):
            loss.call(A, B, temperature=tf.constant(1.0))


def test_where_losses_meet():
    nt_xent = losses.NTXent(0.4).call(A, B)
    unlabelled = losses.SupCon(0.4).call(A, B, labels=-np.ones(6))
    for same in (
        losses.Debiased(0.4, positive_prior=0.0).call(A, B),
        losses.FalseNegatives(0.4, false_negative_threshold=1.0).call(A, B),
        (losses.GeneralizedContrastive(0.4).call(A, B) - 1.0) / 0.4,
        unlabelled,
    ):
        np.testing.assert_allclose(same, nt_xent, rtol=1e-5)
