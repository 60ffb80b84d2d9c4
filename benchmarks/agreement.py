"""Count the directions that runs of different seeds have in common.

    python -m benchmarks.agreement RUN RUN... [--strongest 8]

A direction is found again if its |cosine| with its partner is above 0.9. Partners are matched one to one so that the
sum of |cosines| is largest: among the strongest of the other run, and among all of its directions. The last line counts
those whose part in the plane of two directions of the other run is longer than 0.9: the two axes of a circular factor,
like light, may be turned within their plane, and nothing says how.
"""

import itertools
from pathlib import Path

import click
import torch
from scipy.optimize import linear_sum_assignment

from direction_finder.directions import Directions

LEAST = 0.9  # |cosine|


def found_again(first: torch.Tensor, second: torch.Tensor) -> int:
    """Count the rows of `first` (n, N) that are found again among those of `second` (m, N)."""
    cosines = (first.double() @ second.double().mT).abs().numpy()
    return int((cosines[linear_sum_assignment(-cosines)] > LEAST).sum())


def in_a_plane(first: torch.Tensor, second: torch.Tensor) -> int:
    """Count the rows of `first` (n, N) that lie near the plane of two rows of an orthonormal `second` (m, N)."""
    two = (first.double() @ second.double().mT).abs().topk(2, dim=1).values
    return int((two.norm(dim=1) > LEAST).sum())


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--strongest", default=8, show_default=True, help="Number of directions of each run.")
def main(runs: tuple[Path, ...], strongest: int) -> None:
    """Print how many of the strongest directions each pair of RUNS has in common."""
    bases = [Directions.load(run).vectors for run in runs]
    pairs = list(itertools.combinations(bases, 2))
    among = [found_again(a[:strongest], b[:strongest]) for a, b in pairs]
    both_ways = list(itertools.permutations(bases, 2))
    anywhere = [found_again(a[:strongest], b) for a, b in both_ways]
    planes = [in_a_plane(a[:strongest], b) for a, b in both_ways]
    click.echo(f"of the strongest {strongest}, among the other's strongest: {', '.join(map(str, among))}")
    click.echo(f"anywhere in the other: {', '.join(map(str, anywhere))}")
    click.echo(f"in a plane of two of the other's: {', '.join(map(str, planes))}")


if __name__ == "__main__":
    main()
