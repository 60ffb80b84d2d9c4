"""Measure the peak memory of whole runs of `learn` under `--memory-limit`, each in a process of its own.

    python -m benchmarks.memory

The peak is the highest that the system reports while a process runs; it is read every 20 ms. A run that is refused must
say the least limit; it is repeated with that limit. The last rows are two long runs, to see whether memory grows.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, product
from pathlib import Path
from typing import NamedTuple

import click

METHODS = {  # enough work to reach every phase: the share meter, the check of the share, solving, scoring, saving
    "jacobian": ["--points", "8", "--keep-going"],
    "hessian-direct": ["--points", "2"],
    "hessian": ["--batch-size", "64", "--steps", "10"],
    "orojar": ["--batch-size", "86", "--steps", "10"],
}
LONG = {
    "jacobian": ["--points", "48", "--keep-going"],
    "hessian": ["--batch-size", "16", "--steps", "200"],
}
GENERATORS = {"shapes-64": ["--class", "cube"], "eyes": []}
LIMITS = ("0.8", "1", "1.5", "2")
LEAST = re.compile(r"give at least ([\d.]+)")
BATCH = re.compile(r"--max-batch (\d+)")


class Outcome(NamedTuple):
    """The result of a run: its peak in GiB, its seconds, its exit status, and what it wrote to stderr."""

    peak: float
    seconds: float
    status: int
    said: str


def run(arguments: Sequence[str], threads: int) -> Outcome:
    """Run `learn` in a process of its own and measure its peak."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as errors:
        command = [sys.executable, "-m", "direction_finder.commands", "learn", *arguments, "--out", f"{folder}/run"]
        began = time.monotonic()
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
        seen, pid = 0.0, 0
        while not pid:
            seen = max(seen, high_water(process.pid))
            time.sleep(0.02)
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        return Outcome(seen or usage.ru_maxrss / 2**20, time.monotonic() - began, process.returncode, errors.read())


def high_water(pid: int) -> float:
    """Return the peak of a process so far in GiB, 0 where the system does not say, or before it runs its program."""
    try:
        if Path(f"/proc/{pid}/cmdline").read_bytes() == Path("/proc/self/cmdline").read_bytes():
            return 0.0  # still the memory of this process, which the system's own figure would count too
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 2**20 if found else 0.0


def rows(
    methods: Mapping[str, Sequence[str]], names: Sequence[str], limits: Sequence[str], threads: Sequence[int]
) -> Iterator[str]:
    """Yield a line of the table for every combination; a refused run is followed by one with the least limit."""
    for name, method, number, limit in product(names, methods, threads, limits):
        common = ["--generator", name, *GENERATORS[name], "--method", method, *methods[method]]
        outcome = run([*common, "--memory-limit", limit], number)
        yield line(name, method, number, limit, outcome)
        if outcome.status and (least := LEAST.search(outcome.said)):
            yield line(name, method, number, least[1], run([*common, "--memory-limit", least[1]], number))


def line(name: str, method: str, threads: int, limit: str, outcome: Outcome) -> str:
    """Return one line of the table."""
    batch = BATCH.search(outcome.said)
    last = outcome.said.strip().splitlines()[-1]
    result = f"`--max-batch {batch[1]}`" if batch and not outcome.status else last
    peak = f"{outcome.peak:.3f}" + (" **above**" if outcome.peak > float(limit) and not outcome.status else "")
    return f"| {name} | {method} | {threads} | {limit} | {peak} | {outcome.seconds:.0f} | {result} |"


@click.command()
@click.option("--generator", "names", multiple=True, default=tuple(GENERATORS), type=click.Choice(list(GENERATORS)))
@click.option("--method", "methods", multiple=True, default=tuple(METHODS), type=click.Choice(list(METHODS)))
@click.option("--limit", "limits", multiple=True, default=LIMITS)
@click.option("--threads", multiple=True, type=int, default=(1, 2))
def main(names: tuple[str, ...], methods: tuple[str, ...], limits: tuple[str, ...], threads: tuple[int, ...]) -> None:
    """Print a table of peaks and limits, line by line."""
    click.echo(
        "| generator | method | threads | limit, GiB | peak, GiB | seconds | result |\n|---|---|---|---|---|---|---|"
    )
    short = rows({method: METHODS[method] for method in methods}, names, limits, threads)
    long = rows({method: LONG[method] for method in methods if method in LONG}, names[:1], ("1",), threads[:1])
    for text in chain(short, long):
        click.echo(text)


if __name__ == "__main__":
    main()
