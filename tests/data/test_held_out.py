import numpy as np
import pytest

from simclr_tf import data
from simclr_tf.errors import UserError


def source(count=40, names=True, labels=True):
    return data.ArraySource(
        np.zeros([count, 4, 4, 3], "uint8"),
        np.arange(count) % 2 if labels else None,
        file_names=[f"/a/{n}.png" for n in range(count)] if names else None,
    )


@pytest.mark.parametrize("names", [True, False])
@pytest.mark.parametrize("labels", [True, False])
def test_part_and_rest_are_all_and_the_same_each_time(names, labels):
    whole, held_out = source(names=names, labels=labels), data.HeldOut(0.1, 3)
    whole.number = range(40)
    chosen = held_out._chosen(whole)
    assert held_out.part(whole).num_examples == 4
    assert held_out.rest(whole).num_examples == 36
    np.testing.assert_array_equal(chosen, held_out._chosen(source(40, names, labels)))
    assert (chosen != data.HeldOut(0.1, 4)._chosen(whole)).any()
    if names:
        parts = held_out.part(whole).file_names(), held_out.rest(whole).file_names()
        assert sorted(parts[0] + parts[1]) == sorted(whole.file_names())
    if labels:
        np.testing.assert_array_equal(np.bincount(whole.labels()[chosen]), [2, 2])


def test_images_that_are_added_move_few_others():
    before = set(data.HeldOut(0.25).part(source(40)).file_names())
    after = set(data.HeldOut(0.25).part(source(48)).file_names())
    assert len(before & after) >= 6


def test_one_image_cannot_be_parted():
    with pytest.raises(UserError, match="--held_out_fraction=0.1 .*more images"):
        data.HeldOut().part(source(1))
