import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from simclr_tf.losses import (
    NTXent,
    alignment,
    chance_loss,
    diagnostics,
    effective_rank,
    embedding_std,
    hardest_negative,
    likely_false_negatives,
    nt_xent,
    singular_values,
    uniformity,
)


def vectors(rows, dim, seed=0):
    return np.random.RandomState(seed).randn(rows, dim).astype("float32")


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_spread_by_hand():
    # Of length 1: (1, 0), (0, 1). Each dimension has the values 0 and 1: deviation 1/2.
    views = np.array([[3.0, 0.0], [0.0, 0.5]])
    np.testing.assert_allclose(embedding_std(views), 0.5 * np.sqrt(2), rtol=1e-6)


def test_spread_is_1_for_even_and_0_for_collapsed():
    assert float(embedding_std(vectors(4096, 64))) == pytest.approx(1.0, abs=0.01)
    one_point = np.repeat(vectors(1, 64), 256, axis=0) * np.linspace(1, 2, 256)[:, None]
    assert float(embedding_std(one_point)) == pytest.approx(0.0, abs=1e-3)
    assert float(embedding_std(np.zeros([4, 8]))) == 0.0


def test_alignment_by_hand():
    # Angles of 0, 90 and 180 degrees: squared distances 0, 2 and 4.
    a = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]])
    b = np.array([[5.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    np.testing.assert_allclose(alignment(a, b), 2.0, rtol=1e-6)
    np.testing.assert_allclose(alignment(a[:1], b[:1]), 0.0, atol=1e-6)


def test_uniformity_by_hand():
    # Squared distances of three points: 2, 2 and 4.
    points = np.array([[1.0, 0.0], [0.0, 2.0], [0.0, -3.0]])
    expected = np.log((np.exp(-4) + np.exp(-4) + np.exp(-8)) / 3)
    np.testing.assert_allclose(uniformity(points), expected, rtol=1e-5)


def test_uniformity_is_that_of_the_paper_pair_by_pair():
    z = unit(vectors(9, 5))
    pairs = [(i, j) for i in range(9) for j in range(9) if i != j]
    kernel = [np.exp(-2 * np.sum((z[i] - z[j]) ** 2)) for i, j in pairs]
    np.testing.assert_allclose(uniformity(3 * z), np.log(np.mean(kernel)), rtol=1e-5)
    np.testing.assert_allclose(uniformity(np.ones([7, 5])), 0.0, atol=1e-5)


def test_effective_rank_by_hand():
    # Singular values 3 and 1: shares 3/4 and 1/4.
    expected = (4 / 3) ** 0.75 * 4**0.25
    np.testing.assert_allclose(effective_rank([[0.0, 3.0], [1.0, 0.0]]), expected, 1e-5)


def test_effective_rank_counts_the_directions_that_are_used():
    one_line = np.outer(np.arange(1.0, 9), vectors(1, 5)[0])
    np.testing.assert_allclose(effective_rank(one_line), 1.0, atol=1e-4)
    even, _ = np.linalg.qr(vectors(9, 5))
    np.testing.assert_allclose(effective_rank(even), 5.0, rtol=1e-4)
    np.testing.assert_allclose(effective_rank(7 * even.T), 5.0, rtol=1e-4)
    np.testing.assert_allclose(effective_rank(np.zeros([4, 3])), 1.0, atol=1e-4)


def test_effective_rank_is_the_entropy_of_the_singular_values():
    z = vectors(30, 6) * [9, 4, 2, 1, 0.5, 0.1]
    values = np.sqrt(np.linalg.eigvalsh(z.T @ z))
    expected = np.exp(scipy.stats.entropy(values))
    np.testing.assert_allclose(effective_rank(z), expected, rtol=1e-4)


@pytest.mark.parametrize("shape", [(30, 6), (6, 30), (5, 5)])
def test_singular_values_are_those_of_an_svd(shape):
    z = vectors(*shape) * 0.1 ** np.minimum(np.arange(shape[1]), 3)
    expected = np.linalg.svd(z.astype("float64"), compute_uv=False)
    found = singular_values(z.astype("float32"))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    unknown = tf.TensorSpec([None, shape[1]])
    graph = tf.function(singular_values, input_signature=[unknown])
    found = graph(z.astype("float32"))[: min(shape)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_negatives_are_those_of_the_formulas_pair_by_pair():
    a, b = vectors(9, 4), vectors(9, 4, seed=1)
    b = a + 0.7 * b  # some positives are closer than negatives, some are not
    cosine = [[x @ y / np.linalg.norm(x) / np.linalg.norm(y) for y in a] for x in a]
    largest = [max(cosine[i][j] for j in range(9) if j != i) for i in range(9)]
    np.testing.assert_allclose(hardest_negative(3 * a), np.mean(largest), rtol=1e-5)
    own = [
        x @ y / np.linalg.norm(x) / np.linalg.norm(y) for x, y in zip(a, b, strict=True)
    ]
    closer = [cosine[i][j] > own[i] for i in range(9) for j in range(9) if j != i]
    assert 0 < np.mean(closer) < 0.5
    found = likely_false_negatives(a, 3 * b)
    np.testing.assert_allclose(found, np.mean(closer), rtol=1e-6)


def test_negatives_by_hand():
    # Opposite: the hardest negative may be at -1, below what masks an image itself.
    np.testing.assert_allclose(hardest_negative([[1.0, 0.0], [-2.0, 0.0]]), -1.0)
    a = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    np.testing.assert_allclose(hardest_negative(a), np.sqrt(0.5), rtol=1e-6)
    # Positives at 0, 0 and -1: of the six pairs two have a cosine of 0, which is no
    # more, and four one of 0.707.
    b = np.array([[0.0, 1.0], [1.0, 0.0], [-1.0, -1.0]])
    np.testing.assert_allclose(likely_false_negatives(a, b), 4 / 6, rtol=1e-6)


def test_unrelated_views_find_half_of_the_negatives_closer():
    share = likely_false_negatives(vectors(400, 64), vectors(400, 64, seed=1))
    assert float(share) == pytest.approx(0.5, abs=0.05)


def test_a_single_row_has_no_pair():
    one = np.ones([1, 3])
    for figure in (uniformity(one), hardest_negative(one)):
        assert float(figure) == 0.0
    assert float(likely_false_negatives(one, -one)) == 0.0


@pytest.mark.parametrize("count", [2, 5])
def test_chance_is_the_loss_of_embeddings_that_are_all_alike(count):
    alike = np.ones([count, 3])
    np.testing.assert_allclose(np.mean(nt_xent(alike, alike)), chance_loss(count))
    tensor = chance_loss(tf.constant(float(count)))
    np.testing.assert_allclose(tensor, np.log(2 * count - 1), rtol=1e-6)


def test_figures_are_of_the_first_images_and_send_no_gradient_back():
    projections = tf.constant(vectors(2 * 300, 8).reshape(300, 2, 8))
    with tf.GradientTape() as tape:
        tape.watch(projections)
        figures = tf.function(diagnostics.of_projections)(projections)
        total = tf.add_n(list(figures.values()))
    assert tape.gradient(total, projections) is None
    first = projections[: diagnostics.MAX_IMAGES]
    expected = {
        "embedding_std": embedding_std(first[:, 0]),
        "alignment": alignment(first[:, 0], first[:, 1]),
        "uniformity": uniformity(first[:, 0]),
        "hardest_negative": hardest_negative(first[:, 0]),
        "likely_false_negatives": likely_false_negatives(first[:, 0], first[:, 1]),
    }
    assert figures.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(figures[name], value, rtol=1e-5)
    assert diagnostics.MAX_IMAGES < 300


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(dtype):
    views = tf.cast(vectors(8, 4), dtype)
    full = tf.cast(views, "float32")
    for figure in (embedding_std, uniformity, hardest_negative):
        assert figure(views).dtype == tf.float32
        np.testing.assert_array_equal(figure(views), figure(full))
    ours = alignment(views[:4], views[4:])
    np.testing.assert_array_equal(ours, alignment(full[:4], full[4:]))


def test_chance_with_negatives_is_the_loss_where_these_are_all_alike_too():
    same = tf.ones([4, 3])
    found = NTXent(0.5).call(same, same, negatives=tf.ones([6, 3]))
    np.testing.assert_allclose(found, [chance_loss(4, 6)] * 4, rtol=1e-5)
    tensors = chance_loss(tf.constant(4), tf.constant(6.0))
    np.testing.assert_allclose(tensors, np.log(13), rtol=1e-6)
