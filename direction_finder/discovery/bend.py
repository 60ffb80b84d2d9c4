"""Bend directions: give each the curved coordinate whose gradient is nearest to those found at many points.

At each of many random points, gradients of coordinates are found near the common basis of all points: those of which
the matrices J^T J of the channels there are weighted sums of squares. They need not be orthogonal, as the basis is. The
coordinate c(z) = q.z + z'Sz / 2 of a direction is fitted to where its gradient points.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from direction_finder.bending import RIDGES, Fit, chosen, cut, unmixed
from direction_finder.curves import Curve
from direction_finder.diagonalisation import joint
from direction_finder.directions import Directions
from direction_finder.discovery.configs import JacobianConfig
from direction_finder.discovery.jacobian import resolved, stack_at
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.progress import OnStep, Reporting, reporting
from direction_finder.randomness import stream
from direction_finder.resumable import Cache, in_parts, prefixed, uncached
from direction_finder.settings import FEWEST_BENT, MOST_ROWS, MOST_SEED, check_options, option
from direction_finder.stacks import merged

COMMON = 32  # points from which the basis is found
CLEAR = 2.0  # standard errors by which bending must predict where directions point, or they stay straight


@dataclass(frozen=True)
class BendSettings:
    """Settings of `bend`."""

    points: int = option(128, "Random points z at which gradients are measured.", least=FEWEST_BENT, most=MOST_ROWS)
    seed: int = option(0, "Seed of the points.", least=0, most=MOST_SEED)
    max_batch: int = option(32, "Largest batch for the generator; larger batches are split.", least=2, most=MOST_ROWS)

    def __post_init__(self) -> None:
        check_options(self)


def bend(
    generator: Generator,
    directions: Directions,
    *,
    points: int = 128,
    seed: int = 0,
    max_batch: int = 32,
    progress: Reporting = None,
) -> Directions:
    """Return the directions with a curved coordinate each, along which edits then move; see `Curve`.

    A direction stays straight where a curve does not predict better, at points held out, where it points. It takes 2 N
    images at each point, N being the number of dimensions that were searched, and neither labels nor gradients.
    progress: True for a bar, or a callable that receives each `Progress`.

    >>> curved = df.bend(generator, df.find(generator, class_name="cube"), progress=True)
    >>> aligned = df.align(samples, curved["x"], 0.0)

    Raises InputError if the directions were not found in this generator.
    """
    with reporting(progress) as on_step:
        return bend_with(generator, directions, BendSettings(points, seed, max_batch), on_step=on_step)


def bend_with(
    generator: Generator,
    directions: Directions,
    settings: BendSettings,
    *,
    cache: Cache = uncached,
    on_step: OnStep | None = None,
) -> Directions:
    """Bend directions as `bend` does. cache: (key, take) -> the tensor saved under the key, or else that of `take`."""
    directions = generator.fitted(directions)
    config = _config(generator, directions, settings)
    space = SearchSpace(generator, config)
    points, gradients, basis = _measured(space, config, cache, on_step)
    rows = space.searched(directions.vectors.double().cpu()) @ basis.mT
    pointing = normalize(rows @ gradients @ basis.mT, dim=2)
    curves = _curves(points @ basis.mT, rows, pointing, lambda vectors: space.embed(vectors @ basis).float())
    about = {"points": settings.points, "seed": settings.seed, "at": list(config.at), "epsilon": config.epsilon}
    ranges = tuple(None if curve else reach for curve, reach in zip(curves, directions.ranges, strict=True))
    return dataclasses.replace(directions, curves=curves, curvature=about, ranges=ranges)


def _config(generator: Generator, directions: Directions, settings: BendSettings) -> JacobianConfig:
    """Return how to measure: as the directions were found, where that was by `jacobian`."""
    names = ("at", "epsilon", "dims", "layers") if directions.method == "jacobian" else ("dims", "layers")
    found = {name: directions.config[name] for name in names if directions.config.get(name) is not None}
    own: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    config = JacobianConfig(class_index=directions.class_index, **dataclasses.asdict(settings), **own)
    config.check(generator)
    return resolved(generator, config)


def _measured(
    space: SearchSpace, config: JacobianConfig, cache: Cache, on_step: OnStep | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return points (points, size), gradients at each (points, size, size), and the basis (size, size)."""
    drawn = [space.draw_point(config.eta, stream(config.seed, f"bend {i}")) for i in range(config.points)]

    def measured(number: int) -> Tensor:
        found = stack_at(space, config, *drawn[number]).float().cpu()
        if not torch.isfinite(found).all():
            raise InputError(f"{space.generator.name}: derivatives of {', '.join(config.at)} are not finite")
        return found

    few, saved = min(COMMON, config.points), prefixed(cache, "stack")
    common = in_parts(few, measured, "measuring the common basis", "point", cache=saved, on_step=on_step)
    basis = joint(reduce(merged, common))

    def unmix(number: int) -> Tensor:
        return unmixed(common[number] if number < few else measured(number), basis)

    saved = prefixed(cache, "gradients")
    gradients = in_parts(config.points, unmix, "measuring gradients", "point", cache=saved, on_step=on_step)
    points = torch.stack([space.searched(z[0]).cpu() / space.generator.scale + x.cpu() for x, (z, _) in drawn])
    return points.double(), torch.stack(gradients), basis


def _ranks(size: int) -> list[int]:
    """Return the ranks of S to choose from."""
    return [rank for rank in (1, 2, 4, 8, 16, 32, 64, 128) if rank < size] + [size]


def _curves(
    points: Tensor, rows: Tensor, pointing: Tensor, embed: Callable[[Tensor], Tensor]
) -> tuple[Curve | None, ...]:
    """Return the curve of each direction, or None where it stays straight.

    points (points, size), directions as rows (num, size), where they point at each point, pointing (points, num, size):
    along the basis. `embed` returns such vectors as latents. At z = 0 a curve runs along its direction: the mean of
    pointing is less accurate. The coordinate has standard deviation 1 over z ~ N(0, I), as straight ones have.
    """
    choice, fit = chosen(points, pointing, _ranks(points.shape[1])), Fit(points, pointing)
    found = {ridge: fit.matrices(ridge) for ridge in RIDGES}
    curves: list[Curve | None] = []
    for i, rank in enumerate(choice.ranks.tolist()):
        if choice.gains[i] <= CLEAR * choice.errors[i]:
            curves.append(None)
            continue
        (matrix,) = next(cut(found[float(choice.ridges[i])][i : i + 1], [rank]))
        curve = Curve.of(rows[i] * fit.mean[i].norm(), matrix, rank)
        size = (curve.slope.square().sum() + curve.bends.square().sum() / 2).sqrt()
        curves.append(Curve(embed(curve.slope / size), (curve.bends / size).float(), embed(curve.axes)))
    return tuple(curves)
