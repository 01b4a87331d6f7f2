"""Writes a packed copy of a data set at a working size: `--mode=prepare`."""

import json
import os
import time

import numpy as np
import tensorflow as tf

from simclr_tf import atomic
from simclr_tf.data import images, threads
from simclr_tf.data.bad_images import BadImages
from simclr_tf.data.sources import prepared
from simclr_tf.errors import UserError

_PER_SHARD = 2000
_QUALITY = 95


def prepare(source, split, directory, size, bad_images=None, say=print):
    """Writes the images of a source as JPEGs of a working size in shards.

    A shard is complete or absent. Shards of the same images and size that are already
    there are kept, so a command that was stopped continues where it was.

    Args:
        source: `Source`.
        split: Str, the name of the split in the copy.
        directory: Str, the folder to write to.
        size: Int, the shorter side of the copies in pixels; smaller pictures keep
            their size.
        bad_images: `BadImages` of the source, which are left out.
        say: Callable that prints a line for the user.

    Raises:
        UserError: If the folder holds a copy of something else, or cannot be written.
    """
    os.makedirs(directory, exist_ok=True)
    bad_images = bad_images or BadImages(source)
    plan = _plan(source, size)
    about = _begin(directory, split, plan)
    if about["splits"].get(split, {}).get("plan") == plan:
        say(f"{split}: is there already.")
        return
    count = -(-source.num_examples // _PER_SHARD)
    start, parts = time.perf_counter(), []
    for number in range(count):
        name = f"{split}-{number:05d}-of-{count:05d}.tfrecord"
        path, kept = os.path.join(directory, name), True
        if not (os.path.exists(path) and os.path.exists(f"{path}.npz")):
            kept = False
            first = number * _PER_SHARD
            last = min(first + _PER_SHARD, source.num_examples)
            _write_shard(path, source, range(first, last), size, bad_images)
        with np.load(f"{path}.npz", allow_pickle=False) as part:
            parts.append((name, {key: part[key] for key in part.files}))
        seconds = time.perf_counter() - start
        say(f"  {name} {'is there' if kept else f'written, {seconds:.0f} s'}")
    about["splits"][split] = _finish(directory, split, source, parts) | {"plan": plan}
    _write_json(os.path.join(directory, prepared.DESCRIPTION), about)
    for name, _ in parts:
        os.remove(os.path.join(directory, f"{name}.npz"))
    _report(source, split, directory, about["splits"][split], say)


def _plan(source, size):
    """Everything that must be equal if shards of an earlier command are kept."""
    return {
        "source": source.name,
        "examples": source.num_examples,
        "size": size,
        "quality": _QUALITY,
    }


def _begin(directory, split, plan):
    """The description of the existing folder, or of a new one.

    Raises:
        UserError: If there are shards of other images or of another size.
    """
    about = {"format": prepared.FORMAT, "splits": {}}
    if prepared.is_prepared(directory):
        about = prepared.describe(directory)
    path = os.path.join(directory, f"{split}.plan.json")
    earlier = about["splits"].get(split, {}).get("plan")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            earlier = json.load(file)
    if earlier not in (None, plan):
        raise UserError(
            f"--model_dir={directory} holds a copy of {earlier['source']} with "
            f"{earlier['examples']} images at {earlier['size']} px, and this is "
            f"{plan['source']} with {plan['examples']} at {plan['size']} px. Give "
            "another folder."
        )
    _write_json(path, plan)
    return about


def _write_shard(path, source, numbers, size, bad_images):
    """Writes the images with some numbers, and a file with the place of each."""
    names, labels = source.file_names(), source.labels()
    rows = {"numbers": [], "offsets": [], "sizes": []}
    offset = 0
    with (
        atomic.replacing(path) as unfinished,
        tf.io.TFRecordWriter(unfinished) as writer,
    ):
        for number, encoded in zip(
            numbers, _copies(source, numbers, size, bad_images), strict=True
        ):
            if not encoded:
                continue
            label = None if labels is None else labels[number]
            record = _example(encoded, label, names and names[number])
            writer.write(record)
            for column, value in (
                ("numbers", number),
                ("offsets", offset),
                ("sizes", len(record)),
            ):
                rows[column].append(value)
            offset += len(record) + 16
    _write_arrays(f"{path}.npz", rows)


def _copies(source, numbers, size, bad_images):
    """JPEGs of the images with some numbers, in order, without bad ones."""

    def copied(index):
        encoded, *_ = tf.nest.flatten(source.read_encoded(index))
        pixels = bad_images.policy.max_image_pixels
        header = images.read_header(encoded, pixels)
        sides = header.upright_shape[tf.newaxis]
        ratio = images.largest_ratio(header, sides, [size])
        return _jpeg(images.decode(encoded, ratio, pixels), size)

    if source.encoded and source.random_access:
        dataset = tf.data.Dataset.from_tensor_slices(np.array(numbers, np.int64)).map(
            lambda index: bad_images.take(copied, index)[1], **threads.per_image()
        )
    else:
        mask = np.zeros([source.num_examples], bool)
        mask[numbers] = True

        def copy(index, example):
            image = tf.nest.flatten(example)[0]
            is_whole = bad_images.is_whole(index + numbers[0], image)
            return tf.cond(is_whole, lambda: _jpeg(image, size), lambda: "")

        dataset = source.as_dataset(mask).enumerate()
        dataset = dataset.map(copy, **threads.per_image())
    return threads.fixed(dataset.prefetch(16)).as_numpy_iterator()


def _jpeg(image, size):
    """The picture as a JPEG whose shorter side is at most `size`."""
    sides = tf.shape(image)[:2]
    scale = tf.minimum(size / tf.reduce_min(sides), 1.0)
    target = tf.cast(tf.round(tf.cast(sides, tf.float64) * scale), tf.int32)
    resized = tf.cond(
        scale < 1.0,
        lambda: tf.image.resize(image, target, "bicubic", antialias=True),
        lambda: tf.cast(image, tf.float32),
    )
    pixels = tf.cast(tf.clip_by_value(tf.round(resized), 0.0, 255.0), tf.uint8)
    return tf.io.encode_jpeg(tf.ensure_shape(pixels, [None, None, 3]), quality=_QUALITY)


def _example(encoded, label, name):
    features = {"image/encoded": _bytes(encoded)}
    if label is not None:
        values = tf.train.Int64List(value=[int(label)])
        features["image/class/label"] = tf.train.Feature(int64_list=values)
    if name is not None:
        features["image/filename"] = _bytes(os.fsencode(name))
    features = tf.train.Features(feature=features)
    return tf.train.Example(features=features).SerializeToString()


def _bytes(value):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _finish(directory, split, source, parts):
    """Writes the index of all shards; returns its description for `prepared.json`."""
    columns = {
        key: np.concatenate([part[key] for _, part in parts]).astype(np.int64)
        for key in ("numbers", "offsets", "sizes")
    }
    columns["shards"] = np.repeat(
        np.arange(len(parts)), [len(part["numbers"]) for _, part in parts]
    )
    kept = columns.pop("numbers")
    names, labels = source.file_names(), source.labels()
    if labels is not None:
        columns["labels"] = labels[kept]
    path = prepared.index_path(directory, split)
    _write_arrays(path, columns)
    shards = [name for name, _ in parts]
    return {
        "shards": shards,
        "sizes": [os.path.getsize(os.path.join(directory, name)) for name in shards],
        "class_names": source.class_names,
        "file_names": None if names is None else [names[number] for number in kept],
    }


def _report(source, split, directory, about, say):
    """Reports the size of the copy and the time that it saves."""
    after = sum(about["sizes"])
    paths = getattr(source, "paths", None)
    text = f"{split}: {after / 1e6:,.1f} MB in {len(about['shards'])} shards"
    if paths:
        before = sum(os.path.getsize(path) for path in paths if os.path.isfile(path))
        text += f", of {before / 1e6:,.1f} MB in {len(paths):,} files"
    say(text + ".")
    copy = prepared.open_prepared(directory, split)
    then, now = _images_per_second(source), _images_per_second(copy)
    say(f"Decoding: {then:,.0f} images/s before, {now:,.0f} now (x {now / then:.1f}).")


def _images_per_second(source, count=200):
    """How fast a source is decoded, measured on its first images."""
    done, start = 0, None
    for _ in source.as_dataset().ignore_errors().take(count):
        start = start or time.perf_counter()  # after what is done once
        done += 1
    return done / (time.perf_counter() - start)


def _write_json(path, values):
    atomic.write(path, json.dumps(values, indent=1))


def _write_arrays(path, columns):
    with atomic.replacing(path) as unfinished, open(unfinished, "wb") as file:
        np.savez(file, **columns)
