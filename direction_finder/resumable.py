"""Take long measurements in parts. A caller can cache the parts, so that an interrupted measurement resumes there."""

from collections.abc import Callable
from functools import partial

from torch import Tensor

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


def in_parts(
    count: int,
    take: Callable[[int], Tensor],
    phase: str,
    unit: str,
    *,
    cache: Cache = uncached,
    on_step: OnStep | None = None,
) -> list[Tensor]:
    """Return [take(0), take(1), ... take(count - 1)], each cached and reported as one part of the phase."""
    parts = []
    for number in range(count):
        parts.append(cache(f"{number}", partial(take, number)))
        if on_step:
            on_step(Progress(number + 1, count, phase, unit=unit))
    return parts
