"""Carry out what is left of a sweep, here or on a cluster, and count what is done, failed and left."""

import dataclasses
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from direction_finder.parallel import Died, Stopping, available_cores, in_lasting_processes
from direction_finder.progress import OnStep, Progress
from direction_finder.runs.trust import remember
from direction_finder.settings import MOST_THREADS, SAVE_EVERY, check_number
from direction_finder.sweeps import cluster, page, table
from direction_finder.sweeps.plan import shard_of
from direction_finder.sweeps.table import Row
from direction_finder.sweeps.tasks import DONE, FAILED, LEFT, Outcome, Task, carry_out

MOST_WORKERS = 1024


@dataclasses.dataclass(frozen=True)
class How:
    """Hold how a sweep is carried out.

    workers: number of processes (None: one a core, or a single one on a GPU); 1: this process. threads: of each
    worker. shard: (number, count), counted from 1: carry out only every count-th run. address: of a Ray cluster that
    carries out the runs. upload: address to which finished runs are copied. rank: also rank and render them.
    """

    workers: int | None = None
    threads: int = 1
    shard: tuple[int, int] | None = None
    save_every: float = SAVE_EVERY
    address: str | None = None
    upload: str | None = None
    rank: bool = False

    def __post_init__(self) -> None:
        if self.workers is not None:
            check_number("workers", self.workers, int, least=1, most=MOST_WORKERS)
        check_number("threads", self.threads, int, least=1, most=MOST_THREADS)
        check_number("save_every", self.save_every, float, least=0)
        if self.shard is not None:
            shard_of([], self.shard)
        if self.address is not None:
            cluster.check_address(self.address)

    def workers_for(self, device: str, runs: int) -> int:
        """Return the number of processes for so many runs."""
        return max(1, min(runs, self.workers or (available_cores() if device == "cpu" else 1)))


def finished(
    out: Path,
    rows: Mapping[str, Row],
    tasks: Mapping[str, Task],
    how: How,
    uploaded: Callable[[Path], None],
    on_step: OnStep | None,
) -> list[Row]:
    """Carry out the tasks and return the table, which is written also if that is interrupted; the page is not.

    rows: of all runs, as they are before they begin. tasks: those that are left, by the names of their runs. uploaded:
    is called with the folder of each run that is finished.
    """
    wanted, names, outcomes = list(shard_of(list(rows), how.shard)), list(tasks), dict[str, Outcome]()
    report = _Report(len(wanted), len(wanted) - len(tasks), on_step)
    for name in wanted:
        if name not in tasks:
            uploaded(out / name)
    try:
        with closing(_results(list(tasks.values()), how, report.stopping)) as results:
            for number, result in results:
                outcome = Outcome(FAILED, _death(result)) if isinstance(result, Died) else result
                if outcome.ending:
                    raise outcome.ending
                outcomes[names[number]] = outcome
                if outcome.status == DONE:
                    uploaded(out / names[number])
                report.count(outcome)
    finally:
        listed = table.update(out, rows, outcomes)
    if not report.stopped:
        page.write_sweep_page(out, listed)
    return listed


def _results(tasks: Sequence[Task], how: How, stopping: Stopping) -> Generator[tuple[int, Outcome | Died], None, None]:
    """Yield the numbers and outcomes of tasks, from processes here or from a cluster."""
    if not how.address:
        workers = how.workers_for(tasks[0].source.device, len(tasks)) if tasks else 1
        yield from in_lasting_processes(carry_out, tasks, workers, stopping)
        return
    for number, result in cluster.in_cluster(tasks, how.workers, stopping):
        if isinstance(result, Outcome) and result.status == DONE:
            remember(tasks[number].folder, tasks[number].record["spec"])  # as the node did for its own user
        yield number, result


def _death(died: Died) -> str:
    code = "" if died.code is None else f" (exit code {died.code})"
    return (
        f"its worker process died each time{code}, perhaps because memory ran out: repeat the sweep with fewer workers"
    )


class _Report:
    """Counts what is done, failed and left, tells `on_step`, and asks it whether to stop."""

    def __init__(self, total: int, done: int, on_step: OnStep | None):
        self.total, self.done, self.failed, self.on_step = total, done, 0, on_step
        self.stopped = False

    def count(self, outcome: Outcome) -> None:
        """Count a run that has ended."""
        self.done += outcome.status == DONE
        self.failed += outcome.status == FAILED
        if outcome.status != LEFT:
            self.stopping()

    def stopping(self) -> bool:
        """Report the counts; return whether the sweep was asked to stop."""
        ended = self.done + self.failed
        if self.on_step and not self.stopped:
            values: dict[str, float] = {"done": self.done, "failed": self.failed, "left": self.total - ended}
            progress = Progress(ended, self.total, "sweep", values, unit="run")
            self.on_step(progress)
            self.stopped = progress.stopped
        return self.stopped
