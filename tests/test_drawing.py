"""What sheets and videos share: how far to go, images of samples, labels, even steps."""

import re

import pytest
import torch

from direction_finder.direction import Direction
from direction_finder.errors import InputError
from direction_finder.metrics.features import Similarity
from direction_finder.rendering import drawing
from direction_finder.rendering.drawing import SMALLEST, Walk, drawn, evenly, label, numbers, several
from direction_finder.samples import Samples
from tests.flat import bytes_of, channels, colours, flat

RED = Direction(torch.eye(3)[0], usable_range=2.0)


def test_one_direction_or_many():
    record = channels()
    assert several(record["red"]) == [record[0]]
    assert several(record) == several(iter(record)) == several([record[0], record[1], record[2]]) == list(record)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, "direction"),
        ({"number": 3}, "direction 3"),
        ({"number": 0, "name": "x"}, "direction 0: x"),
        ({"number": 3, "name": "x", "score": 0.12345}, "direction 3: x  (score 0.123)"),
        ({"score": 0.0}, "direction  (score 0)"),
    ],
)
def test_a_label_says_what_is_known(known, expected):
    assert label(Direction(torch.eye(3)[0], **known)) == expected


def test_positions_are_short():
    assert numbers(torch.tensor([-3.0, -1e-8, 0.0, 0.12345, 12.0])) == ["-3", "0", "0", "+0.123", "+12"]


@pytest.mark.parametrize(
    ("walk", "direction", "reach"),
    [(Walk(), RED, 2.0), (Walk(1.5), RED, 1.5), (Walk(), Direction(torch.eye(3)[0]), 3.0)],
)
def test_how_far_to_go(walk, direction, reach):
    assert walk.reach(direction) == reach


def test_coordinates_are_moved_by_the_position_or_set_to_it():
    latents = torch.tensor([[[0.5, 1.0, 1.5]]])
    assert Walk().place(latents, RED, 2.0).tolist() == [[[2.5, 1.0, 1.5]]]
    assert Walk(absolute=True).place(latents, RED, 2.0).tolist() == [[[2.0, 1.0, 1.5]]]


@pytest.mark.parametrize(("max_batch", "sizes"), [(2, [2, 2, 1]), (5, [5]), (32, [5])])
def test_images_are_those_of_the_latents_however_many_at_once(max_batch, sizes):
    generator = flat(num_classes=2)
    seen = []
    generator.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    z = torch.linspace(-3, 3, 15).view(5, 3)
    classes = torch.tensor([0, 1, 0, 0, 1])
    images = drawn(generator, z[:, None], classes, max_batch)
    assert images.shape == (5, SMALLEST, SMALLEST, 3) and seen == sizes
    assert colours(images) == bytes_of(*(z - 2 * classes[:, None]))


@pytest.fixture
def of_cubes(monkeypatch):
    """Distances of images' cubes in place of a network's: even steps are those of the cube root."""
    cubes = Similarity(
        lambda images: [(4 * images[:, :, 0, 0]) ** 3], lambda a, b: (a[0] - b[0]).abs().sum(1)
    )  # of z, as a flat image is z / 4
    monkeypatch.setattr(drawing, "similarity_of", lambda name, device, weights: (cubes, f"cubes of {name}"))


@pytest.mark.parametrize("absolute", [True, False])
def test_even_steps_change_the_image_equally(of_cubes, absolute):
    start = 0.7 if absolute else 0.0  # no matter where coordinates are set
    samples = Samples(torch.full((2, 1, 3), start), torch.zeros(2).long())
    walk, seen = Walk(even=True, absolute=absolute, features="z"), []
    places, notes = evenly(flat(), list(channels()), samples, walk, 5, on_step=seen.append)
    assert [(float(each[0]), float(each[-1])) for each in places] == [(-2, 2), (-3, 3), (-3, 3)]
    steps = (places[0] ** 3).diff()
    assert steps.max() / steps.min() < 1.1
    found = (
        r"direction 0: red: the largest of 4 steps is 1\.0\d times the smallest \(cubes of z\); of uniform ones 7\.00"
    )
    assert len(notes) == 3 and re.match(found, notes[0])
    assert [(each.step, each.total, each.phase, each.unit) for each in seen][-1] == (
        3, 3, "spacing images evenly", "direction",
    )  # fmt: skip


def test_around_zero_the_sample_as_it_is_stands_in_the_middle(of_cubes):
    samples = Samples(torch.full((1, 1, 3), 1.0), torch.zeros(1).long())  # images change more above 0 than below
    (places,), _ = evenly(flat(), [RED], samples, Walk(even=True), 5, around_zero=True)
    assert places[2] == 0 and places[0] == -2 and places[4] < 1.5


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"extent": float("nan")}, "extent is nan: expected a finite number"),
        ({"extent": float("inf")}, "extent is inf: expected a finite number"),
        ({"extent": -1}, "extent is -1: expected a number above 0"),
        ({"max_batch": 0}, "max_batch is 0: expected at least 1"),
    ],
)
def test_a_walk_that_leads_nowhere_is_refused(given, words):
    with pytest.raises(InputError, match=words):
        Walk(**given)
