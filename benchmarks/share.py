"""Measure how diagonal the directions of each method make a generator's Hessians, beside what the method costs.

    python -m benchmarks.share outputs/share/*-[0-9] --out outputs/share --image docs/images/share.png

Held-out Hessians, which no method uses to solve or to stop, are measured once, with seeds of their own. Then each run
is scored on them: the mean share of energy on the diagonal with its standard error, the ratio of sums, how evenly the
share is spread over directions, and how many of the ten strongest directions two seeds have in common.

A run is a folder named NAME-SEED, or NAME_PART-SEED for a run at an earlier stage. A run of a direct method is scored
with every solver and weight, and after several numbers of points, from the matrices that it saved. A pass is the
forward computation of one image; a gradient counts as two.
"""

import itertools
import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import click
import torch
from safetensors.torch import load_file, save_file

from benchmarks.agreement import found_again
from direction_finder.diagonalisation import SOLVERS, solve
from direction_finder.directions import Directions
from direction_finder.discovery import METHODS, configure
from direction_finder.discovery.configs import SearchConfig
from direction_finder.discovery.diagonal_share import random_hessian
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.generators import load_generator, resolve_class
from direction_finder.hessians import diagonal_share, probe_count
from direction_finder.randomness import stream
from direction_finder.stacks import energies

COUNTS = (4, 8, 16, 24, 32, 48, 64)
FIRST_TEN = 10
Bases = dict[tuple[str, int], dict[int, torch.Tensor]]  # (method, passes) -> seed -> basis


def held_out(generator: str, class_name: str, count: int, cache: Path) -> torch.Tensor:
    """Return Hessians of <u, G> at random points, (count, N, N), and save them in `cache`."""
    if cache.is_file():
        return load_file(cache)["matrices"]
    frozen = load_generator(generator)
    space = SearchSpace(frozen, SearchConfig(class_index=resolve_class(frozen.class_names, class_name)))
    rng = stream(0, "held-out Hessians")
    matrices = []
    with click.progressbar(range(count), label="held-out Hessians", file=sys.stderr) as numbers:
        for _ in numbers:
            matrices.append(random_hessian(space, ("image",), rng, eta=5.0, epsilon=0.1, max_batch=32))
    cache.parent.mkdir(parents=True, exist_ok=True)
    save_file({"matrices": torch.stack(matrices)}, cache)
    return torch.stack(matrices)


def bases_of(run: Path, every: bool, counts: Sequence[int] = COUNTS) -> dict[tuple[str, int], torch.Tensor]:
    """Return the bases (N, N) of a run, by method and passes.

    every: use all solvers of a direct method; its default solver after each of `counts` points, the others after all
    points.
    """
    record = Directions.load(run)
    name, config, n = run.name.rpartition("-")[0].partition("_")[0], record.config, record.dim
    if config.get("by") == "channel":
        return {(name, 2 * n * config["points"]): record.vectors}
    if record.method not in ("hessian-direct", "jacobian"):
        per_step = 0
        if "steps" in config:
            per_step = 2 * config["batch_size"] * configure(record.method, config).rows_per_sample
        return {(name, per_step * config.get("steps", 0)): record.vectors}
    matrices = load_file(run / "state.safetensors")["matrices"]
    per_point = 4 * probe_count(n) if record.method == "hessian-direct" else 2 * n
    own = METHODS[record.method].config()
    others = [*((solver, "unit") for solver in SOLVERS), ("mean", "raw"), ("squares", "raw")]
    solvers = others if every else [(own.solver, own.weight)]
    counts = [count for count in counts if count <= len(matrices)]
    return {
        (f"{name} {solver}{' raw' if weight == 'raw' else ''}", per_point * count): solve(
            solver, matrices[:count], weight=weight
        ).float()
        for solver, weight in solvers
        for count in (counts if (solver, weight) == (own.solver, own.weight) else counts[-1:])
    }


def score(matrices: torch.Tensor, basis: torch.Tensor) -> dict[str, float]:
    """Return the mean share, its standard error, the ratio of sums, and the 1st, 5th and 20th largest part of it.

    matrices: (count, N, N); basis: (N, N).
    """
    share = diagonal_share(matrices, basis)
    squares = torch.einsum("in,mnk,ik->mi", basis, matrices, basis).square()
    parts = energies(matrices[:, None], basis).sort(descending=True).values
    return {
        "share": float(share.mean()),
        "error": float(share.std() / len(share) ** 0.5),
        "ratio_of_sums": float(squares.sum() / matrices.square().sum()),
        **{f"part_{place}": float(parts[place - 1]) for place in (1, 5, 20)},
    }


def paired(
    matrices: torch.Tensor, first: dict[int, torch.Tensor], second: dict[int, torch.Tensor]
) -> tuple[float, float]:
    """Return the mean difference of the shares of two methods, paired by seed and Hessian, and its standard error."""
    seeds = sorted(first.keys() & second.keys())
    shares = [diagonal_share(matrices, first[seed]) - diagonal_share(matrices, second[seed]) for seed in seeds]
    differences = torch.stack(shares).mean(0)
    return float(differences.mean()), float(differences.std() / len(differences) ** 0.5)


def draw(bases: Bases, matrices: torch.Tensor, path: Path, title: str) -> None:
    """Plot share against passes: a line per method, the mean over seeds, with the range of the seeds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    curves = defaultdict(dict)
    for (method, passes), by_seed in bases.items():
        if method.endswith(" raw"):
            continue
        curves[method][passes] = [score(matrices, basis)["share"] for basis in by_seed.values()]
    figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    for number, (method, points) in enumerate(sorted(curves.items())):
        colour = f"C{number % 10}"
        if 0 in points:
            axes.axhline(statistics.mean(points[0]), color=colour, linestyle=":", label=method)
            continue
        passes = sorted(points)
        means = [statistics.mean(points[count]) for count in passes]
        axes.plot(passes, means, marker="os^D"[number // 10], color=colour, label=method)
        axes.fill_between(
            passes,
            [min(points[count]) for count in passes],
            [max(points[count]) for count in passes],
            color=colour,
            alpha=0.15,
        )
    axes.set(xscale="log", xlabel="generator passes", ylabel="diagonal share, held-out Hessians", ylim=0, title=title)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


@click.command()
@click.option("--generator", default="eyes", show_default=True, help="Generator that the runs were made with.")
@click.option("--class", "class_name", default="blue", show_default=True, help="Class that the runs were made for.")
@click.option("--count", default=64, show_default=True, help="Number of held-out Hessians.")
@click.option("--all", "every", is_flag=True, help="Score every solver and weight of the direct methods.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("outputs/share"),
    show_default=True,
    help="Folder in which scores.json and the held-out Hessians are saved.",
)
@click.option("--image", type=click.Path(path_type=Path), help="File for a figure of share against passes.")
@click.argument("runs", nargs=-1, type=click.Path(exists=True, path_type=Path))
def main(
    generator: str, class_name: str, count: int, every: bool, out: Path, image: Path | None, runs: tuple[Path, ...]
) -> None:
    """Score the directions of RUNS on held-out Hessians, and print a table."""
    cache = out / f"held-out-{generator.replace(':', '-')}-{class_name}.safetensors"
    matrices = held_out(generator, class_name, count, cache)
    bases: Bases = defaultdict(dict)
    for run in runs:
        for key, basis in bases_of(run, every).items():
            bases[key][int(run.name.rpartition("-")[2])] = basis
    rows = []
    click.echo("| method | passes | share, each seed | error | ratio of sums | 1st, 5th, 20th part | same of ten |")
    click.echo("|---|---|---|---|---|---|---|")
    direct = {method for method, _ in bases if " " in method}
    last = {method: max(passes for other, passes in bases if other == method) for method, _ in bases}
    for (method, passes), by_seed in sorted(bases.items()):
        scores = {seed: score(matrices, basis) for seed, basis in sorted(by_seed.items())}
        agreement = [
            found_again(by_seed[a][:FIRST_TEN], by_seed[b][:FIRST_TEN])
            for a, b in itertools.combinations(sorted(by_seed), 2)
        ]
        rows += [{"method": method, "passes": passes, "seed": seed, **values} for seed, values in scores.items()]
        if passes == last[method] or method not in direct:
            mean = {key: statistics.mean(values[key] for values in scores.values()) for key in scores[min(scores)]}
            shares = ", ".join(f"{values['share']:.3f}" for values in scores.values())
            parts = ", ".join(f"{mean[f'part_{place}']:.4f}" for place in (1, 5, 20))
            click.echo(
                f"| {method} | {passes:,} | {shares} | {mean['error']:.3f} | {mean['ratio_of_sums']:.3f} | {parts} "
                f"| {', '.join(map(str, agreement))} |"
            )
    for method in (name for name in last if name.endswith(" joint")):
        other = method.replace(" joint", " squares")
        if other in last:
            difference, error = paired(matrices, bases[method, last[method]], bases[other, last[other]])
            click.echo(f"{method} minus {other}: {difference:+.4f} +- {error:.4f}, seed by seed and Hessian by Hessian")
    out.mkdir(parents=True, exist_ok=True)
    (out / "scores.json").write_text(json.dumps(rows, indent=1))
    if image:
        draw(bases, matrices, image, f"{generator}, class {class_name}: {count} held-out Hessians")


if __name__ == "__main__":
    main()
