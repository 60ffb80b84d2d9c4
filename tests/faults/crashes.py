"""Crash before every write of every verb, repeat the command, and compare with a run that nothing disturbed."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from direction_finder.locks import LOCK
from tests.faults.forks import KILLED, Outcome, Running, run
from tests.faults.scenarios import Scenario, leftovers, moved, results

STOPPED = (129, 130, 143)  # exit codes after SIGHUP, SIGINT and SIGTERM


class Reference(NamedTuple):
    """What a scenario leaves if nothing disturbs it, how often it writes, and how long it takes."""

    files: dict[str, bytes]
    writes: int
    seconds: float


def reference(template: Path, scenario: Scenario, work: Path) -> Reference:
    """Run a scenario undisturbed. Raises AssertionError if that fails."""
    root = fresh(template, work)
    outcome = run(root, *scenario.arguments)
    assert outcome.code == 0, f"{scenario.name}: {outcome.stderr}"
    assert not (left := list(leftovers(root))), left
    return Reference(results(root, scenario), outcome.writes, outcome.seconds)


def fresh(template: Path, work: Path) -> Path:
    """Return a new copy of the template, always in the same place, as paths are part of what runs record."""
    shutil.rmtree(work / "root", ignore_errors=True)
    moved(template, work / "root")
    return work / "root"


def crash(template: Path, scenario: Scenario, at: int, expected: Reference, work: Path) -> list[str]:
    """Crash before write number `at`, do what a user does then, and return what is wrong."""
    root = fresh(template, work)
    outcome = run(root, *scenario.arguments, at=at)
    if outcome.code != KILLED:
        return [f"not killed: {outcome}"]
    return _healed(root, scenario, expected)


def signalled(template: Path, scenario: Scenario, at: int, how: str, expected: Reference, work: Path) -> list[str]:
    """Send a signal at a write; nothing may be left over even before the command is repeated."""
    root = fresh(template, work)
    outcome = run(root, *scenario.arguments, at=at, how=how)
    if outcome.code not in (0, *STOPPED) or "Traceback" in outcome.stderr:
        return [f"{how}: {outcome.code} {outcome.stderr.strip()[-300:]}"]
    orphans = [text for text in leftovers(root) if text.startswith("orphan") and LOCK not in text]
    return [*orphans, *_healed(root, scenario, expected)]


def full(template: Path, scenario: Scenario, at: int, expected: Reference, work: Path) -> list[str]:
    """Fill the disk from a write on: one line, nothing left over, and the command can be repeated."""
    root = fresh(template, work)
    outcome = run(root, *scenario.arguments, at=at, how="full")
    if outcome.code != 0 and not outcome.clean:
        return [f"full: {outcome.code} {outcome.stderr.strip()[-300:]}"]
    orphans = [text for text in leftovers(root) if text.startswith("orphan") and LOCK not in text]
    return [*orphans, *_healed(root, scenario, expected)]


def kill(template: Path, scenario: Scenario, after: float, expected: Reference, work: Path) -> list[str]:
    """Kill a scenario after a time, do what a user does then, and return what is wrong."""
    root = fresh(template, work)
    running = Running(root, list(scenario.arguments))
    running.process.join(after)
    running.process.kill()
    outcome = running.finish()
    if outcome.code == 0:
        return list(_differences(root, scenario, expected))
    return _healed(root, scenario, expected)


def pair(template: Path, first: Scenario, second: Scenario, expected: Reference, work: Path) -> list[str]:
    """Pause one command while it writes, run another in the same folder, let the first go on; return what is wrong."""
    root = fresh(template, work)
    running = Running(root, list(first.arguments), expected.writes // 2, "pause")
    if not running.wait_until_paused():
        return [f"not paused: {running.finish()}"]
    other = run(root, *second.arguments)
    running.go_on()
    outcome = running.finish()
    wrong = [] if refused(other) else [f"second: {other.code} {other.stderr.strip()[-300:]}"]
    wrong += [] if outcome.code == 0 else [f"first: {outcome.code} {outcome.stderr.strip()[-300:]}"]
    return [*wrong, *leftovers(root), *_differences(root, first, expected)]


def refused(outcome: Outcome) -> bool:
    """Return whether a command was refused because another process had the folder."""
    return outcome.code == 2 and "another process" in outcome.stderr


def _healed(root: Path, scenario: Scenario, expected: Reference) -> list[str]:
    complete = not any(_differences(root, scenario, expected, complete=True))
    again = scenario.again(root)
    if again.code != 0 and not (complete and again.clean):
        return [f"again: {again.code} {again.stderr.strip()[-300:]}"]
    return [*leftovers(root), *_differences(root, scenario, expected, complete)]


def _differences(root: Path, scenario: Scenario, expected: Reference, complete: bool = False) -> Iterator[str]:
    """Yield how files differ. complete: all were there before the command was repeated, which may add a second run."""
    found = results(root, scenario)
    yield from (f"missing {name}" for name in expected.files.keys() - found.keys())
    if not complete:
        extra = found.keys() - expected.files.keys()
        yield from (f"extra {name}" for name in extra if "/previews/" not in name)  # a stopped run makes one more
    yield from (
        f"differs {name}" for name in found.keys() & expected.files.keys() if found[name] != expected.files[name]
    )
