"""Race from a cold start to a given score: seconds and GiB of a whole `learn`, for each method.

    python -m benchmarks.race --out outputs/race

Every method runs as a process of its own on `shapes-64`, class cube, seed 0, one thread, with more and more of its
budget until its directions reach the score (overall, read by the factor network, on the same latents for all). A method
that never reaches it is listed with the best that it found. The program ends with code 1 if the default does not reach
the score, or not several times as fast as the loops.
"""

import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import click
import torch

from direction_finder.directions import Directions
from direction_finder.generators import load_generator
from direction_finder.generators.shipped import shipped
from direction_finder.metrics.factor_network import NETWORK, FactorNetwork
from direction_finder.metrics.factors import measure_effects, score
from direction_finder.metrics.intervals import Value
from direction_finder.metrics.samples import Sampling

COMMAND = [sys.executable, "-m", "direction_finder.commands", "learn"]
LEARN = [*COMMAND, "--generator", "shapes-64", "--class", "cube"]
SAMPLES, SEED = 128, 100  # latents that judge, and their seed
GIB = 2**20  # of the kilobytes that the system reports
LEAD = 3.0  # times as fast as the loops, at least


def budgets(option: str, *amounts: int, **more: str) -> list[list[str]]:
    """Return the settings of a method for each amount of its budget."""
    fixed = [word for name, value in more.items() for word in (f"--{name.replace('_', '-')}", value)]
    return [[f"--{option}", str(amount), *fixed] for amount in amounts]


STEPS = (500,)
DEFAULT = "jacobian (default)"
RACERS = {
    DEFAULT: [[*each, "--keep-going"] for each in budgets("points", 2, 4, 8, 12, 24)],
    "jacobian --by whole --at image": [
        [*each, "--keep-going"] for each in budgets("points", 2, 4, 8, 12, 24, 48, by="whole", at="image")
    ],
    "sefa": [["--method", "sefa"]],
    "sefa --read layer0": [["--method", "sefa", "--read", "layer0"]],
    "ganspace --at layer3": budgets("samples", 1000, 10_000, method="ganspace", at="layer3"),
    "hessian, batch 16": budgets("steps", *STEPS, method="hessian", batch_size="16"),
    "orojar, batch 16": budgets("steps", *STEPS, method="orojar", batch_size="16"),
}


class Lap(NamedTuple):
    """One run: its settings, seconds from the start of the process to its end, peak memory in GiB, and score."""

    settings: str
    seconds: float
    gib: float
    score: float


def lap(out: Path, settings: list[str], judge: "Judge") -> Lap:
    """Run `learn` in a process of its own."""
    shutil.rmtree(out, ignore_errors=True)
    command = [*LEARN, "--threads", "1", "--out", str(out), *settings]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise click.ClickException(f"{' '.join(command)} failed; run it to see why")
    return Lap(" ".join(settings), time.monotonic() - began, usage.ru_maxrss / GIB, judge(Directions.load(out)).value)


class Judge:
    """Score directions on latents that are the same for all."""

    def __init__(self) -> None:
        self.generator, self.network = load_generator("shapes-64"), FactorNetwork.load(shipped(NETWORK))

    def __call__(self, directions: Directions) -> Value:
        sampling = Sampling(directions.class_index, seed=SEED)
        return score(measure_effects(self.generator, self.network, directions, sampling, samples=SAMPLES))["overall"]


@click.command()
@click.option("--score", default=0.5, show_default=True, help="The score to reach.")
@click.option("--racer", "racers", multiple=True, type=click.Choice(list(RACERS)), help="Only these.  [default: all]")
@click.option("--out", type=click.Path(path_type=Path), default=Path("outputs/race"), show_default=True)
def main(score: float, racers: tuple[str, ...], out: Path) -> None:
    """Run the race and print its table."""
    judge, reached = Judge(), {}
    click.echo(f"| method | settings | seconds | GiB | score ({score} is the goal) |\n|---|---|---|---|---|")
    for name in racers or RACERS:
        laps = []
        for number, settings in enumerate(RACERS[name]):
            laps.append(lap(out / f"{name.split()[0]}-{number}", settings, judge))
            if laps[-1].score >= score:
                break
        best = max(laps, key=lambda each: each.score)
        click.echo(f"| {name} | `{best.settings}` | {best.seconds:.1f} | {best.gib:.2f} | {best.score:.3f} |")
        reached[name] = best.seconds if best.score >= score else math.inf
    loops = [seconds for name, seconds in reached.items() if name.startswith(("hessian", "orojar"))]
    ours = reached.get(DEFAULT, 0)
    if math.isinf(ours) or ours * LEAD > min(loops, default=math.inf):
        raise click.ClickException("the default has lost its lead")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    main()
