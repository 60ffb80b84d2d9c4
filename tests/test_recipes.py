"""Recipes of edits and their files."""

import json
import os
from dataclasses import replace

import pytest
import torch

from direction_finder.directions import Directions
from direction_finder.edits import align, move, spread
from direction_finder.errors import InputError
from direction_finder.recipes import Recipe, Step
from direction_finder.reports import describe
from direction_finder.samples import Samples


@pytest.fixture
def latents(rng):
    return spread(torch.randn(5, 4, generator=rng), 3)


@pytest.fixture
def vectors(rng):
    return torch.linalg.qr(torch.randn(4, 4, generator=rng))[0]


@pytest.fixture
def samples(latents):
    return Samples(latents, torch.tensor([1, 1, 0, 0, 2]), "w")


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
        ({"steps": [{"edit": "move", "direction": 0, "value": 1, "keep": [-1]}]}, "direction is -1: expected at least"),
        ({"steps": [{"edit": "move", "direction": 0, "value": 1, "keep": 2}]}, "not an edit recipe: expected array"),
    ],
)
def test_everything_in_a_recipe_file_is_checked(change, words, recipe, tmp_path):
    path = tmp_path / "edit.json"
    recipe.save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=f"edit.json: {words}") as refusal:
        Recipe.load(path)
    assert "\n" not in str(refusal.value)


def test_a_step_keeps_other_coordinates(latents, vectors, tmp_path):
    mixed = torch.nn.functional.normalize(vectors + 0.3 * vectors.flip(0), dim=1)
    directions = Directions(mixed, "random", orthonormal=False)
    step = Step("move", 1, 0.5, keep=(0, 2))
    assert str(step) == "move 1 +0.5 keeping 0, 2"
    recipe = Recipe((step, Step("align", 0, 0.0)), 0, 5)
    recipe.save(tmp_path / "edit.json")
    assert describe(tmp_path / "edit.json")["steps"] == ["move:1=0.5, keeping 0, 2", "align:0=0.0"]
    steps = json.loads((tmp_path / "edit.json").read_text())["steps"]
    assert steps[0]["keep"] == [0, 2] and "keep" not in steps[1]
    assert Recipe.load(tmp_path / "edit.json") == recipe
    kept = move(latents, directions[1], 0.5, keep=[directions[0], directions[2]])
    assert torch.equal(recipe.apply(latents, directions), align(kept, directions[0], 0.0))


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
