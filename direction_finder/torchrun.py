"""Share one command's work among the processes that `torchrun` starts.

All processes do the same, but of what can be shared each does only its part. The first one decides and writes files.
Outside `together`, there is one process.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, distributed

from direction_finder.errors import Unfinished

Value = TypeVar("Value")
Task = TypeVar("Task")
Number = TypeVar("Number", int, float)
PATIENCE = timedelta(days=1)  # for the others; if one of them dies, torchrun ends the rest
_joined: list[bool] = []  # True while the processes work together


@contextmanager
def together() -> Iterator[None]:
    """Let the processes of `torchrun` work together; do nothing in any other process.

    Tensors travel between CPUs, so gloo serves for GPUs too. Each process takes the GPU of its number. Raises
    Unfinished if another process ends before its time.
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
        distributed.barrier()  # until the first has written: if another fails at its exit, torchrun ends the first
    except RuntimeError as error:
        if "gloo" not in str(error):  # the path of a source file, in every error of a connection
            raise
        raise Unfinished("another process of torchrun has ended: repeat the command to resume") from error
    finally:
        _joined.clear()
        distributed.destroy_process_group()


@contextmanager
def alone() -> Iterator[None]:
    """Let this process work by itself for a while, while the others go on or wait for it."""
    joined = _joined.copy()
    _joined.clear()
    try:
        yield
    finally:
        _joined.extend(joined)


def count() -> int:
    """Return the number of processes."""
    return distributed.get_world_size() if _joined else 1


def number() -> int:
    """Return the number of this process; 0 is the first, which decides and writes."""
    return distributed.get_rank() if _joined else 0


def from_first(value: Callable[[], Value]) -> Value:
    """Return `value()` of the first process, in all of them. It must be picklable; its errors are raised in all."""
    if not _joined:
        return value()
    outcome = _outcome(value) if number() == 0 else None
    sent: list = [outcome and _sent(outcome)]
    distributed.broadcast_object_list(sent, src=0)
    return _opened(sent, outcome)[0]


def agreed(value: bool) -> bool:
    """Return the first process's answer to a question, in all of them."""
    return from_first(lambda: value)


def gathered(value: Callable[[], Value]) -> list[Value]:
    """Return what `value` returns in every process, in their order. It must be picklable; see `from_first`."""
    if not _joined:
        return [value()]
    outcome = _outcome(value)
    sent: list = [None] * count()
    distributed.all_gather_object(sent, _sent(outcome))
    return _opened(sent, outcome)


def shared(tasks: Sequence[Task], do: Callable[[Task], Value]) -> Iterator[Value]:
    """Yield `do(task)` for every task, in their order, in all processes; in every round, each process does one of them.

    The tasks are the same in all processes, and should take equally long; the results must be picklable.
    """
    for start in range(0, len(tasks), count()):
        for results in gathered(partial(_done, do, tasks[start + number() : start + count()][:1])):
            yield from results


def _done(do: Callable[[Task], Value], tasks: Sequence[Task]) -> list[Value]:
    return [do(task) for task in tasks]


def total(*numbers: Number) -> list[Number]:
    """Return the sums of numbers over all processes."""
    return [sum(each) for each in zip(*gathered(lambda: numbers), strict=True)]


def summed(mine: Tensor) -> Tensor:
    """Return the sum of the tensors of all processes, of one shape, on the device of this one's."""
    if not _joined:
        return mine
    result = mine.detach().cpu().clone()
    distributed.all_reduce(result)
    return result.to(mine)


def part(rows: Tensor, axis: int = 0) -> Tensor:
    """Return this process's part of rows that are the same in all processes: consecutive ones."""
    return rows.tensor_split(count(), axis)[number()] if _joined else rows


def average_gradients(optimiser: torch.optim.Optimizer) -> None:
    """Replace the gradients that an optimiser uses by their means over all processes."""
    if not _joined:
        return
    gradients = [each.grad for group in optimiser.param_groups for each in group["params"] if each.grad is not None]
    means = summed(torch.cat([gradient.flatten() for gradient in gradients])) / count()
    for gradient, mean in zip(gradients, means.split([each.numel() for each in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


Outcome = tuple[Value | None, Exception | None]


def _outcome(value: Callable[[], Value]) -> Outcome[Value]:
    try:
        return value(), None
    except Exception as error:
        return None, error


def _sent(outcome: Outcome[Value]) -> tuple[Value | None, str | None]:
    """Return an outcome as it travels: not every error can be pickled."""
    value, error = outcome
    return value, None if error is None else str(error) or type(error).__name__


def _opened(sent: list[tuple[Value, str | None]], own: Outcome[Value] | None) -> list[Value]:
    """Return the values that were sent. Raises this process's own error, or Unfinished with that of another."""
    if own and own[1]:
        raise own[1]
    for _, error in sent:
        if error:
            raise Unfinished(error)
    return [value for value, _ in sent]
