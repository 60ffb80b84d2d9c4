"""Describe any file, run or generator; runs are described from their headers, without torch."""

from pathlib import Path

from direction_finder.class_names import KNOWN
from direction_finder.errors import DirectionFinderError, InputError
from direction_finder.reports.run_headers import Facts, from_headers
from direction_finder.runs.latest import newest_run


def describe(target: str | Path, *, check: bool = False) -> Facts:
    """Describe what a file, a run or a generator is, how it was made, and what is wrong with it (key "problems").

    target: a run folder (or "latest"), a directions file, a data set, samples, a recipe, an image or video made by this
    package, a generator's weights, folder or name, a factor network, or a matrix of directions. check: read a run's
    tensors too.

    >>> df.describe("outputs/demo")["problems"]

    Describing a run does not import torch. Raises InputError if the target does not exist.
    """
    path = Path(newest_run(target))
    if not path.exists() and str(target) not in KNOWN and ":" not in str(target):
        raise InputError(f"{target}: no such file or folder, and no generator of that name")
    if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe has no end
        raise InputError(f"{target}: neither a file nor a folder, but a pipe or a device")
    facts: Facts = {"path": str(path)}
    problems: list[str] = []
    try:
        details = None if check else from_headers(path, problems)
        if details is None:
            from direction_finder.reports.file_facts import described, of_spec  # imports torch

            details = described(path, problems) if path.exists() else of_spec(str(target))
        facts |= details
    except DirectionFinderError as error:
        facts.setdefault("kind", "unreadable")
        problems.append(str(error))
    except OSError as error:  # e.g. a folder that may not be entered
        facts.setdefault("kind", "unreadable")
        problems.append(f"{error.filename or path}: {error.strerror or error}")
    return {**facts, "problems": problems}
