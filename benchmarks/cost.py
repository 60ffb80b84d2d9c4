"""Measure how the cost of finding directions grows with N, resolution, points, classes and workers.

    python -m benchmarks.cost

It prints the tables of docs/cost.md; some minutes on an idle machine. Generators are DCGANs with random weights, 32
channels in each layer. Every search runs in a process of its own with one thread. Seconds are those of the processor,
so that they depend little on what else the machine does; those of workers are of the clock. `growth` is the exponent
between a row and the one before: 1 means that the cost doubles with the size.
"""

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import torch

import direction_finder as df
from direction_finder.discovery.direct import Points
from direction_finder.discovery.peak_memory import PeakMeter
from tests.conftest import dcgan_state

MEDIUM = {"dim": 32, "side": 32, "points": 12}
SEARCHES = {"dim": (16, 32, 64, 128), "side": (16, 32, 64, 128), "points": (6, 12, 24, 48)}
TITLES = {"dim": "N", "side": "pixels a side", "points": "points"}
CLASSES, WORKERS, RUNS = (10, 50, 250), (1, 2), 8
TINY = {"dim": 6, "side": 16, "points": 4}
Row = dict[str, Any]


def generator_file(folder: Path, dim: int, side: int, classes: int = 0) -> Path:
    """Write the weights of a DCGAN with images of `side` pixels."""
    path, convolutions = folder / "random.pth", int(math.log2(side)) - 1
    torch.save(dcgan_state((dim + classes, *[32] * (convolutions - 1), 3)), path)
    return path


def search(folder: Path, dim: int, side: int, points: int) -> Row:
    """Carry out one search; return its passes, seconds in all and of solving, and MiB."""
    generator = df.load_generator(f"dcgan:{generator_file(folder, dim, side)}")
    solving = [0.0]
    for name in ("share", "solved"):
        setattr(Points, name, _timed(getattr(Points, name), solving))
    df.find(generator, points=2)  # whatever is loaded only now
    solving[0], memory = 0.0, PeakMeter(generator.device)
    memory.start()
    began = time.process_time()
    found = df.find(generator, points=points, keep_going=True)
    seconds = time.process_time() - began
    assert found.finding
    return {"passes": found.finding.images, "s": seconds, "solving": solving[0], "MiB": memory.need() / 2**20}


def _timed(function: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    def timed(*given: Any) -> Any:
        began = time.process_time()
        try:
            return function(*given)
        finally:
            seconds[0] += time.process_time() - began

    return timed


def sweep(folder: Path, classes: int, workers: int, dim: int, side: int, points: int) -> Row:
    """Carry out a sweep over so many classes; return its seconds, and the peak MiB of its first process."""
    path, began, clock = generator_file(folder, dim, side, classes), time.process_time(), time.perf_counter()
    rows = df.sweep(
        f"dcgan:{path}", folder / "sweep", class_name=f"0-{classes - 1}", workers=workers, points=points,
        keep_going=True, loading={"num_classes": classes},
    )  # fmt: skip
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert all(row["status"] == "done" for row in rows)
    return {
        "passes": sum(row["passes"] or 0 for row in rows),
        "s": time.process_time() - began,
        "s of the clock": time.perf_counter() - clock,
        "MiB in all": peak,
    }


def measured(kind: str, **given: int) -> Row:
    """Return what `search` or `sweep` measures in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.cost", "--one", json.dumps([kind, given])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout)


def table(title: str, rows: Mapping[int, Row], grows: str = "s") -> list[str]:
    """Return the lines of a table: a row for each size, and the exponent with which the column `grows` grew."""
    columns, sizes = list(next(iter(rows.values()))), list(rows)
    lines = [f"| {title} | {' | '.join(columns)} | growth |", f"|{'---|' * (2 + len(columns))}"]
    for size, before in zip(sizes, [None, *sizes[:-1]], strict=True):
        growth = ""
        if before is not None:
            growth = f"{math.log(rows[size][grows] / rows[before][grows]) / math.log(size / before):.2f}"
        lines.append(f"| {size} | {' | '.join(_text(rows[size][name]) for name in columns)} | {growth} |")
    return ["", *lines]


def _text(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def lines() -> Iterator[str]:
    """Measure everything, and yield the lines of all tables."""
    for name, sizes in SEARCHES.items():
        yield from table(TITLES[name], {size: measured("search", **{**MEDIUM, name: size}) for size in sizes})
    yield from table("classes", {size: measured("sweep", classes=size, workers=1, **TINY) for size in CLASSES})
    of = {size: measured("sweep", classes=RUNS, workers=size, **{**MEDIUM, "dim": 64}) for size in WORKERS}
    yield from table("workers", of, "s of the clock")


@click.command()
@click.option("--one", hidden=True, help="What to measure in this process, as JSON.")
def main(one: str | None) -> None:
    """Print the tables of docs/cost.md."""
    torch.set_num_threads(1)
    if one:
        kind, given = json.loads(one)
        with tempfile.TemporaryDirectory() as folder:
            click.echo(json.dumps({"search": search, "sweep": sweep}[kind](Path(folder), **given)))
        return
    click.echo(f"torch {torch.__version__}, one thread; load of the machine {os.getloadavg()[0]:.1f}")
    for line in lines():
        click.echo(line)


if __name__ == "__main__":
    main()
