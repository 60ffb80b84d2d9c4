"""Score the directions of each method against the known factors, beside what the method costs.

    python -m benchmarks.factors outputs/score/*-[0-9] --out outputs/score

A run is a folder named NAME-CLASS-SEED, made with `shapes-64` or another generator whose factors both readers read.
Two rows use labels (benchmarks/supervised.py): `supervised regression`, and `ceiling`, about the best that a fixed
orthonormal basis can reach. They have one basis for each class, so their errors are those of classes and latents.

Scores and alignment (direction_finder/metrics/factors.py) are means over classes and seeds, with the standard error of
that mean. Every class and seed has latents of its own, the same for all methods, so that errors include those of the
latents. "Of the ceiling" is the mean of the overall score divided by that of the ceiling on the same latents. The
columns with "pixels" are by the reader without a network, all others by the factor network. "x kept" is the part of the
spread of x that is left when samples are aligned along the direction that moves x most. "own kept" is the mean of that
over the factors, each along its own direction; "others kept" is the mean over the factors that should not change. A
pass is the forward computation of one image; a gradient counts as two. Seconds are those of the runs, as config.json
records them, on whatever machine they were made.

The second table has for any two methods the probability that a run of one scores higher overall than a run of the other
(`improvement`). Results are saved in scores.json and not measured again.
"""

import hashlib
import itertools
import json
import statistics
import sys
from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks import supervised
from benchmarks.share import bases_of
from direction_finder.directions import Directions
from direction_finder.directions_check import TOLERANCE, orthonormality_error
from direction_finder.discovery import configure
from direction_finder.files import CONFIG, write_json
from direction_finder.generators import Generator, load_generator
from direction_finder.generators.shipped import shipped
from direction_finder.hessians import probe_count
from direction_finder.metrics.factor_network import NETWORK, FactorNetwork
from direction_finder.metrics.factors import SCORES, effects_of, remaining, scores
from direction_finder.metrics.pixel_reader import PixelReader
from direction_finder.metrics.reader import Reader
from direction_finder.metrics.readings import Readings, read_along, read_samples
from direction_finder.metrics.samples import Sampling

PIXELS, OF_CEILING, PIXELS_OF_CEILING = "overall, pixels", "of the ceiling", "of the ceiling, pixels"
ALIGNED = ("x kept", "own kept", "others kept")
COLUMNS = (*SCORES, OF_CEILING, PIXELS, PIXELS_OF_CEILING, *ALIGNED)
POINTS = (24, 64)  # with --solvers, direct methods are scored after this many points
REGRESSION, CEILING = "supervised regression", "ceiling"
BOOTSTRAP = 2000
Scores = dict[str, float]
Row = tuple[str, int]  # method, passes
Run = tuple[str, int]  # class, seed


class Both(Reader):
    """Read with two readers at once; the names of the second one's factors get a prefix."""

    title, prefix = "pair of readers", "pixels "

    def __init__(self, first: Reader, second: Reader):
        super().__init__()
        self.first, self.second, self.resolution = first, second, first.resolution
        self.factors = (*first.factors, *(replace(each, name=self.prefix + each.name) for each in second.factors))

    def values_in(self, images: Tensor) -> dict[str, Tensor]:
        """Return what both read in images (batch, 3, resolution, resolution) in [-1, 1]."""
        second = {self.prefix + name: values for name, values in self.second.read(images).items()}
        return {**self.first.read(images), **second}

    def split(self, readings: Readings) -> tuple[Readings, Readings]:
        """Return the readings of each reader from those of both."""
        number = len(self.first.factors)
        parts = []
        for columns in (slice(number), slice(number, None)):
            factors = readings.factors[columns]
            varied = tuple(factor.name for factor in factors if factor.name in readings.varied)
            base, moved = readings.base[:, columns], readings.moved[..., columns]
            parts.append(Readings(factors, varied, base, moved, readings.step))
        return parts[0], parts[1]


def mean_and_error(values: list[float]) -> str:
    """Return the mean and its standard error, as text."""
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{statistics.mean(values):.3f} +- {error:.3f}"


def measured(generator: Generator, both: Both, directions: Directions, sampling: Sampling, samples: int) -> Scores:
    """Return the scores, and the parts of the factors' spreads that are left when samples are aligned."""
    readings, by_pixels = both.split(read_along(generator, both, directions, sampling, samples=samples))
    squares = effects_of(readings).squares.mean(0)
    own, others = {}, []
    for name, number in zip(readings.varied, squares.argmax(0).tolist(), strict=True):
        after = read_samples(generator, both.first, sampling, samples=samples, along=directions[number])
        left = remaining(readings.factors, readings.varied, readings.base, after)
        kept = {factor: spreads["kept"].value for factor, spreads in left.items()}
        own[name] = kept.pop(name)
        others += kept.values()
    return {
        **{name: value.item() for name, value in scores(squares).items()},
        PIXELS: scores(effects_of(by_pixels).squares.mean(0))["overall"].item(),
        "x kept": own["x"],
        "own kept": statistics.mean(own.values()),
        "others kept": statistics.mean(others),
    }


def passes_of(record: Directions) -> int:
    """Return how many images a run generated, where a gradient counts as two."""
    config, per_point = record.config, 2 * record.dim
    if record.method == "hessian-direct":
        per_point = 4 * probe_count(record.dim)
    if "points" in config:
        return per_point * config["points"]
    if "steps" in config:
        return 2 * config["batch_size"] * configure(record.method, config).rows_per_sample * config["steps"]
    return {"local-basis": per_point, "ganspace": config.get("samples", 0)}.get(record.method, 0)


def bases_to_score(run: Path, record: Directions, solvers: bool) -> dict[Row, Tensor]:
    """Return the bases of a run by row: its own, or those of every solver of a direct method if it saved whole ones."""
    name = run.name.rsplit("-", 2)[0]
    if not solvers or record.method not in ("hessian-direct", "jacobian") or record.config.get("by") == "channel":
        return {(name, passes_of(record)): record.vectors}
    bases = bases_of(run, every=True, counts=POINTS)
    return {
        (f"{name} {called.partition(' ')[2]}", passes): basis
        for (called, passes), basis in bases.items()
        if not called.endswith(" raw")
    }


def seconds_of(run: Path) -> float | None:
    """Return how long a run took, from beginning to end; None if that is not recorded."""
    config = json.loads((run / CONFIG).read_text(encoding="utf-8"))
    if not (config.get("started") and config.get("finished")):
        return None
    return (datetime.fromisoformat(config["finished"]) - datetime.fromisoformat(config["started"])).total_seconds()


def with_labels(
    generator: Generator, reader: Reader, class_index: int, starts: list[Tensor], cache: Path
) -> dict[Row, Tensor]:
    """Return the bases of a class that use labels, and save them in the folder `cache`."""
    starts = [start for start in starts if start.shape == (generator.dim, generator.dim)]
    digest = hashlib.sha256(b"".join(start.numpy().tobytes() for start in starts)).hexdigest()
    path = cache / f"labels-{generator.weights_sha256[:16]}-{class_index}-{digest[:16]}.safetensors"
    if not path.is_file():
        by_regression = supervised.regression(generator, reader, class_index)
        products = supervised.gradient_products(generator, reader, class_index)
        raised = supervised.ceiling(products, [by_regression, *starts]).float()
        best = supervised.better(generator, reader, class_index, [raised, by_regression])
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"regression": by_regression, "ceiling": best.clone().contiguous()}, path)
    saved = load_file(path)
    same = "the regression" if torch.equal(saved["regression"], saved["ceiling"]) else "what the ascent found"
    click.echo(f"class {class_index}: the ceiling is {same}", err=True)
    return {
        (REGRESSION, supervised.LABELLED): saved["regression"],
        (CEILING, 2 * generator.dim * (supervised.GRADIENTS + 2 * supervised.JUDGED)): saved["ceiling"],
    }


def improvement(first: dict[Run, float], second: dict[Run, float], seed: int = 0) -> tuple[float, float, float]:
    """Return the probability that a run of the first method scores higher, and its 95 % interval.

    It is the mean over classes of the fraction of pairs of runs in which the first is higher (ties count half), as in
    Agarwal et al. 2021 (https://arxiv.org/abs/2108.13264). The interval is a stratified bootstrap: the seeds of either
    method are drawn again within each class. With few seeds it is rough. NaN without a common class.
    """
    rng = np.random.default_rng(seed)
    fractions = []
    for name in sorted({name for name, _ in first} & {name for name, _ in second}):
        a, b = (np.array([method[run] for run in sorted(method) if run[0] == name]) for method in (first, second))
        rows = rng.integers(len(a), size=(BOOTSTRAP + 1, len(a)))
        columns = rng.integers(len(b), size=(BOOTSTRAP + 1, len(b)))
        rows[0], columns[0] = range(len(a)), range(len(b))
        gaps = a[rows][:, :, None] - b[columns][:, None]
        fractions.append(((gaps > 0) + 0.5 * (gaps == 0)).mean((1, 2)))
    if not fractions:
        return (float("nan"),) * 3
    around = np.mean(fractions, axis=0)
    return float(around[0]), *(float(end) for end in np.quantile(around[1:], (0.025, 0.975)))


def add_parts(rows: dict[Row, dict[Run, Scores]]) -> None:
    """Add what part of the ceiling each score is, on the same latents."""
    ceiling = next(runs for (name, _), runs in rows.items() if name == CEILING)
    for runs in rows.values():
        for run, values in runs.items():
            values[OF_CEILING] = values["overall"] / ceiling[run]["overall"]
            values[PIXELS_OF_CEILING] = values[PIXELS] / ceiling[run][PIXELS]


def joined(rows: dict[Row, dict[Run, Scores]], seconds: dict[Row, list[float]]) -> None:
    """Join rows of one name without a common run, as of runs that stopped by themselves; passes are their mean."""
    for name in {name for name, _ in rows}:
        same = [row for row in rows if row[0] == name]
        runs = [run for row in same for run in rows[row]]
        if len(same) > 1 and len(set(runs)) == len(runs):
            mean = (name, round(sum(row[1] * len(rows[row]) for row in same) / len(runs)))
            together = {run: values for row in same for run, values in rows.pop(row).items()}
            took = [value for row in same for value in seconds.pop(row, [])]
            rows[mean], seconds[mean] = together, took


def tables(rows: dict[Row, dict[Run, Scores]], seconds: dict[Row, list[float]]) -> list[str]:
    """Return the lines of both tables, the best methods first."""
    order = sorted(rows, key=lambda row: -statistics.mean(values["overall"] for values in rows[row].values()))
    lines = [f"| method | passes | seconds | {' | '.join(COLUMNS)} | runs |", f"|{'---|' * (4 + len(COLUMNS))}"]
    for row in order:
        cells = [mean_and_error([values[column] for values in rows[row].values()]) for column in COLUMNS]
        took = f"{statistics.mean(seconds[row]):.0f}" if seconds.get(row) else ""
        lines.append(f"| {row[0]} | {row[1]:,} | {took} | {' | '.join(cells)} | {len(rows[row])} |")
    lines += ["", "| of two methods | probability that a run of the first scores higher |", "|---|---|"]
    overall = {row: {run: values["overall"] for run, values in rows[row].items()} for row in order}
    for first, second in itertools.combinations(order, 2):
        pair = ", ".join(f"{name} ({passes:,})" for name, passes in (first, second))
        value, low, high = improvement(overall[first], overall[second])
        lines.append(f"| {pair} | {value:.2f} [{low:.2f}, {high:.2f}] |")
    return lines


@click.command()
@click.option("--generator", default="shapes-64", show_default=True, help="Generator that the runs were made with.")
@click.option("--samples", default=40, show_default=True, help="Number of latents that each basis is measured on.")
@click.option("--solvers", is_flag=True, help="Score direct methods with every solver, from their saved matrices.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("outputs/score"),
    show_default=True,
    help="Folder in which scores.json is saved.",
)
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def main(generator: str, samples: int, solvers: bool, out: Path, runs: tuple[Path, ...]) -> None:
    """Score the directions of RUNS against the known factors, and print a table."""
    frozen, both = load_generator(generator), Both(FactorNetwork.load(shipped(NETWORK)), PixelReader())
    cache = out / "scores.json"
    known = json.loads(cache.read_text()) if cache.is_file() else {}
    rows: dict[Row, dict[Run, Scores]] = defaultdict(dict)
    seconds: dict[Row, list[float]] = defaultdict(list)
    bases: list[tuple[Row, Run, Tensor, int]] = []
    starts: dict[int, list[Tensor]] = defaultdict(list)
    places: dict[Run, int] = {}
    for run in runs:
        record = Directions.load(run)
        _, class_name, seed = run.name.rsplit("-", 2)
        place = (class_name, int(seed))
        places[place] = record.class_index or 0
        if record.method == "jacobian" and place[1] == 0:
            starts[places[place]].append(record.vectors)
        for row, basis in bases_to_score(run, record, solvers).items():
            bases.append((row, place, basis, places[place]))
            if torch.equal(basis, record.vectors) and (took := seconds_of(run)) is not None:
                seconds[row].append(took)
    for index in sorted(set(places.values())):
        labelled = with_labels(frozen, both.first, index, starts[index], out)
        for place in (place for place in places if places[place] == index):
            bases += [(row, place, basis, index) for row, basis in labelled.items()]
    with click.progressbar(bases, label="bases", file=sys.stderr) as bar:
        for row, place, basis, index in bar:
            digest = hashlib.sha256(basis.contiguous().numpy().tobytes()).hexdigest()
            key = f"{frozen.weights_sha256[:16]} {digest[:16]} {index} {place[1]} {samples}"
            if key not in known:
                sampling = Sampling(index, seed=10 * place[1] + index)
                directions = Directions(basis, row[0], orthonormal=orthonormality_error(basis) < TOLERANCE)
                known[key] = measured(frozen, both, directions, sampling, samples)
                write_json(cache, known)
            rows[row][place] = dict(known[key])
    add_parts(rows)
    joined(rows, seconds)
    for line in tables(rows, seconds):
        click.echo(line)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
