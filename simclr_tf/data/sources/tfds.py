"""TensorFlow Datasets."""

import contextlib
import difflib
import os
import queue
import socket
import threading
import time
import urllib.parse
import urllib.request

import tensorflow as tf

from simclr_tf.data import tree
from simclr_tf.data.sources.arrays import in_memory
from simclr_tf.data.sources.sequential import SequentialSource
from simclr_tf.data.splits import DataSet
from simclr_tf.errors import UserError

_ABOUT = "dataset_info.json"
_IN_MEMORY_BYTES = 2**30
_SECONDS = 5.0  # for a server's address
_HOSTS = 8  # so many servers are asked for
_DEFAULT_HOST = "storage.googleapis.com"


def find_tfds(name, data_dir=None):
    """A data set of TensorFlow Datasets, downloaded first if it is not there.

    Prepared data sets are read without a network. Small ones with images of one size
    are kept in memory, which gives them random access; others are read in their own
    order.

    Args:
        name: Str, such as "cifar10" or "imagenet2012_subset/1pct"; or the folder of a
            prepared data set.
        data_dir: Str or None, where data sets are kept.

    Returns:
        `DataSet`; slices such as train[:10%] are splits too.

    Raises:
        UserError: If there is no such data set or image feature, or if it cannot be
            downloaded.
    """
    import tensorflow_datasets as tfds  # takes seconds

    builder = _builder(tfds, name, data_dir)
    return DataSet(
        name,
        tuple(builder.info.splits),
        lambda split: _open(tfds, builder, name, split),
        lambda split: _has_slice(builder, split),
    )


def is_prepared(folder):
    """Whether a folder is a data set as TensorFlow Datasets keeps it."""
    return tree.is_file(os.path.join(folder, _ABOUT))


def _open(tfds, builder, name, split):
    features = builder.info.features
    if "image" not in features:
        raise UserError(
            f"--dataset={name} has no feature image; it has {', '.join(features)}."
        )
    label = features["label"] if "label" in features else None
    labelled = isinstance(label, tfds.features.ClassLabel)
    # Labels and names are read, and images left out, without decoding any.
    dataset = builder.as_dataset(
        split=split,
        shuffle_files=False,
        decoders={"image": tfds.decode.SkipDecoding()},
    )

    def parse(example):
        image = _rgb(features["image"].decode_example(example["image"]))
        return (image, tf.cast(example["label"], tf.int64)) if labelled else image

    def column(name):
        return list(dataset.map(lambda example: example[name]).as_numpy_iterator())

    def file_names():
        return [file_name.decode() for file_name in column("file_name")]

    shape = features["image"].shape
    shape = (shape[0], shape[1], 3) if shape[0] and shape[1] else None
    source = SequentialSource(
        dataset,
        builder.info.splits[split].num_examples,
        tuple(label.names) if labelled else None,
        shape,
        name,
        parse,
        labels=(lambda: column("label")) if labelled else None,
        file_names=file_names if "file_name" in features else None,
    )
    if shape and source.num_examples * shape[0] * shape[1] * 3 <= _IN_MEMORY_BYTES:
        return in_memory(source)
    return source


def _builder(tfds, name, data_dir):
    """The prepared builder for a name."""
    if is_prepared(name):
        try:
            return tfds.builder_from_directory(name)
        except Exception as error:  # by what is wrong in which file
            raise UserError(
                f"--dataset={name} has a {_ABOUT}, as data sets of TensorFlow Datasets "
                f"have, and cannot be read as one ({_first_line(error)}). Prepare it "
                f"anew; or, if it is a folder of images, remove {_ABOUT}."
            ) from error
    base = name.split("/")[0].split(":")[0]
    known = tfds.list_builders()
    on_disk = data_dir and os.path.isdir(os.path.join(data_dir, base))
    if base not in known and not on_disk:
        close = difflib.get_close_matches(base, ["bundled", *known], n=3)
        hint = f" Close: {', '.join(close)}." if close else ""
        raise UserError(
            f"--dataset={name} is unknown: neither a folder, a pattern or a file here "
            f"nor bundled or a name of TensorFlow Datasets.{hint}"
        )
    try:
        builder = tfds.builder(name, data_dir=data_dir)
        if not is_prepared(builder.data_path):
            _prepare(tfds, builder)
    except Exception as error:  # each data set raises its own
        raise UserError(
            f"--dataset={name} is not in {data_dir or 'the default --data_dir'} and "
            f"could not be prepared ({_first_line(error)}). Prepare it where there is "
            "a network and give its folder as --data_dir, or put its source files into "
            "<data_dir>/downloads/manual."
        ) from error
    return builder


def _prepare(tfds, builder):
    """Downloads and prepares; without a network, from source files on the disk."""
    manual = os.path.join(builder._data_dir_root, "downloads", "manual")
    has_sources = os.path.isdir(manual) and bool(os.listdir(manual))
    if not has_sources:
        _require_network(builder)
    # The copies on Google's servers are asked for first, for minutes without a network.
    settings = tfds.download.DownloadConfig(try_download_gcs=not has_sources)
    builder.download_and_prepare(download_config=settings)


def _require_network(builder):
    """Fails immediately where downloads would be retried for minutes.

    Raises:
        ConnectionError: If no server of the data set has an address within 5 s.
    """
    if urllib.request.getproxies():
        return  # which resolves the names
    urls = getattr(builder, "url_infos", {})
    hosts = {urllib.parse.urlsplit(url).hostname for url in urls} - {None}
    hosts = sorted(hosts)[:_HOSTS] or [_DEFAULT_HOST]
    found = queue.Queue()
    for host in hosts:
        threading.Thread(target=_resolve, args=(host, found), daemon=True).start()
    with contextlib.suppress(queue.Empty):
        deadline = time.monotonic() + _SECONDS
        for _ in hosts:
            if found.get(timeout=max(0.0, deadline - time.monotonic())):
                return
    raise ConnectionError(f"no network: {hosts[0]} has no address")


def _resolve(host, found):
    try:
        found.put(bool(socket.getaddrinfo(host, 443)))
    except OSError:
        found.put(False)


def _has_slice(builder, split):
    """Whether a split is a slice such as train[:10%]."""
    try:
        return bool(builder.info.splits[split])
    except Exception:  # of many kinds, by what is wrong with it
        return False


def _rgb(image):
    return tf.image.grayscale_to_rgb(image) if image.shape[-1] == 1 else image


def _first_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
