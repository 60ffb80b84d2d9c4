"""Long measures are taken in parts. Who takes one may keep its parts, so that after a stop it goes on where it was."""

from collections.abc import Callable

from torch import Tensor

Keep = Callable[[str, Callable[[], Tensor]], Tensor]  # (key, take) -> what was kept under the key, or what `take` gives


def anew(key: str, take: Callable[[], Tensor]) -> Tensor:
    """Keep nothing."""
    return take()


def under(keep: Keep, prefix: str) -> Keep:
    """The same, for keys that begin with `prefix`."""
    return lambda key, take: keep(f"{prefix} {key}", take)
