"""Edits of latents along directions.

The functions take `Samples`, or bare latents (batch, layers, dim). A direction is a `Direction`, which has the layers
that it acts on and the scale of its latents, or a bare unit vector (dim,). Amounts and values are in units of that
scale, the standard deviation of the latents.

Along a direction with a curve, edits walk along the gradient of its coordinate, each layer's latent on its own.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from direction_finder.curves import Curve
from direction_finder.direction import Direction, Edit
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.joint_walks import Coordinates
from direction_finder.samples import Samples
from direction_finder.settings import flaw

SHORT = 1e-3  # error of a coordinate from which on a walk stopped early
APART = 0.05  # see `Coordinates.apart`: two directions must be 4 degrees apart
Layers = Sequence[int] | None
Along = Direction | Tensor
Several = Sequence[Along] | Directions
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


def move(
    latents: Latents,
    along: Along | Edit,
    amount: float | Tensor | None = None,
    layers: Layers = None,
    keep: Along | Several = (),
) -> Latents:
    """Add `amount` times the direction to samples, or to latents (batch, layers, dim); or all moves of an edit.

    amount: a number, or one per sample (batch,); none with an edit, which has its own. layers: where to move (None:
    where the direction acts). keep: other directions, curved or straight, whose coordinates stay as they are.

    Along a curve, the coordinate rises by `amount`, and moving by -amount undoes it. Where the curve is flat, half as
    steep as at z = 0, samples stop on the way; `short_of` tells.

    >>> moved = move(samples, directions["x"], 2.0)
    >>> moved = move(samples, 2 * directions["x"] - directions["hue"])
    >>> moved = move(samples, directions["x"], 2.0, keep=[directions["size"]])

    Raises InputError if the latents have no layer axis or do not fit the direction, or if `keep` allows no move.
    """
    if isinstance(latents, Samples):
        return latents.with_latents(move(latents.latents, along, amount, layers, keep))
    if isinstance(along, Edit):
        if amount is not None:
            raise InputError("an edit has its own amounts: multiply it, e.g. move(samples, 0.5 * edit)")
        return combine(latents, ((direction, value, layers, keep) for direction, value in along))
    if amount is None:
        raise InputError("move needs an amount: how far to go along the direction")
    if keeping := _several(keep):
        return _together(latents, [along], [_amounts(latents, amount)], layers, keeping)
    along = _checked(latents, along)
    if along.curve:
        return _walked(latents, along, along.curve, _amounts(latents, amount), layers)
    change = _amounts(latents, amount).unsqueeze(-1) * along.scale * along.vector.to(latents)
    return latents + _mask(latents, along.layers if layers is None else layers) * change


def align(
    latents: Latents,
    along: Along | Several,
    value: float | Tensor | Sequence[float | Tensor],
    layers: Layers = None,
    keep: Along | Several = (),
) -> Latents:
    """Remove each latent's component along the direction and set it to `value` (paper, Sec. 4.4 and Fig. 7).

    Afterwards `coordinate` is `value` in the layers acted on. Several directions are set together, each to the value in
    its place: on the shortest way, on which all coordinates change in proportion. Arguments and errors are those of
    `move`, but for edits, which have no coordinate.

    >>> aligned = align(samples, directions["x"], 0.0)
    >>> aligned = align(samples, directions["x", "y"], [0.0, 1.5], keep=directions["size"])
    """
    if isinstance(latents, Samples):
        return latents.with_latents(align(latents.latents, along, value, layers, keep))
    if isinstance(along, Edit):
        raise InputError("align sets the coordinate along one direction, and an edit has several: use move")
    moving, keeping = _several(along), _several(keep)
    goals = [_amounts(latents, each) for each in _values(along, value)]
    if keeping or len(moving) != 1:
        changes = [goal - coordinate(latents, each) for goal, each in zip(goals, moving, strict=True)]
        return _together(latents, moving, changes, layers, keeping)
    along, (goal,) = _checked(latents, moving[0]), goals
    if along.curve:
        return _walked(latents, along, along.curve, goal - coordinate(latents, along), layers)
    change = (goal * along.scale - latents @ along.vector.to(latents)).unsqueeze(-1) * along.vector.to(latents)
    return latents + _mask(latents, along.layers if layers is None else layers) * change


def combine(latents: Latents, moves: Iterable[tuple]) -> Latents:
    """Apply several moves, each with the arguments of `move`: (direction, amount).

    Straight ones are added, so their order does not matter. If any is curved, they follow one another; how much their
    order matters is their `commutativity_error`.

    >>> moved = combine(samples, [(directions["x"], 2.0), (directions["hue"], -1.0)])
    """
    if isinstance(latents, Samples):
        return latents.with_latents(combine(latents.latents, moves))
    moves, total = list(moves), latents
    curved = any(_curved(*arguments) for arguments in moves)
    for arguments in moves:
        total = move(total, *arguments) if curved else total + (move(latents, *arguments) - latents)
    return total


def commutativity_error(latents: Tensor | Samples, along: Several, amount: float = 1.0) -> Tensor:
    """Return how far apart samples end after moves along two directions in both orders, for all pairs: (num, num).

    This is the mean distance over samples and layers, in units of the latents' scale: 0 for straight directions.

    >>> commutativity_error(generator.samples(64), curved["x", "y"])
    """
    latents = latents.latents if isinstance(latents, Samples) else latents
    directions = [_checked(latents, each) for each in _several(along)]
    once = [move(latents, each, amount) for each in directions]
    found = torch.zeros(len(directions), len(directions))
    for i, j in torch.combinations(torch.arange(len(directions))).tolist():
        apart = move(once[i], directions[j], amount) - move(once[j], directions[i], amount)
        found[i, j] = found[j, i] = (apart.norm(dim=2) / directions[i].scale).mean()
    return found


def short_of(latents: Tensor | Samples, along: Along | Several, value: float | Sequence[float]) -> Tensor:
    """Return which aligned samples are not at `value`, as the curve is flat on the way: (batch,) booleans.

    Several directions have one value each.
    """
    latents = latents.latents if isinstance(latents, Samples) else latents
    short = torch.zeros(len(latents), dtype=torch.bool, device=latents.device)
    for each, goal in zip(_several(along), _values(along, value), strict=True):
        away, layers = (coordinate(latents, each) - goal).abs() > SHORT, _checked(latents, each).layers
        short |= (away if layers is None else away[:, list(layers)]).any(1)
    return short


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
    last = len(positions) - 1
    at = (last - begun + np.arange(frames) * 2 * last / frames) % (2 * last)
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


def _several(along: Along | Several) -> list[Along]:
    return [along] if isinstance(along, Direction | Tensor) else list(along)


def _values(along: Along | Several, value: Any) -> list[float | Tensor]:
    """Return the value of each direction. Raises InputError if there are more or fewer than directions."""
    if isinstance(along, Direction | Tensor):
        return [value]
    values = list(value) if isinstance(value, Sequence) or (isinstance(value, Tensor) and value.ndim) else [value]
    if len(values) != len(along):
        raise InputError(f"{len(values)} values for {len(along)} directions: expected one for each")
    return values


def _curved(along: Along | Edit, amount: object = None, layers: Layers = None, keep: Along | Several = ()) -> bool:
    """Return whether a move with these arguments follows a curve."""
    given = [each for each in (along, *_several(keep)) if isinstance(each, Direction | Edit)]
    return any(term.curve for each in given for term, _ in each.terms())


def _together(
    latents: Tensor, along: Sequence[Along], amounts: Sequence[Tensor], layers: Layers, keep: Sequence[Along]
) -> Tensor:
    """Raise the coordinates along several directions by amounts, each (batch, 1 or layers); others keep theirs.

    Each layer is edited on its own, by the directions that act there.
    """
    moving, keeping = ([_checked(latents, each) for each in group] for group in (along, keep))
    where = [each.layers if layers is None else layers for each in moving] + [each.layers for each in keeping]
    for each in where:
        _check_layers(each or (), latents.shape[1])
    acting: dict[tuple[bool, ...], list[int]] = {}
    for layer in range(latents.shape[1]):
        acting.setdefault(tuple(each is None or layer in each for each in where), []).append(layer)
    amounts = torch.broadcast_tensors(*amounts, latents[:, :, 0])[:-1]
    still = [torch.zeros_like(amounts[0])] * len(keeping)
    changes, edited = torch.stack([*amounts, *still], 2), latents.expand(len(amounts[0]), -1, -1).clone()
    for acts, chosen in acting.items():
        if any(acts[: len(moving)]):
            here = [each for each, act in zip([*moving, *keeping], acts, strict=True) if act]
            edited[:, chosen] = _set_apart(here).walk_layers(edited[:, chosen], changes[:, chosen][:, :, list(acts)])
    return edited


def _set_apart(directions: Sequence[Direction]) -> Coordinates:
    """Return the coordinates of directions, of latents in their own units.

    Raises InputError if they are too alike to change one and keep another.
    """
    curves = []
    for each in directions:
        own = each.curve or Curve(each.vector, each.vector[:0], each.vector[None][:0])
        curves.append(Curve(own.slope / each.scale, own.bends / each.scale**2, own.axes))
    found = Coordinates.of(curves)
    if found.apart < APART:
        names = ", ".join(each.label for each in directions)
        raise InputError(f"directions {names}: too alike for one to change while others keep theirs; leave one out")
    return found


def _walked(latents: Tensor, along: Direction, curve: Curve, amounts: Tensor, layers: Layers) -> Tensor:
    moved = curve.walk_layers(latents / along.scale, amounts) * along.scale
    return torch.where(_mask(latents, along.layers if layers is None else layers) != 0, moved, latents)


def _mask(latents: Tensor, layers: Layers) -> Tensor:
    if layers is None:
        return latents.new_ones(1, 1, 1)
    _check_layers(layers, latents.shape[1])
    mask = latents.new_zeros(1, latents.shape[1], 1)
    mask[:, list(layers)] = 1
    return mask


def _check_layers(layers: Sequence[int], count: int) -> None:
    if any(not 0 <= layer < count for layer in layers):
        raise InputError(f"layers {list(layers)}: these latents have layers 0 to {count - 1}")


def _amounts(latents: Tensor, given: float | Tensor) -> Tensor:
    """Return one number for all latents, or one for each, as a column. Raises InputError for anything else."""
    try:
        amounts = torch.as_tensor(given, dtype=latents.dtype, device=latents.device).reshape(-1, 1)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"amount {given!r:.80}: expected a number, or one for each sample") from error
    if len(latents) != 1 and len(amounts) not in (1, len(latents)):
        raise InputError(f"{len(amounts)} amounts for {len(latents)} samples: expected one, or one for each sample")
    return amounts
