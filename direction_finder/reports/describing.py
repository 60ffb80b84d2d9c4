"""What anything is: a run from its headers, which needs no torch, and all else by reading it."""

from pathlib import Path

from direction_finder.class_names import KNOWN
from direction_finder.errors import DirectionFinderError, InputError
from direction_finder.reports.headers import Facts, from_headers
from direction_finder.runs.latest import newest_run


def describe(target: str | Path, *, check: bool = False) -> Facts:
    """Say what a file, a run or a generator is, how it was made, and what is wrong with it ("problems").

    target: a run folder (or "latest"), a directions file, a data set, samples, a recipe, an image or video of ours, a
    generator's weights, folder or name, a factor network, or a matrix of directions. check: read a run's tensors too.

    >>> df.describe("outputs/demo")["problems"]

    It needs no torch for a run. Raises InputError if there is no such thing.
    """
    path = Path(newest_run(target))
    if not path.exists() and str(target) not in KNOWN and ":" not in str(target):
        raise InputError(f"{target}: no such file or folder, nor a generator of that name")
    facts: Facts = {"path": str(path)}
    problems: list[str] = []
    try:
        told = None if check else from_headers(path, problems)
        if told is None:
            from direction_finder.reports.described import described, of_spec  # imports torch

            told = described(path, problems) if path.exists() else of_spec(str(target))
        facts |= told
    except DirectionFinderError as error:
        facts.setdefault("kind", "unreadable")
        problems.append(str(error))
    return {**facts, "problems": problems}
