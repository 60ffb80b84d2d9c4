"""Score the directions of each method against the known factors, beside what the method costs.

    python -m benchmarks.factors outputs/score/*-[0-9] --out outputs/score

A run is a folder named NAME-CLASS-SEED, made with `shapes-64` or another generator whose factors the shipped network
reads. A run of a direct method is scored with every solver, from the matrices that it saved. A run of `coordinates`
adds the row `supervised`: the mean gradients of the factors that the network reads, made orthonormal, which is about
the best that straight directions can do.

Scores and alignment (direction_finder/metrics/factors.py) are means over classes and seeds, with the standard error of
that mean. Every basis is measured on the same latents. "x kept" is the part of the spread of x that is left when
samples are aligned along the direction that moves x most. "own kept" is the mean of that over the factors, each along
its own direction; "others kept" is the mean over the factors that should not change. A pass is the forward computation
of one image; a gradient counts as two. Results are saved in scores.json and not measured again.
"""

import hashlib
import json
import statistics
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import click
import torch
from torch import Tensor

from benchmarks.share import bases_of
from direction_finder.directions import Directions
from direction_finder.files import write_json
from direction_finder.generators import Generator, load_generator
from direction_finder.generators.shipped import shipped
from direction_finder.metrics.factor_network import NETWORK, FactorNetwork
from direction_finder.metrics.factors import alignment, measure_effects, score
from direction_finder.metrics.samples import Sampling

SCORES = ("disentanglement", "completeness", "gap", "overall")
ALIGNED = ("x kept", "own kept", "others kept")
POINTS = (24, 64)  # direct methods are scored after this many points


def mean_and_error(values: list[float]) -> str:
    """Return the mean and its standard error, as text."""
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{statistics.mean(values):.3f} +- {error:.3f}"


def supervised(generator: Generator, network: FactorNetwork, coordinates: Directions, samples: int) -> Tensor:
    """Return the orthonormal basis (dim, dim) whose first directions are nearest to the factors' mean gradients."""
    sampling = Sampling(coordinates.class_index, seed=1)
    effects = measure_effects(generator, network, coordinates, sampling, samples=samples)
    gradients = torch.nn.functional.normalize(effects.slopes.double().mT @ coordinates.vectors.double())
    left, _, right = torch.linalg.svd(gradients)
    return torch.cat([left @ right[: len(left)], right[len(left) :]]).float()


def measured(generator: Generator, network: FactorNetwork, directions: Directions, samples: int) -> dict[str, float]:
    """Return the scores, and the parts of the factors' spreads that are left when samples are aligned."""
    sampling = Sampling(directions.class_index)
    effects = measure_effects(generator, network, directions, sampling, samples=samples)
    values = {name: value.value for name, value in score(effects).items()}
    own, others = {}, []
    for factor, number in zip(effects.factors, effects.squares.mean(0).argmax(0).tolist(), strict=True):
        left = alignment(generator, network, directions[number], sampling, samples=samples)
        kept = {name: spreads["kept"].value for name, spreads in left.items()}
        own[factor] = kept.pop(factor)
        others += kept.values()
    return {
        **values,
        "x kept": own["x"],
        "own kept": statistics.mean(own.values()),
        "others kept": statistics.mean(others),
    }


@click.command()
@click.option("--generator", default="shapes-64", show_default=True, help="Generator that the runs were made with.")
@click.option("--samples", default=128, show_default=True, help="Number of latents that each basis is measured on.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("outputs/score"),
    show_default=True,
    help="Folder in which scores.json is saved.",
)
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def main(generator: str, samples: int, out: Path, runs: tuple[Path, ...]) -> None:
    """Score the directions of RUNS against the known factors, and print a table."""
    frozen, network = load_generator(generator), FactorNetwork.load(shipped(NETWORK))
    cache = out / "scores.json"
    known = json.loads(cache.read_text()) if cache.is_file() else {}
    rows = defaultdict(dict)
    with click.progressbar(runs, label="runs", file=sys.stderr) as bar:
        for run in bar:
            record = Directions.load(run)
            bases = bases_of(run, every=True, counts=POINTS)
            if record.method == "coordinates":
                bases["supervised", 2 * record.dim * samples] = supervised(frozen, network, record, samples)
            for (name, passes), basis in bases.items():
                if name.endswith(" raw"):
                    continue
                digest = hashlib.sha256(basis.numpy().tobytes()).hexdigest()
                key = f"{frozen.weights_sha256[:16]} {digest[:16]} {record.class_index} {samples}"
                if key not in known:
                    directions = replace(record, vectors=basis, names=(), scores=(), ranges=(), layers=())
                    known[key] = measured(frozen, network, directions, samples)
                    write_json(cache, known)
                run_name, _, solver = name.partition(" ")
                class_and_seed = run.name.split("-", 1)[1]
                rows[f"{run_name.partition('-')[0]} {solver}".strip(), passes][class_and_seed] = known[key]
    click.echo(f"| method | passes | {' | '.join(SCORES + ALIGNED)} | runs |")
    click.echo(f"|---|---|{'---|' * len(SCORES + ALIGNED)}---|")
    for (name, passes), by_run in sorted(rows.items()):
        cells = [mean_and_error([values[column] for values in by_run.values()]) for column in SCORES + ALIGNED]
        click.echo(f"| {name} | {passes:,} | {' | '.join(cells)} | {len(by_run)} |")
    methods = [key for key in rows if key[0] != "supervised"]
    best = max(methods, key=lambda key: statistics.mean(values["overall"] for values in rows[key].values()))
    for key in sorted(methods):
        common = rows[key].keys() & rows[best].keys()
        if key != best and common:
            gaps = [rows[best][run]["overall"] - rows[key][run]["overall"] for run in sorted(common)]
            click.echo(f"{best[0]} minus {key[0]} ({key[1]:,}), overall, run by run: {mean_and_error(gaps)}")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
