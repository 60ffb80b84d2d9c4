"""Measure directions in a generator, and plot the results."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from direction_finder.discovery.configs import SearchConfig
from direction_finder.discovery.diagonal_share import ETA, random_hessian
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.errors import InputError
from direction_finder.figures import bars, draw_bars, draw_heat_map, heat_map, penalty_maps
from direction_finder.generators.base import IMAGE
from direction_finder.hessians import diagonal_share
from direction_finder.images import to_uint8
from direction_finder.metrics import path_length
from direction_finder.metrics.activeness import ACTIVE, active, activeness
from direction_finder.metrics.diagonality import (
    HessianSums,
    diagonality_of,
    hessian_at,
    hessian_sums,
    pixel_hessians,
)
from direction_finder.metrics.intervals import Value, mean
from direction_finder.metrics.samples import images_along
from direction_finder.randomness import normal, stream
from direction_finder.reports.measures import layouts
from direction_finder.reports.measures.measurement import SHOWN, Cell, Metric, Quantity, Report, called, interval
from direction_finder.reports.measures.raw import Raw
from direction_finder.reports.measures.task import Task
from direction_finder.resumable import in_parts, prefixed

MAPPED = 5  # samples whose penalty is plotted pixel by pixel
DIAGONALITY = {
    "percent": Quantity("D%", "higher", 0, 100, factor=100),
    "ratio": Quantity("D_R", "higher"),
    "percent_bending": Quantity("D% of bending pixels", "higher", 0, 100, factor=100),
    "ratio_of_sums": Quantity("ratio of sums", "higher"),
}
SHARE = Quantity("diagonal share", "higher", 0, 1)
ACTIVE_DIRECTIONS = Quantity("active")
UNIT = "|H|, mean over pixels and samples"


def sum_hessians(task: Task) -> Raw:
    """Measure the Hessians of all pixels along the directions, summed over pixels."""
    directions, samples = task.found, task.samples(100)
    summed = hessian_sums(
        _along(task, samples),
        torch.zeros(samples, len(directions), device=task.generator.device),
        max_batch=task.sampling.max_batch,
        cache=prefixed(task.cache, "hessian"),
        on_step=task.on_step,
    )
    return Raw({"sums": summed.sums, "interactions": summed.interactions})


def pixel_diagonality(raw: Raw) -> Report:
    """Compute how diagonal the Hessians of all pixels are along the directions: D% and D_R."""
    summed = HessianSums(raw.tensors["sums"], raw.tensors["interactions"])
    samples, directions = summed.interactions.shape[:2]
    result = dataclasses.asdict(diagonality_of(summed, raw.seed))
    return {**result, "samples": samples, "seed": raw.seed, "directions": directions}


def _diagonality_lines(report: Report, about: str) -> Iterator[str]:
    value = {name: Value(**report[name]) for name in DIAGONALITY}
    yield f"  {report['directions']} {about.partition(' in ')[0]}, Hessians at {report['samples']} latents"
    yield f"  D% (as a part) {value['percent']}; of bending pixels {value['percent_bending']}"
    yield f"  D_R            {value['ratio']}; ratio of sums {value['ratio_of_sums']}"


def _diagonality_cells(report: Report) -> Iterator[Cell]:
    return (interval(quantity, report[name]) for name, quantity in DIAGONALITY.items())


def _plot_diagonality(report: Report, about: str, ax: Any) -> Any:
    names = [f"{index}" for index in range(report["directions"])]
    values = np.array(report["interactions"])
    return draw_heat_map(ax, values, rows=names, columns=names, title=about, unit=UNIT)


def _along(task: Task, samples: int) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a function from coordinates along all directions (n, N) and numbers of latents (n,) to images."""
    return images_along(task.generator, task.found.straight, *task.sampling.draw(task.generator, samples))


def draw_diagonality(report: Report, about: str, path: Path) -> None:
    """Plot |H| averaged over pixels into a file."""
    names = [f"{index}" for index in range(report["directions"])]
    heat_map(path, np.array(report["interactions"]), rows=names, columns=names, title=about, unit=UNIT)


@torch.no_grad()
def draw_penalties(task: Task, report: Report, path: Path) -> None:
    """Plot, for a few samples, the image, the penalty of each pixel, and |H| where it is largest, into a file."""
    mapped = min(MAPPED, report["samples"])
    along, at = _along(task, mapped), torch.zeros(len(task.found), device=task.generator.device)
    penalties, matrices = [], []
    for number in range(mapped):
        render_one = partial(_of_one, along, number)
        penalty = pixel_hessians(render_one, at, max_batch=task.sampling.max_batch).penalty
        pixel = int(penalty.argmax())
        matrices.append(hessian_at(render_one, at, pixel, max_batch=task.sampling.max_batch).numpy())
        penalties.append(penalty.amax(0).cpu().numpy())
    images = to_uint8(along(at.expand(mapped, -1), torch.arange(mapped)))
    penalty_maps(path, images, np.stack(penalties), np.stack(matrices), title=task.about)


def _of_one(along: Callable[[Tensor, Tensor], Tensor], number: int, rows: Tensor) -> Tensor:
    return along(rows, torch.full((len(rows),), number))


def take_hessians(task: Task) -> Raw:
    """Measure Hessians of random projections of the image."""
    directions, samples, seed = task.found, task.samples(64), task.seed
    dims, layers = (directions.config.get(name) and tuple(directions.config[name]) for name in ("dims", "layers"))
    space = SearchSpace(task.generator, SearchConfig(class_index=task.sampling.class_index, dims=dims, layers=layers))
    basis = directions.vectors[:, space.first : space.first + space.size]
    if len(basis) != space.size or not directions.orthonormal:
        raise InputError(f"share needs a full orthonormal basis: there are {len(basis)} directions of {space.size}")
    epsilon, max_batch = 0.1, task.sampling.max_batch

    def take(number: int) -> Tensor:
        rng = stream(seed, f"measured share {number}")
        return random_hessian(space, (IMAGE,), rng, eta=ETA, epsilon=epsilon, max_batch=max_batch).cpu()

    cache = prefixed(task.cache, "share")
    matrices = in_parts(samples, take, "measuring share", "Hessian", cache=cache, on_step=task.on_step)
    return Raw({"matrices": torch.stack(matrices), "basis": basis.cpu().contiguous()}, {"eta": ETA, "epsilon": epsilon})


def share(raw: Raw) -> Report:
    """Compute the share of held-out Hessians' energy that lies on their diagonals in a basis."""
    matrices, basis, seed = raw.tensors["matrices"], raw.tensors["basis"], raw.seed
    chance = torch.linalg.qr(normal(len(basis), len(basis), stream(seed, "reference basis")))[0]
    own, random = (mean(diagonal_share(matrices, rows), seed) for rows in (basis, chance))
    settings = {**raw.settings, "max_batch": raw.origin["max_batch"]}
    return {**vars(own), "random": vars(random), "samples": len(matrices), "seed": seed, **settings}


def _share_lines(report: Report, about: str) -> Iterator[str]:
    random = Value(**report["random"])
    yield f"  diagonal share {_value(report)} of {report['samples']} Hessians' energy; of a random basis {random}"


def _value(report: Report) -> Value:
    return Value(report["value"], report["low"], report["high"])


def vary(task: Task) -> Raw:
    """Measure how much the image varies as the coordinate along each direction is set to -2, 0 and 2."""
    samples, cache = task.samples(300), prefixed(task.cache, "activeness")
    values = activeness(task.generator, task.found, task.sampling, samples=samples, cache=cache, on_step=task.on_step)
    return Raw({"values": values})


def activenesses(raw: Raw) -> Report:
    """Compute the activeness of each direction, and how many are active."""
    values = raw.tensors["values"]
    means = [vars(mean(row, raw.seed)) for row in values]
    return {"of": means, "active": active(values.mean(1)), "samples": values.shape[1], "seed": raw.seed}


def _activeness_lines(report: Report, about: str) -> Iterator[str]:
    yield (
        f"  {report['active']} of {len(report['of'])} {about.partition(' in ')[0]} are active (activeness above "
        f"{ACTIVE:.0%} of the largest), {report['samples']} latents"
    )
    yield from _strongest(report)


def _activeness_cells(report: Report) -> Iterator[Cell]:
    yield Cell(ACTIVE_DIRECTIONS, report["active"], f"{report['active']} of {len(report['of'])}")


def _plot_activeness(report: Report, about: str, ax: Any) -> Any:
    values = [result["value"] for result in report["of"]]
    return draw_bars(ax, values, title=about, unit="activeness", line=ACTIVE)


def draw_activeness(report: Report, about: str, path: Path) -> None:
    """Plot the activeness of each direction as bars."""
    side_by_side({about: report}, path)


def side_by_side(reports: Mapping[str, Report], path: Path) -> None:
    """Plot activeness as bars, with a panel for each report."""
    values = {name: [result["value"] for result in report["of"]] for name, report in reports.items()}
    bars(path, values, title="Activeness of each direction, largest first", unit="activeness", line=ACTIVE)


def step(task: Task) -> Raw:
    """Measure how far images change for a small step along each direction."""
    similarity, name = task.similarity
    lengths = [
        path_length.lengths_along(
            task.generator,
            similarity,
            direction,
            task.sampling,
            samples=task.samples(100),
            cache=prefixed(task.cache, f"step {index}"),
            on_step=task.on_step,
        )
        for index, direction in enumerate(task.found)
    ]
    return Raw({"lengths": torch.stack(lengths)}, {"features": name, "epsilon": path_length.EPSILON})


def paths(raw: Raw) -> Report:
    """Compute the mean path length along each direction."""
    lengths = raw.tensors["lengths"]
    results = [vars(path_length.trimmed_mean(row, raw.seed)) for row in lengths]
    return {"of": results, **raw.settings, "samples": lengths.shape[1], "seed": raw.seed}


def _path_lines(report: Report, about: str) -> Iterator[str]:
    yield f"  path length along each direction ({report['features']}, {report['samples']} latents)"
    yield from _strongest(report)


def _path_cells(report: Report) -> Iterator[Cell]:
    top = max(report["of"], key=lambda value: value["value"])
    text = f"{top['value']:.4g} [{top['low']:.4g}, {top['high']:.4g}]"
    yield Cell(Quantity(f"largest path length ({report['features']})"), top["value"], text)


def _plot_paths(report: Report, about: str, ax: Any) -> Any:
    return draw_bars(ax, [result["value"] for result in report["of"]], title=about, unit="path length")


def _strongest(report: Report) -> Iterator[str]:
    values = report["of"]
    order = torch.tensor([value["value"] for value in values]).argsort(descending=True).tolist()
    for index in order[:SHOWN]:
        value = Value(**values[index])
        yield f"  {called(report, index):16} {value.value:.4g} [{value.low:.4g}, {value.high:.4g}]"


METRICS = (
    Metric(
        "diagonality",
        layouts.DIAGONALITY,
        sum_hessians,
        pixel_diagonality,
        _diagonality_lines,
        _diagonality_cells,
        _plot_diagonality,
    ),
    Metric("share", layouts.SHARE, take_hessians, share, _share_lines, lambda report: iter([interval(SHARE, report)])),
    Metric(
        "activeness", layouts.ACTIVENESS, vary, activenesses, _activeness_lines, _activeness_cells, _plot_activeness
    ),
    Metric("paths", layouts.PATHS, step, paths, _path_lines, _path_cells, _plot_paths),
)
