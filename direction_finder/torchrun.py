"""Share the points of one search among the processes that `torchrun` starts.

All processes do the same, but each measures only every n-th point. The first one decides and writes files. Outside
`together`, there is one process.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed

Value = TypeVar("Value")
PATIENCE = timedelta(days=1)  # for the others; if one of them dies, torchrun ends the rest
_joined: list[bool] = []  # True while the processes work together


@contextmanager
def together() -> Iterator[None]:
    """Let the processes of `torchrun` work together; do nothing in any other process.

    Matrices travel between CPUs, so gloo serves for GPUs too. Each process takes the GPU of its number.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ or int(os.environ.get("WORLD_SIZE", 1)) < 2:
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    distributed.init_process_group("gloo", timeout=PATIENCE)
    _joined.append(True)
    try:
        yield
    finally:
        _joined.clear()
        distributed.destroy_process_group()


def count() -> int:
    """Return the number of processes."""
    return distributed.get_world_size() if _joined else 1


def number() -> int:
    """Return the number of this process; 0 is the first, which decides and writes."""
    return distributed.get_rank() if _joined else 0


def from_first(value: Callable[[], Value]) -> Value:
    """Return `value()` of the first process, in all of them. It must be picklable."""
    if not _joined:
        return value()
    values = [value() if number() == 0 else None]
    distributed.broadcast_object_list(values, src=0)
    return values[0]  # type: ignore[return-value]


def gathered(mine: Tensor) -> list[Tensor]:
    """Return the tensors of all processes, of one shape and on the CPU, in their order."""
    if not _joined:
        return [mine]
    parts = [torch.empty_like(mine) for _ in range(count())]
    distributed.all_gather(parts, mine.contiguous())
    return parts


def total(*numbers: int) -> list[int]:
    """Return the sums of whole numbers over all processes."""
    return torch.stack(gathered(torch.tensor(numbers))).sum(0).tolist()
