"""Latents moved along directions."""

import pytest
import torch

from direction_finder.directions import Direction
from direction_finder.edits import (
    align,
    combine,
    coordinate,
    move,
    percentile,
    spread,
    steady_walk,
    walk,
)
from direction_finder.errors import InputError
from direction_finder.samples import Samples


@pytest.fixture
def latents(rng):
    return spread(torch.randn(5, 4, generator=rng), 3)


@pytest.fixture
def vectors(rng):
    return torch.linalg.qr(torch.randn(4, 4, generator=rng))[0]


def test_move_adds_to_the_coordinate_and_to_nothing_else(latents, vectors):
    moved = move(latents, vectors[0], 2.5)
    assert torch.allclose(coordinate(moved, vectors[0]), coordinate(latents, vectors[0]) + 2.5, atol=1e-5)
    for other in vectors[1:]:
        assert torch.allclose(coordinate(moved, other), coordinate(latents, other), atol=1e-5)


def test_align_sets_the_coordinate_and_nothing_else(latents, vectors):
    aligned = align(latents, vectors[2], -1.5)
    assert torch.allclose(coordinate(aligned, vectors[2]), torch.full((5, 3), -1.5), atol=1e-5)
    assert torch.allclose(coordinate(aligned, vectors[0]), coordinate(latents, vectors[0]), atol=1e-5)
    assert torch.allclose(align(aligned, vectors[2], -1.5), aligned, atol=1e-6)  # idempotent


def test_values_may_differ_between_samples(latents, vectors):
    values = torch.arange(5.0)
    assert torch.allclose(coordinate(align(latents, vectors[1], values), vectors[1])[:, 0], values, atol=1e-5)
    shift = coordinate(move(latents, vectors[1], values), vectors[1]) - coordinate(latents, vectors[1])
    assert torch.allclose(shift[:, 2], values, atol=1e-5)


@pytest.mark.parametrize("edit", [move, align])
def test_layers_are_a_mask(edit, latents, vectors):
    edited = edit(latents, vectors[0], 3.0, layers=(1,))
    assert torch.equal(edited[:, [0, 2]], latents[:, [0, 2]])
    assert torch.equal(edited[:, 1], edit(latents, vectors[0], 3.0)[:, 1])
    with pytest.raises(InputError, match="layers 0 to 2"):
        edit(latents, vectors[0], 3.0, layers=(3,))


@pytest.mark.parametrize("edit", [move, align])
def test_z_without_a_layer_axis_is_refused(edit, vectors):
    with pytest.raises(InputError, match=r"latents of shape \(10, 4\).*spread\(z, generator.num_layers\)"):
        edit(torch.zeros(10, 4), vectors[0], 1.0)
    with pytest.raises(InputError, match=r"direction of shape \(4,\)"):
        edit(torch.zeros(10, 3, 5), vectors[0], 1.0)


@pytest.mark.parametrize("edit", [move, align])
def test_a_direction_knows_its_layers_and_the_scale_of_its_latents(edit, latents, vectors):
    direction = Direction(vectors[0], layers=(1,), scale=0.5)
    assert torch.allclose(edit(latents, direction, 3.0), edit(latents, vectors[0], 1.5, (1,)))
    assert torch.allclose(edit(latents, direction, 3.0, (0, 2)), edit(latents, vectors[0], 1.5, (0, 2)))
    assert torch.allclose(coordinate(latents, direction), 2 * coordinate(latents, vectors[0]))
    assert torch.allclose(combine(latents, [(direction, 3.0)]), move(latents, vectors[0], 1.5, (1,)), atol=1e-6)


def test_combine_is_the_sum_in_any_order(latents, vectors):
    moves = [(vectors[0], 1.0, None), (vectors[1], -2.0, (0,))]
    both = combine(latents, moves)
    assert torch.allclose(both, combine(latents, moves[::-1]), atol=1e-6)
    assert torch.allclose(both, move(move(latents, vectors[0], 1.0), vectors[1], -2.0, (0,)), atol=1e-6)


def test_walk_loops_smoothly():
    steps = walk(120, 3.0)
    assert steps[0] == 0
    assert torch.isclose(steps.max(), torch.tensor(3.0), atol=1e-3)
    assert torch.isclose(steps.min(), torch.tensor(-3.0), atol=1e-3)
    around = torch.cat([steps, steps[:1]]).diff().abs()
    assert around.max() < 1.1 * around[0]  # no jump where the loop closes
    assert abs(float(around[-1] / around[0]) - 1) < 1e-3  # and no pause: the last frame does not repeat the first
    assert around[30] < 0.1 * around.max()  # slow at the ends


@pytest.fixture
def samples(latents):
    return Samples(latents, torch.tensor([1, 1, 0, 0, 2]), "w")


def test_samples_go_in_and_out_with_their_classes_and_space(samples, latents, vectors):
    along = Direction(vectors[0], layers=(1,), scale=0.5)
    for edited, expected in (
        (move(samples, along, 2.0), move(latents, along, 2.0)),
        (move(samples, 2 * along), move(latents, along, 2.0)),
        (align(samples, along, 0.5), align(latents, along, 0.5)),
        (combine(samples, [(along, 1.0), (along, 1.0)]), combine(latents, [(along, 1.0), (along, 1.0)])),
    ):
        assert edited == Samples(expected, samples.classes, "w")
        assert not torch.equal(edited.latents, latents)
    assert torch.equal(coordinate(samples, along), coordinate(latents, along))


def test_one_latent_goes_to_many_amounts_and_many_need_one_each(latents, samples, vectors):
    spaced = move(latents[:1], vectors[0], torch.tensor([-1.0, 0.0, 1.0]))
    assert spaced.shape == (3, 3, 4) and torch.equal(spaced[2], move(latents[:1], vectors[0], 1.0)[0])
    for edit in (move, align):
        for given in (latents, samples):
            with pytest.raises(InputError, match="3 amounts for 5 samples: expected one"):
                edit(given, vectors[0], torch.zeros(3))
            with pytest.raises(InputError, match="amount '2': expected a number, or one for each sample"):
                edit(given, vectors[0], "2")


def test_a_percentile_is_where_that_part_of_the_coordinates_ends(vectors, rng):
    samples = Samples(torch.randn(2000, 3, 4, generator=rng))
    along = Direction(vectors[1], scale=0.5)
    for percent in (10, 75):
        assert (coordinate(samples, along) < percentile(samples, along, percent)).float().mean() * 100 == pytest.approx(
            percent, abs=0.1
        )
    assert percentile(samples, along, 0) == pytest.approx(float(coordinate(samples, along).min()))
    assert percentile(samples, along, 100) == pytest.approx(float(coordinate(samples, along).max()))
    assert percentile(samples.latents, vectors[1], 75) == pytest.approx(percentile(samples, along, 75) / 2)


def test_a_percentile_is_of_the_layers_acted_on(latents, vectors):
    moved = move(latents, vectors[0], 100.0, (1,))
    for layers in ((1,), (0, 2)):
        expected = float(coordinate(moved, vectors[0])[:, list(layers)].max())
        assert percentile(moved, Direction(vectors[0], layers), 100) == pytest.approx(expected)
    with pytest.raises(InputError, match="layers 0 to 2"):
        percentile(moved, Direction(vectors[0], (3,)), 50)
    for percent in (-1, 100.5, float("nan")):
        with pytest.raises(InputError, match="expected 0 to 100"):
            percentile(moved, vectors[0], percent)


def test_a_steady_walk_takes_the_same_time_between_positions():
    positions = torch.tensor([-3.0, -1.0, 0.0, 4.0])
    way = steady_walk(12, positions)
    assert way[0] == 0 and {-3.0, 4.0} <= set(way.tolist())
    assert torch.allclose(way[:5], torch.tensor([0.0, -0.5, -1.0, -2.0, -3.0]))  # down first, two frames a position
    assert torch.allclose(way[4:11], torch.tensor([-3.0, -2.0, -1.0, -0.5, 0.0, 2.0, 4.0]))
