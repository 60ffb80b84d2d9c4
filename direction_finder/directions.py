"""The record of found directions and its file."""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.files import DIRECTIONS, METADATA_KEY, replacing

FORMAT = 1


@dataclass(frozen=True)
class Direction:
    """One direction: a unit vector (dim,), the layers it acts on (None: all) and what is known of it.

    scale: the standard deviation of the latents that it moves: amounts are multiplied by it.
    """

    vector: Tensor
    layers: tuple[int, ...] | None = None
    name: str | None = None
    score: float | None = None
    usable_range: float | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class Directions:
    """Directions found in one generator, and how.

    vectors: (num, dim) float32 with unit rows, orthonormal if `orthonormal` says so.
    layers, names, scores, ranges: one entry per direction; None: all layers, no name, not measured.
    config: every setting of the method. generator, weights_sha256: what they were found in (None: not bound to one).
    class_index, class_name: the class they were found for (None: unconditional or random classes).
    share: the mean diagonal share on matrices that the method had not seen, a random basis's beside it, and the number
    of matrices (None: not measured).
    scale: that of the generator's latents (see `Generator`); amounts, ranges, epsilon and eta are multiplied by it.
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

    def __post_init__(self) -> None:
        for name in PER_DIRECTION:
            value = getattr(self, name) or (None,) * len(self.vectors)
            object.__setattr__(self, name, tuple(tuple(v) if isinstance(v, list) else v for v in value))
        _check(self)

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def dim(self) -> int:
        return self.vectors.shape[1]

    def __getitem__(self, index: int) -> Direction:
        if not 0 <= index < len(self):
            raise InputError(f"no direction {index}: there are {len(self)}, numbered 0 to {len(self) - 1}")
        known = (self.layers[index], self.names[index], self.scores[index], self.ranges[index])
        return Direction(self.vectors[index], *known, scale=self.scale)

    def __iter__(self) -> Iterator[Direction]:
        return (self[index] for index in range(len(self)))

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
        if text.isdigit() and int(text) < len(self):
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
        """Return everything but the vectors as plain values: what the file's metadata holds. A scale of 1 is left out;
        there is no time, path or duration in it."""
        left_out = {"vectors"} if self.scale != 1 else {"vectors", "scale"}
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
        known = set(cls.__dataclass_fields__) - {"vectors"}
        if odds := (metadata.keys() ^ known) - (ADDED - metadata.keys()):
            odd = sorted(odds)[0]
            raise InputError(f"{path}: metadata {'lacks' if odd in known else 'has an unknown'} {odd!r}")
        try:
            return cls(vectors=vectors, **metadata)
        except (InputError, TypeError) as error:
            raise InputError(f"{path}: {error}") from error


ADDED = {"share", "scale"}  # what files of earlier versions lack, or what is left out
PER_DIRECTION = {
    "layers": ((list, tuple), "lists of layer numbers"),
    "names": (str, "strings"),
    "scores": ((int, float), "numbers"),
    "ranges": ((int, float), "numbers"),
}
SCALARS = {
    "method": str,
    "config": dict,
    "orthonormal": bool,
    "package_version": str,
    "generator": str,
    "weights_sha256": str,
    "class_index": int,
    "class_name": str,
    "seed": int,
    "share": dict,
    "scale": float,
}
REQUIRED = ("method", "config", "orthonormal", "scale", "package_version")


def _check(record: Directions) -> None:
    vectors = record.vectors
    if not isinstance(vectors, Tensor) or vectors.ndim != 2 or not vectors.numel() or not vectors.is_floating_point():
        raise InputError("vectors: expected a matrix of floats (num, dim) with at least one row")
    if not torch.isfinite(vectors).all():
        raise InputError("vectors: NaN or infinite values")
    error = (vectors.norm(dim=1) - 1).abs()
    if error.max() > 1e-4:
        raise InputError(f"vectors: row {int(error.argmax())} is not of unit length (off by {float(error.max()):.2g})")
    for name, kind in SCALARS.items():
        value = getattr(record, name)
        optional = name not in REQUIRED
        if not (isinstance(value, kind) or (optional and value is None)):
            raise InputError(f"{name}: expected {kind.__name__}, got {value!r}")
    if not (math.isfinite(record.scale) and record.scale > 0):
        raise InputError(f"scale: expected a number above 0, got {record.scale}")
    for name, (kind, expected) in PER_DIRECTION.items():
        values = getattr(record, name)
        if len(values) != len(vectors):
            raise InputError(f"{name}: {len(values)} entries for {len(vectors)} directions")
        for value in values:
            numbers = value if isinstance(value, tuple) else [value] if kind is not str else []
            finite = all(isinstance(n, (int, float)) and math.isfinite(n) for n in numbers if n is not None)
            if value is not None and not (isinstance(value, kind) and finite):
                raise InputError(f"{name}: expected {expected} or null, got {value!r}")
    if record.orthonormal:
        gram = vectors.double() @ vectors.double().mT
        defect = float((gram - torch.eye(len(vectors), dtype=torch.float64)).abs().max())
        if defect > 1e-4:
            raise InputError(f"vectors: rows said to be orthonormal are not (largest error {defect:.2g})")
