"""Each figure alone, from arrays: its numbers, and its SVG."""

import re
import warnings
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from sklearn import metrics

from simclr_tf import report
from simclr_tf.report import confusion, curves, embedding_map, filters, neighbors, style

RANDOM = np.random.RandomState(0)
SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"


def drawn(figure, name="a", label="what it shows"):
    """The root of a figure's SVG, as XML."""
    markup = style.svg(figure, name, label)
    return ElementTree.fromstring(
        markup.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    )


def texts(root):
    return [text.text for text in root.iter(f"{SVG}text")]


def test_a_figure_is_one_named_svg_in_the_colours_of_the_page():
    figure = report.draw_curves({"loss": ([1, 2, 3], [3.0, 2.0, 1.0])}, {"chance": 3.0})
    root = drawn(figure, "loss", '3 < 4 & "5"')
    assert (root.get("role"), root.get("aria-label")) == ("img", '3 < 4 & "5"')
    assert {"chance", "step"} <= set(texts(root))
    ids = [part.get("id") for part in root.iter() if part.get("id")]
    assert all(name.startswith("figure-loss") for name in ids)
    assert {part.get(LINK)[1:] for part in root.iter() if part.get(LINK)} <= set(ids)
    markup = ElementTree.tostring(root, encoding="unicode")
    colors = set(re.findall(r"#[0-9a-f]{6}", markup))
    assert colors <= {"#ffffff", "#000000"} and "var(--series-1)" in markup


def test_names_of_others_are_text_and_no_formula():
    name = "<b>$x^2$</b>"
    counts = np.array([[3, 1], [0, 2]])
    figures = [
        report.draw_curves({name: ([1, 2], [1.0, 2.0]), "b": ([1], [2.0])}),
        report.draw_map(RANDOM.randn(9, 2), np.arange(9) % 2, [name, "b"]),
        report.draw_confusion_matrix(counts, [name, "b"]),
    ]
    for figure in figures:
        assert name in texts(drawn(figure))


def test_a_spectrum_is_relative_to_its_largest_value():
    figure = report.draw_spectrum({"a": [4.0, 2.0, 0.0], "b": np.zeros(2)})
    a, b = figure.axes[0].lines
    np.testing.assert_allclose(a.get_ydata(), [1.0, 0.5, 1e-5])  # 0 has no logarithm
    np.testing.assert_array_equal(a.get_xdata(), [1, 2, 3])
    assert np.isfinite(b.get_ydata()).all()
    assert {"a", "b", "direction"} <= set(texts(drawn(figure)))


def test_many_points_of_a_curve_are_thinned_to_means():
    steps, values = curves.thinned(range(1, 2001), np.arange(1.0, 2001))
    assert len(steps) == len(values) == 500
    np.testing.assert_allclose(values[:2], [2.5, 6.5])  # of 1..4, of 5..8
    steps, values = curves.thinned([1, 2, 3], [1.0, np.nan, np.inf])
    assert (steps.tolist(), values.tolist()) == ([1.0], [1.0])


def test_nearest_is_that_of_all_pairs():
    features = RANDOM.randn(40, 5)
    expected = metrics.pairwise.cosine_similarity(features)
    np.fill_diagonal(expected, -np.inf)
    places, similarities = report.nearest(features, count=6)
    np.testing.assert_array_equal(places, np.argsort(-expected, axis=1)[:, :6])
    np.testing.assert_allclose(similarities, -np.sort(-expected, axis=1)[:, :6], 1e-5)
    assert report.nearest(features[:3], count=9)[0].shape == (3, 2)


def test_queries_are_of_every_class():
    labels = np.array([0] * 90 + [1] * 5 + [2] * 5)
    chosen = neighbors.queries(labels, 6)
    assert labels[chosen].tolist() == [0, 0, 1, 1, 2, 2]
    assert len(set(chosen)) == 6


def test_votes_by_hand():
    # Neighbours 2 and 1 of image 0: the nearer one outvotes the other; of image 1, the
    # nearer has no label.
    places, similarities = [[2, 1], [2, 0], [0, 1]], [[0.9, 0.8], [0.9, 0.8], [0.9, 0]]
    labels = np.array([0, 1, -1])
    voted = neighbors.vote(np.array(places), np.array(similarities), labels, 2)
    assert voted.tolist() == [1, 0, 0]
    labels = np.array([-1, 1, 0])
    voted = neighbors.vote(np.array(places), np.array(similarities), labels, 2)
    assert voted.tolist() == [0, 0, 1]
    nobody = neighbors.vote(np.array(places), np.array(similarities), labels * 0 - 1, 2)
    assert nobody.tolist() == [-1, -1, -1]


def test_confusions_are_those_of_scikit_learn():
    labels, predicted = RANDOM.randint(0, 4, 50), RANDOM.randint(0, 4, 50)
    counts = report.count_confusions(labels, predicted, 4)
    np.testing.assert_array_equal(counts, metrics.confusion_matrix(labels, predicted))
    np.testing.assert_allclose(
        confusion.per_class(counts),
        metrics.recall_score(labels, predicted, average=None),
    )
    unknown = report.count_confusions([-1, 0], [0, -1], 2)
    assert unknown.sum() == 0 and np.isnan(confusion.per_class(unknown)).all()


def test_the_matrix_shows_percent_of_the_true_class():
    counts = np.array([[3, 1], [0, 2]])
    shown = texts(drawn(report.draw_confusion_matrix(counts, "ab")))
    assert sorted(text for text in shown if text.isdigit()) == ["100", "25", "75"]
    part = texts(drawn(report.draw_confusion_matrix(counts, "ab", [6, 2])))
    assert sorted(text for text in part if text.isdigit()) == ["100", "17", "50"]
    assert confusion.most_confused(counts) == [(0, 1, 1)]
    large = np.diag(np.arange(1000)) + 0
    large[[7, 500], [8, 501]] = [3, 9]
    assert confusion.hardest(large, 4).tolist() == [7, 8, 500, 501]


def test_positives_and_negatives_by_hand():
    a, b = np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 1.0], [0.0, 3.0]])
    positives, negatives = report.cosine_similarities(a, b)
    np.testing.assert_allclose(positives, [np.sqrt(0.5), 1.0], rtol=1e-6)
    np.testing.assert_allclose(negatives, [0.0, np.sqrt(0.5)], rtol=1e-6)
    root = drawn(report.draw_similarities(positives, negatives))
    assert {"two views of one image", "different images"} <= set(texts(root))


def test_duplicates_and_false_negatives_are_told_apart():
    features = RANDOM.randn(30, 6)
    images = RANDOM.randint(0, 256, [30, 8, 8, 3]).astype("uint8")
    features[20], images[20] = 3 * features[4], images[4] ^ 1  # by one of 255
    features[21] = features[5] + 0.01 * RANDOM.randn(6)  # of other pixels
    pairs = report.find_pairs(features, images)
    assert [tuple(pair[3:]) for pair in pairs[:2]] == [(4, 20), (5, 21)]
    assert [pair.kind for pair in pairs[:2]] == ["near_duplicate", "false_negative"]
    assert pairs[0].similarity == pytest.approx(1.0, abs=1e-6)
    assert pairs[0].pixel_difference == pytest.approx(1 / 255)
    assert len({(pair.first, pair.second) for pair in pairs}) == len(pairs)
    assert all(pair.kind == "false_negative" for pair in pairs[1:])
    assert len(report.find_pairs(features, images, most=1)) == 2


def test_pca_is_that_of_the_singular_values():
    features = RANDOM.randn(20, 6) * [9, 4, 1, 1, 1, 1]
    centred = features - features.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    points, share = report.pca(features)
    np.testing.assert_allclose(np.abs(points), np.abs(u[:, :2] * s[:2]), rtol=1e-4)
    assert share == pytest.approx((s[:2] ** 2).sum() / (s**2).sum(), rel=1e-4)


def test_maps_of_few_images_and_of_images_that_are_alike():
    for features in (RANDOM.randn(3, 4), np.ones([12, 4]), RANDOM.randn(5, 1)):
        for points in (report.tsne(features), report.pca(features)[0]):
            assert points.shape == (len(features), 2) and np.isfinite(points).all()


def test_tsne_and_clusters_find_groups():
    labels = np.arange(60) % 3
    features = 5 * np.eye(3)[labels] + 0.1 * RANDOM.randn(60, 3)
    found = report.clusters(features, 3)
    assert metrics.adjusted_rand_score(labels, found) == 1.0
    points = report.tsne(features)
    distances = metrics.pairwise_distances(points) + np.diag(np.full(60, np.inf))
    np.testing.assert_array_equal(labels[distances.argmin(axis=1)], labels)


def test_umap_finds_groups_and_takes_any_images():
    pytest.importorskip("umap")
    labels = np.arange(60) % 3
    features = 5 * np.eye(3)[labels] + 0.1 * RANDOM.randn(60, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        points = report.umap(features)
    distances = metrics.pairwise_distances(points) + np.diag(np.full(60, np.inf))
    np.testing.assert_array_equal(labels[distances.argmin(axis=1)], labels)
    for few in (np.ones([12, 4]), RANDOM.randn(5, 1)):
        found = report.umap(few)
        assert found.shape == (len(few), 2) and np.isfinite(found).all()
    assert report.umap(RANDOM.randn(4, 2)) is None


def test_the_pointer_finds_points_where_they_are_drawn():
    points = RANDOM.randn(12, 2)
    figure = report.draw_map(points, np.zeros(12, int))
    root = drawn(figure)
    width, height = map(float, root.get("viewBox").split()[2:])
    group = next(g for g in root.iter(f"{SVG}g") if "points-0" in g.get("id", ""))
    shown = [
        (float(use.get("x")) / width, float(use.get("y")) / height)
        for use in group.iter(f"{SVG}use")
    ]
    np.testing.assert_allclose(embedding_map.places(figure, points), shown, atol=1e-4)


def test_names_on_a_map_do_not_cover_one_another():
    middles = [(0.5, 0.5), (0.0, 0.5), (0.52, 0.49), (0.5, 0.51)]
    placed = embedding_map._apart(middles, np.array([1.0, 1.0]))
    np.testing.assert_allclose(placed[2], middles[2])
    np.testing.assert_allclose(placed[1], middles[1])
    np.testing.assert_allclose([placed[0][1], placed[3][1]], [0.54, 0.59])


def test_filters_are_those_of_the_first_layer_that_sees_colours():
    weights = [np.zeros([7]), RANDOM.randn(3, 3, 3, 5), RANDOM.randn(3, 3, 3, 9)]
    assert report.first_filters(weights).shape == (3, 3, 3, 5)
    assert report.first_filters(weights[:1]) is None
    for shape in ((3, 3, 3, 5), (7, 7, 3, 200)):
        images = drawn(report.draw_filters(RANDOM.randn(*shape))).iter(f"{SVG}image")
        (image,) = images
        assert image.get(LINK).startswith("data:image/png;base64,")
    assert filters.first_filters([]) is None
