import csv
import gzip
import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf import data
from simclr_tf.errors import UserError


def picture(path, color=(200, 10, 10), size=(6, 5), kind=None):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    mode = "RGB" if isinstance(color, tuple) else "L"
    Image.new(mode, size, color).save(path, kind)


def test_bundled_images_are_balanced_and_real():
    for split, count in (("train", 10_000), ("test", 2_000)):
        dataset, info = data.load("bundled", split, with_info=True)
        assert info.num_examples == len(dataset) == count
        assert (info.num_classes, info.image_shape) == (10, (28, 28, 3))
        images, labels = next(iter(dataset.batch(count)))
        np.testing.assert_array_equal(np.bincount(labels), [count // 10] * 10)
        assert images.dtype == tf.uint8
        np.testing.assert_array_equal(images[..., 0], images[..., 2])  # grey
        means = [np.mean(images[labels == label]) for label in range(10)]
        assert means[5] < means[1] < means[4]  # sandals, trousers, coats: ever more ink
    assert data.open_source("bundled", "validation").num_examples == 2_000


def test_script_makes_the_same_bytes_each_time(tmp_path):
    root = os.path.dirname(os.path.dirname(os.path.dirname(data.__file__)))
    random = np.random.RandomState(0)
    for prefix in ("train", "t10k"):
        images = random.randint(0, 256, [200, 4, 4]).astype("uint8")
        labels = np.repeat(np.arange(10), 20).astype("uint8")
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, array.ndim])
            header += b"".join(size.to_bytes(4, "big") for size in array.shape)
            with gzip.open(tmp_path / f"{prefix}-{name}-ubyte.gz", "wb") as file:
                file.write(header + array.tobytes())
    script = os.path.join(root, "scripts", "make_bundled_dataset.py")
    made = []
    for name in ("a", "b"):
        arguments = [f"--source={tmp_path}", f"--output={tmp_path / name}"]
        command = [sys.executable, script, *arguments, "--scale=0.01"]
        subprocess.run(command, check=True, capture_output=True)
        made.append((tmp_path / name / "train.npz").read_bytes())
    assert made[0] == made[1]
    with np.load(tmp_path / "a" / "train.npz") as arrays:
        np.testing.assert_array_equal(np.bincount(arrays["labels"]), [10] * 10)


def test_bundled_images_are_what_the_script_makes_of_the_package():
    source = "/usr/share/datasets/fashion-mnist"
    root = os.path.dirname(os.path.dirname(os.path.dirname(data.__file__)))
    script = os.path.join(root, "scripts", "make_bundled_dataset.py")
    spec = importlib.util.spec_from_file_location("script", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    labels = np.repeat(np.arange(10), 30)
    chosen = module.choose(labels, 5)
    assert len(set(chosen)) == 50 and list(chosen) == sorted(chosen)
    if os.path.isdir(source):  # where Debian's package is installed
        labels = module.read_idx(f"{source}/t10k-labels-idx1-ubyte.gz")
        images = module.read_idx(f"{source}/t10k-images-idx3-ubyte.gz")
        chosen = module.choose(labels, 200)
        ours, _ = next(iter(data.load("bundled", "test").batch(2000)))
        np.testing.assert_array_equal(ours[..., 0], images[chosen])


def test_folder_of_classes_nested_and_in_every_format(tmp_path):
    root = tmp_path / "pets"
    picture(f"{root}/cat/a.jpg")
    picture(f"{root}/cat/deep/er/b.PNG", size=(9, 4))
    picture(f"{root}/dog/c.gif")
    picture(f"{root}/dog/d.bmp")
    picture(f"{root}/dog/e.png", color=77)
    (root / "dog" / "notes.txt").write_text("no image")
    dataset, info = data.load(str(root), with_info=True)
    assert info.class_names == ("cat", "dog") and info.image_shape is None
    images, labels = zip(*dataset, strict=True)
    assert [int(label) for label in labels] == [0, 0, 1, 1, 1]
    source = data.open_source(str(root))
    np.testing.assert_array_equal(source.labels(), [0, 0, 1, 1, 1])
    assert source.file_names()[0] == f"{root}/cat/a.jpg"
    assert [image.shape.as_list() for image in images][1] == [4, 9, 3]
    np.testing.assert_array_equal(images[4], np.full([5, 6, 3], 77))
    np.testing.assert_allclose(images[0][0, 0], [200, 10, 10], atol=8)


def test_folder_without_classes_has_no_labels(tmp_path):
    picture(f"{tmp_path}/a.png")
    picture(f"{tmp_path}/more/b.png")
    dataset, info = data.load(str(tmp_path), with_info=True)
    assert info.num_classes is None and info.num_examples == 2
    assert dataset.element_spec.shape.rank == 3


def test_folder_of_splits(tmp_path):
    picture(f"{tmp_path}/train/cat/a.png")
    picture(f"{tmp_path}/test/cat/b.png")
    picture(f"{tmp_path}/test/dog/c.png")
    source = data.open_source(str(tmp_path), "test")
    assert source.num_examples == 2
    assert data.open_source(str(tmp_path), "train").class_names == source.class_names
    with pytest.raises(UserError, match="no split val; there are: test, train"):
        data.open_source(str(tmp_path), "val")


def test_csv_of_paths_and_labels(tmp_path):
    picture(f"{tmp_path}/x/a.png")
    picture(f"{tmp_path}/x/b.png", color=(0, 255, 0))
    path = tmp_path / "list.csv"
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(
            [["path", "label"], ["x/b.png", "dog"], ["x/a.png", "cat"]]
        )
    (first, label), _ = data.load(str(path))
    assert int(label) == 1 and int(first[0, 0, 1]) == 255
    path.write_text("path\nx/a.png\n")
    assert data.open_source(str(path)).num_classes is None
    path.write_text("file\nx/a.png\n")
    with pytest.raises(UserError, match="column path.*its columns are file"):
        data.open_source(str(path))
    path.write_text("path\n")
    with pytest.raises(UserError, match="lists no image"):
        data.open_source(str(path))


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


def test_tensorflow_datasets_by_name(tmp_path):
    import tensorflow_datasets as tfds

    tfds.testing.DummyMnist(data_dir=tmp_path).download_and_prepare()
    source = data.open_source("dummy_mnist", "train", str(tmp_path))
    assert (source.num_examples, source.num_classes) == (20, 10)
    assert source.random_access and source.image_shape == (28, 28, 3)
    image, label = source.read(tf.constant(3, tf.int64))
    assert image.dtype == tf.uint8 and label.dtype == tf.int64
    labels = [int(label) for _, label in source.as_dataset()]
    np.testing.assert_array_equal(source.labels(), labels)
    part = data.open_source("dummy_mnist", "train[:25%]", str(tmp_path))
    assert part.num_examples == 5
    with pytest.raises(UserError, match="no split bogus; there are: .*test"):
        data.open_source("dummy_mnist", "bogus", str(tmp_path))


def test_labels_and_names_of_a_large_tensorflow_dataset(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    from simclr_tf.data.sources import tfds as opener

    random = np.random.RandomState(0)

    class Named(tfds.core.GeneratorBasedBuilder):
        """As imagenet2012 is: pictures of many sizes, with the names of their files."""

        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            return self.dataset_info_from_configs(
                features=tfds.features.FeaturesDict(
                    {
                        "image": tfds.features.Image(),
                        "label": tfds.features.ClassLabel(names=["a", "b"]),
                        "file_name": tfds.features.Text(),
                    }
                )
            )

        def _split_generators(self, manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for number in range(8):
                image = random.randint(0, 256, [4 + number, 5, 3]).astype("uint8")
                name = f"n{number % 2:02d}_{number}.JPEG"
                yield number, {"image": image, "label": number % 2, "file_name": name}

    builder = Named(data_dir=tmp_path)
    builder.download_and_prepare()
    monkeypatch.setattr(opener, "_builder", lambda *arguments: builder)
    source = data.open_source("named", "train", str(tmp_path))
    assert not source.random_access
    images, labels = zip(*source.as_dataset(), strict=True)
    decoded = []
    decode = tfds.features.Image.decode_example
    monkeypatch.setattr(
        tfds.features.Image,
        "decode_example",
        lambda self, example: decoded.append(1) or decode(self, example),
    )
    np.testing.assert_array_equal(source.labels(), labels)
    assert decoded == []
    # The name says the number, and the number the height: all in one order.
    heights = [int(name[4:-5]) + 4 for name in source.file_names()]
    assert heights == [image.shape[0] for image in images]
    part = data.Subset(source, [6, 2])
    assert [i.shape[0] for i, _ in part.as_dataset()] == [heights[2], heights[6]]


def test_a_download_that_fails_says_where_to_put_the_data(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    def no_network(self, **kwargs):
        raise ConnectionError("no route to host\nand more")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", no_network)
    with pytest.raises(UserError) as caught:
        data.open_source("cifar10", "train", str(tmp_path))
    assert "no route to host" in str(caught.value) and "--data_dir" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_arrays_with_and_without_labels():
    images = np.random.RandomState(0).randint(0, 256, [5, 4, 6, 3]).astype("uint8")
    source = data.ArraySource(images, [0, 1, 2, 0, 1])
    assert source.class_names == ("0", "1", "2")
    found, labels = source.read(tf.constant([3, 1], tf.int64))
    np.testing.assert_array_equal(found, images[[3, 1]])
    np.testing.assert_array_equal(labels, [0, 1])
    np.testing.assert_array_equal(source.labels(), [0, 1, 2, 0, 1])
    assert source.labels().dtype == np.int64
    assert data.ArraySource(images).read(tf.constant(2)).shape == (4, 6, 3)
    assert data.ArraySource(images).labels() is None
    assert data.ArraySource(images).file_names() is None
    with pytest.raises(ValueError, match=r"`images` must be uint8 .*got float32"):
        data.ArraySource(images.astype("float32"))
    with pytest.raises(ValueError, match=r"`labels` must be \[5\], got \(2,\)"):
        data.ArraySource(images, [0, 1])


@pytest.mark.parametrize(
    "name,message",
    [
        ("cifar11", "--dataset=cifar11 is unknown.*Close: .*cifar10"),
        ("./nowhere", "no such folder"),
        ("nowhere.csv", "no such file"),
    ],
)
def test_unknown_names_say_what_is_near(name, message):
    with pytest.raises(UserError, match=message):
        data.load(name)
