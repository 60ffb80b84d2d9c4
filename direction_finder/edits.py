"""Latents moved along directions.

Latents are (batch, layers, dim). A direction is a `Direction`, which knows the layers it acts on and the scale of its
latents, or a bare unit vector (dim,). Amounts and values are in units of that scale: the latents' standard deviation.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from direction_finder.directions import Direction
from direction_finder.errors import InputError
from direction_finder.files import write_json

Layers = Sequence[int] | None
Along = Direction | Tensor


def spread(z: Tensor, num_layers: int) -> Tensor:
    """Give every layer the same z: (batch, dim) -> (batch, num_layers, dim)."""
    return z.unsqueeze(1).expand(-1, num_layers, -1)


def coordinate(latents: Tensor, along: Along) -> Tensor:
    """Return the component of each latent along a direction: (batch, layers, dim) -> (batch, layers)."""
    along = _checked(latents, along)
    return latents @ along.vector.to(latents) / along.scale


def move(latents: Tensor, along: Along, amount: float | Tensor, layers: Layers = None) -> Tensor:
    """Add `amount` times the direction to latents (batch, layers, dim).

    amount: a number, or one per sample (batch,). layers: where to move (None: where the direction acts).

    >>> moved = move(spread(z, generator.num_layers), directions[3], 2.0)

    Raises InputError if the latents have no layer axis or do not fit the direction.
    """
    along = _checked(latents, along)
    amount = torch.as_tensor(amount, dtype=latents.dtype, device=latents.device).reshape(-1, 1, 1) * along.scale
    return latents + _mask(latents, along.layers if layers is None else layers) * (amount * along.vector.to(latents))


def align(latents: Tensor, along: Along, value: float | Tensor, layers: Layers = None) -> Tensor:
    """Remove each latent's component along the direction and set it to `value` (paper, Sec. 4.4 and Fig. 7).

    Afterwards `coordinate` is `value` in the layers acted on. Arguments and errors are those of `move`.
    """
    along = _checked(latents, along)
    target = torch.as_tensor(value, dtype=latents.dtype, device=latents.device).reshape(-1, 1) * along.scale
    change = (target - latents @ along.vector.to(latents)).unsqueeze(-1) * along.vector.to(latents)
    return latents + _mask(latents, along.layers if layers is None else layers) * change


def combine(latents: Tensor, moves: Iterable[tuple]) -> Tensor:
    """Apply several moves at once, each with the arguments of `move`: (direction, amount). Their order is no matter."""
    total = latents
    for arguments in moves:
        total = total + (move(latents, *arguments) - latents)
    return total


def walk(frames: int, extent: float) -> Tensor:
    """Coordinates (frames,) of a looping walk 0 -> -extent -> 0 -> extent -> 0, slowing down at both ends.

    The last frame is one step before the first, so a player that loops shows no pause.
    """
    return -extent * torch.sin(2 * math.pi * torch.arange(frames) / frames)


def steady_walk(frames: int, positions: Tensor) -> Tensor:
    """Coordinates (frames,) of such a walk that goes from one of `positions` (n,) to the next in the same time."""
    there_and_back = np.concatenate([positions.flip(0).numpy(), positions[1:].numpy()])
    begun = np.interp(0.0, positions.numpy(), np.arange(len(positions)))  # where among the positions 0 lies
    at = (len(positions) - 1 - begun + np.arange(frames) * 2 * (len(positions) - 1) / frames) % (
        len(there_and_back) - 1
    )
    return torch.from_numpy(np.interp(at, np.arange(len(there_and_back)), there_and_back)).float()


def _checked(latents: Tensor, along: Along) -> Direction:
    """Return the direction as a record. Raises InputError unless the latents have a layer axis and its size."""
    along = along if isinstance(along, Direction) else Direction(along)
    if latents.ndim != 3 or latents.shape[2:] != along.vector.shape:
        raise InputError(
            f"latents of shape {tuple(latents.shape)} and a direction of shape {tuple(along.vector.shape)}: expected "
            "(batch, layers, dim) and (dim,); spread(z, generator.num_layers) gives z (batch, dim) the layer axis"
        )
    return along


def _mask(latents: Tensor, layers: Layers) -> Tensor:
    if layers is None:
        return torch.ones(1, 1, 1, dtype=latents.dtype, device=latents.device)
    mask = torch.zeros(1, latents.shape[1], 1, dtype=latents.dtype, device=latents.device)
    if any(not 0 <= layer < latents.shape[1] for layer in layers):
        raise InputError(f"layers {list(layers)}: these latents have layers 0 to {latents.shape[1] - 1}")
    mask[:, list(layers)] = 1
    return mask


@dataclass(frozen=True)
class Step:
    """One step of a recipe: `align` to, or `move` by, `value` along the direction with this number."""

    edit: str
    direction: int
    value: float


EDITS = {"align": align, "move": move}


@dataclass(frozen=True)
class Recipe:
    """An edit that replays exactly: which samples, and which steps on them.

    seed and samples give the latents, `classes` their class numbers (empty: unconditional); `weights_sha256` and
    `directions_sha256` bind it to the generator and the directions it was made with.
    """

    steps: tuple[Step, ...]
    seed: int
    samples: int
    classes: tuple[int, ...] = ()
    weights_sha256: str = ""
    directions_sha256: str = ""

    def apply(self, latents: Tensor, directions) -> Tensor:
        """Apply the steps in order to latents (batch, layers, dim) with these directions."""
        for step in self.steps:
            latents = EDITS[step.edit](latents, directions[step.direction], step.value)
        return latents

    def save(self, path: str | Path) -> None:
        write_json(path, {"format": "direction-finder recipe 1", **asdict(self)})

    @classmethod
    def load(cls, path: str | Path) -> "Recipe":
        """Read a recipe file. Raises InputError naming what is wrong."""
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            if content.pop("format") != "direction-finder recipe 1":
                raise InputError(f"{path}: not a recipe of format 1")
            steps = tuple(Step(str(s["edit"]), int(s["direction"]), float(s["value"])) for s in content.pop("steps"))
            recipe = cls(steps, classes=tuple(content.pop("classes")), **content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path}: not an edit recipe ({type(error).__name__}: {error})") from error
        for step in recipe.steps:
            if step.edit not in EDITS or not math.isfinite(step.value):
                raise InputError(f"{path}: step {step.edit!r} {step.value}: expected {' or '.join(EDITS)} by a number")
        return recipe
