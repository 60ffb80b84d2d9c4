"""Time a sweep on local workers against its runs one after another, divided by the number of workers.

    python -m benchmarks.sweep          (24 runs of some 12 seconds on 2 workers: about 8 minutes on two idle cores)

The runs are first made in a plain loop of `learn` on one thread, each timed, then all together by `sweep`, which also
has to begin processes, load the generator in each, and write the table. Both must make the same files.
"""

import json
import platform
import statistics
import tempfile
import time
from pathlib import Path

import click
import torch

import direction_finder as df
from direction_finder.files import DIRECTIONS, LOG, STATE
from direction_finder.version import package_version

CLASSES = ("cube", "sphere", "cylinder")


def made(folder: Path) -> dict[str, bytes]:
    """Return the files of all runs in a folder that do not name the time."""
    paths = [path for path in folder.glob("*/*") if path.name in (DIRECTIONS, LOG, STATE)]
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in paths}


def looped(folder: Path, seeds: int, points: int) -> list[float]:
    """Return the seconds of each run of a plain loop."""
    generator, seconds = df.load_generator("shapes-64"), []
    for index, name in enumerate(CLASSES):
        for seed in range(seeds):
            out, began = folder / f"jacobian-{index}-{name}-seed-{seed}", time.perf_counter()
            df.learn(generator, class_name=name, seed=seed, out=out, points=points, keep_going=True)
            seconds.append(time.perf_counter() - began)
    return seconds


@click.command()
@click.option("--seeds", default=8, show_default=True, help="Runs of each of three classes.")
@click.option("--points", default=160, show_default=True, help="Points of each run.")
@click.option("--workers", default=2, show_default=True)
def main(seeds: int, points: int, workers: int) -> None:
    """Print the ratio of the two times, and what they were."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        plain, swept = Path(temporary, "plain"), Path(temporary, "swept")
        seconds, began = looped(plain, seeds, points), time.perf_counter()
        rows = df.sweep(
            "shapes-64", swept, class_name=CLASSES, seed=range(seeds), workers=workers, points=points, keep_going=True
        )
        took = time.perf_counter() - began
        same = made(plain) == made(swept)
    figures = {
        "runs": len(rows),
        "shortest_run": min(seconds),
        "median_run": statistics.median(seconds),
        "loop": sum(seconds),
        "sweep": took,
        "runs_in_sweep": sum(row["seconds"] or 0 for row in rows),
        "ratio": took / (sum(seconds) / workers),
    }
    versions = {"direction_finder": package_version(), "torch": torch.__version__, "machine": platform.platform()}
    print(json.dumps({**{name: round(value, 3) for name, value in figures.items()}, "same_files": same, **versions}))


if __name__ == "__main__":
    main()
