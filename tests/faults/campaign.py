"""Try thousands of faults and write a table of what was survived; `make campaign` runs this."""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from tests.faults import crashes, forks, inputs
from tests.faults.scenarios import SCENARIOS, build

ROWS = {
    "kill": "random SIGKILL",
    "crash": "crash points (before every write, rename and deletion)",
    "signal": "SIGINT, SIGTERM, SIGHUP at a write",
    "full": "full disk from a write on",
    "pair": "two processes in one folder, every pair of writing verbs",
    "input": "bad input",
}
BEGIN, END = "<!-- campaign -->", "<!-- /campaign -->"
SIGNALS = ("int", "term", "hup")
TOGETHER = (  # verbs that write in the same folder
    ("rank", "bend", "name", "measure", "render grid", "render video", "align", "edit", "page"),
    ("learn", "import", "train progan", "finetune", "train biggan", "scenes"),
    ("learn --resume", "learn --resume"),
    ("train progan --resume", "train progan --resume"),
)


class Job(NamedTuple):
    """One fault. first, second: numbers of scenarios. number: of the write, or the seed."""

    kind: str
    first: int = 0
    second: int = 0
    number: int = 0


def jobs(writes: list[int], sizes: dict[str, int], seed: int) -> Iterator[Job]:
    """Yield the faults to try.

    writes: how often each scenario writes. sizes: how many of each kind; 0: all there are.
    """
    dice = random.Random(seed)
    points = [Job("crash", first, 0, at) for first, count in enumerate(writes) for at in range(count)]
    names = [scenario.name for scenario in SCENARIOS]
    pairs = [Job("pair", names.index(a), names.index(b)) for group in TOGETHER for a in group for b in group]
    drawn = {
        "crash": points,
        "pair": list(dict.fromkeys(pairs)),
        "signal": [point._replace(kind="signal", second=n % len(SIGNALS)) for n, point in enumerate(points)],
        "full": [point._replace(kind="full") for point in points],
        "kill": [Job("kill", dice.randrange(len(names)), 0, dice.randrange(2**31)) for _ in range(sizes["kill"])],
        "input": [Job("input", number=seed + number) for number in range(sizes["input"])],
    }
    for kind, every in drawn.items():
        yield from dice.sample(every, sizes[kind]) if 0 < sizes[kind] < len(every) else every


def perform(job: Job, template: Path) -> list[str]:
    """Try one fault and return what is wrong."""
    work = _work()
    if job.kind == "input":
        fault, wrong, outcome = inputs.tried(template / "inputs", job.number, work, forks.here)
        return [f"{wrong}: {fault.what}: {_shown(fault.command)}: {outcome.stderr.strip()[-300:]}"] if wrong else []
    scenario, plain = SCENARIOS[job.first], template / "plain"
    expected = _expected(job.first, plain)
    if job.kind == "crash":
        return crashes.crash(plain, scenario, job.number, expected, work)
    if job.kind == "signal":
        return crashes.signalled(plain, scenario, job.number, SIGNALS[job.second], expected, work)
    if job.kind == "full":
        return crashes.full(plain, scenario, job.number, expected, work)
    if job.kind == "pair":
        return crashes.pair(plain, scenario, SCENARIOS[job.second], expected, work)
    after = random.Random(job.number).random() * expected.seconds
    return crashes.kill(plain, scenario, after, expected, work)


@cache
def _work() -> Path:
    """Return this process's own folder."""
    return Path(tempfile.mkdtemp(prefix="faults-"))


@cache
def _expected(number: int, template: Path) -> crashes.Reference:
    return crashes.reference(template, SCENARIOS[number], _work())


def _shown(command: tuple) -> str:
    return " ".join(str(part)[:30] for part in command)


def _described(job: Job) -> str:
    first, second = (SCENARIOS[number].name for number in (job.first, job.second))
    return f"{job.kind} {first if job.kind != 'input' else ''} {second if job.kind == 'pair' else job.number}"


def table(tried: Counter, failed: Counter) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| test | run | survived | failed |"
    yield "|---|---|---|---|"
    for kind, text in ROWS.items():
        if tried[kind]:
            yield f"| {text} | {tried[kind]:,} | {tried[kind] - failed[kind]:,} | {failed[kind]:,} |"


def _templates(folder: Path) -> list[int]:
    """Make the folders that the faults begin with; return how often each scenario writes."""
    for name in ("plain", "inputs"):
        (folder / name).mkdir()
        build(folder / name)
    inputs.extend(folder / "inputs")
    return [_expected(number, folder / "plain").writes for number in range(len(SCENARIOS))]


def main() -> None:
    """Try the faults, print those that were not survived, and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for kind, count in {"kill": 100, "crash": 0, "signal": 100, "full": 100, "pair": 0, "input": 2000}.items():
        parser.add_argument(f"--{kind}", type=int, default=count, help=f"{ROWS[kind]}: how many; 0: all; -1: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help=f"page to write the table into, between {BEGIN} and {END}")
    given = parser.parse_args()
    sizes = {kind: max(0, getattr(given, kind)) for kind in ROWS}
    began, tried, failed = time.monotonic(), Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(given.workers, get_context("spawn")) as pool:
        wanted = [job for job in jobs(_templates(Path(folder)), sizes, given.seed) if getattr(given, job.kind) >= 0]
        try:
            for job, wrong in zip(wanted, pool.map(perform, wanted, [Path(folder)] * len(wanted)), strict=True):
                tried[job.kind] += 1
                failed[job.kind] += bool(wrong)
                if wrong:
                    print(_described(job), wrong, flush=True)
                if sum(tried.values()) % 100 == 0:
                    print(f"{sum(tried.values())} of {len(wanted)}", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    about = f"{datetime.now(UTC):%Y-%m-%d}, commit {commit.stdout.strip()}, seed {given.seed}, "
    text = "\n".join([*table(tried, failed), "", f"{about}{(time.monotonic() - began) / 60:.0f} minutes."])
    print(text)
    if given.out:
        before, _, rest = given.out.read_text(encoding="utf-8").partition(BEGIN)
        given.out.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    sys.exit(bool(sum(failed.values())))


if __name__ == "__main__":
    main()
