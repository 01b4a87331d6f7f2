"""Suggestions for data sets of every size."""

import itertools
import re
import shlex

import pytest

import flags
from simclr_tf.experiment import suggesting
from simclr_tf.experiment.suggesting import suggest

COUNTS = [2, 3, 7, 10, 60, 999, 9_999, 19_999, 20_000, 50_000, 99_999, 100_001]
COUNTS += [300_000, 999_999, 1_000_000, 1_281_167, 10_000_000]
SIDES = [1, 16, 28, 32, 33, 63, 64, 95, 96, 100, 224, 300, 1024]


def values(num_images, pixels):
    return {one.flag: one.value for one in suggest(num_images, pixels)}


@pytest.mark.parametrize("pixels", SIDES)
def test_more_images_never_get_less(pixels):
    found = [values(count, pixels) for count in COUNTS]
    for few, many in itertools.pairwise(found):
        for flag in ("image_size", "train_batch_size", "resnet_depth"):
            assert few[flag] <= many[flag]
        assert few["temperature"] >= many["temperature"]
        seen = [one["train_steps"] * one["train_batch_size"] for one in (few, many)]
        assert seen[0] <= seen[1]
    for count, one in zip(COUNTS, found, strict=True):
        size = one["train_batch_size"]
        assert size <= count and size & (size - 1) == 0
        assert size <= max(2, count / 4)
        assert one["train_steps"] >= 3000
        assert one["image_size"] <= pixels


@pytest.mark.parametrize("count", COUNTS)
def test_larger_images_never_get_less(count):
    found = [values(count, pixels) for pixels in SIDES]
    for small, large in itertools.pairwise(found):
        for flag in ("image_size", "color_jitter_strength", "use_blur"):
            assert small[flag] <= large[flag]
        assert small["temperature"] >= large["temperature"]


def test_the_recipes_of_the_paper_come_back():
    small, many = values(50_000, 32), values(1_281_167, 500)
    assert small["color_jitter_strength"] == 0.5 and not small["use_blur"]
    assert (small["train_batch_size"], small["temperature"]) == (512, 0.5)
    assert small["train_steps"] == 29_297  # 300 epochs: 15 million / 512
    assert many["color_jitter_strength"] == 1.0 and many["use_blur"]
    assert (many["train_batch_size"], many["temperature"]) == (4096, 0.1)
    assert many["train_steps"] == 31_279  # 100 epochs
    assert (many["image_size"], many["resnet_depth"]) == (224, 50)


@pytest.mark.parametrize(
    ("size", "like_one_of"),
    [
        ((50_000, 32), {"CIFAR-10"}),
        ((100_000, 64), {"CIFAR-10"}),  # twice as many, twice as large
        ((100_001, 32), set()),
        ((24_999, 32), set()),
        ((1_281_167, 224), {"ImageNet"}),
        ((10, 16), set()),
    ],
)
def test_what_is_extrapolated_says_so(size, like_one_of):
    for one in suggest(*size):
        names = {measured.name for measured in one.measured_on}
        assert one.extrapolated != bool(names & like_one_of)


@pytest.mark.parametrize("size", [*itertools.product(COUNTS[::3], SIDES[::3])])
def test_the_command_is_one_and_every_flag_has_a_source(size):
    title, *rest = suggesting.lines(*size, ["--dataset=my 'cats'", "--model_dir=r"])
    reasons = [line for line in rest if line.startswith("  --") and ";" in line]
    assert len(reasons) == len(suggest(*size)) and f"{size[0]:,} images" in title
    assert all(re.search(r"  (paper|README|docs/)", line) for line in reasons)
    words = shlex.split("\n".join(rest[len(reasons) :]).replace("\\\n", " "))
    assert words[:2] == ["python", "run.py"]
    _, parsed = flags.parse(words[1:], say=lambda line: None)
    assert parsed["dataset"] == "my 'cats'"
    assert values(*size).items() <= parsed.items()


@pytest.mark.parametrize("size", [(1, 32), (10, 0)])
def test_too_little_is_refused(size):
    with pytest.raises(ValueError, match="`num_images` must be >= 2 and `pixels` >= 1"):
        suggest(*size)
