"""Describe directions for a page: names, how sure we are of each, what it changes, and its strip."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from direction_finder.directions import Directions
from direction_finder.rendering.strips import Strip
from direction_finder.reports.measures.factor_metrics import labels
from direction_finder.runs.ranks import RankReport, SignalRecord

WORDS = {  # signal of `rank`: what it means to be above chance
    "activeness": "changes the image a lot",
    "diagonal": "acts on its own, apart from the others",
    "separate": "has few side effects",
    "steady": "does the same at every point",
    "localised": "acts through one part of the generator",
    "agreement": "is found by other runs too",
}


class Shown(NamedTuple):
    """A strip as a page embeds it.

    label: what the slider is called. alt: what its sheet shows. straight: the source and the alt of the sheet that
    leaves out the curve, if there is one.
    """

    source: str
    width: int
    height: int
    samples: int
    positions: tuple[float, ...]
    reach: float | None
    label: str
    alt: str
    straight: tuple[str, str] | None = None

    @property
    def start(self) -> float:
        """Return the position that is shown first: the one nearest to 0, or the last one."""
        return min(self.positions, key=abs) if min(self.positions) < 0 else self.positions[-1]


class Signal(NamedTuple):
    """A signal of a ranking in words. clear: whether it is above 95 % of random directions."""

    name: str
    words: str
    value: float
    chance: float
    clear: bool


class Bar(NamedTuple):
    """Hold how far a direction changes a factor. share: in percent of the farthest that any direction changes any."""

    factor: str
    value: float
    share: float


@dataclass(frozen=True)
class Card:
    """Hold what a page says about one direction. keys: what the cards can be sorted by."""

    number: int
    name: str | None
    reach: float | None
    strip: Shown | None
    listed: bool
    signals: tuple[Signal, ...] = ()
    moves: str = ""
    bars: tuple[Bar, ...] = ()
    keys: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Return the name, or "direction 3"."""
        return self.name or f"direction {self.number}"

    @property
    def sure(self) -> str:
        """Say in words how many signals are above chance."""
        if not self.signals:
            return ""
        clear = sum(signal.clear for signal in self.signals)
        start = "Stands out" if self.listed else "Does not stand out"
        return f"{start}: above 95 % of random directions in {clear} of {len(self.signals)} signals"


def shown(strip: Strip, label: str, what: str, reach: float | None = None) -> Shown:
    """Return a strip for a page. what: what its images show, e.g. the generator."""
    first, last = strip.positions[0], strip.positions[-1]
    alt = (
        f"{strip.samples} {'sample' if strip.samples == 1 else 'samples'} of {what}, one below the other, in "
        f"{len(strip.positions)} steps along {label} from {first:+.3g} to {last:+.3g}, from left to right"
    )
    source, straight = _source(strip), None
    if strip.straight:
        straight = _source(strip.straight), f"{alt}, along a straight line"
        alt += ", along its curve"
    return Shown(source, *strip.size, strip.samples, strip.positions, reach, label, alt, straight)


def _source(strip: Strip) -> str:
    return f"data:image/webp;base64,{base64.b64encode(strip.sheet).decode()}"


def cards(
    directions: Directions,
    numbers: Sequence[int],
    strips: Mapping[int, Strip],
    what: str,
    ranking: RankReport | None,
    factors: Mapping[str, Any] | None,
) -> list[Card]:
    """Return a card for each of the directions with these numbers, in this order.

    strips: by the number of their direction. what: what images show. ranking, factors: reports, where they are known.
    """
    signals = ranking.get("signals", {}) if ranking else {}
    listed = set(ranking["short_list"]) if ranking else set()
    found = []
    for place, number in enumerate(numbers):
        name, reach = directions.names[number], directions.ranges[number]
        label = f"direction {name or number}"
        words = tuple(_signal(title, signal, number) for title, signal in signals.items())
        bars = _bars(factors, number) if factors else ()
        keys: dict[str, float | str] = {"order": -place, "name": name or f"direction {number}"}
        keys |= {"usable range": reach or 0.0} if any(directions.ranges) else {}
        keys |= {each.name: each.value for each in words} | {f"change of {bar.factor}": bar.value for bar in bars}
        strip = shown(strips[number], label, what, reach) if number in strips else None
        moves = labels(dict(factors), [number])[0] if factors else ""
        found.append(Card(number, name, reach, strip, number in listed, words, moves, bars, keys))
    return found


def _signal(name: str, signal: SignalRecord, number: int) -> Signal:
    value, where = signal["values"][number], signal.get("where", ())
    words = WORDS.get(name, name) + (f" ({where[number]})" if where else "")
    return Signal(name, words, value, signal["chance"], value > signal["chance"])


def _bars(factors: Mapping[str, Any], number: int) -> tuple[Bar, ...]:
    largest = max((value for row in factors["effects"] for value in row), default=0.0)
    effects = zip(factors["factors"], factors["effects"][number], strict=True)
    return tuple(Bar(name, value, 100 * value / largest if largest > 0 else 0.0) for name, value in effects)
