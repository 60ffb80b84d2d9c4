"""Long measures are taken in parts. Who takes one may keep its parts, so that after a stop it goes on where it was."""

from collections.abc import Callable
from functools import partial

from torch import Tensor

from direction_finder.progress import OnStep, Progress

Keep = Callable[[str, Callable[[], Tensor]], Tensor]  # (key, take) -> what was kept under the key, or what `take` gives


def anew(key: str, take: Callable[[], Tensor]) -> Tensor:
    """Keep nothing."""
    return take()


def under(keep: Keep, prefix: str) -> Keep:
    """The same, for keys that begin with `prefix`."""
    return lambda key, take: keep(f"{prefix} {key}", take)


def in_parts(
    count: int,
    take: Callable[[int], Tensor],
    phase: str,
    unit: str,
    *,
    keep: Keep = anew,
    on_step: OnStep | None = None,
) -> list[Tensor]:
    """take(0), take(1), ... take(count - 1), each a part of its own."""
    found = []
    for number in range(count):
        found.append(keep(f"{number}", partial(take, number)))
        if on_step:
            on_step(Progress(number + 1, count, phase, unit=unit))
    return found
