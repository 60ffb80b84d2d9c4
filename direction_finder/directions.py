"""Directions as a value, with everything that is known about them."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, overload

import torch
from torch import Tensor

from direction_finder.curves import Curve
from direction_finder.direction import Direction
from direction_finder.directions_check import (
    PER_DIRECTION,
    Record,
    check_fit,
    check_name,
    check_record,
    check_vectors,
)
from direction_finder.directions_file import CURVED, FORMAT, curve_tensors, curves_of, read_directions, write_directions
from direction_finder.errors import InputError
from direction_finder.numerals import ordinal
from direction_finder.settings import number_range

Several = slice | range | tuple[int | str, ...] | list[int] | list[str]


@dataclass(frozen=True)
class Finding:
    """Why a search ended; what it cost: images computed, those with gradients flowing back, seconds; and how good the
    result is: the diagonal share, beside a random basis's, where it was measured."""

    reason: str
    images: int = 0
    gradients: int = 0
    seconds: float = 0.0
    share: float | None = None
    random_share: float | None = None

    def __str__(self) -> str:
        with_gradients = f" ({self.gradients:,} with gradients)" if self.gradients else ""
        cost = f"{self.reason}; {self.images:,} images{with_gradients} in {self.seconds:.3g} s"
        if self.share is None:
            return cost
        return f"{cost}; diagonal share {self.share:.3f}, of a random basis {self.random_share:.3f}"


@dataclass(frozen=True, eq=False)
class Probe:
    """One sample, and the image that the generator rendered of it when the directions were found.

    latents: (layers, dim). class_index: its class (None: unconditional). image: (3, 16, 16), the mean of the image over
    areas, so that `info --check` can say how far off a generator is today.
    """

    latents: Tensor
    class_index: int | None
    image: Tensor


@dataclass(frozen=True, eq=False)
class Directions:
    """Directions that were found in one generator, and how they were found.

    >>> directions["x"], directions[-1]  # a Direction each
    >>> directions[:5], directions["x", "hue"], directions.top(5)  # Directions again, which keep their numbers

    vectors: (num, dim) float32 with unit rows, orthonormal if `orthonormal` says so.
    layers, names, scores, ranges: one entry per direction; None: all layers, no name, not measured.
    config: every setting of the method. generator, weights_sha256: what they were found in (None: not bound to one).
    class_index, class_name: the class that they were found for (None: random classes, or no classes).
    share: the mean diagonal share on matrices that the method had not seen, that of a random basis, and the number of
    matrices (None: not measured).
    scale: that of the generator's latents (see `Generator`); amounts, ranges, epsilon and eta are multiplied by it.
    space: what the latents are: "z" or "w" (None: not known). groups: the generator's layers by the name of their part.
    curves: the curved coordinate of each direction (None: it is straight). curvature: how they were measured.
    probe: a sample and its image (None: there was no generator).
    numbers: what each direction is called where it has no name: its place in the record that it was taken from.
    finding: why the search ended and what it cost, directly after a search; not saved.
    """

    vectors: Tensor
    method: str
    config: dict[str, Any] = field(default_factory=dict)
    generator: str | None = None
    weights_sha256: str | None = None
    class_index: int | None = None
    class_name: str | None = None
    seed: int | None = None
    orthonormal: bool = True
    layers: tuple[tuple[int, ...] | None, ...] = ()
    names: tuple[str | None, ...] = ()
    scores: tuple[float | None, ...] = ()
    ranges: tuple[float | None, ...] = ()
    share: dict[str, float] | None = None
    scale: float = 1.0
    package_version: str = ""
    numbers: tuple[int, ...] = ()
    space: str | None = None
    groups: dict[str, list[int]] | None = None
    curves: tuple[Curve | None, ...] = ()
    curvature: dict[str, Any] | None = None
    probe: Probe | None = None
    finding: Finding | None = None

    def __post_init__(self) -> None:
        check_vectors(self.vectors)
        numbers = tuple(self.numbers)
        if numbers == tuple(range(len(numbers))):  # also after other vectors took the place of these
            numbers = tuple(range(len(self.vectors)))
        object.__setattr__(self, "numbers", numbers)
        object.__setattr__(self, "scale", float(self.scale) if isinstance(self.scale, int) else self.scale)
        object.__setattr__(self, "curves", self.curves if any(self.curves) else ())
        for name in (*PER_DIRECTION, "curves"):
            value = getattr(self, name) or (None,) * len(self.vectors)
            object.__setattr__(self, name, tuple(tuple(v) if isinstance(v, list) else v for v in value))
        check_record(vars(self))

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def dim(self) -> int:
        return self.vectors.shape[1]

    @overload
    def __getitem__(self, chosen: int | str) -> Direction: ...

    @overload
    def __getitem__(self, chosen: Several) -> "Directions": ...

    def __getitem__(self, chosen: int | str | Several) -> "Direction | Directions":
        """Return one direction by place (negative: from the end) or name, or several as `Directions`."""
        if isinstance(chosen, slice):
            return self._several(range(len(self))[chosen])
        if not isinstance(chosen, int | str):
            return self._several([self._place(each) for each in chosen])
        index = self._place(chosen)
        known = (self.layers[index], self.names[index], self.scores[index], self.ranges[index])
        return Direction(self.vectors[index], *known, self.scale, self.numbers[index], self.curves[index])

    def _place(self, chosen: int | str) -> int:
        if isinstance(chosen, str):
            return self.find(chosen)
        if not -len(self) <= chosen < len(self):
            raise InputError(f"no direction {chosen}: there are {len(self)}, numbered 0 to {len(self) - 1}")
        return chosen % len(self)

    def _several(self, places: Sequence[int]) -> "Directions":
        """Return some of the directions; what was measured for the whole basis is left out."""
        if not places:
            raise InputError(f"no directions chosen of {len(self)}")
        return replace(
            self,
            vectors=self.vectors[list(places)],
            layers=tuple(self.layers[i] for i in places),
            names=tuple(self.names[i] for i in places),
            scores=tuple(self.scores[i] for i in places),
            ranges=tuple(self.ranges[i] for i in places),
            numbers=tuple(self.numbers[i] for i in places),
            curves=tuple(self.curves[i] for i in places),
            share=self.share if list(places) == list(range(len(self))) else None,
        )

    def top(self, count: int) -> "Directions":
        """Return the `count` strongest, by score. Raises InputError if they have no scores."""
        scores = {index: score for index, score in enumerate(self.scores) if score is not None}
        if not scores:
            raise InputError(
                "these directions have no scores, which only some methods give; use df.rank(generator, directions).best"
            )
        return self[sorted(scores, key=lambda index: -scores[index])[: max(0, count)]]

    def pick(self, text: str) -> list[int]:
        """Return the places meant by "0-7,12", names, or "all". Raises InputError for another text."""
        if text == "all":
            return list(range(len(self)))
        picked: list[int] = []
        for part in text.split(","):
            bounds = number_range(part)
            if part.strip() in self.names:
                picked.append(self.names.index(part.strip()))
            elif bounds is None:
                names = [name for name in self.names if name]
                raise InputError(f"directions {text!r}: expected numbers like 0-7,12, {', '.join([*names, 'or all'])}")
            else:
                if bounds[1] >= len(self):
                    raise InputError(f"direction {bounds[1]}: there are {len(self)}, numbered 0 to {len(self) - 1}")
                picked += range(bounds[0], bounds[1] + 1)
        return picked

    def named(self, which: int | str, name: str | None) -> "Directions":
        """Return the directions with another name for one of them, or with none.

        Raises InputError for a name that is a number, has a comma, is the word all, or is taken.
        """
        index = self._place(which)
        name = name and name.strip()
        if name is not None:
            check_name(name)
        if name and name in self.names and self.names.index(name) != index:
            raise InputError(f"name {name!r}: direction {self.names.index(name)} has it already")
        return replace(self, names=(*self.names[:index], name, *self.names[index + 1 :]))

    def to(self, device: torch.device | str) -> "Directions":
        """Return the directions on another device."""
        return replace(self, vectors=self.vectors.to(device), curves=tuple(c and c.to(device) for c in self.curves))

    @property
    def straight(self) -> "Directions":
        """These directions without their curves."""
        return replace(self, curves=(), curvature=None)

    def __iter__(self) -> Iterator[Direction]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Directions):
            return NotImplemented
        same = self.metadata() == other.metadata() and self.curves == other.curves
        return same and torch.equal(self.vectors.cpu(), other.vectors.cpu())

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __repr__(self) -> str:
        where = [self.generator, self.class_name and f"class {self.class_name.split(',')[0]}"]
        names = ", ".join(name for name in self.names if name)
        facts = [f"{len(self)} of {self.dim} dimensions", self.method, *filter(None, where)]
        return f"<Directions: {', '.join(facts)}{f'; {names}' if names else ''}>"

    @property
    def sha256(self) -> str:
        """The SHA-256 of vectors, layers and curves, not of what is known about the directions."""
        digest = hashlib.sha256(self.vectors.detach().cpu().float().contiguous().numpy().tobytes())
        digest.update(json.dumps([list(self.vectors.shape), self.layers]).encode())
        for name, tensor in self._curve_tensors().items():
            digest.update(json.dumps([name, list(tensor.shape)]).encode() + tensor.numpy().tobytes())
        return digest.hexdigest()

    def find(self, text: str) -> int:
        """Return the place of the direction with this name or number. Raises InputError if there is none."""
        if text in self.names:
            return self.names.index(text)
        number = ordinal(text)
        if number is not None and number < len(self):
            return number
        names = ", ".join(name for name in self.names if name)
        raise InputError(f"direction {text!r}: expected 0 to {len(self) - 1}{' or ' if names else ''}{names}")

    def check_fits(
        self,
        *,
        name: str,
        dim: int,
        num_layers: int,
        weights_sha256: str,
        space: str | None = None,
        num_classes: int | None = None,
    ) -> None:
        """Raise InputError unless these directions were found in the generator described, or can act on it."""
        check_fit(vars(self), name, dim, num_layers, weights_sha256, space, num_classes)

    def metadata(self) -> dict[str, Any]:
        """Return everything but tensors and the finding as plain values: what the file's metadata holds."""
        left_out = {"vectors", "finding", "probe", "curves"}
        about: dict[str, Any] = {name: value for name, value in vars(self).items() if name not in left_out}
        about |= {"format": CURVED if self.curvature else FORMAT, "probe_class": self.probe and self.probe.class_index}
        return about

    def save(self, path: str | Path) -> None:
        """Write one `.safetensors` file, atomically; see `directions_file` for what it holds."""
        tensors = {"vectors": self.vectors}
        if self.probe:
            tensors |= {"probe_latents": self.probe.latents, "probe_image": self.probe.image}
        plain = {name: tensor.detach().cpu().float().contiguous() for name, tensor in tensors.items()}
        write_directions(path, plain | self._curve_tensors(), self.metadata())

    def _curve_tensors(self) -> dict[str, Tensor]:
        return curve_tensors(self.curves, self.dim) if self.curvature else {}

    @classmethod
    def load(cls, path: str | Path) -> "Directions":
        """Read a directions file, or the one in a run folder, and check all of it.

        >>> directions = df.Directions.load("outputs/demo")

        Raises InputError naming the first thing that is wrong.
        """
        tensors, metadata = read_directions(path, Record)
        chosen, probe = metadata.pop("probe_class"), None
        if "probe_image" in tensors:
            probe = Probe(tensors["probe_latents"], chosen, tensors["probe_image"])
        try:
            return cls(vectors=tensors["vectors"], probe=probe, curves=curves_of(tensors), **metadata)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
