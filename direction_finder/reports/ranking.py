"""Which directions matter, and why: a short list, with signals beside what random directions give."""

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.files import read_json, write_json
from direction_finder.generators import Generator
from direction_finder.metrics import ranking
from direction_finder.metrics.activeness import activeness
from direction_finder.metrics.parts import Keep, anew, under
from direction_finder.metrics.ranking import Signal
from direction_finder.metrics.samples import Sampling
from direction_finder.metrics.usable_range import FARTHEST, Drift
from direction_finder.progress import OnStep, Reporting, counted, reporting
from direction_finder.reports.measures.of_factors import labels
from direction_finder.runs.target import class_index, fitting
from direction_finder.samples import Samples

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COMPARED = 16  # random directions whose activeness and layers are measured, for comparison
REST = 4  # of the others that are shown, the last in order
Ranges = Literal["listed", "all", "none"]


@dataclass(frozen=True)
class Settings:
    """How a ranking is made. most: length of the short list. samples, hessians: latents on which activeness is
    measured, and Hessians along the directions. ranges: whose usable range is measured."""

    most: int = 8
    samples: int = 16
    hessians: int = 16
    ranges: Ranges = "listed"

    def __post_init__(self) -> None:
        if self.ranges not in get_args(Ranges):
            raise InputError(f"`ranges` {self.ranges!r}: expected {', '.join(get_args(Ranges))}")


@dataclass(frozen=True, eq=False)
class Ranking:
    """Directions in order of what they do. directions: with the usable ranges that were measured. order: all numbers,
    best first; short_list: those worth a look. drift: what ranges are about. notes: what was left out, in words.

    >>> ranking = df.rank(generator, directions)
    >>> print(ranking); df.grid(generator, ranking.best, samples)
    """

    directions: Directions
    signals: tuple[Signal, ...]
    order: list[int]
    short_list: list[int]
    settings: Settings = Settings()
    seed: int = 0
    drift: Mapping[str, float] | None = None
    compared_with: tuple[str, ...] = ()
    measured: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    moves: Sequence[str] = field(default=())

    @property
    def best(self) -> Directions:
        """The directions of the short list. Raises InputError if it is empty."""
        return self.directions[self.short_list]

    @property
    def table(self) -> list[dict[str, float]]:
        """For each direction of the short list, its number, and the value of each signal."""
        return [
            {"direction": index, **{each.name: float(each.values[index]) for each in self.signals}}
            for index in self.short_list
        ]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values: what rank.json holds."""
        return {
            "directions_sha256": self.directions.sha256,
            "short_list": self.short_list,
            "order": self.order,
            "signals": {
                each.name: {"values": each.values.tolist(), "chance": each.chance, "where": each.where}
                for each in self.signals
            },
            "drift": self.drift,
            "with": list(self.compared_with),
            "samples": self.settings.samples,
            "hessians": self.settings.hessians,
            "seed": self.seed,
        }

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ranking):
            return NotImplemented
        return self.directions == other.directions and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def save(self, path: str | Path) -> None:
        """Write everything as JSON."""
        write_json(path, self.to_dict())

    def plot(self, signal: str = "activeness", ax: "Axes | None" = None) -> "Axes":
        """Draw one signal as bars, largest first, with a line where 95 % of random directions stay below."""
        from direction_finder.figures import draw_bars

        found = next((each for each in self.signals if each.name == signal), None)
        if found is None:
            raise InputError(f"signal {signal!r}: there are {', '.join(each.name for each in self.signals)}")
        largest = float(found.values.max())
        line = found.chance / largest if largest else 0
        return draw_bars(ax, found.values.tolist(), title=signal, unit=signal, line=line)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def __repr__(self) -> str:
        return f"<Ranking of {len(self.order)} directions: {self.short_list}>"

    def _lines(self) -> Iterator[str]:
        signals, listed = self.signals, self.short_list
        yield f"{'':18}{''.join(f'{each.name:>12}' for each in signals)}{'range':>8}"
        yield f"{'95 % of random':18}{''.join(f'{each.chance:12.3g}' for each in signals)}"
        others = [index for index in self.order if index not in listed]
        for index in [*listed, *others[-REST:]]:
            if others and index == others[-REST:][0]:
                yield f"... and at the end of the others, {len(others)} in all:"
            yield self._line(index)
        yield "* above 95 % of random directions"

    def _line(self, index: int) -> str:
        directions, places = self.directions, next((each.where for each in self.signals if each.where), ())
        name = f"direction {index}" + (f" {directions.names[index]}" if directions.names[index] else "")
        cells = "".join(f"{each.values[index]:11.3g}{'*' if each.telling[index] else ' '}" for each in self.signals)
        reach = directions.ranges[index]
        where, moves = places[index] if places else "", self.moves[index] if self.moves else ""
        return f"{name:18}{cells}{'' if reach is None else f'{reach:.3g}':>8}  {where:8} {moves}".rstrip()

    @property
    def unlimited(self) -> str | None:
        """What a range that was measured and not found means, in words; None if all were found."""
        if all(self.directions.ranges[index] is not None for index in self.measured):
            return None
        return f"no range: pictures stay usual up to {FARTHEST:.0f}"


def moves(factors: Path, directions: Directions) -> list[str]:
    """What each direction moves, where a report of the metric `factors` tells; nothing if it is of other directions."""
    report = read_json(factors) if factors.is_file() else {}
    return labels(report, range(len(directions))) if len(report.get("names", [])) == len(directions) else []


def rank_by_matrix(
    directions: Directions, others: Sequence[Directions] = (), settings: Settings | None = None, seed: int = 0
) -> Ranking:
    """Rank without a generator: by chunks of z, and by agreement with others. Raises InputError if neither tells."""
    settings = settings or Settings()
    signals = tuple(_of_matrix(directions, directions.config.get("chunk"), others, seed))
    listed = ranking.short_list(signals, settings.most)
    return Ranking(directions, signals, ranking.ordered(signals), listed, settings, seed)


def rank_with(
    generator: Generator,
    directions: Directions,
    others: Sequence[Directions] = (),
    sampling: Sampling | None = None,
    settings: Settings | None = None,
    *,
    keep: Keep = anew,
    on_step: OnStep | None = None,
) -> Ranking:
    """See `rank`."""
    sampling, settings = sampling or Sampling(), settings or Settings()
    signals = [*_of_matrix(directions, generator.chunk, others, sampling.seed)]
    signals += _measured(generator, directions, sampling, settings, keep, on_step)
    listed = ranking.short_list(signals, settings.most)
    wanted: Collection[int] = {"listed": listed, "all": range(len(directions)), "none": ()}[settings.ranges]
    drift = None
    if settings.ranges != "none":
        directions, drift = _ranged(generator, directions, wanted, sampling, on_step)
    no_gradients = settings.hessians and not generator.differentiable
    return Ranking(
        directions,
        tuple(signals),
        ranking.ordered(signals),
        listed,
        settings,
        sampling.seed,
        drift,
        measured=tuple(wanted),
        notes=(f"{generator.name} lets no gradient through: ranked without Hessians.",) if no_gradients else (),
    )


def rank(
    generator: Generator,
    directions: Directions,
    others: Sequence[Directions] = (),
    *,
    class_name: str | int | None = None,
    most: int = 8,
    samples: int | Samples = 16,
    hessians: int = 16,
    ranges: Ranges = "listed",
    seed: int = 0,
    max_batch: int = 32,
    progress: Reporting = None,
) -> Ranking:
    """Say which directions matter, and why: a short list, and usable ranges for it.

    others: directions of other runs, of another seed or method, to agree with. class_name: None for that of the
    directions, or random classes. most: length of the short list. samples: latents on which activeness is measured: how
    many, or which. hessians: Hessians along the directions; 0: none. ranges: whose usable range is measured.

    >>> ranking = df.rank(generator, directions, progress=True)
    >>> ranking.short_list, ranking.best[0].usable_range

    Raises InputError for directions of another generator.
    """
    directions, generator = fitting(directions, generator)
    given = samples if isinstance(samples, Samples) else None
    count = len(samples) if isinstance(samples, Samples) else samples
    index = class_index(generator, directions, None if class_name is None else str(class_name))
    with reporting(progress) as on_step:
        return rank_with(
            generator,
            directions,
            others,
            Sampling(index, seed, max_batch, given),
            Settings(most, count, hessians, ranges),
            on_step=on_step,
        )


def _of_matrix(directions: Directions, chunk: int | None, others: Sequence[Directions], seed: int) -> Iterator[Signal]:
    """The signals that need no generator."""
    if chunk:
        yield ranking.localised(directions, chunk, seed)
    if others:
        yield ranking.agreement(directions, others, seed)


def _measured(
    generator: Generator,
    directions: Directions,
    sampling: Sampling,
    settings: Settings,
    keep: Keep,
    on_step: OnStep | None,
) -> Iterator[Signal]:
    """The signals that need the generator."""
    random = dataclasses.replace(
        directions,
        vectors=ranking.random_rows(directions, COMPARED, sampling.seed),
        layers=(directions.layers[0],) * COMPARED,
        orthonormal=False,
        names=(),
        scores=(),
        ranges=(),
        numbers=(),
    )
    if generator.num_layers >= 3:
        yield ranking.localised_in_layers(generator, directions, random, sampling)
    values, chance = (
        activeness(generator, each, sampling, samples=settings.samples, keep=under(keep, name), on_step=on_step).mean(1)
        for name, each in (("activeness", directions), ("random", random))
    )
    yield Signal("activeness", values, ranking.of_chance(chance))
    if settings.hessians and generator.differentiable and len(directions) > 1:
        found = ranking.hessians_along(
            generator, directions, sampling, count=settings.hessians, keep=under(keep, "Hessian"), on_step=on_step
        )
        yield ranking.diagonal(found, sampling.seed)


def _ranged(
    generator: Generator,
    directions: Directions,
    wanted: Collection[int],
    sampling: Sampling,
    on_step: OnStep | None,
) -> tuple[Directions, dict[str, float]]:
    """The directions with the usable ranges of those wanted, and what these ranges are about."""
    drift = Drift(generator, sampling, on_step=on_step)
    ranges = list(directions.ranges)
    for index in counted(wanted, len(wanted), "measuring usable ranges", "direction", on_step):
        ranges[index] = drift.usable_range(directions[index])
    found = dataclasses.replace(directions, ranges=tuple(ranges))
    return found, {"threshold": drift.threshold, "usual": drift.usual}
