"""The paper's loop where the factors are known: its penalty, its Hessians and its factor score along the way.

    python -m benchmarks.loop --steps 2000 --out outputs/loop

The run is that of docs/methods.md (`shapes-64`, class cube, batch 16, seed 0, published settings), stopped at each of
MARKS to be scored, and prolonged. Repeat the command after an interruption, or with more steps.
"""

import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

import click
import torch

from benchmarks.race import Judge
from direction_finder.directions import Directions
from direction_finder.files import read_json, write_json

MARKS = (100, 250, 500, 1000, 1500, 2000, 5000, 10_000, 20_000, 50_000)
BATCH, FORWARDS = 16, 5  # samples of a step, and images of each: the point, and two for each of two probes
WINDOW = 500  # steps over which the penalty is averaged
COMMAND = [sys.executable, "-m", "direction_finder.commands", "learn"]
START = f"--generator shapes-64 --class cube --method hessian --batch-size {BATCH} --threads 1".split()


def prolong(run: Path, steps: int) -> list[dict[str, float]]:
    """Begin a run, or resume it until so many steps are done. Return its log."""
    given = ["--resume", str(run)] if (run / "config.json").exists() else [*START, "--out", str(run)]
    subprocess.run([*COMMAND, *given, "--steps", str(steps)], check=True)
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def scored(run: Path, steps: int, judge: Judge) -> dict[str, Any]:
    """Return what a run has found after so many steps."""
    log, score = prolong(run, steps), judge(Directions.load(run))
    return {
        "step": steps,
        "images": steps * BATCH * FORWARDS,
        "penalty": fmean(entry["penalty"] for entry in log if entry["step"] > steps - WINDOW),
        "share": log[-1]["share"],
        "score": str(score),
    }


@click.command()
@click.option("--steps", default=MARKS[-1], show_default=True, help="Stop at the last mark up to this step.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("outputs/loop"), show_default=True)
def main(steps: int, out: Path) -> None:
    """Run the loop from mark to mark and print a row at each."""
    judge, found = Judge(), out / "marks.json"
    rows = read_json(found, list) if found.exists() else []
    for mark in MARKS:
        if (rows[-1]["step"] if rows else 0) < mark <= steps:
            rows.append(scored(out / "run", mark, judge))
            write_json(found, rows)
    click.echo("| step | images | penalty | diagonal share | score |\n|---|---|---|---|---|")
    for row in rows:
        click.echo("| {step:,} | {images:,} | {penalty:.1f} | {share:.2f} | {score} |".format(**row))


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    main()
