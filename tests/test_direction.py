"""One direction as a value, and edits made by arithmetic."""

import pytest
import torch

from direction_finder.direction import Direction, Edit
from direction_finder.directions import Directions
from direction_finder.edits import align, combine, move
from direction_finder.errors import InputError


@pytest.fixture
def record():
    return Directions(
        torch.eye(6)[:4],
        "test",
        {},
        names=("x", None, "hue", None),
        scores=(1.0, 4.0, None, 2.0),
        ranges=(2.0, None, None, 3.0),
        layers=((0, 1), None, None, (2,)),
    )


@pytest.fixture
def latents():
    return torch.randn(5, 3, 6, generator=torch.Generator().manual_seed(0))


def test_an_edit_is_a_list_of_directions_and_amounts(record, latents):
    x, hue = record["x"], record["hue"]
    edit = 2 * x - hue
    assert isinstance(edit, Edit) and [(d.name, amount) for d, amount in edit] == [("x", 2.0), ("hue", -1.0)]
    expected = combine(latents, [(x, 2.0), (hue, -1.0)])
    assert torch.equal(move(latents, edit), expected) and not torch.equal(expected, latents)
    assert torch.allclose(move(latents, (x + hue) / 2 * 4), combine(latents, [(x, 2.0), (hue, 2.0)]))
    assert torch.allclose(move(move(latents, edit), -edit), latents, atol=1e-6)
    assert repr(edit) == "<Edit +2 x -1 hue>"


def test_nothing_times_a_direction_moves_nothing(record, latents):
    assert torch.equal(move(latents, 0 * record["x"]), latents) and torch.equal(move(latents, Edit()), latents)


def test_layers_go_with_a_direction(record, latents):
    moved = move(latents, 3 * record[-1]) - latents
    assert moved[:, 2].any() and not moved[:, :2].any()


def test_an_edit_cannot_be_aligned_nor_has_another_amount(record, latents):
    with pytest.raises(InputError, match="use move"):
        align(latents, 2 * record["x"], 0.0)
    with pytest.raises(InputError, match="its own amounts"):
        move(latents, 2 * record["x"], 1.0)
    with pytest.raises(InputError, match="needs an amount"):
        move(latents, record["x"])


def test_directions_are_equal_by_value(record):
    same = Direction(torch.eye(6)[0], (0, 1), "x", 1.0, 2.0, number=0)
    assert record["x"] == same and hash(record["x"]) == hash(same)
    assert record["x"] != record["hue"] and record["x"] != 3
    assert record["x"].to("cpu") == record["x"]
    assert repr(record[0]) == "<Direction 0 'x': dim=6, layers=(0, 1), score=1.0, usable_range=2.0>"


def test_directions_are_added_by_sum_and_not_multiplied(record, latents):
    x, hue = record["x"], record["hue"]
    assert torch.equal(move(latents, sum([x, hue])), move(latents, x + hue))
    with pytest.raises(TypeError):
        x * hue
