"""Score one basis for several classes beside each class's own, against the known factors.

    direction-finder sweep --generator shapes-64 --class 0-2 --together --seed 0-2 --points 24 --out outputs/together
    python -m benchmarks.together outputs/together

Every basis of a seed is scored on every class, by both readers (benchmarks/factors.py), on the same latents. `own` is
the basis of the class that it is scored on, `others` the mean over the bases of the other classes.
"""

import statistics
import sys
from collections import defaultdict
from pathlib import Path

import click
import torch

from benchmarks.factors import PIXELS, Both, mean_and_error
from direction_finder.directions import Directions
from direction_finder.files import DIRECTIONS
from direction_finder.generators import Generator, load_generator
from direction_finder.generators.shipped import shipped
from direction_finder.metrics.factor_network import NETWORK, FactorNetwork
from direction_finder.metrics.factors import effects_of, scores
from direction_finder.metrics.pixel_reader import PixelReader
from direction_finder.metrics.readings import read_along
from direction_finder.metrics.samples import Sampling
from direction_finder.randomness import normal, stream

BASES = ("own", "together", "others", "random")
Key = tuple[str, str, str]  # basis, class, reader


def overall(generator: Generator, both: Both, basis: Directions, index: int, samples: int) -> tuple[float, float]:
    """Return the overall scores of a basis on a class, by the factor network and by the reader without one."""
    sampling = Sampling(index, seed=10 * (basis.seed or 0) + index)
    parts = both.split(read_along(generator, both, basis, sampling, samples=samples))
    first, second = (scores(effects_of(part).squares.mean(0))["overall"].item() for part in parts)
    return first, second


@click.command()
@click.option("--generator", default="shapes-64", show_default=True, help="Generator of the sweep.")
@click.option("--samples", default=40, show_default=True, help="Number of latents that each basis is measured on.")
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
def main(generator: str, samples: int, folder: Path) -> None:
    """Score the bases of the sweep in FOLDER, and print a table."""
    frozen, both = load_generator(generator), Both(FactorNetwork.load(shipped(NETWORK)), PixelReader())
    found = [Directions.load(path) for path in sorted(folder.glob(f"*/{DIRECTIONS}"))]
    found += [_random(each) for each in found if each.class_index is None]
    known: dict[Key, list[float]] = defaultdict(list)
    with click.progressbar(found, label="bases", file=sys.stderr) as bar:
        for basis in bar:
            for index, name in enumerate(frozen.class_names):
                together = "random" if basis.method == "random" else "together"
                of = together if basis.class_index is None else "own" if basis.class_index == index else "others"
                for reader, value in zip(
                    ("network", PIXELS), overall(frozen, both, basis, index, samples), strict=True
                ):
                    known[of, name, reader].append(value)
    for line in table(known, frozen.class_names):
        click.echo(line)


def _random(like: Directions) -> Directions:
    rows = normal(like.dim, like.dim, stream(like.seed or 0, "together"))
    return Directions(torch.linalg.qr(rows)[0], "random", seed=like.seed)


def table(known: dict[Key, list[float]], names: tuple[str, ...]) -> list[str]:
    """Return the lines of the table: a row for each class and reader, and the means over classes."""
    lines = [f"| class | reader | {' | '.join(BASES)} |", f"|{'---|' * (2 + len(BASES))}"]
    for reader in ("network", PIXELS):
        for name in names:
            cells = [mean_and_error(known[of, name, reader]) for of in BASES]
            lines.append(f"| {name} | {reader} | {' | '.join(cells)} |")
        means = [statistics.mean(statistics.mean(known[of, name, reader]) for name in names) for of in BASES]
        lines.append(f"| mean | {reader} | {' | '.join(f'{mean:.3f}' for mean in means)} |")
    return lines


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
