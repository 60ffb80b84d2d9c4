"""Read the ranking in a run folder, `rank.json`, and check that it fits the directions."""

from pathlib import Path
from typing import Annotated, NotRequired, TypedDict

from msgspec import Meta

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.files import RANK, read_json

CURE = "run `rank` again, or delete the file"
Count = Annotated[int, Meta(ge=0)]


class SignalRecord(TypedDict):
    """A signal of a ranking: a value for each direction, and that which 95 % of random directions stay below."""

    values: list[float]
    chance: float
    where: NotRequired[list[str]]


RankReport = TypedDict(
    "RankReport",
    {
        "directions_sha256": str,
        "short_list": list[Count],
        "order": NotRequired[list[Count]],
        "signals": NotRequired[dict[str, SignalRecord]],
        "drift": NotRequired[dict[str, float] | None],
        "distortion": NotRequired[dict[str, float] | None],
        "with": NotRequired[list[str]],
        "samples": NotRequired[Count],
        "hessians": NotRequired[Count],
        "seed": NotRequired[Count],
    },
)


def read_rank(folder: Path, directions: Directions) -> RankReport | None:
    """Return the ranking in a folder; None if there is none, or if it ranks other directions.

    Raises InputError if the file is damaged, or names directions that do not exist.
    """
    path = folder / RANK
    if not path.exists():
        return None
    report = _typed(path)
    return (
        _fitting(report, path, len(directions)) if report["directions_sha256"] == directions.straight.sha256 else None
    )


def check_rank(path: Path) -> RankReport:
    """Return the content of a rank.json if its parts fit one another, whatever it ranks; otherwise raise InputError."""
    report = _typed(path)
    return _fitting(report, path, _count(report))


def _typed(path: Path) -> RankReport:
    try:
        return read_json(path, RankReport)
    except InputError as error:
        raise InputError(f"{error}; {CURE}") from error


def _fitting(report: RankReport, path: Path, count: int) -> RankReport:
    """Return a ranking of this number of directions; raise InputError if it is of another number."""
    if problem := _contradiction(report, count):
        raise InputError(f"{path}: {problem}; {CURE}")
    return report


def _count(report: RankReport) -> int:
    """Return the number of directions that a ranking is of, as far as it says so."""
    for signal in report.get("signals", {}).values():
        return len(signal["values"])
    return len(report["order"]) if "order" in report else max(report["short_list"], default=-1) + 1


def _contradiction(report: RankReport, count: int) -> str | None:
    """Describe what does not fit to this number of directions; None if everything does."""
    if wrong := [number for number in report["short_list"] if number >= count]:
        return f"direction {wrong[0]} in short_list, but there are {count}"
    if len(set(report["short_list"])) < len(report["short_list"]):
        return "short_list names a direction twice"
    if "order" in report and sorted(report["order"]) != list(range(count)):
        return f"order does not list each of {count} directions once"
    for name, signal in report.get("signals", {}).items():
        if len(signal["values"]) != count or len(signal.get("where", ())) not in (0, count):
            return f"the signal {name} does not have one value for each of {count} directions"
    return None
