"""Do the directions of each method match the factors, and at what cost?

    python -m benchmarks.factors outputs/score/*-[0-9] --out outputs/score

A run is a folder named NAME-CLASS-SEED of a generator whose factors the shipped network reads, `shapes-64`. A run of a
direct method is scored with every solver, from the matrices it keeps. Scores (direction_finder/metrics/factors.py) are
means over classes and seeds, with the standard error of that mean; every basis is measured on the same latents. What
has been measured is kept in scores.json and not measured again. A pass is one picture forward; a gradient counts as
two.
"""

import hashlib
import json
import statistics
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import click
import torch

from benchmarks.share import bases_of
from direction_finder.commands.measure import NETWORK
from direction_finder.directions import Directions
from direction_finder.files import write_json
from direction_finder.generators import load_generator
from direction_finder.generators.shipped import shipped
from direction_finder.metrics.factor_network import FactorNetwork
from direction_finder.metrics.factors import measure_effects, score

SCORES = ("disentanglement", "completeness", "gap", "overall")


def mean_and_error(values: list[float]) -> str:
    """Mean and its standard error."""
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{statistics.mean(values):.3f} +- {error:.3f}"


@click.command()
@click.option("--generator", default="shapes-64", show_default=True)
@click.option("--samples", default=128, show_default=True, help="Latents.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("outputs/score"), show_default=True)
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def main(generator: str, samples: int, out: Path, runs: tuple[Path, ...]) -> None:
    frozen, network = load_generator(generator), FactorNetwork.load(shipped(NETWORK))
    cache = out / "scores.json"
    known = json.loads(cache.read_text()) if cache.is_file() else {}
    rows = defaultdict(dict)
    for run in runs:
        record = Directions.load(run)
        of = run.name.split("-", 1)[1]  # CLASS-SEED
        for (name, passes), basis in bases_of(run, every=True).items():
            if name.endswith(" raw"):
                continue
            digest = hashlib.sha256(basis.numpy().tobytes()).hexdigest()
            key = f"{frozen.weights_sha256[:16]} {digest[:16]} {record.class_index} {samples}"
            if key not in known:
                effects = measure_effects(
                    frozen,
                    network,
                    replace(record, vectors=basis, names=(), scores=(), ranges=(), layers=()),
                    class_index=record.class_index,
                    samples=samples,
                )
                known[key] = {what: vars(value) for what, value in score(effects).items()}
                write_json(cache, known)
            run_name, _, solver = name.partition(" ")
            rows[f"{run_name.rpartition('-')[0]} {solver}".strip(), passes][of] = known[key]
    click.echo(f"| method | passes | {' | '.join(SCORES)} | runs |")
    click.echo(f"|---|---|{'---|' * len(SCORES)}---|")
    for (name, passes), by_run in sorted(rows.items()):
        cells = [mean_and_error([each[what]["value"] for each in by_run.values()]) for what in SCORES]
        click.echo(f"| {name} | {passes:,} | {' | '.join(cells)} | {len(by_run)} |")
    best = max(rows, key=lambda key: statistics.mean(each["overall"]["value"] for each in rows[key].values()))
    for key in sorted(rows):
        common = rows[key].keys() & rows[best].keys()
        if key != best and common:
            gaps = [rows[best][of]["overall"]["value"] - rows[key][of]["overall"]["value"] for of in sorted(common)]
            click.echo(f"{best[0]} minus {key[0]} ({key[1]:,}), overall, run by run: {mean_and_error(gaps)}")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
