"""Latents moved along directions, and recipes of edits."""

import json
import os
from dataclasses import replace

import pytest
import torch

from direction_finder.directions import Direction, Directions
from direction_finder.edits import (
    Recipe,
    Step,
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


@pytest.fixture
def recipe(vectors):
    directions = Directions(vectors, "random")
    steps = (Step("align", 1, 0.5), Step("move", 0, -2.0))
    return Recipe(steps, 3, 5, (1, 0), weights_sha256="ab" * 32, directions_sha256=directions.sha256)


def test_a_recipe_edits_samples(recipe, samples, latents, vectors):
    directions = Directions(vectors, "random")
    edited = recipe.apply(samples, directions)
    assert edited == samples.with_latents(recipe.apply(latents, directions)) and edited != samples


def test_a_recipe_file_holds_its_fields(recipe, tmp_path):
    path = tmp_path / "edit.json"
    recipe.save(path)
    content = json.loads(path.read_text())
    assert content == {
        "format": "direction-finder recipe 1",
        "steps": [
            {"edit": "align", "direction": 1, "value": 0.5},
            {"edit": "move", "direction": 0, "value": -2.0},
        ],
        "seed": 3,
        "samples": 5,
        "classes": [1, 0],
        "weights_sha256": "ab" * 32,
        "directions_sha256": recipe.directions_sha256,
    }
    assert Recipe.load(path) == recipe and Recipe.load(path).latents is None  # as in files of earlier versions
    replace(recipe, latents="cd" * 32).save(path)
    assert json.loads(path.read_text()) == content | {"latents": "cd" * 32}
    assert Recipe.load(path).latents == "cd" * 32


def test_a_recipe_knows_what_it_was_made_with(recipe, vectors):
    directions = Directions(vectors, "random")
    recipe.check_fits(directions.named(1, "x"), "ab" * 32)  # a name is no matter
    with pytest.raises(InputError, match=r"another generator \(abababababab, here cdcdcdcdcdcd\)"):
        recipe.check_fits(directions, "cd" * 32)
    with pytest.raises(InputError, match="other directions"):
        recipe.check_fits(directions[::-1], "ab" * 32)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "direction-finder recipe 2"}, "not a recipe of format 1"),
        ({"mood": "good"}, "not an edit recipe.*mood"),
        ({"steps": [{"edit": "turn", "direction": 0, "value": 1}]}, "step 'turn' 1.0: expected align or move"),
        ({"steps": [{"edit": "move", "direction": 0, "value": float("nan")}]}, "step 'move' nan"),
        ({"steps": [{"edit": "move", "direction": "x", "value": 1}]}, "not an edit recipe"),
        ({"classes": None}, "not an edit recipe"),
        ({"classes": [-1]}, "class is -1: expected at least 0"),
        ({"classes": [10**30]}, "class is 10"),
        ({"classes": ["a"]}, "not an edit recipe: expected int, got str, at classes"),
        ({"seed": None}, "not an edit recipe: expected int, got null, at seed"),
        ({"seed": [1]}, "not an edit recipe: expected int, got array, at seed"),
        ({"seed": "abc"}, "not an edit recipe: expected int, got str, at seed"),
        ({"seed": -1}, "seed is -1: expected at least 0"),
        ({"samples": 0}, "samples is 0: expected at least 1"),
        ({"samples": -5}, "samples is -5: expected at least 1"),
        ({"samples": 10**12}, "samples is 1000000000000: expected at most 1000000"),
        ({"samples": True}, "not an edit recipe: expected int, got bool, at samples"),
        ({"samples": 2.5}, "not an edit recipe: expected int, got float, at samples"),
        ({"steps": [{"edit": "move", "direction": -1, "value": 1}]}, "direction is -1: expected at least 0"),
        ({"steps": [{"edit": "move", "direction": True, "value": 1}]}, "not an edit recipe: expected int, got bool"),
        (
            {"steps": [{"edit": "move", "direction": 0, "value": 1e300}]},
            "step 'move' 1e.300: expected align or move by",
        ),
        ({"steps": [{"edit": "move", "direction": 0}]}, "not an edit recipe: object missing required field value"),
        ({"steps": {"edit": "move"}}, "not an edit recipe: expected array, got object, at steps"),
        ({"latents": 3}, "not an edit recipe"),
    ],
)
def test_everything_in_a_recipe_file_is_checked(change, words, recipe, tmp_path):
    path = tmp_path / "edit.json"
    recipe.save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=f"edit.json: {words}") as refusal:
        Recipe.load(path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("missing", ["format", "steps", "seed", "samples", "classes"])
def test_a_recipe_file_must_be_whole(missing, recipe, tmp_path):
    path = tmp_path / "edit.json"
    recipe.save(path)
    content = json.loads(path.read_text())
    del content[missing]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=f"not an edit recipe: object missing required field {missing}"):
        Recipe.load(path)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "\udcff", "null", "NaN", "3"])
def test_what_is_no_recipe_at_all(text, tmp_path):
    (tmp_path / "edit.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(InputError, match="not an edit recipe") as refusal:
        Recipe.load(tmp_path / "edit.json")
    assert "\n" not in str(refusal.value)


def test_a_pipe_or_folder_is_no_recipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, words in ((tmp_path / "pipe", "not a file"), (tmp_path, "a folder")):
        with pytest.raises(InputError, match=f"{words}; expected an edit recipe"):
            Recipe.load(path)


def test_a_recipe_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.json: no such file; expected an edit recipe"):
        Recipe.load(tmp_path / "none.json")


def test_a_step_says_what_it_does():
    assert str(Step("align", 3, 0)) == "align 3 +0" and str(Step("move", 0, -2.5)) == "move 0 -2.5"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e7, True, "1"])
def test_a_recipe_that_could_not_be_read_again_is_not_made(value):
    with pytest.raises(InputError, match=r"step 'move' .*expected align or move by a number"):
        Recipe((Step("move", 0, value),), 0, 1)
