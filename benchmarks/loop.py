"""The paper's loop where the factors are known: its penalty, its Hessians and its factor score along the way.

    python -m benchmarks.loop --steps 2000 --out outputs/loop

The run is that of docs/methods.md (`shapes-64`, class cube, batch 16, seed 0, published settings), stopped at each of
MARKS to be scored, and prolonged. Repeat the command after an interruption, or with more steps.
"""

import subprocess
from pathlib import Path
from statistics import fmean
from typing import Any

import click
import torch

from benchmarks.race import COMMAND, LEARN, Judge
from direction_finder.directions import Directions
from direction_finder.files import CONFIG, LOG, read_json, write_json
from direction_finder.reports.logs import read_log

MARKS = (100, 250, 500, 1000, 1500, 2000, 5000, 10_000, 20_000, 50_000)
BATCH = 16
PASSES = 8 * BATCH  # of a step: two images for each of two probes, and their gradients (the middle image cancels)
WINDOW = 500  # steps over which the penalty is averaged
START = [*LEARN, "--method", "hessian", "--batch-size", str(BATCH), "--threads", "1"]


def prolong(run: Path, steps: int) -> None:
    """Begin a run, or resume it until so many steps are done."""
    command = [*COMMAND, "--resume", str(run)] if (run / CONFIG).exists() else [*START, "--out", str(run)]
    subprocess.run([*command, "--steps", str(steps)], check=True)


def scored(run: Path, steps: int, judge: Judge) -> dict[str, Any]:
    """Return what a run has found after so many steps."""
    prolong(run, steps)
    log, score = read_log(run / LOG), judge(Directions.load(run))
    return {
        "step": steps,
        "penalty": fmean(entry["penalty"] for entry in log if entry["step"] > steps - WINDOW),
        "share": log[-1]["share"],
        "score": str(score),
    }


@click.command()
@click.option("--steps", default=MARKS[-1], show_default=True, help="Stop at the last mark up to this step.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("outputs/loop"), show_default=True)
def main(steps: int, out: Path) -> None:
    """Run the loop from mark to mark and print a row at each."""
    judge, run, found = Judge(), out / "run", out / "marks.json"
    rows = read_json(found, list) if found.exists() else []
    reached = max((entry["step"] for entry in read_log(run / LOG)), default=0) if (run / LOG).exists() else 0
    done = [row["step"] for row in rows]
    for mark in MARKS:
        if reached <= mark <= steps and mark not in done:
            rows.append(scored(run, mark, judge))
            write_json(found, rows)
    click.echo("| step | passes | penalty | diagonal share | score |\n|---|---|---|---|---|")
    for row in rows:
        cells = "{step:,} | {passes:,} | {penalty:.1f} | {share:.2f} | {score}"
        click.echo("| " + cells.format(passes=row["step"] * PASSES, **row) + " |")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    main()
