import os
import subprocess
import sys

import numpy as np
import pytest

from simclr_tf.data import balanced_subset, label_subset, named_subset
from simclr_tf.errors import UserError

LABELS = np.random.RandomState(1).permutation(np.repeat(np.arange(10), 100))
GOLDEN = [[2, 13, 24, 26, 27, 28], [3, 10, 14, 17, 19, 21]]


def counts(labels, chosen):
    return np.bincount(labels[chosen], minlength=labels.max() + 1)


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.123, 0.5, 1.0])
def test_balanced_sorted_and_of_the_right_size(fraction):
    chosen = balanced_subset(LABELS, fraction)
    assert len(chosen) == round(1000 * fraction)
    assert chosen.dtype == np.int64 and np.all(np.diff(chosen) > 0)
    assert np.ptp(counts(LABELS, chosen)) <= 1


def test_a_small_fraction_is_inside_a_large_one():
    # As the published 1% of ImageNet's labels is part of its 10%.
    parts = [set(balanced_subset(LABELS, f, 3)) for f in (0.007, 0.01, 0.1, 0.55, 1)]
    assert all(small < large for small, large in zip(parts, parts[1:], strict=False))


def test_the_same_for_the_same_seed_everywhere():
    # Written down once: equal on both stacks, and for every version of NumPy.
    labels = np.arange(30) % 3
    np.testing.assert_array_equal(balanced_subset(labels, 0.2), GOLDEN[0])
    np.testing.assert_array_equal(balanced_subset(labels, 0.2, seed=1), GOLDEN[1])


def test_small_classes_give_all_they_have_and_others_the_rest():
    labels = np.repeat([0, 1, 2, 3], [2, 50, 5, 43])
    chosen = balanced_subset(labels, 0.4)
    # 2 and 5 are all that there are; 33 are left for two classes.
    assert sorted(counts(labels, chosen)) == [2, 5, 16, 17]
    assert len(balanced_subset(labels, 1.0)) == 100


def test_unknown_labels_do_not_count():
    labels = np.array([-1, 0, -1, 1, 0, 1, -1, -1])
    np.testing.assert_array_equal(balanced_subset(labels, 1.0), [1, 3, 4, 5])
    assert np.all(labels[balanced_subset(labels, 0.5)] >= 0)
    assert len(balanced_subset(np.full(4, -1), 0.5)) == 0


def test_the_image_of_a_class_is_drawn_evenly():
    labels = np.repeat([0, 1], 4)
    chosen = [balanced_subset(labels, 0.25, seed) for seed in range(400)]
    share = np.bincount(np.concatenate(chosen), minlength=8) / 400
    np.testing.assert_allclose(share, 0.25, atol=0.08)
    # Where classes cannot be equal, none has more than the others every time.
    odd = [labels[balanced_subset(labels, 0.125, seed)][0] for seed in range(400)]
    assert 0.4 < np.mean(odd) < 0.6


@pytest.mark.parametrize("fraction", [0, -0.1, 1.1, float("nan")])
def test_fractions_out_of_range_are_refused(fraction):
    with pytest.raises(ValueError, match="`fraction` must be > 0 and <= 1, got"):
        balanced_subset(LABELS, fraction)


PATHS = ["/d/train/cat/1.png", "/d/train/cat/2.png", "/d/train/dog/2.png"]


def test_names_are_matched_by_base_name_or_ending():
    def matched(*names):
        return named_subset(PATHS, names, "--label_file=l").tolist()

    assert matched("1.png") == [0]
    assert matched("dog/2.png", "./1.png", "1.png") == [0, 2]
    assert matched("train/cat/2.png", "/d/train/cat/1.png") == [0, 1]
    assert matched("cat\\2.png") == [1]


def test_unknown_names_are_listed_and_counted():
    wanted = [f"x{number}.png" for number in range(5)] + ["1.png", "g/2.png"]
    with pytest.raises(UserError) as caught:
        named_subset(PATHS, wanted, "--label_file=l")
    assert str(caught.value) == (
        "--label_file=l: no image is called x0.png, x1.png, x2.png (and 3 more). "
        "Allowed: base names, or ends of paths, such as /d/train/cat/1.png."
    )


def test_ambiguous_names_are_refused():
    with pytest.raises(UserError, match="more than one image is called 2.png. Write"):
        named_subset(PATHS, ["1.png", "2.png"], "--label_file=l")


def test_a_list_is_read_without_blank_lines(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("n01440764_10026.JPEG\r\n\n  a.png \n")
    assert label_subset.read_names(path) == ["n01440764_10026.JPEG", "a.png"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\n \n", "list.txt is empty: it must name an image on each line"),
        (b"\xff\xfe\x00", "list.txt cannot be read: it is no text. Allowed: a text"),
        (None, "list.txt cannot be read: No such file"),
    ],
)
def test_lists_that_are_none_are_refused(tmp_path, content, message):
    path = tmp_path / "list.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        label_subset.read_names(path)


def test_classes_without_an_image_are_named():
    labels = np.array([0, 0, 1, 2, -1])
    names = ["cat", "dog", "owl", "unseen"]
    assert label_subset.classes_without(labels, [0, 3], names) == ["dog"]
    assert label_subset.classes_without(labels, [1, 2, 3], names) == []
    assert label_subset.listed(["a", "b"]) == "a, b"


def test_it_needs_no_tensorflow_state():
    # The same in a new process, whatever was drawn before.
    code = (
        "import numpy as np; np.random.rand(5);"
        "from simclr_tf.data import balanced_subset as b;"
        "print(b(np.arange(30) % 3, 0.2).tolist())"
    )
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True
    )
    assert done.stdout.strip() == str(GOLDEN[0]), done.stderr
