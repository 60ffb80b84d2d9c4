"""What a factor network reads along directions, and that all scores of factors are computed from it alone."""

import dataclasses

import pytest
import torch

from direction_finder.datasets import Factor
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.metrics import factors
from direction_finder.metrics.factors import alignment, effects_of, measure_effects, remaining
from direction_finder.metrics.readings import read_along, read_samples, varied_factors
from direction_finder.metrics.samples import Sampling
from tests.test_factors import DIM, LINE, Reader, painter, reader

__all__ = ["painter", "reader"]  # fixtures
DIRECTIONS = Directions(torch.eye(DIM), "test")
FEW = {"sampling": Sampling(seed=5, max_batch=3), "samples": 7}


def test_they_are_numbers_of_each_sample_direction_end_and_factor(painter, reader):
    found = read_along(painter, reader, DIRECTIONS, **FEW)
    assert (
        found.base.shape == (7, 3)
        and found.moved.shape == (DIM, 2, 7, 3)
        and found.varied == ("line", "circle", "kind")
    )
    z = FEW["sampling"].draw(painter, 7)[0][:, 0]
    assert torch.allclose(found.base[:, 0], 0.1 * z[:, 0]) and set(found.base[:, 2].tolist()) <= {0.0, 1.0}
    assert torch.allclose(found.moved[0, :, :, 0], found.base[:, 0] + torch.tensor([[-0.1], [0.1]]), atol=1e-6)
    assert torch.equal(found.moved[3, 0], found.base)  # along which nothing changes


def test_effects_and_alignments_are_computed_from_them(painter, reader):
    readings = read_along(painter, reader, DIRECTIONS, **FEW)
    found, expected = effects_of(readings), measure_effects(painter, reader, DIRECTIONS, **FEW)
    assert torch.equal(found.squares, expected.squares) and factors.summary(found) == factors.summary(expected)
    aligned = read_samples(painter, reader, **FEW, along=DIRECTIONS[0])
    kept = remaining(readings.factors, readings.varied, readings.base, aligned, 5)
    assert str(kept) == str(alignment(painter, reader, DIRECTIONS[0], **FEW))  # NaN too, as of equal samples
    assert torch.equal(readings.base, read_samples(painter, reader, **FEW))


def test_the_order_of_names_does_not_matter(painter, reader):
    readings = read_along(painter, reader, DIRECTIONS, **FEW)
    turned = dataclasses.replace(readings, varied=readings.varied[::-1])
    assert effects_of(turned).factors == ("line", "circle", "kind")


def test_the_class_is_read_and_does_not_vary(painter, reader):
    painter.class_names = ("a", "b")
    assert varied_factors(painter, reader) == ("line", "circle")
    assert read_along(painter, reader, DIRECTIONS, **FEW).base.shape == (7, 3)


def test_parts_are_cached_under_their_own_names(painter, reader):
    kept: dict[str, torch.Tensor] = {}
    given = {**FEW, "cache": lambda key, take: kept[key] if key in kept else kept.setdefault(key, take())}
    first = read_along(painter, reader, DIRECTIONS, **given)
    assert kept.keys() == {"unmoved", *(f"{number}" for number in range(DIM))}
    painter.run = None  # nothing is rendered again
    assert torch.equal(read_along(painter, reader, DIRECTIONS, **given).moved, first.moved)


def test_images_of_another_size_are_refused_before_one_is_rendered(painter):
    other = Reader([LINE, Factor("other")], 8)
    painter.run = None
    with pytest.raises(InputError, match="painter generates images of 4 pixels, but the factor network reads 8"):
        read_samples(painter, other, **FEW)
