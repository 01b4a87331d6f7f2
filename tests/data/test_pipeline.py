import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import augmentation, data

IMAGES = np.arange(10, dtype="uint8")[:, None, None, None] * np.ones(
    [10, 6, 7, 3], "uint8"
)
LABELS = np.arange(10) % 3
WHOLE = data.Share()


def identity(images, training, seed):
    """A view that shows the image and the second number of its seed."""
    return tf.cast(images, tf.float32) + 0.0 * tf.cast(seed[1], tf.float32)


class Ragged(data.ArraySource):
    """The same images, said to differ in size: read one by one."""

    def __init__(self):
        super().__init__(IMAGES, LABELS)
        self.image_shape = None


def sources():
    ordered = data.ArraySource(IMAGES, LABELS)
    sequential = data.SequentialSource(
        ordered.as_dataset(), 10, ordered.class_names, (6, 7, 3), "sequence"
    )
    return {"arrays": ordered, "ragged": Ragged(), "sequential": sequential}


def test_every_epoch_shows_every_image_once_in_another_order():
    order = data.shuffled_index(tf.range(300, dtype=tf.int64), 100, seed=5).numpy()
    epochs = order.reshape(3, 100)
    for epoch in epochs:
        assert sorted(epoch) == list(range(100))
        assert abs(np.corrcoef(epoch, np.arange(100))[0, 1]) < 0.35
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[0], data.shuffled_index(range(100), 100, 6))


def test_the_order_is_the_same_everywhere():
    # A golden list: the same on both stacks, and for ever, or runs would not resume.
    found = data.shuffled_index(tf.range(20, dtype=tf.int64), 10, seed=3)
    golden = [7, 1, 3, 6, 4, 0, 2, 9, 5, 8, 1, 6, 5, 0, 8, 3, 2, 4, 7, 9]
    np.testing.assert_array_equal(found, golden)


@pytest.mark.parametrize("kind", ["arrays", "ragged", "sequential"])
def test_exactly_the_steps_asked_for(kind):
    batches = data.train_batches(sources()[kind], 4, 7, view=identity, seed=1)
    seen = list(batches)
    assert len(seen) == 7
    (view_a, view_b), labels = seen[0]
    assert view_a.shape == view_b.shape == (4, 6, 7, 3) and labels.shape == (4,)
    shown = np.concatenate([views[0][:, 0, 0, 0] for views, _ in seen])
    given = np.concatenate([labels for _, labels in seen])
    np.testing.assert_array_equal(given, shown.astype(int) % 3)
    assert sorted(shown[:10]) == list(range(10))  # an epoch


@pytest.mark.parametrize("kind", ["arrays", "ragged"])
def test_starting_in_the_middle_gives_the_tail_and_threads_change_nothing(kind):
    view = augmentation.SimCLRAugmentation(8, seed=0)
    whole = list(data.train_batches(sources()[kind], 4, 6, view=view, seed=1))
    tail = list(
        data.train_batches(sources()[kind], 4, 6, view=view, seed=1, start_step=4)
    )
    assert len(tail) == 2
    for ours, theirs in zip(whole[4:], tail, strict=True):
        for a, b in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs), strict=True):
            np.testing.assert_array_equal(a, b)
    first, second = whole[0][0]
    assert np.any(first != second)  # two views


def test_a_batch_larger_than_the_data():
    (views, labels), *_ = data.train_batches(
        sources()["arrays"], 25, 1, view=identity, seed=1
    )
    assert labels.shape == (25,)
    shown = views[0][:, 0, 0, 0].numpy()
    assert sorted(shown[:10]) == sorted(shown[10:20]) == list(range(10))


def test_one_view_and_no_labels():
    source = data.ArraySource(IMAGES)
    (images,) = data.train_batches(source, 4, 1, view=identity, num_views=1)
    assert images.shape == (4, 6, 7, 3)
    (views,) = data.train_batches(source, 4, 1, view=identity)
    assert len(views) == 2


def test_evaluation_shows_every_image_once_in_order():
    crop = augmentation.EvaluationCrop(6)
    for source in sources().values():
        batches = list(data.eval_batches(source, 4, crop))
        assert [len(labels) for _, labels in batches] == [4, 4, 4]
        shown = np.concatenate([images[:, 0, 0, 0] for images, _ in batches])
        expected = np.arange(12) % 10 / 255  # two fill up the last batch
        np.testing.assert_allclose(shown, expected, atol=1e-6)
        assert data.eval_examples(source, 4) == 10
        assert len(list(data.eval_batches(source, 4, crop, limit_steps=2))) == 2
        assert data.eval_examples(source, 4, limit_steps=2) == 8


@pytest.mark.parametrize("kind", ["arrays", "ragged", "sequential"])
@pytest.mark.parametrize("counts", [[1, 1, 1, 1], [2, 2], [4]])
def test_shares_of_all_processes_are_the_batches_of_one(kind, counts):
    source = sources()[kind]
    view = augmentation.SimCLRAugmentation(6, seed=0)
    crop = augmentation.EvaluationCrop(6)

    def train(share=WHOLE):
        batches = data.train_batches(
            source, 8, 5, view=view, seed=3, start_step=1, share=share
        )
        return [tf.nest.flatten(batch) for batch in batches]

    def evaluation(share=WHOLE):
        batches = data.eval_batches(source, 4, crop, share=share)
        return [tf.nest.flatten(batch) for batch in batches]

    for batches in (train, evaluation):
        firsts = np.cumsum([0, *counts])
        shares = [
            (count, batches(data.Share(first, count, 4)))
            for first, count in zip(firsts, counts, strict=False)
        ]
        for step, expected in enumerate(batches()):
            # Each process has, in turn, the batches of its replicas.
            parts = [
                batch
                for count, pieces in shares
                for batch in pieces[step * count : (step + 1) * count]
            ]
            for column, whole in zip(zip(*parts, strict=True), expected, strict=True):
                # Views of a batch of another size are equal up to rounding.
                np.testing.assert_allclose(np.concatenate(column), whole, atol=1e-6)


def test_a_batch_that_replicas_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="multiple of the 4 replicas, got 6"):
        data.train_batches(
            sources()["arrays"], 6, 1, view=identity, share=data.Share(0, 4, 4)
        )


def test_cache_keeps_the_images():
    batches = data.train_batches(
        sources()["sequential"], 4, 5, view=identity, seed=1, cache=True
    )
    order = data.shuffled_index(range(20), 10, seed=1).numpy()
    shown = np.concatenate([views[0][:, 0, 0, 0] for views, _ in batches])
    np.testing.assert_array_equal(shown, order)  # random access now


def test_views_of_a_users_images_of_any_size_are_new_in_every_epoch():
    def generate():
        for size in (8, 9, 12, 10):
            yield np.random.RandomState(size).randint(0, 256, [size, 9, 3]), size

    images = tf.data.Dataset.from_generator(
        generate,
        output_signature=(
            tf.TensorSpec([None, None, 3], tf.uint8),
            tf.TensorSpec([], tf.int64),
        ),
    )
    view = augmentation.SimCLRAugmentation(8, seed=3)
    batches = data.batched_views(images, view, 2)
    first, second = list(batches), list(batches)
    assert first[0][0][0].shape == (2, 8, 8, 3)
    np.testing.assert_array_equal(first[0][1], [8, 9])
    assert np.any(first[0][0][0] != second[0][0][0])
