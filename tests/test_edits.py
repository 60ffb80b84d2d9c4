import pytest
import torch

from direction_finder.directions import Direction, Directions
from direction_finder.edits import Recipe, Step, align, combine, coordinate, move, spread, walk
from direction_finder.errors import InputError


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


def test_a_recipe_replays_exactly(latents, vectors, tmp_path):
    directions = Directions(vectors=vectors, method="random", layers=(None, (0, 2), None, None))
    recipe = Recipe((Step("align", 1, 0.5), Step("move", 0, -2.0)), seed=3, samples=5, classes=(1, 1, 0, 0, 2))
    recipe.save(tmp_path / "edit.json")
    again = Recipe.load(tmp_path / "edit.json")
    assert again == recipe
    by_hand = move(align(latents, vectors[1], 0.5, (0, 2)), vectors[0], -2.0)
    assert torch.equal(again.apply(latents, directions), by_hand)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "direction-finder recipe 1", "steps": [{"edit": "rm"}]}'])
def test_a_file_that_is_no_recipe_is_refused(text, tmp_path):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(InputError, match="not an edit recipe"):
        Recipe.load(tmp_path / "r.json")
