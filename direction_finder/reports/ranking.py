"""Rank directions: a short list of those that matter, with signals compared with those of random directions."""

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.files import write_json
from direction_finder.generators import Generator
from direction_finder.metrics import ranking
from direction_finder.metrics.distortion import Distortion
from direction_finder.metrics.ranking import Signal
from direction_finder.metrics.samples import Sampling
from direction_finder.metrics.usable_range import FARTHEST, Drift
from direction_finder.progress import OnStep, Reporting, counted, reporting
from direction_finder.reports.rank_signals import of_grams, of_images, of_matrix
from direction_finder.resumable import Cache, uncached
from direction_finder.runs.loading import class_index, fitting
from direction_finder.samples import Samples
from direction_finder.settings import MOST_ROWS, check_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REST = 4  # directions shown from the end of the order
Ranges = Literal["listed", "all", "none"]


@dataclass(frozen=True)
class Settings:
    """Hold the settings of a ranking. most: length of the short list. samples: latents on which activeness is measured.
    hessians: Hessians along the directions. ranges: the directions whose usable range is measured."""

    most: int = 8
    samples: int = 16
    hessians: int = 16
    ranges: Ranges = "listed"

    def __post_init__(self) -> None:
        if self.ranges not in get_args(Ranges):
            raise InputError(f"`ranges` {self.ranges!r}: expected {', '.join(get_args(Ranges))}")
        for name in ("most", "samples", "hessians"):
            check_number(f"`{name}`", getattr(self, name), int, least=name == "most", most=MOST_ROWS)


@dataclass(frozen=True, eq=False)
class Ranking:
    """Hold ranked directions. directions: with their measured usable ranges. order: all numbers, best first.
    short_list: those that stand out. drift: thresholds of the usable ranges. distortion: how much the best basis turns.
    notes: messages about what was left out.

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
    distortion: Distortion | None = None
    compared_with: tuple[str, ...] = ()
    measured: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    moves: Sequence[str] = field(default=())

    @property
    def best(self) -> Directions:
        """Return the directions of the short list. Raises InputError if it is empty."""
        return self.directions[self.short_list]

    @property
    def table(self) -> list[dict[str, float]]:
        """Return, for each direction of the short list, its number and the value of each signal."""
        return [
            {"direction": index, **{signal.name: float(signal.values[index]) for signal in self.signals}}
            for index in self.short_list
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, as in rank.json."""
        return {
            "directions_sha256": self.directions.straight.sha256,
            "short_list": self.short_list,
            "order": self.order,
            "signals": {
                signal.name: {"values": signal.values.tolist(), "chance": signal.chance, "where": signal.where}
                for signal in self.signals
            },
            "drift": self.drift,
            "distortion": self.distortion and self.distortion._asdict(),
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
        """Plot one signal as bars, largest first, with a line below which 95 % of random directions stay."""
        from direction_finder.figures import draw_bars

        chosen = next((candidate for candidate in self.signals if candidate.name == signal), None)
        if chosen is None:
            names = ", ".join(candidate.name for candidate in self.signals)
            raise InputError(f"signal {signal!r}: expected one of {names}")
        largest = float(chosen.values.max())
        line = chosen.chance / largest if largest else 0
        return draw_bars(ax, chosen.values.tolist(), title=signal, unit=signal, line=line)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def __repr__(self) -> str:
        return f"<Ranking of {len(self.order)} directions: {self.short_list}>"

    def _lines(self) -> Iterator[str]:
        signals, listed = self.signals, self.short_list
        yield f"{'':18}{''.join(f'{signal.name:>12}' for signal in signals)}{'range':>8}"
        yield f"{'95 % of random':18}{''.join(f'{signal.chance:12.3g}' for signal in signals)}"
        others = [index for index in self.order if index not in listed]
        for index in [*listed, *others[-REST:]]:
            if others and index == others[-REST:][0]:
                yield f"... and at the end of the others, {len(others)} in all:"
            yield self._line(index)
        yield "* above 95 % of random directions"
        if not listed:
            yield "no direction stands out: none has a signal clear of random directions"
        if self.distortion:
            yield str(self.distortion)

    def _line(self, index: int) -> str:
        directions, places = self.directions, next((signal.where for signal in self.signals if signal.where), ())
        name = f"direction {index}" + (f" {directions.names[index]}" if directions.names[index] else "")
        cells = "".join(f"{each.values[index]:11.3g}{'*' if each.telling[index] else ' '}" for each in self.signals)
        reach = directions.ranges[index]
        place, moves = places[index] if places else "", self.moves[index] if self.moves else ""
        return f"{name:18}{cells}{'' if reach is None else f'{reach:.3g}':>8}  {place:8} {moves}".rstrip()

    @property
    def unlimited(self) -> str | None:
        """Explain why a measured direction has no usable range; None if all measured ones have one."""
        if all(self.directions.ranges[index] is not None for index in self.measured):
            return None
        return f"no range: images stay in the normal range up to {FARTHEST:.0f}"


def rank_by_matrix(
    directions: Directions, others: Sequence[Directions] = (), settings: Settings | None = None, seed: int = 0
) -> Ranking:
    """Rank without a generator, by chunks of z and agreement with others. Raises InputError if neither is possible."""
    settings = settings or Settings()
    signals = tuple(of_matrix(directions, directions.config.get("chunk"), others, seed))
    listed = ranking.short_list(signals, settings.most)
    return Ranking(directions, signals, ranking.ordered(signals), listed, settings, seed)


def rank_with(
    generator: Generator,
    directions: Directions,
    others: Sequence[Directions] = (),
    sampling: Sampling | None = None,
    settings: Settings | None = None,
    *,
    cache: Cache = uncached,
    on_step: OnStep | None = None,
) -> Ranking:
    """Rank directions as `rank` does, with explicit samples and settings; parts are saved in `cache`.

    Signals are those of straight directions; usable ranges are measured along curves, where there are any.
    """
    sampling, settings = sampling or Sampling(), settings or Settings()
    straight = directions.straight
    signals = [*of_matrix(straight, generator.chunk, others, sampling.seed)]
    signals += of_images(generator, straight, sampling, settings.samples, settings.hessians, cache, on_step)
    distortion = None
    if len(directions) > 1:
        pair, distortion = of_grams(generator, straight, sampling, settings.samples, cache, on_step)
        signals += pair
    listed = ranking.short_list(signals, settings.most)
    indexes: Collection[int] = {"listed": listed, "all": range(len(directions)), "none": ()}[settings.ranges]
    drift = None
    if settings.ranges != "none":
        directions, drift = _ranged(generator, directions, indexes, sampling, on_step)
    no_gradients = settings.hessians and not generator.differentiable
    return Ranking(
        directions,
        tuple(signals),
        ranking.ordered(signals),
        listed,
        settings,
        sampling.seed,
        drift,
        distortion,
        measured=tuple(indexes),
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
    """Rank directions: a short list of those that stand out, why they do, and their usable ranges.

    others: directions from other seeds or methods to compare with. class_name: None for the class of the directions, or
    random classes. most: length of the short list. samples: number of latents for activeness, or the samples. hessians:
    number of Hessians along the directions, may be 0. ranges: measure usable ranges for "listed", "all" or "none".

    >>> ranking = df.rank(generator, directions, progress=True)
    >>> ranking.short_list, ranking.best[0].usable_range

    Raises InputError for directions of another generator.
    """
    directions, generator = fitting(directions, generator)
    chosen = samples if isinstance(samples, Samples) else None
    count = len(samples) if isinstance(samples, Samples) else samples
    index = class_index(generator, directions, None if class_name is None else str(class_name))
    with reporting(progress) as on_step:
        return rank_with(
            generator,
            directions,
            others,
            Sampling(index, seed, max_batch, chosen),
            Settings(most, count, hessians, ranges),
            on_step=on_step,
        )


def _ranged(
    generator: Generator,
    directions: Directions,
    indexes: Collection[int],
    sampling: Sampling,
    on_step: OnStep | None,
) -> tuple[Directions, dict[str, float]]:
    """Return the directions with usable ranges measured at `indexes`, and the thresholds of these ranges."""
    drift = Drift(generator, sampling, on_step=on_step)
    ranges = list(directions.ranges)
    for index in counted(indexes, len(indexes), "measuring usable ranges", "direction", on_step):
        ranges[index] = drift.usable_range(directions[index])
    return dataclasses.replace(directions, ranges=tuple(ranges)), {"threshold": drift.threshold, "usual": drift.usual}
