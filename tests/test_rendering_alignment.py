"""Sheets of samples as they are, and beside them edited or aligned."""

import pytest
import torch

from direction_finder.direction import Direction
from direction_finder.errors import InputError
from direction_finder.rendering.alignment import aligned, compared, default_values
from direction_finder.samples import Samples
from tests.flat import bytes_of, channels, colours, flat

A, B = [0.5, -0.5, 0.0], [-1.0, 0.25, 1.0]


@pytest.fixture
def samples():
    return Samples(torch.tensor([[A], [B]]), torch.tensor([0, 1]))


def test_versions_stand_below_each_other(samples):
    generator, sizes = flat(num_classes=2), []
    generator.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    versions = {"one": samples, "other": samples.with_latents(-samples.latents)}
    sheet = compared(generator, versions, ["", "mirrored"], max_batch=1)
    assert (sheet.columns, sheet.labels, sheet.count) == (["sample 0", "sample 1"], ["one", "other"], 2)
    assert not sizes  # not drawn yet
    one, other = sheet.rows()
    assert (one.label, one.title, other.label, other.title) == ("one", "", "other", "mirrored")
    darker = [channel - 2 for channel in B]  # as class 1
    assert colours(one.images) == bytes_of(A, darker)
    assert colours(other.images) == bytes_of([-c for c in A], [-c - 2 for c in B]) and set(sizes) == {1}


def test_versions_of_other_samples_are_refused(samples):
    with pytest.raises(InputError, match="versions of 1 and 2 samples"):
        compared(flat(), {"a": samples, "b": samples[:1]})
    with pytest.raises(InputError, match="versions of no samples"):
        compared(flat(), {})


def test_all_samples_have_the_value_in_one_coordinate(samples):
    sheet = aligned(flat(), channels()["blue"], samples, [-1.5, 0.25])
    original, low, high = sheet.rows()
    assert original.title == "direction 2: blue  (score 0.5)" and not low.title
    assert sheet.labels == [original.label, low.label, high.label] == ["original", "set to -1.5", "set to 0.25"]
    assert colours(original.images) == bytes_of(A, B)
    assert colours(low.images) == bytes_of([*A[:2], -1.5], [*B[:2], -1.5])
    assert colours(high.images) == bytes_of([*A[:2], 0.25], [*B[:2], 0.25])


def test_values_that_read_alike_have_a_row_each(samples):
    sheet = aligned(flat(), channels()["blue"], samples, [1.2345, 1.2346])
    assert sheet.labels == ["original", "set to 1.23", "set to 1.2346"]


def test_by_default_they_are_0_and_the_ends_of_the_usable_range(samples):
    red, green = channels()["red"], channels()[1]
    assert default_values([red]) == [(-2.0,), (0.0,), (2.0,)] and default_values([green]) == [(0.0,)]
    assert default_values([red, green]) == [(0.0, 0.0)]
    sheet = aligned(flat(), channels()["red"], samples)
    assert sheet.labels == ["original", "set to -2", "set to 0", "set to 2"]


def test_several_coordinates_have_their_values_and_others_are_kept(samples):
    red, blue = channels()["red"], channels()["blue"]
    sheet = aligned(flat(), [red, blue], samples, [(1.0, -1.5), (1.0001, -1.5)])
    original, row, _ = sheet.rows()
    assert original.title == "direction 0: red; direction 2: blue  (score 0.5)"
    assert sheet.labels == ["original", "set to 1, -1.5", "set to 1.0001, -1.5"]
    assert colours(row.images) == bytes_of([1.0, A[1], -1.5], [1.0, B[1], -1.5])
    slanted = Direction(torch.tensor([0.6, 0.8, 0.0]))
    (_, row) = aligned(flat(), slanted, samples, [1.0], keep=red).rows()
    assert colours(row.images) == bytes_of(*([x, (1 - 0.6 * x) / 0.8, z] for x, _, z in (A, B)))
