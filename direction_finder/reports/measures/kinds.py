"""Read reports of metrics, and check that they hold what they say; versions since 0.1.0 wrote such reports."""

from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict

from msgspec import Meta

from direction_finder.errors import InputError
from direction_finder.files import checked, read_json

Count = Annotated[int, Meta(ge=0)]
Names = list[str | None]


class Interval(TypedDict):
    """A figure with its interval."""

    value: float
    low: float
    high: float


Intervals = Annotated[list[Interval], Meta(min_length=1)]

FactorsReport = TypedDict(
    "FactorsReport",
    {
        "factors": list[str],
        "effects": list[list[float]],
        "names": Names,
        "shares": list[tuple[str, float]],
        "scores": dict[str, Interval],
        "strongest": list[Count],
        "slopes": NotRequired[list[list[float]]],
        "spreads": NotRequired[list[float]],
        "class_flips": NotRequired[list[float]],
        "directions": NotRequired[Count],
        "samples": NotRequired[Count],
        "seed": NotRequired[Count],
        "class": NotRequired[str],
        "direction_names": NotRequired[Names],
    },
)


class Spread(TypedDict):
    """The spread of a factor before and after an alignment."""

    before: Interval
    after: Interval
    kept: Interval


class Alignment(TypedDict):
    """The spreads of all factors for the alignment along one direction."""

    direction: Count
    spreads: dict[str, Spread]


class AlignmentReport(TypedDict):
    """The report of `alignment`."""

    of: dict[str, Alignment]


class DiagonalityReport(TypedDict):
    """The report of `diagonality`."""

    percent: Interval
    ratio: Interval
    percent_bending: Interval
    ratio_of_sums: Interval
    interactions: NotRequired[list[list[float]]]
    directions: NotRequired[Count]
    samples: NotRequired[Count]


class ShareReport(Interval):
    """The report of `share`."""

    random: NotRequired[Interval]
    samples: NotRequired[Count]


class ActivenessReport(TypedDict):
    """The report of `activeness`."""

    of: Intervals
    active: Count
    samples: NotRequired[Count]
    direction_names: NotRequired[Names]


class PathsReport(TypedDict):
    """The report of `paths`."""

    of: Intervals
    features: str
    samples: NotRequired[Count]
    direction_names: NotRequired[Names]


class DistanceReport(TypedDict):
    """The report of `ppl`, `fid` or `kid`; a Frechet distance has no interval."""

    value: float
    features: str
    low: NotRequired[float]
    high: NotRequired[float]
    samples: NotRequired[Count]


class Frechet(TypedDict):
    """The distance of generated images from renders."""

    generated: float


class FidelityReport(TypedDict):
    """The report of `fidelity`."""

    frechet: Frechet
    features: str
    asked: NotRequired[dict[str, float]]
    distances: NotRequired[dict[str, float]]
    samples: NotRequired[Count]


KINDS: dict[str, Any] = {
    "factors": FactorsReport,
    "alignment": AlignmentReport,
    "diagonality": DiagonalityReport,
    "share": ShareReport,
    "activeness": ActivenessReport,
    "paths": PathsReport,
    "ppl": DistanceReport,
    "fid": DistanceReport,
    "kid": DistanceReport,
    "fidelity": FidelityReport,
}


def read_report(path: Path) -> Any:
    """Return the report of the metric after which a file is named. Raises InputError unless it is one."""
    try:
        return check_report(path.stem, read_json(path), str(path))
    except InputError as error:
        raise InputError(f"{error}; run `measure` again, or delete the file") from error


def read_together(path: Path) -> dict[str, dict[str, Any]]:
    """Return the reports of several targets, by target and metric. Raises InputError unless they are reports."""
    targets: dict[str, dict[str, Any]] = read_json(path, dict[str, dict[str, Any]])
    for target, reports in targets.items():
        for name in KINDS.keys() & reports.keys():
            check_report(name, reports[name], f"{path}: {name} of {target}")
    return targets


def check_report(name: str, report: Any, source: str) -> Any:
    """Return a report unchanged if it is one of the metric; otherwise raise InputError. source: what it begins with."""
    checked(report, source, KINDS[name])
    if problem := _contradiction(name, report):
        raise InputError(f"{source}: {problem}")
    return report


def _contradiction(name: str, report: dict[str, Any]) -> str | None:
    """Describe parts of a report that do not fit together; None if all do."""
    if name == "factors":
        directions, factors = len(report["effects"]), len(report["factors"])
        if any(len(row) != factors for row in report["effects"]):
            return f"effects do not have one number for each of {factors} factors"
        if not len(report["names"]) == len(report["shares"]) == directions:
            return f"names and shares are not those of {directions} directions"
        if sorted(report["strongest"]) != list(range(directions)):
            return f"strongest does not list each of {directions} directions once"
    if name == "activeness" and report["active"] > len(report["of"]):
        return f"{report['active']} of {len(report['of'])} directions are active"
    if name in ("ppl", "fid", "kid") and ("low" in report) != ("high" in report):
        return "one end of the interval is missing"
    return None
