"""Measures of directions in a generator, and their figures."""

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from direction_finder import edits
from direction_finder.commands.measures.asked import SHOWN, Asked, Report
from direction_finder.commands.measures.of_generators import step_settings
from direction_finder.commands.recorder import Bars
from direction_finder.discovery.configs import SearchConfig
from direction_finder.discovery.share import ETA, random_hessian
from direction_finder.discovery.space import SearchSpace
from direction_finder.errors import InputError
from direction_finder.figures import bars, heat_map, penalty_maps
from direction_finder.generators.base import IMAGE
from direction_finder.hessians import diagonal_share
from direction_finder.metrics import path_length
from direction_finder.metrics.activeness import ACTIVE, active, activeness
from direction_finder.metrics.diagonality import diagonality, hessian_at, pixel_hessians
from direction_finder.metrics.intervals import Value, mean
from direction_finder.metrics.parts import in_parts, under
from direction_finder.metrics.samples import draw
from direction_finder.pictures import to_uint8
from direction_finder.randomness import normal, stream

MAPPED = 5  # samples of which the penalty is drawn pixel by pixel


def hessians(asked: Asked) -> tuple[Report, list[str]]:
    directions, samples = asked.directions, asked.samples or 100
    points = torch.zeros(samples, len(directions), device=asked.generator.device)
    with Bars("sample") as progress:
        how = {"max_batch": asked.max_batch, "seed": asked.seed, "keep": under(asked.keep, "hessian")}
        found = diagonality(_along(asked, samples), points, on_step=progress, **how)
    return {**dataclasses.asdict(found), "samples": samples, "seed": asked.seed, "directions": len(directions)}, [
        f"  {len(directions)} {directions.method} directions, Hessians at {samples} latents",
        f"  D% (as a part) {found.percent}; of pixels that bend {found.percent_bending}",
        f"  D_R            {found.ratio}; ratio of sums {found.ratio_of_sums}",
    ]


def _along(asked: Asked, samples: int) -> Callable[[Tensor, Tensor], Tensor]:
    """(coordinates along all directions (n, N), numbers (n,) of latents) -> pictures."""
    latents, classes = draw(asked.generator, samples, asked.class_index, asked.seed)

    def along(coordinates: Tensor, numbers: Tensor) -> Tensor:
        moves = zip(asked.directions, coordinates.T, strict=True)
        return asked.generator(edits.combine(latents[numbers], moves), classes[numbers])

    return along


@torch.no_grad()
def draw_hessians(asked: Asked, report: Report, path: Path) -> None:
    """|H| averaged over pixels, and, of a few samples, the pixels' penalties and |H| where it is largest."""
    names = [f"{index}" for index in range(len(asked.directions))]
    kind = f"{asked.directions.method} directions in {asked.generator.name}"
    unit = "|H|, mean over pixels and samples"
    heat_map(path, np.array(report["interactions"]), rows=names, columns=names, title=kind, unit=unit)
    along, at = _along(asked, MAPPED), torch.zeros(len(asked.directions), device=asked.generator.device)
    penalties, matrices = [], []
    for number in range(MAPPED):
        draw_one = partial(_of_one, along, number)
        penalty = pixel_hessians(draw_one, at, max_batch=asked.max_batch).penalty
        matrices.append(hessian_at(draw_one, at, int(penalty.argmax()), max_batch=asked.max_batch).numpy())
        penalties.append(penalty.amax(0).cpu().numpy())
    images = to_uint8(along(at.expand(MAPPED, -1), torch.arange(MAPPED)))
    penalty_maps(path.with_stem("penalty"), images, np.stack(penalties), np.stack(matrices), title=kind)


def _of_one(along: Callable[[Tensor, Tensor], Tensor], number: int, rows: Tensor) -> Tensor:
    return along(rows, torch.full((len(rows),), number))


def share(asked: Asked) -> tuple[Report, list[str]]:
    directions, samples, vectors = asked.directions, asked.samples or 64, asked.directions.vectors
    where = {name: directions.config.get(name) and tuple(directions.config[name]) for name in ("dims", "layers")}
    space = SearchSpace(asked.generator, SearchConfig(class_index=asked.class_index, **where))
    basis = vectors[:, space.first : space.first + space.size]
    if len(basis) != space.size or not directions.orthonormal:
        raise InputError(f"share needs a full orthonormal basis: there are {len(basis)} directions of {space.size}")
    settings = {"eta": ETA, "epsilon": 0.1, "max_batch": asked.max_batch}

    def take(number: int) -> Tensor:
        return random_hessian(space, (IMAGE,), stream(asked.seed, f"measured share {number}"), **settings).cpu()

    with Bars("Hessian") as progress:
        keep = under(asked.keep, "share")
        matrices = in_parts(samples, take, "measuring share", keep=keep, on_step=progress)
    chance = torch.linalg.qr(normal(space.size, space.size, stream(asked.seed, "reference basis")))[0]
    found, random = (mean(diagonal_share(torch.stack(matrices), rows), asked.seed) for rows in (basis, chance))
    return {**vars(found), "random": vars(random), "samples": samples, "seed": asked.seed, **settings}, [
        f"  diagonal share {found} of {samples} Hessians' energy; of a random basis {random}"
    ]


def activenesses(asked: Asked) -> tuple[Report, list[str]]:
    samples = asked.samples or 300
    with Bars("direction") as progress:
        how = asked.how("activeness")
        found = activeness(asked.generator, asked.directions, samples=samples, on_step=progress, **how)
    values = [mean(each, asked.seed) for each in found]
    on = active(found.mean(1))
    lines = [
        f"  {on} of {len(values)} {asked.directions.method} directions are on (activeness above {ACTIVE:.0%} of the "
        f"largest), {samples} latents",
        *_strongest(values),
    ]
    return {"of": [vars(each) for each in values], "active": on, "samples": samples, "seed": asked.seed}, lines


def draw_activeness(asked: Asked, report: Report, path: Path) -> None:
    side_by_side({f"{asked.directions.method} directions in {asked.generator.name}": report}, path)


def side_by_side(reports: dict[str, Report], path: Path) -> None:
    """Bars of activeness, a panel for each report."""
    values = {name: [each["value"] for each in report["of"]] for name, report in reports.items()}
    bars(path, values, title="Activeness of each direction, largest first", unit="activeness", line=ACTIVE)


def paths(asked: Asked) -> tuple[Report, list[str]]:
    similarity, name = asked.similarity
    samples, found = asked.samples or 100, []
    for index in range(len(asked.directions)):
        with Bars("batch") as bars:
            along, how = asked.directions[index], asked.how(f"step {index}")
            lengths = path_length.lengths_along(
                asked.generator, similarity, along, samples=samples, on_step=bars, **how
            )
        found.append(path_length.trimmed_mean(lengths, asked.seed))
    lines = [f"  path length along each direction ({name}, {samples} latents)", *_strongest(found)]
    return {"of": [vars(each) for each in found], **step_settings(name, samples, asked)}, lines


def _strongest(values: list[Value]) -> Iterator[str]:
    order = torch.tensor([each.value for each in values]).argsort(descending=True).tolist()
    for index in order[:SHOWN]:
        value = values[index]
        yield f"  {f'direction {index}':16} {value.value:.4g} [{value.low:.4g}, {value.high:.4g}]"
