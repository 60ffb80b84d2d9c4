"""The measures of generators and directions that `measure` knows, beside those of known factors.

Each gives its report, plain values with everything that they depend on, and lines for the terminal.
"""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from direction_finder import edits
from direction_finder.commands.recorder import Bars
from direction_finder.datasets import read_pictures
from direction_finder.directions import Directions
from direction_finder.discovery.share import ETA, random_hessian
from direction_finder.discovery.space import SearchConfig, SearchSpace
from direction_finder.errors import InputError
from direction_finder.figures import bars, heat_map, penalty_maps
from direction_finder.generators import Generator
from direction_finder.generators.base import IMAGE
from direction_finder.hessians import diagonal_share
from direction_finder.metrics import path_length
from direction_finder.metrics.activeness import ACTIVE, active, activeness
from direction_finder.metrics.diagonality import diagonality, hessian_at, pixel_hessians
from direction_finder.metrics.features import (
    INCEPTION,
    LITE0,
    LPIPS,
    Similarity,
    inception,
    lite0,
    lite0_similarity,
    lpips,
)
from direction_finder.metrics.frechet import frechet_distance
from direction_finder.metrics.intervals import Value, mean
from direction_finder.metrics.kernel import kernel_distance
from direction_finder.metrics.parts import Keep, in_parts, under
from direction_finder.metrics.reference import Reference, features_of
from direction_finder.metrics.samples import draw
from direction_finder.pictures import to_uint8
from direction_finder.randomness import normal, stream

MAPPED = 5  # samples of which the penalty is drawn pixel by pixel
SHOWN = 10  # directions in the terminal, the strongest; the file has all
FEATURES = ("lite0", "published")
DISTANCES = {  # with the published networks, and with others
    "ppl": ("PPL", "path length"),
    "fid": ("FID", "Frechet distance"),
    "kid": ("KID", "kernel distance"),
}
HESSIAN_COLUMNS = {
    "percent": "D%",
    "ratio": "D_R",
    "percent_bending": "D% of bending pixels",
    "ratio_of_sums": "ratio of sums",
}
Report = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What to measure, and how. directions: None of a generator alone. class_index: None for random classes. keep:
    where the parts of long measures are kept until all of them are done."""

    generator: Generator
    directions: Directions | None
    class_index: int | None
    samples: int | None
    seed: int
    max_batch: int
    features: str
    weights: Path | None
    real: Path | None
    keep: Keep

    def how(self, name: str) -> dict[str, Any]:
        """What every measure takes; `name` is what its parts are kept under."""
        return {
            "class_index": self.class_index,
            "seed": self.seed,
            "max_batch": self.max_batch,
            "keep": under(self.keep, name),
        }

    @property
    def similarity(self) -> tuple[Similarity, str]:
        """The distance of two pictures, and its name."""
        if self.features == "lite0":
            return lite0_similarity(self.generator.device), LITE0
        return lpips(self.generator.device, self.weights), LPIPS

    @cached_property
    def seen(self) -> tuple[Tensor, Tensor, Report]:
        """Features of generated and of real pictures, and what they are."""
        if not self.real:
            raise InputError("fid and kid need --real, a data set or a folder of images")
        images, about = read_pictures(self.real, self.generator.resolution)
        own = self.features == "lite0"
        features = lite0(self.generator.device) if own else inception(self.generator.device, self.weights)
        kept = under(self.keep, f"real {about['sha256']}")
        real = Reference(images, self.samples or 5000, self.seed, features, kept)
        with Bars("picture") as bars:
            drawn = features_of(self.generator, features, real.samples, on_step=bars, **self.how("drawn"))
        name = LITE0 if own else INCEPTION
        return drawn, real.seen, {"features": name, "samples": real.samples, "seed": self.seed, "real": about}


def fid(asked: Asked) -> tuple[Report, list[str]]:
    drawn, real, about = asked.seen
    value = frechet_distance(drawn, real)
    return {"value": value, **about}, [f"  {_called('fid', about)}, {about['samples']} pictures: {value:.3f}"]


def kid(asked: Asked) -> tuple[Report, list[str]]:
    drawn, real, about = asked.seen
    value = kernel_distance(drawn, real, seed=asked.seed)
    said = f"{value.value:.3g} [{value.low:.3g}, {value.high:.3g}]"
    return {**vars(value), **about}, [f"  {_called('kid', about)}, {about['samples']} pictures: {said}"]


def ppl(asked: Asked) -> tuple[Report, list[str]]:
    similarity, name = asked.similarity
    samples = asked.samples or 1000
    with Bars("path") as bars:
        found = path_length.path_lengths(
            asked.generator, similarity, samples=samples, on_step=bars, **asked.how("path")
        )
    value = path_length.trimmed_mean(found, asked.seed)
    about = _steps(name, samples, asked)
    return {**vars(value), **about}, [f"  {_called('ppl', about)}, {samples} paths: {value}"]


def _called(name: str, about: Report) -> str:
    """What a distance is called, and its network: by its published name only with the published network."""
    published, otherwise = DISTANCES[name]
    return f"{published if about['features'] in (INCEPTION, LPIPS) else otherwise} ({about['features']})"


def paths(asked: Asked) -> tuple[Report, list[str]]:
    similarity, name = asked.similarity
    samples, found = asked.samples or 100, []
    for index in range(len(asked.directions)):
        with Bars("step") as bars:
            along, how = asked.directions[index], asked.how(f"step {index}")
            lengths = path_length.lengths_along(
                asked.generator, similarity, along, samples=samples, on_step=bars, **how
            )
        found.append(path_length.trimmed_mean(lengths, asked.seed))
    lines = [f"  path length along each direction ({name}, {samples} latents)", *_strongest(found)]
    return {"of": [vars(each) for each in found], **_steps(name, samples, asked)}, lines


def _steps(name: str, samples: int, asked: Asked) -> Report:
    return {"features": name, "epsilon": path_length.EPSILON, "samples": samples, "seed": asked.seed}


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
        pairs = zip(asked.directions, coordinates.T, strict=True)
        moves = [(each.vector, amount, each.layers) for each, amount in pairs]
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


def _strongest(values: list[Value]) -> Iterator[str]:
    order = torch.tensor([each.value for each in values]).argsort(descending=True).tolist()
    for index in order[:SHOWN]:
        value = values[index]
        yield f"  {f'direction {index}':16} {value.value:.4g} [{value.low:.4g}, {value.high:.4g}]"


Measure = Callable[[Asked], tuple[Report, list[str]]]
OF_DIRECTIONS: dict[str, Measure] = {
    "hessians": hessians,
    "share": share,
    "activeness": activenesses,
    "paths": paths,
}
FIGURES: dict[str, Callable[[Asked, Report, Path], None]] = {
    "hessians": draw_hessians,
    "activeness": draw_activeness,
}
OF_GENERATORS: dict[str, Measure] = {"ppl": ppl, "fid": fid, "kid": kid}
SIDE_BY_SIDE: dict[str, Callable[[dict[str, Report], Path], None]] = {"activeness": side_by_side}


def _cells(report: Report) -> Iterator[tuple[str, str]]:
    """Of one target: columns of a table, and what stands in them."""
    for name in OF_GENERATORS:
        if name in report:
            found = report[name]
            interval = f" [{found['low']:.4g}, {found['high']:.4g}]" if "low" in found else ""
            yield _called(name, found), f"{found['value']:.4g}{interval}"
    if "share" in report:
        yield "diagonal share", str(Value(*(report["share"][end] for end in ("value", "low", "high"))))
    if "activeness" in report:
        yield "active", f"{report['activeness']['active']} of {len(report['activeness']['of'])}"
    for key, column in HESSIAN_COLUMNS.items():
        if "hessians" in report:
            part = 100 if column.startswith("D%") else 1
            yield column, str(Value(*(part * report["hessians"][key][end] for end in ("value", "low", "high"))))
    for name, value in report.get("scores", {}).items():
        yield name, str(Value(**value))


def table(reports: dict[str, Report]) -> str:
    """Targets down, figures across, in Markdown."""
    rows = {text: dict(_cells(report)) for text, report in reports.items()}
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    lines += [[text, *(row.get(column, "") for column in columns)] for text, row in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
