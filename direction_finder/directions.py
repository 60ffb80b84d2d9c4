"""The record of found directions and its file."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, overload

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from direction_finder.direction import Direction
from direction_finder.directions_check import PER_DIRECTION, check_record
from direction_finder.errors import InputError
from direction_finder.files import DIRECTIONS, METADATA_KEY, replacing
from direction_finder.settings import number_range

FORMAT = 1
ADDED = {"share", "scale", "numbers"}  # what files of earlier versions lack, or what is left out
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
class Directions:
    """Directions found in one generator, and how.

    >>> directions["x"], directions[-1]  # a Direction each
    >>> directions[:5], directions["x", "hue"], directions.top(5)  # Directions again, which keep their numbers

    vectors: (num, dim) float32 with unit rows, orthonormal if `orthonormal` says so.
    layers, names, scores, ranges: one entry per direction; None: all layers, no name, not measured.
    config: every setting of the method. generator, weights_sha256: what they were found in (None: not bound to one).
    class_index, class_name: the class they were found for (None: unconditional or random classes).
    share: the mean diagonal share on matrices that the method had not seen, a random basis's beside it, and the number
    of matrices (None: not measured).
    scale: that of the generator's latents (see `Generator`); amounts, ranges, epsilon and eta are multiplied by it.
    numbers: what each direction is called where it has no name: its place in the record that it was taken from.
    finding: why the search ended and what it cost, if it has just been made; not kept in the file.
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
    finding: Finding | None = None

    def __post_init__(self) -> None:
        numbers = tuple(self.numbers)
        if numbers == tuple(range(len(numbers))):  # also after other vectors took the place of these
            numbers = tuple(range(len(self.vectors)))
        object.__setattr__(self, "numbers", numbers)
        object.__setattr__(self, "scale", float(self.scale) if isinstance(self.scale, int) else self.scale)
        for name in PER_DIRECTION:
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
        """One direction by its place (negative: from the end) or its name, or several as a record of their own."""
        if isinstance(chosen, slice):
            return self._several(range(len(self))[chosen])
        if not isinstance(chosen, int | str):
            return self._several([self._place(each) for each in chosen])
        index = self._place(chosen)
        known = (self.layers[index], self.names[index], self.scores[index], self.ranges[index])
        return Direction(self.vectors[index], *known, scale=self.scale, number=self.numbers[index])

    def _place(self, chosen: int | str) -> int:
        if isinstance(chosen, str):
            return self.find(chosen)
        if not -len(self) <= chosen < len(self):
            raise InputError(f"no direction {chosen}: there are {len(self)}, numbered 0 to {len(self) - 1}")
        return chosen % len(self)

    def _several(self, places: Sequence[int]) -> "Directions":
        """A record of some of these; what is known of the whole basis is not known of a part."""
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
            share=self.share if list(places) == list(range(len(self))) else None,
        )

    def top(self, count: int) -> "Directions":
        """Return the `count` strongest, by score. Raises InputError if they have no scores."""
        scores = {index: score for index, score in enumerate(self.scores) if score is not None}
        if not scores:
            raise InputError("these directions have no scores: give score_samples when you find them, or rank them")
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
        """The same with another name for one direction, or with none.

        Raises InputError for a name that is a number, has a comma, is the word all, or is taken.
        """
        index = self._place(which)
        name = name and name.strip()
        if name is not None and (not name or "," in name or name[0].isdigit() or name == "all"):
            raise InputError(f"name {name!r}: expected a word that is no number, not the word all, and has no comma")
        if name and name in self.names and self.names.index(name) != index:
            raise InputError(f"name {name!r}: direction {self.names.index(name)} has it already")
        return replace(self, names=(*self.names[:index], name, *self.names[index + 1 :]))

    def to(self, device: torch.device | str) -> "Directions":
        """The same on another device."""
        return replace(self, vectors=self.vectors.to(device))

    def __iter__(self) -> Iterator[Direction]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Directions):
            return NotImplemented
        return self.metadata() == other.metadata() and torch.equal(self.vectors.cpu(), other.vectors.cpu())

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __repr__(self) -> str:
        where = [self.generator, self.class_name and f"class {self.class_name.split(',')[0]}"]
        names = ", ".join(name for name in self.names if name)
        facts = [f"{len(self)} of {self.dim} dimensions", self.method, *filter(None, where)]
        return f"<Directions: {', '.join(facts)}{f'; {names}' if names else ''}>"

    @property
    def sha256(self) -> str:
        """Of what the directions are: vectors and layers, not what is known of them."""
        digest = hashlib.sha256(self.vectors.detach().cpu().float().contiguous().numpy().tobytes())
        digest.update(json.dumps([list(self.vectors.shape), self.layers]).encode())
        return digest.hexdigest()

    def find(self, text: str) -> int:
        """The number of the direction that `text` names, or is. Raises InputError if there is none."""
        if text in self.names:
            return self.names.index(text)
        if text.isdecimal() and int(text) < len(self):
            return int(text)
        names = ", ".join(name for name in self.names if name)
        raise InputError(f"direction {text!r}: expected 0 to {len(self) - 1}{' or ' if names else ''}{names}")

    def check_fits(self, *, name: str, dim: int, num_layers: int, weights_sha256: str) -> None:
        """Raise InputError unless these directions were found in the generator described, or can act on it."""
        if self.dim != dim:
            raise InputError(
                f"the directions have {self.dim} dimensions but generator {name} has {dim}: they do not fit"
            )
        if self.weights_sha256 not in (None, weights_sha256):
            raise InputError(
                f"the directions were found in generator {self.generator} (weights {self.weights_sha256[:12]}), "
                f"not in {name} (weights {weights_sha256[:12]}): load the generator they belong to"
            )
        deepest = max((max(layers, default=0) for layers in self.layers if layers is not None), default=0)
        if deepest >= num_layers:
            raise InputError(f"the directions act on layer {deepest} but generator {name} has {num_layers} layers")

    def metadata(self) -> dict[str, Any]:
        """Return everything but the vectors as plain values: what the file's metadata holds. A scale of 1 and
        numbers 0, 1, ... are left out; there is no time, path or duration in it."""
        left_out = {"vectors", "finding"}
        left_out |= {"scale"} if self.scale == 1 else set()
        left_out |= {"numbers"} if self.numbers == tuple(range(len(self))) else set()
        return {"format": FORMAT, **{name: value for name, value in vars(self).items() if name not in left_out}}

    def save(self, path: str | Path) -> None:
        """Write one `.safetensors` file, atomically: tensor `vectors`, and one metadata key with sorted JSON."""
        tensors = {"vectors": self.vectors.detach().cpu().float().contiguous()}
        metadata = json.dumps(self.metadata(), sort_keys=True, ensure_ascii=False, allow_nan=False)
        with replacing(path) as part:
            part.write_bytes(save(tensors, metadata={METADATA_KEY: metadata}))

    @classmethod
    def load(cls, path: str | Path) -> "Directions":
        """Read a directions file, or the one in a run folder, and check all of it.

        Raises InputError naming the first thing that is wrong.
        """
        path = Path(path)
        if path.is_dir():
            path = path / DIRECTIONS
        if not path.is_file():
            raise InputError(f"{path}: no such file; give a directions file or a run folder that holds {DIRECTIONS}")
        try:
            with safe_open(path, framework="pt") as file:
                metadata = json.loads((file.metadata() or {})[METADATA_KEY])
                vectors = file.get_tensor("vectors")
        except SafetensorError as error:
            raise InputError(f"{path}: not a readable safetensors file ({error}); it may be cut short") from error
        except KeyError as error:
            raise InputError(f"{path}: not a directions file (it has no {METADATA_KEY} metadata)") from error
        except json.JSONDecodeError as error:
            raise InputError(f"{path}: its metadata is not JSON ({error})") from error
        if not isinstance(metadata, dict) or metadata.pop("format", None) != FORMAT:
            raise InputError(f"{path}: not format {FORMAT} of a directions file; a newer direction-finder may read it")
        known = set(cls.__dataclass_fields__) - {"vectors", "finding"}
        if odds := (metadata.keys() ^ known) - (ADDED - metadata.keys()):
            odd = sorted(odds)[0]
            raise InputError(f"{path}: metadata {'lacks' if odd in known else 'has an unknown'} {odd!r}")
        try:
            return cls(vectors=vectors, **metadata)
        except (InputError, TypeError) as error:
            raise InputError(f"{path}: {error}") from error
