"""One direction, and edits made of several by arithmetic: `2 * a - b`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from direction_finder.curves import Curve

Terms = tuple[tuple["Direction", float], ...]


class _Arithmetic:
    """Arithmetic that directions and edits share: both are sums of amounts of directions."""

    def terms(self) -> Terms:
        """Return the directions and how far to move along each."""
        raise NotImplementedError

    def __mul__(self, factor: float) -> Edit:
        if not isinstance(factor, int | float):
            return NotImplemented
        return Edit(tuple((direction, amount * factor) for direction, amount in self.terms()))

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> Edit:
        return self * (1 / divisor)

    def __neg__(self) -> Edit:
        return self * -1

    def __add__(self, other: _Arithmetic) -> Edit:
        return Edit((*self.terms(), *other.terms()))

    def __radd__(self, start: int) -> Edit:
        """Let `sum` add directions: it starts with 0."""
        return Edit(self.terms()) if start == 0 else NotImplemented

    def __sub__(self, other: _Arithmetic) -> Edit:
        return self + -other


@dataclass(frozen=True, eq=False)
class Direction(_Arithmetic):
    """One direction: a unit vector (dim,), the layers that it acts on (None: all), and what is known about it.

    scale: the standard deviation of the latents; amounts are multiplied by it.
    number: its place in the `Directions` that it comes from (None: it comes from none). curve: its curved coordinate,
    along which edits move (None: it is straight).

    >>> edit = 2 * directions["x"] - directions["hue"]
    """

    vector: Tensor
    layers: tuple[int, ...] | None = None
    name: str | None = None
    score: float | None = None
    usable_range: float | None = None
    scale: float = 1.0
    number: int | None = None
    curve: Curve | None = None

    def terms(self) -> Terms:
        return ((self, 1.0),)

    @property
    def label(self) -> str:
        """The name, or the number as text, or "?"."""
        return self.name or ("?" if self.number is None else str(self.number))

    def to(self, device: torch.device | str) -> Direction:
        """Return this direction on another device."""
        return dataclasses.replace(self, vector=self.vector.to(device), curve=self.curve and self.curve.to(device))

    @property
    def straight(self) -> Direction:
        """This direction without its curve."""
        return dataclasses.replace(self, curve=None)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Direction):
            return NotImplemented
        return self._known() == other._known() and torch.equal(self.vector.cpu(), other.vector.cpu())

    def __hash__(self) -> int:
        return hash(self._known())

    def _known(self) -> tuple:
        return (self.layers, self.name, self.score, self.usable_range, self.scale, self.number, self.curve)

    def __repr__(self) -> str:
        named = f" {self.name!r}" if self.name else ""
        known = {"layers": self.layers, "score": self.score, "usable_range": self.usable_range}
        facts = [f"dim={len(self.vector)}", *(f"{name}={value}" for name, value in known.items() if value is not None)]
        facts += ["curved"] if self.curve else []
        return f"<Direction {'?' if self.number is None else self.number}{named}: {', '.join(facts)}>"


@dataclass(frozen=True)
class Edit(_Arithmetic):
    """Moves along several directions at once, each a (direction, amount); the order of straight ones does not matter.

    >>> moved = move(samples, 2 * directions["x"] - directions["hue"])
    """

    steps: Terms = field(default=())

    def terms(self) -> Terms:
        return self.steps

    def __iter__(self) -> Iterator[tuple[Direction, float]]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return f"<Edit {' '.join(f'{amount:+g} {direction.label}' for direction, amount in self.steps)}>"
