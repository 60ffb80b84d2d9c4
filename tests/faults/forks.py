"""Run commands in processes that fork from one that has imported everything, and stop them at a chosen write."""

import errno
import multiprocessing
import os
import signal
import sys
import time
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from direction_finder.commands import main

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(
    [
        *(
            f"direction_finder.commands.actions.{verb}"
            for verb in ("learn", "measure", "render", "rank", "edit", "align", "bend")
        ),
        *("direction_finder.commands.actions.train", "direction_finder.commands.actions.import_"),
        *(
            "direction_finder.reports.pages.page",
            "direction_finder.reports.info",
            "torch._dynamo",
            "tests.faults.forks",
        ),
    ]
)
WRITES = {  # audit events that change files, and which of their arguments are paths
    "open": (0,),
    "os.rename": (0, 1),
    "os.remove": (0,),
    "os.rmdir": (0,),
    "os.mkdir": (0,),
    "os.truncate": (0,),
    "os.symlink": (1,),
}
KILLED = 137
SIGNALS = {"pause": signal.SIGSTOP, "int": signal.SIGINT, "term": signal.SIGTERM, "hup": signal.SIGHUP}
LIMIT = 60.0  # seconds after which a command counts as hanging


@dataclass(frozen=True)
class Outcome:
    """What became of a command. code: of its exit; None if it was still running after the limit. writes: how many."""

    code: int | None
    stdout: str
    stderr: str
    writes: int
    seconds: float

    @property
    def clean(self) -> bool:
        """Whether a failure was told as it should be: one line, no traceback."""
        if self.code == 0:
            return "Traceback" not in self.stderr
        last = [line for line in self.stderr.splitlines() if line.strip()][-1:]
        return self.code == 2 and "Traceback" not in self.stderr and bool(last) and last[0].startswith("Error: ")


class Running:
    """A command in a process of its own, below the folder `root`, whose writes there are counted.

    at: the number of the write at which something happens. how: "kill", one of SIGNALS (a pause lasts until `go_on`),
    or "full": from then on the disk is full.
    """

    def __init__(self, root: Path, arguments: list[Any], at: int | None = None, how: str = "kill"):
        self.files = [root / f".{name}-{time.monotonic_ns()}" for name in ("out", "err", "count")]
        self.began = time.monotonic()
        texts = [str(argument) for argument in arguments]
        self.process: BaseProcess = FORKED.Process(target=_run, args=(root, texts, at, how, self.files))
        self.process.start()

    def wait_until_paused(self) -> bool:
        """Wait until the process is paused; return False if it ended instead."""
        while self.process.is_alive():
            if _state(self.process.pid) == "T":
                return True
            time.sleep(0.002)
        return False

    def go_on(self) -> None:
        """Let a paused process go on."""
        os.kill(self.process.pid or 0, signal.SIGCONT)

    def finish(self, limit: float = LIMIT) -> Outcome:
        """Wait for the end and return what happened; kill what takes longer than the limit."""
        self.process.join(limit)
        hangs = self.process.is_alive()
        if hangs:
            self.process.kill()
            self.process.join()
        texts = [path.read_text(errors="replace") if path.exists() else "" for path in self.files]
        for path in self.files:
            path.unlink(missing_ok=True)
        code = None if hangs else self.process.exitcode
        return Outcome(code, texts[0], texts[1], len(texts[2]), time.monotonic() - self.began)


def run(root: Path, *arguments: Any, at: int | None = None, how: str = "kill") -> Outcome:
    """Run a command and return what happened. at, how: see `Running`."""
    return Running(root, list(arguments), at, how).finish()


def here(root: Path, *arguments: Any) -> Outcome:
    """Run a command in this process, which takes a fraction of the time, and return what happened."""
    os.environ |= {"DIRECTION_FINDER_CONFIG": f"{root}/settings", "DIRECTION_FINDER_CACHE": f"{root}/cache"}
    os.chdir(root)
    began, before = time.monotonic(), signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        seconds = time.monotonic() - began
        return Outcome(None if seconds >= LIMIT else result.exit_code, result.stdout, result.stderr, 0, seconds)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _give_up(*_: Any) -> None:
    raise TimeoutError


def _state(process: int | None) -> str:
    """Return the state letter of a process: R, S, T (stopped), Z."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


def _run(root: Path, arguments: list[str], at: int | None, how: str, files: list[Path]) -> None:
    import torch

    from direction_finder.training import biggan

    biggan.MEASURED = 12  # instead of the statistics of 510 images
    for number, path in enumerate(files[:2], start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
    counter = os.open(files[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.environ |= {"DIRECTION_FINDER_CONFIG": f"{root}/settings", "DIRECTION_FINDER_CACHE": f"{root}/cache"}
    os.chdir(root)
    torch.set_num_threads(1)
    done = 0

    def count(event: str, given: tuple) -> None:
        nonlocal done
        if event not in WRITES or not _changes(event, given, root):
            return
        number, done = done, done + 1
        os.write(counter, b".")
        if how == "full" and at is not None and number >= at and event == "open":
            raise OSError(errno.ENOSPC, "No space left on device", str(given[0]))
        if number == at and how == "kill":
            os._exit(KILLED)
        if number == at and how in SIGNALS:
            os.kill(os.getpid(), SIGNALS[how])

    sys.addaudithook(count)
    main(arguments)


def _changes(event: str, given: tuple, root: Path) -> bool:
    """Return whether an event changes a file below the root, apart from those in which its output is kept."""
    if event == "open":
        _, mode, flags = given
        writes = set(mode or "") & set("wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if not writes:
            return False
    paths = (given[index] for index in WRITES[event])
    return any(isinstance(path, str | os.PathLike) and _below(os.fspath(path), root) for path in paths)


def _below(path: str, root: Path) -> bool:
    return os.path.abspath(path).startswith(f"{root}/")
