"""Take long measurements in parts. A caller can cache the parts, so that an interrupted measurement resumes there.

The processes of `torchrun` share the parts. Each is what one process would measure, so the results are the same.
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor

from direction_finder import torchrun
from direction_finder.progress import OnStep, Progress

Cache = Callable[
    [str, Callable[[], Tensor]], Tensor
]  # (key, take) -> the tensor cached under the key, or else the result of `take`


def uncached(key: str, take: Callable[[], Tensor]) -> Tensor:
    """Return the result of `take` without caching it."""
    return take()


def prefixed(cache: Cache, prefix: str) -> Cache:
    """Return a cache that adds `prefix` to the keys of `cache`."""
    return lambda key, take: cache(f"{prefix} {key}", take)


def once(cache: Cache, key: str, take: Callable[[], Tensor]) -> Tensor:
    """Return one part, which the first process takes for all."""
    return torchrun.from_first(lambda: cache(key, take))


def in_parts(
    count: int,
    take: Callable[[int], Tensor],
    phase: str,
    unit: str,
    *,
    cache: Cache = uncached,
    on_step: OnStep | None = None,
) -> list[Tensor]:
    """Return [take(0), take(1), ... take(count - 1)], each cached and reported as one part of the phase.

    Only the first process of `torchrun` caches and reports.
    """
    rounds = _Rounds(count, take)
    if torchrun.number():
        return rounds.joined()
    parts = []
    for number in range(count):
        parts.append(cache(f"{number}", partial(rounds.part, number)))
        if on_step:
            on_step(Progress(number + 1, count, phase, unit=unit))
    return torchrun.from_first(lambda: parts)


class _Rounds:
    """Takes parts in rounds, one part for each process. The first process says where a round begins."""

    def __init__(self, count: int, take: Callable[[int], Tensor]):
        self.count, self.take = count, take
        self.round: dict[int, Tensor | None] = {}

    def part(self, number: int) -> Tensor:
        """Return a part, in the first process."""
        if torchrun.count() == 1:
            return self.take(number)
        if number not in self.round:
            self._begin(torchrun.from_first(lambda: number))
        part = self.round.pop(number)
        assert part is not None
        return part

    def joined(self) -> list[Tensor]:
        """Take part in rounds, in the other processes, until the first one returns all parts."""
        while isinstance(sent := torchrun.from_first(lambda: 0), int):
            self._begin(sent)
        return sent

    def _begin(self, first: int) -> None:
        own = first + torchrun.number()
        parts = torchrun.gathered(lambda: self.take(own).cpu() if own < self.count else None)
        self.round = dict(enumerate(parts, start=first))
