"""Edits of latents along directions.

The functions take `Samples`, or bare latents (batch, layers, dim). A direction is a `Direction`, which has the layers
that it acts on and the scale of its latents, or a bare unit vector (dim,). Amounts and values are in units of that
scale, the standard deviation of the latents.

Along a direction with a curve, edits walk along the gradient of its coordinate, each layer's latent on its own.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import torch
from torch import Tensor

from direction_finder.curves import Curve
from direction_finder.direction import Direction, Edit
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.files import json_bytes, parse_json, write_json
from direction_finder.overwriting import RECIPE, check_overwrite
from direction_finder.samples import Samples
from direction_finder.settings import FARTHEST, MOST, MOST_ROWS, MOST_SEED, flaw

FORMAT = "direction-finder recipe 1"
SHORT = 1e-3  # error of a coordinate from which on a walk stopped early
Layers = Sequence[int] | None
Along = Direction | Tensor
Latents = TypeVar("Latents", Tensor, Samples)


def spread(z: Tensor, num_layers: int) -> Tensor:
    """Give every layer the same z: (batch, dim) -> (batch, num_layers, dim)."""
    return z.unsqueeze(1).expand(-1, num_layers, -1)


def coordinate(latents: Tensor | Samples, along: Along) -> Tensor:
    """Return the component of each latent along a direction: (batch, layers, dim) -> (batch, layers).

    >>> coordinate(samples, directions["x"]).mean()
    """
    latents = latents.latents if isinstance(latents, Samples) else latents
    along = _checked(latents, along)
    if along.curve:
        return along.curve.coordinate(latents / along.scale)
    return latents @ along.vector.to(latents) / along.scale


def move(latents: Latents, along: Along | Edit, amount: float | Tensor | None = None, layers: Layers = None) -> Latents:
    """Add `amount` times the direction to samples, or to latents (batch, layers, dim); or all moves of an edit.

    amount: a number, or one per sample (batch,); none with an edit, which has its own. layers: where to move (None:
    where the direction acts).

    Along a curve, the coordinate rises by `amount`, and moving by -amount undoes it. Where the curve is flat, half as
    steep as at z = 0, samples stop on the way; `short_of` tells.

    >>> moved = move(samples, directions["x"], 2.0)
    >>> moved = move(samples, 2 * directions["x"] - directions["hue"])

    Raises InputError if the latents have no layer axis or do not fit the direction.
    """
    if isinstance(latents, Samples):
        return latents.with_latents(move(latents.latents, along, amount, layers))
    if isinstance(along, Edit):
        if amount is not None:
            raise InputError("an edit has its own amounts: multiply it, e.g. move(samples, 0.5 * edit)")
        return combine(latents, ((direction, value, layers) for direction, value in along))
    if amount is None:
        raise InputError("move needs an amount: how far to go along the direction")
    along = _checked(latents, along)
    if along.curve:
        return _walked(latents, along, along.curve, _amounts(latents, amount), layers)
    change = _amounts(latents, amount).unsqueeze(-1) * along.scale * along.vector.to(latents)
    return latents + _mask(latents, along.layers if layers is None else layers) * change


def align(latents: Latents, along: Along, value: float | Tensor, layers: Layers = None) -> Latents:
    """Remove each latent's component along the direction and set it to `value` (paper, Sec. 4.4 and Fig. 7).

    Afterwards `coordinate` is `value` in the layers acted on. Arguments and errors are those of `move`, but for edits,
    which have no coordinate.

    >>> aligned = align(samples, directions["x"], 0.0)
    """
    if isinstance(latents, Samples):
        return latents.with_latents(align(latents.latents, along, value, layers))
    if isinstance(along, Edit):
        raise InputError("align sets the coordinate along one direction, and an edit has several: use move")
    along = _checked(latents, along)
    if along.curve:
        return _walked(latents, along, along.curve, _amounts(latents, value) - coordinate(latents, along), layers)
    target = _amounts(latents, value) * along.scale
    change = (target - latents @ along.vector.to(latents)).unsqueeze(-1) * along.vector.to(latents)
    return latents + _mask(latents, along.layers if layers is None else layers) * change


def combine(latents: Latents, moves: Iterable[tuple]) -> Latents:
    """Apply several moves, each with the arguments of `move`: (direction, amount).

    Straight ones are added, so their order does not matter. If any is curved, they follow one another.

    >>> moved = combine(samples, [(directions["x"], 2.0), (directions["hue"], -1.0)])
    """
    if isinstance(latents, Samples):
        return latents.with_latents(combine(latents.latents, moves))
    moves, total = list(moves), latents
    curved = any(isinstance(along, Direction) and along.curve for along, *_ in moves)
    for arguments in moves:
        total = move(total, *arguments) if curved else total + (move(latents, *arguments) - latents)
    return total


def short_of(latents: Tensor | Samples, along: Direction, value: float) -> Tensor:
    """Return which aligned samples are not at `value`, as the curve is flat on the way: (batch,) booleans."""
    away = (coordinate(latents, along) - value).abs() > SHORT
    return (away if along.layers is None else away[:, list(along.layers)]).any(1)


def percentile(samples: Tensor | Samples, along: Along, percent: float) -> float:
    """Return the coordinate below which `percent` % of the samples' coordinates along a direction lie, over layers.

    >>> align(samples, directions["x"], percentile(generator.samples(1000), directions["x"], 75))
    """
    if flaw(percent, float, least=0, most=100):
        raise InputError(f"percentile {percent}: expected 0 to 100")
    along = along if isinstance(along, Direction) else Direction(along)
    coordinates = coordinate(samples, along)
    if along.layers is not None:
        _check_layers(along.layers, coordinates.shape[1])
        coordinates = coordinates[:, list(along.layers)]
    return float(np.percentile(coordinates.double().cpu().numpy(), percent))


def walk(frames: int, extent: float) -> Tensor:
    """Return the coordinates (frames,) of a looping walk 0 -> -extent -> 0 -> extent -> 0, slowing down at both ends.

    The last frame is one step before the first, so a player that loops shows no pause.
    """
    return -extent * torch.sin(2 * math.pi * torch.arange(frames) / frames)


def steady_walk(frames: int, positions: Tensor) -> Tensor:
    """Return the coordinates (frames,) of a looping walk that spends the same time between any two `positions` (n,)."""
    there_and_back = np.concatenate([positions.flip(0).numpy(), positions[1:].numpy()])
    begun = np.interp(0.0, positions.numpy(), np.arange(len(positions)))  # where among the positions 0 lies
    at = (len(positions) - 1 - begun + np.arange(frames) * 2 * (len(positions) - 1) / frames) % (
        len(there_and_back) - 1
    )
    return torch.from_numpy(np.interp(at, np.arange(len(there_and_back)), there_and_back)).float()


def _checked(latents: Tensor, along: Along) -> Direction:
    """Return the direction as a record. Raises InputError unless the latents have a layer axis and its size."""
    if isinstance(along, Directions):
        raise InputError("these are several directions: choose one, e.g. directions[0], or add them up, e.g. 2 * a - b")
    along = along if isinstance(along, Direction) else Direction(along)
    if latents.ndim != 3 or latents.shape[2:] != along.vector.shape:
        raise InputError(
            f"latents of shape {tuple(latents.shape)} and a direction of shape {tuple(along.vector.shape)}: expected "
            "(batch, layers, dim) and (dim,); spread(z, generator.num_layers) gives z (batch, dim) the layer axis"
        )
    return along


def _walked(latents: Tensor, along: Direction, curve: Curve, amounts: Tensor, layers: Layers) -> Tensor:
    moved = curve.walk_layers(latents / along.scale, amounts) * along.scale
    return torch.where(_mask(latents, along.layers if layers is None else layers) != 0, moved, latents)


def _mask(latents: Tensor, layers: Layers) -> Tensor:
    if layers is None:
        return torch.ones(1, 1, 1, dtype=latents.dtype, device=latents.device)
    mask = torch.zeros(1, latents.shape[1], 1, dtype=latents.dtype, device=latents.device)
    _check_layers(layers, latents.shape[1])
    mask[:, list(layers)] = 1
    return mask


def _check_layers(layers: Sequence[int], count: int) -> None:
    if any(not 0 <= layer < count for layer in layers):
        raise InputError(f"layers {list(layers)}: these latents have layers 0 to {count - 1}")


def _amounts(latents: Tensor, given: float | Tensor) -> Tensor:
    """Return one number for all latents, or one for each, as a column. Raises InputError for another count."""
    amounts = torch.as_tensor(given, dtype=latents.dtype, device=latents.device).reshape(-1, 1)
    if len(latents) != 1 and len(amounts) not in (1, len(latents)):
        raise InputError(f"{len(amounts)} amounts for {len(latents)} samples: expected one, or one for each sample")
    return amounts


@dataclass(frozen=True)
class Step:
    """One step of a recipe: `align` to, or `move` by, `value` along the direction with this number."""

    edit: str
    direction: int
    value: float

    def __str__(self) -> str:
        return f"{self.edit} {self.direction} {self.value:+.3g}"


EDITS: dict[str, Callable[..., Any]] = {"align": align, "move": move}


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
        numbers = [("direction", step.direction, MOST) for step in self.steps]
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
            latents = EDITS[step.edit](latents, directions[step.direction], step.value)
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
        write_json(path, {"format": FORMAT, **fields})

    @classmethod
    def load(cls, path: str | Path) -> "Recipe":
        """Read a recipe file. Raises InputError naming what is wrong."""
        data = json_bytes(path, "expected an edit recipe")
        content = parse_json(data, f"{path}: not an edit recipe", _File)
        try:
            if content.pop("format") != FORMAT:
                raise InputError("not a recipe of format 1")
            steps = tuple(Step(step["edit"], step["direction"], float(step["value"])) for step in content.pop("steps"))
            return cls(steps, classes=tuple(content.pop("classes")), **content)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error


class _FileStep(msgspec.Struct, forbid_unknown_fields=True):
    """Describe a step in a recipe file."""

    edit: str
    direction: int
    value: float


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
