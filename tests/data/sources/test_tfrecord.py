import gzip
import shutil

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import augmentation, data
from simclr_tf.errors import UserError


def write(path, *labels, image="image/encoded", label_key="image/class/label"):
    """Examples of these labels; picture i is all 10 i."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number, label in enumerate(labels):
            pixels = np.full([4, 5, 3], 10 * number, "uint8")
            encoded = tf.io.encode_png(pixels).numpy()
            feature = {image: bytes_feature(encoded)}
            if isinstance(label, bytes):
                feature[label_key] = bytes_feature(label)
            elif isinstance(label, tf.train.Feature):
                feature[label_key] = label
            elif label is not None:
                ints = tf.train.Int64List(value=[label])
                feature[label_key] = tf.train.Feature(int64_list=ints)
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())
    return str(path)


def bytes_feature(value):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def labels_of(source):
    return [int(label) for _, label in source.as_dataset()]


def test_names_of_classes(tmp_path):
    source = data.open_source(write(tmp_path / "a.tfrecord", b"dog", b"cat", b"dog"))
    assert source.class_names == ("cat", "dog") and labels_of(source) == [1, 0, 1]


@pytest.mark.parametrize("other", [0, b"cat"])
def test_one_missing_label_is_one_unlabelled_example(tmp_path, other):
    source = data.open_source(write(tmp_path / "a.tfrecord", other, None, other))
    assert labels_of(source) == [0, -1, 0]
    np.testing.assert_array_equal(source.labels(), [0, -1, 0])
    part = data.Subset(source, [1, 2])
    assert labels_of(part) == [-1, 0]


@pytest.mark.parametrize("labels", [(1, 2, 3), (7, 10**12, 5 * 10**9)])
def test_labels_that_begin_later_or_are_huge_are_numbered_anew_and_said(
    tmp_path, labels
):
    source = data.open_source(write(tmp_path / "a.tfrecord", *labels))
    ranks = [sorted(labels).index(label) for label in labels]
    assert labels_of(source) == ranks
    assert source.class_names == tuple(map(str, sorted(labels)))
    assert any("numbered anew" in line for line in source.summary())


def test_words_and_floats_that_stand_for_no_label(tmp_path):
    path = write(tmp_path / "a.tfrecord", b"nan", b"Cat", b"cat")
    source = data.open_source(path)
    assert source.class_names == ("Cat", "cat") and labels_of(source) == [-1, 0, 1]
    assert any("Cat and cat" in line for line in source.summary())
    floats = tf.train.FloatList(value=[float("nan")])
    path = write(tmp_path / "b.tfrecord", tf.train.Feature(float_list=floats), 0)
    assert labels_of(data.open_source(path)) == [-1, 0]


def test_two_labels_or_pictures_in_one_example(tmp_path):
    two = tf.train.Feature(int64_list=tf.train.Int64List(value=[0, 1]))
    path = write(tmp_path / "a.tfrecord", 0, two)
    with pytest.raises(UserError, match="example 1 of .* has 2 values of image/class"):
        data.open_source(path)
    picture = tf.io.encode_png(np.zeros([4, 5, 3], "uint8")).numpy()
    both = tf.train.Feature(bytes_list=tf.train.BytesList(value=[picture, picture]))
    path = write(tmp_path / "b.tfrecord", None, both, None, label_key="image/encoded")
    source = data.open_source(path)
    assert source.num_examples == 2
    assert "2 pictures" in source.skipped[0][1]


def test_other_names_of_features(tmp_path):
    path = write(tmp_path / "a.tfrecord", b"x", image="png", label_key="kind")
    source = data.open_source(path, keys=data.Keys(image="png", label="kind"))
    assert source.class_names == ("x",)
    with pytest.raises(UserError, match="no image/encoded; its features are kind, png"):
        data.open_source(path)


def test_shards_by_their_common_name_one_alone_or_a_pattern(tmp_path):
    for number in range(3):
        write(tmp_path / f"train-0000{number}-of-00003", number, number)
    assert data.open_source(str(tmp_path / "train")).num_examples == 6
    assert data.open_source(str(tmp_path / "train-00001-of-00003")).num_examples == 2
    assert data.open_source(str(tmp_path / "train-*")).num_examples == 6
    (tmp_path / "train-00001-of-00003").unlink()
    with pytest.raises(UserError, match="3 shards, and that of number 1 is missing"):
        data.open_source(str(tmp_path / "train"))


def test_shards_of_another_set_are_left_alone(tmp_path):
    for name in ("x-00000-of-00003", "x-00002-of-00003", "x2-00001-of-00003"):
        write(tmp_path / name, 0)
    with pytest.raises(UserError, match="number 1 is missing"):
        data.open_source(str(tmp_path / "x"))
    write(tmp_path / "x-00001-of-00003", 0)
    assert data.open_source(str(tmp_path / "x")).num_examples == 3
    write(tmp_path / "x-00000-of-00001", 0)
    with pytest.raises(UserError, match="twice, in 1 and 3 shards"):
        data.open_source(str(tmp_path / "x"))


@pytest.mark.parametrize("word", ["", "pets", "pets-*"])
def test_splits_by_the_names_of_files_have_the_same_classes(tmp_path, word):
    write(tmp_path / "pets-train.tfrecord-00000-of-00001", b"dog", b"cat", b"owl")
    write(tmp_path / "pets-test.tfrecord-00000-of-00001", b"owl", b"dog")
    test = data.open_source(str(tmp_path / word), "test")
    assert test.class_names == ("cat", "dog", "owl") and labels_of(test) == [2, 1]
    assert data.open_source(str(tmp_path / word)).num_examples == 3


def records(path, count, bad=(), cut=()):
    """A file of noisy JPEGs, some no images, some without their second half."""
    noise = np.random.RandomState(0).randint(0, 256, [count, 40, 40, 3])
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number, pixels in enumerate(noise.astype("uint8")):
            encoded = tf.io.encode_jpeg(pixels).numpy()
            encoded = b"<html>" if number in bad else encoded
            encoded = encoded[:1000] if number in cut else encoded
            ints = tf.train.Int64List(value=[number % 2])
            feature = {
                "image/encoded": bytes_feature(encoded),
                "image/class/label": tf.train.Feature(int64_list=ints),
                "image/filename": bytes_feature(f"{number}.jpg".encode()),
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())
    return str(path)


def test_bad_images_in_good_records_are_skipped_and_counted(tmp_path):
    path = records(tmp_path / "a.tfrecord", 12, bad=[3], cut=[5])
    with pytest.raises(UserError, match="3.jpg .it is no picture"):
        data.open_source(path, policy=data.BadImagePolicy("fail"))
    policy = data.BadImagePolicy(max_bad_fraction=0.1)
    source = data.open_source(path, policy=policy)
    assert source.num_examples == 11 and source.skipped[0][0] == "3.jpg"
    assert "cannot be decoded: 1" in data.check(source)[-2]
    assert data.check(source)[-1] == "    5.jpg"
    bad = data.BadImages(source, policy)
    view = augmentation.RandomResizedCrop(8, seed=0)
    batches = data.train_batches(
        source, 5, 4, view=view, num_views=1, seed=1, bad_images=bad
    )
    shown = np.concatenate([images for images, _ in batches])
    assert shown.shape == (20, 8, 8, 3) and (shown.std(axis=(1, 2, 3)) > 0.05).all()
    assert [source.file_names()[index] for index in bad.indices] == ["5.jpg"]
    bad = data.BadImages(source, policy)
    crop = augmentation.EvaluationCrop(8)
    batches = data.eval_batches(source, 11, crop, bad_images=bad)
    ((images, labels),) = batches
    assert bad.indices == [4] and not np.any(images[4])
    np.testing.assert_array_equal(labels, np.delete(np.arange(12), 3) % 2)


def test_a_file_cut_while_it_is_used_is_one_line(tmp_path):
    path = records(tmp_path / "a.tfrecord", 12)
    source = data.open_source(path)
    whole = open(path, "rb").read()
    with open(path, "wb") as file:
        file.write(whole[:-1000])
    bad = data.BadImages(source)
    with pytest.raises(UserError, match="a.tfrecord cannot be read any more"):
        with bad.counted():
            list(data.eval_batches(source, 4, tf.identity, bad_images=bad))


def test_gzip_with_and_without_its_extension(tmp_path):
    path = write(tmp_path / "plain.tfrecord", 0, 1)
    for name in ("a.tfrecord", "b.tfrecord.gz"):
        with open(path, "rb") as plain, gzip.open(tmp_path / name, "wb") as packed:
            shutil.copyfileobj(plain, packed)
        assert labels_of(data.open_source(str(tmp_path / name))) == [0, 1]


@pytest.mark.parametrize("kind", ["foreign", "cut", "empty", "other record"])
def test_broken_files_are_one_line_with_the_file(tmp_path, kind):
    path = write(tmp_path / "good.tfrecord", 0, 1)
    whole = open(path, "rb").read()
    bad = tmp_path / "bad.tfrecord"
    bad.write_bytes({"foreign": b"x" * 99, "cut": whole[:-9]}.get(kind, b""))
    if kind == "other record":
        with tf.io.TFRecordWriter(str(bad)) as writer:
            writer.write(b"no example at all")
    with pytest.raises(UserError, match="bad.tfrecord") as caught:
        data.open_source(str(bad))
    assert "\n" not in str(caught.value)


def test_tfrecord_of_encoded_images(tmp_path):
    path = str(tmp_path / "part.tfrecord")

    def example(color, label):
        encoded = tf.io.encode_png(np.full([4, 5, 3], color, "uint8")).numpy()
        feature = {
            "image/encoded": tf.train.Feature(
                bytes_list=tf.train.BytesList(value=[encoded])
            ),
            "image/class/label": tf.train.Feature(
                int64_list=tf.train.Int64List(value=[label])
            ),
        }
        features = tf.train.Features(feature=feature)
        return tf.train.Example(features=features).SerializeToString()

    with tf.io.TFRecordWriter(path) as writer:
        writer.write(example(10, 0))
        writer.write(example(20, 2))
    source = data.open_source(path)
    assert (source.num_examples, source.num_classes) == (2, 3)
    np.testing.assert_array_equal(source.labels(), [0, 2])
    assert source.file_names() is None
    images, labels = zip(*source.as_dataset(), strict=True)
    assert [int(label) for label in labels] == [0, 2]
    np.testing.assert_array_equal(images[1], np.full([4, 5, 3], 20))
    with pytest.raises(UserError, match="no such TFRecord"):
        data.open_source(str(tmp_path / "none.tfrecord"))


def test_tfrecord_with_file_names(tmp_path):
    path = str(tmp_path / "named.tfrecord")
    encoded = tf.io.encode_png(np.zeros([4, 5, 3], "uint8")).numpy()
    with tf.io.TFRecordWriter(path) as writer:
        for name in (b"n01_7.JPEG", b"n02_3.JPEG"):
            features = {
                key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                for key, value in (
                    ("image/encoded", encoded),
                    ("image/filename", name),
                )
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    source = data.open_source(path)
    assert source.file_names() == ["n01_7.JPEG", "n02_3.JPEG"]
    assert source.labels() is None
