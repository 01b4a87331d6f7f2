import socket
import time

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import data
from simclr_tf.errors import UserError


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

    from simclr_tf.data.sources import tfds as opener

    def no_network(self, **kwargs):
        raise ConnectionError("no route to host\nand more")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", no_network)
    monkeypatch.setattr(opener, "_require_network", lambda builder: None)
    with pytest.raises(UserError) as caught:
        data.open_source("cifar10", "train", str(tmp_path))
    assert "no route to host" in str(caught.value) and "--data_dir" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_a_network_a_missing_one_is_refused_soon(tmp_path, monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)

    def no_address(*arguments, **others):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", no_address)
    start = time.monotonic()
    with pytest.raises(UserError, match="no network: .* has no address.*manual"):
        data.open_source("cifar10", "train", str(tmp_path))
    assert time.monotonic() - start < 10


def test_a_prepared_one_is_read_without_a_network(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    tfds.testing.DummyMnist(data_dir=tmp_path).download_and_prepare()

    def no_address(*arguments, **others):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", no_address)
    assert data.open_source("dummy_mnist", "test", str(tmp_path)).num_examples == 20
    folder = next(str(p.parent) for p in tmp_path.glob("**/dataset_info.json"))
    assert data.open_source(folder, "train").num_examples == 20


@pytest.mark.parametrize("broken", ["", "{", "[]", "{}", '{"name": 3}'])
def test_a_prepared_one_that_is_broken_is_one_line(broken, tmp_path):
    (tmp_path / "dataset_info.json").write_text(broken)
    with pytest.raises(UserError) as caught:
        data.open_source(str(tmp_path), "train")
    message = str(caught.value)
    assert "has a dataset_info.json" in message and "Prepare it anew" in message
    assert "\n" not in message
