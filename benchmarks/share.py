"""How diagonal do the directions of each method make a generator's Hessians, and at what cost?

    python -m benchmarks.share --generator eyes --class blue --out outputs/share

Held-out Hessians (never used to solve or to stop) are measured once, with seeds of their own; then each run given is
scored on them: the mean share of energy on the diagonal with its standard error, the ratio of sums, how evenly it is
spread, and how many of the ten strongest directions two seeds of a method share.
"""

import json
import sys
from pathlib import Path

import click
import torch
from safetensors.torch import load_file, save_file
from scipy.optimize import linear_sum_assignment

from direction_finder.directions import Directions
from direction_finder.discovery.share import random_hessian
from direction_finder.discovery.space import SearchConfig, SearchSpace
from direction_finder.generators import load_generator, resolve_class
from direction_finder.hessians import diagonal_energies, diagonal_share
from direction_finder.randomness import stream


def held_out(generator: str, class_name: str, count: int, cache: Path) -> torch.Tensor:
    """Hessians of <u, G> at random points, (count, N, N); kept in `cache`."""
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


def score(matrices: torch.Tensor, basis: torch.Tensor) -> dict[str, float]:
    """Mean share with standard error, ratio of sums, and the 1st, 5th and 20th largest part of the mean share."""
    share = diagonal_share(matrices, basis)
    squares = torch.einsum("in,mnk,ik->mi", basis, matrices, basis).square()
    parts = diagonal_energies(matrices, basis).sort(descending=True).values
    return {
        "share": float(share.mean()),
        "error": float(share.std() / len(share) ** 0.5),
        "ratio_of_sums": float(squares.sum() / matrices.square().sum()),
        **{f"part_{place}": float(parts[place - 1]) for place in (1, 5, 20)},
    }


def shared(first: torch.Tensor, second: torch.Tensor, top: int = 10, least: float = 0.9) -> int:
    """How many of the `top` directions of two runs are the same: |cos| above `least` after matching."""
    cosines = (first[:top] @ second[:top].mT).abs().numpy()
    return int((cosines[linear_sum_assignment(-cosines)] > least).sum())


@click.command()
@click.option("--generator", default="eyes", show_default=True)
@click.option("--class", "class_name", default="blue", show_default=True)
@click.option("--count", default=64, show_default=True, help="Held-out Hessians.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("outputs/share"), show_default=True)
@click.argument("runs", nargs=-1, type=click.Path(exists=True, path_type=Path))
def main(generator: str, class_name: str, count: int, out: Path, runs: tuple[Path, ...]) -> None:
    matrices = held_out(
        generator, class_name, count, out / f"held-out-{generator.replace(':', '-')}-{class_name}.safetensors"
    )
    rows, bases = [], {}
    for run in runs:
        record = Directions.load(run)
        settings = {key: record.config.get(key) for key in ("steps", "points", "solver", "weight", "seed")}
        rows.append({"run": run.name, "method": record.method, **settings, **score(matrices, record.vectors)})
        bases.setdefault(run.name.rpartition("-")[0], []).append(record.vectors)
        click.echo(json.dumps(rows[-1]))
    for name, several in bases.items():
        pairs = [shared(a, b) for i, a in enumerate(several) for b in several[:i]]
        if pairs:
            click.echo(json.dumps({"runs": name, "same_of_ten": pairs}))
    out.mkdir(parents=True, exist_ok=True)
    (out / "scores.json").write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
