"""Measure how much memory a piece of work needs: of the whole process, or of the GPU's allocator."""

import ctypes
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

from direction_finder.errors import InputError

STATUS = Path("/proc/self/status")  # of this process, on Linux
RESET = Path("/proc/self/clear_refs")


class PeakMeter:
    """Measures bytes in use, and the most that were in use since `start`.

    The system's peak is that of the whole life of the process. Linux can begin it anew; elsewhere an earlier peak hides
    smaller ones, and `need` returns too much. highest: the highest peak so far, also before the last `start`.
    """

    def __init__(self, device: torch.device):
        self.device = device
        self.highest = self.base = 0

    def start(self) -> None:
        """Return unused memory to the system and begin to measure."""
        self.highest = max(self.highest, peak(self.device))
        release()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            with suppress(OSError):  # a system without it, or one that does not allow it
                RESET.write_text("5")
        self.base = in_use(self.device)

    def need(self) -> int:
        """Return how many bytes were in use at most since `start`, beyond those in use then."""
        now = peak(self.device)
        self.highest = max(self.highest, now)
        return max(0, now - self.base)


def peak(device: torch.device) -> int:
    """Return the peak of the bytes in use, since the process began or since it was begun anew."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if (found := _status("VmHWM")) is not None:
        return found
    try:
        import resource
    except ImportError as error:
        raise InputError("memory_limit: this system does not report memory use; set `max_batch` instead") from error
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def in_use(device: torch.device) -> int:
    """Return the bytes in use now."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    if (found := _status("VmRSS")) is not None:
        return found
    listed = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, text=True, check=True)
    return int(listed.stdout) * 1024


def release() -> None:
    """Return unused memory to the system, where the C library can: glibc keeps much of it."""
    trim: Callable[[int], int] | None = (
        getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    )
    if trim:
        trim(0)


def _status(name: str) -> int | None:
    """Return an amount of memory in Linux's status of this process, in bytes; None if the system has no such thing."""
    found = re.search(rf"^{name}:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE) if STATUS.exists() else None
    return int(found[1]) * 1024 if found else None
