"""Say which directions classes share: how well those of one class match those of others, beside random bases.

The directions of two classes are matched one to one so that the sum of |cosine| is largest. A random basis has such
matches too, so each mean is told with the mean of random bases, and what 95 % of their directions stay below.
"""

import csv
import itertools
from collections.abc import Iterator, Sequence
from functools import cache
from heapq import nlargest
from pathlib import Path
from typing import NamedTuple

import torch

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.files import existing_file, replacing
from direction_finder.metrics.ranking import CHANCES, NULL, matched, random_matches
from direction_finder.sweeps.table import Row
from direction_finder.sweeps.tasks import DONE

CSV = "shared.csv"
PANEL = 16  # classes with which each class is compared, at most: they are spread evenly over all
CLOSE, NEAR = 0.9, 0.7  # |cosine| from which a class counts as having a direction
MOST = 20  # directions that are returned as those that most classes have
CURE = "give another folder as `out`"


class Shared(NamedTuple):
    """Say in how many other classes a direction is. others: how many were compared. close, near: of them, those with a
    match of |cosine| 0.9 or 0.7. mean: of |cosine| over the others. random, limit: the mean of random bases, and what
    95 % of their directions stay below."""

    method: str
    part: str | None
    seed: int
    of: str
    direction: int
    name: str | None
    others: int
    close: int
    near: int
    mean: float
    random: float
    limit: float

    @property
    def clear(self) -> bool:
        """Return whether the mean is above that of 95 % of random directions."""
        return self.mean > self.limit


HEADER = tuple({"of": "class", "limit": "random_95"}.get(name, name) for name in Shared._fields)


def check(folder: Path) -> None:
    """Raise InputError if a file in the way is not ours."""
    path = folder / CSV
    start = ",".join(HEADER).encode()
    if path.exists() and existing_file(path).read_bytes()[: len(start)] != start:
        raise InputError(f"{path}: does not say which directions classes share; {CURE}")


class Summary(NamedTuple):
    """Hold how many directions of a run are above chance, and the mean |cosine| of them and of random bases."""

    directions: int
    clear: int
    mean: float
    random: float


def write_shared(folder: Path, rows: Sequence[Row]) -> tuple[dict[str, Summary], list[Shared]]:
    """Write `shared.csv`; return summaries by the folder of a run, and the directions that most other classes have.

    Runs of one method, part and seed are compared, each with at most `PANEL` others that are of one class. Without two
    classes, nothing is written.
    """
    found, best = dict[str, Summary](), list[Shared]()
    groups = _groups(rows)
    if not groups:
        return found, best
    with replacing(folder / CSV) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for run, lines in itertools.chain.from_iterable(_of_group(folder, group) for group in groups):
            writer.writerows(lines)
            mean = sum(line.mean for line in lines) / len(lines)
            found[run] = Summary(len(lines), sum(line.clear for line in lines), mean, lines[0].random)
            best = nlargest(MOST, [*best, *lines], key=lambda line: line.mean)
    return found, best


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the runs of each method, part and seed that are done and have a class."""
    groups: dict[tuple[str, str | None, int], list[Row]] = {}
    for row in rows:
        if row["status"] == DONE and row["classes"]:
            groups.setdefault((row["method"], row["part"], row["seed"]), []).append(row)
    return [group for group in groups.values() if sum(row["classes"] == 1 for row in group) > 1]


def _of_group(folder: Path, group: Sequence[Row]) -> Iterator[tuple[str, list[Shared]]]:
    """Yield what is shared by the folder of each run; runs that cannot be compared are left out."""
    single = [row["folder"] for row in group if row["classes"] == 1]
    count = min(len(single), PANEL)
    chosen = [single[i * len(single) // count] for i in range(count)]
    panel = {name: directions for name in chosen if (directions := _read(folder / name))}
    for row in group:
        name = row["folder"]
        if own := panel.get(name) or _read(folder / name):
            like = (own.weights_sha256, own.dim)
            others = [
                panel[each] for each in panel if each != name and (panel[each].weights_sha256, panel[each].dim) == like
            ]
            if others:
                yield name, _lines(row, own, others)


def _read(folder: Path) -> Directions | None:
    try:
        return Directions.load(folder)
    except InputError:
        return None


def _lines(row: Row, own: Directions, others: Sequence[Directions]) -> list[Shared]:
    cosines = torch.stack([matched(own, other) for other in others])
    used = int((own.vectors != 0).any(0).sum())
    random, limit = _chance(used, len(own), len(others))
    return [
        Shared(
            row["method"],
            row["part"],
            row["seed"],
            row["class"] or "",
            number,
            own.names[number],
            len(others),
            int((of >= CLOSE).sum()),
            int((of >= NEAR).sum()),
            round(float(of.mean()), 4),
            random,
            limit,
        )
        for number, of in enumerate(cosines.mT)
    ]


@cache
def _chance(size: int, rows: int, others: int) -> tuple[float, float]:
    """Return the mean |cosine| of random bases, and the quantile of its mean over so many others."""
    means = random_matches(size, rows, max(1, CHANCES // rows) * others).unflatten(0, (-1, others)).mean(1)
    return round(float(means.mean()), 4), round(float(means.quantile(NULL)), 4)
