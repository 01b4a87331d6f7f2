import gzip
import importlib.util
import os
import subprocess
import sys

import numpy as np
import tensorflow as tf

from simclr_tf import data


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
