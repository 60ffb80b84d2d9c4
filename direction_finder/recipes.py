"""Recipes: edits in a small file, which can be repeated exactly, on the same samples or on others."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from direction_finder.directions import Directions
from direction_finder.edits import Latents, align, move
from direction_finder.errors import InputError
from direction_finder.files import json_bytes, parse_json, write_json
from direction_finder.overwriting import RECIPE, check_overwrite
from direction_finder.settings import FARTHEST, MOST, MOST_ROWS, MOST_SEED, flaw

FORMAT = "direction-finder recipe 1"
EDITS: dict[str, Callable[..., Any]] = {"align": align, "move": move}


@dataclass(frozen=True)
class Step:
    """One step of a recipe: `align` to, or `move` by, `value` along the direction with this number.

    keep: the numbers of the directions whose coordinates stay as they are.
    """

    edit: str
    direction: int
    value: float
    keep: tuple[int, ...] = ()

    def __str__(self) -> str:
        kept = f" keeping {', '.join(map(str, self.keep))}" if self.keep else ""
        return f"{self.edit} {self.direction} {self.value:+.3g}{kept}"


@dataclass(frozen=True)
class Recipe:
    """An edit that can be repeated exactly, on the same samples or on others.

    seed and samples give the latents (`latents`: the SHA-256 of a file of samples that they were in place of drawn
    ones), `classes` their class numbers (empty: unconditional); `weights_sha256` and `directions_sha256` bind it to the
    generator and the directions it was made with.
    """

    steps: tuple[Step, ...]
    seed: int
    samples: int
    classes: tuple[int, ...] = ()
    weights_sha256: str = ""
    directions_sha256: str = ""
    latents: str | None = None

    def __post_init__(self) -> None:
        for step in self.steps:
            if step.edit not in EDITS or flaw(step.value, float, least=-FARTHEST, most=FARTHEST):
                raise InputError(
                    f"step {step.edit!r} {step.value}: expected {' or '.join(EDITS)} by a number up to {FARTHEST:g}"
                )
        numbers = [("direction", number, MOST) for step in self.steps for number in (step.direction, *step.keep)]
        numbers += [("seed", self.seed, MOST_SEED), *(("class", number, MOST) for number in self.classes)]
        for name, number, most in numbers:
            if expected := flaw(number, int, least=0, most=most):
                raise InputError(f"{name} is {number!r}: expected {expected}")
        if expected := flaw(self.samples, int, least=1, most=MOST_ROWS):
            raise InputError(f"samples is {self.samples!r}: expected {expected}")

    def apply(self, latents: Latents, directions: Directions) -> Latents:
        """Apply the steps in order to samples, or latents (batch, layers, dim), with these directions.

        >>> edited = Recipe.load("edit.json").apply(generator.samples(8, seed=5), directions)
        """
        for step in self.steps:
            keep = [directions[number] for number in step.keep]
            latents = EDITS[step.edit](latents, directions[step.direction], step.value, keep=keep)
        return latents

    def check_fits(self, directions: Directions, weights_sha256: str) -> None:
        """Raise InputError unless the recipe was made with these directions in this generator."""
        for ours, theirs, what in (
            (directions.sha256, self.directions_sha256, "other directions"),
            (weights_sha256, self.weights_sha256, "another generator"),
        ):
            if ours != theirs:
                raise InputError(f"made with {what} ({theirs[:12]}, here {ours[:12]}); replay it on its own run")

    def save(self, path: str | Path) -> None:
        """Write the recipe as a small JSON file."""
        check_overwrite(path, RECIPE)
        fields = {name: value for name, value in asdict(self).items() if name != "latents" or value}
        fields["steps"] = [{name: part for name, part in step.items() if part != ()} for step in fields["steps"]]
        write_json(path, {"format": FORMAT, **fields})

    @classmethod
    def load(cls, path: str | Path) -> "Recipe":
        """Read a recipe file. Raises InputError naming what is wrong."""
        data = json_bytes(path, "expected an edit recipe")
        content = parse_json(data, f"{path}: not an edit recipe", _File)
        try:
            if content.pop("format") != FORMAT:
                raise InputError("not a recipe of format 1")
            steps = tuple(
                Step(step["edit"], step["direction"], float(step["value"]), tuple(step.get("keep", ())))
                for step in content.pop("steps")
            )
            return cls(steps, classes=tuple(content.pop("classes")), **content)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error


class _FileStep(msgspec.Struct, forbid_unknown_fields=True):
    """Describe a step in a recipe file."""

    edit: str
    direction: int
    value: float
    keep: list[int] = []


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """Describe a recipe file. Keys that this version does not know are refused: the edit would be another one."""

    format: str
    steps: list[_FileStep]
    seed: int
    samples: int
    classes: list[int]
    weights_sha256: str = ""
    directions_sha256: str = ""
    latents: str | None = None
