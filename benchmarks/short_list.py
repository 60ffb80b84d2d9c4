"""Test whether the directions that `rank` lists move the factors more, and more cleanly, than the rest.

    python -m benchmarks.short_list outputs/rank/shapes-0 ...

Runs are of `shapes-64` and hold a rank.json. The effect of a direction is the root of its summed squared effects on
the factors, in natural spreads per unit of z. The share is the part of these squared effects that belongs to the
strongest factor. Printed are means over the directions of a group, with 256 latents, seed 0, and 95 % bootstrap
intervals over latents. A second table has Spearman's correlation of every signal with effect and share, over all
directions and over those that are active; means and standard errors over runs.
"""

from pathlib import Path

import click
import torch
from scipy.stats import spearmanr
from torch import Tensor

from direction_finder.files import RANK, read_json
from direction_finder.generators.shipped import shipped
from direction_finder.metrics.activeness import ACTIVE
from direction_finder.metrics.factor_network import NETWORK, FactorNetwork
from direction_finder.metrics.factors import measure_effects
from direction_finder.metrics.intervals import interval, resampled
from direction_finder.metrics.samples import Sampling
from direction_finder.runs import Loaded, Loader
from direction_finder.runs.ranks import RankReport


def measure_group(squares: Tensor, group: list[int]) -> dict[str, str]:
    """Return effect and share of a group of directions, with intervals. squares: (samples, directions, factors)."""
    counts = resampled(len(squares), 0)
    around = torch.einsum("bs,sdf->bdf", counts, squares[:, group]) / len(squares)
    mean = squares[:, group].mean(0)
    figures = {
        "effect": lambda values: values.sum(-1).sqrt().mean(-1),
        "share": lambda values: (values.amax(-1) / values.sum(-1)).mean(-1),
    }
    return {name: str(interval(figure(mean), figure(around))) for name, figure in figures.items()}


def correlate(squares: Tensor, report: RankReport) -> dict[str, list[float]]:
    """Return the correlations of each signal with share and effect: of all directions, then of the active ones."""
    mean = squares.mean(0)
    effect, share = mean.sum(1), mean.amax(1) / mean.sum(1)
    signals = {name: torch.tensor(signal["values"]) for name, signal in report["signals"].items()}
    active = signals["activeness"] > ACTIVE * signals["activeness"].max()
    return {
        name: [
            float(spearmanr(values[on], known[on])[0]) for on in (active | True, active) for known in (share, effect)
        ]
        for name, values in {**signals, "effect": effect}.items()
    }


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def main(runs: tuple[Path, ...]) -> None:
    """Compare the listed directions of RUNS with the others, and print a table."""
    network = FactorNetwork.load(shipped(NETWORK))
    click.echo("| run | group | directions | effect | share of the strongest factor |\n|---|---|---|---|---|")
    correlations: dict[str, list[list[float]]] = {}
    for run in runs:
        target = Loaded.open(run, Loader("cpu"))
        report = read_json(run / RANK)
        sampling = Sampling(target.directions.class_index)
        effects = measure_effects(target.generator, network, target.directions, sampling)
        listed = report["short_list"]
        rest = [index for index in report["order"] if index not in listed]
        for name, group in (("short list", listed), ("the rest", rest)):
            cells = measure_group(effects.squares, group)
            click.echo(f"| {run.name} | {name} | {len(group)} | {cells['effect']} | {cells['share']} |")
        for signal, row in correlate(effects.squares, report).items():
            correlations.setdefault(signal, []).append(row)
    click.echo("\n| signal | share, all | effect, all | share, active | effect, active |\n|---|---|---|---|---|")
    for signal, rows in correlations.items():
        table = torch.tensor(rows)
        errors = table.std(0) / len(table) ** 0.5
        cells = [f"{value:.2f} +- {error:.2f}" for value, error in zip(table.mean(0), errors, strict=True)]
        click.echo(f"| {signal} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
