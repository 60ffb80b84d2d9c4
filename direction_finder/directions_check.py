"""Check the record of a directions file."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from direction_finder.errors import InputError

PER_DIRECTION: dict[str, tuple[type | tuple[type, ...], str]] = {
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
    "space": str,
    "groups": dict,
    "curvature": type(None),
}
TOLERANCE = 1e-4  # largest error of rows that count as of unit length, or as orthonormal
REQUIRED = ("method", "config", "orthonormal", "scale", "package_version")


def check_record(record: Mapping[str, Any]) -> None:
    """Check the fields of a record of directions. Raises InputError naming the first thing that is wrong."""
    vectors = record["vectors"]
    _check_vectors(vectors)
    _check_scalars(record)
    _check_columns(record, len(vectors))
    if record["orthonormal"]:
        error = orthonormality_error(vectors)
        if error > TOLERANCE:
            raise InputError(f"vectors: rows said to be orthonormal are not (largest error {error:.2g})")


def orthonormality_error(rows: Tensor) -> float:
    """Return the largest difference of the Gram matrix of rows (num, dim) from the identity."""
    gram = rows.double() @ rows.double().mT
    return float((gram - torch.eye(len(rows), dtype=gram.dtype)).abs().max())


def _check_vectors(vectors: Any) -> None:
    if not isinstance(vectors, Tensor) or vectors.ndim != 2 or not vectors.numel() or not vectors.is_floating_point():
        raise InputError("vectors: expected a matrix of floats (num, dim) with at least one row")
    if not torch.isfinite(vectors).all():
        raise InputError("vectors: NaN or infinite values")
    error = (vectors.norm(dim=1) - 1).abs()
    if error.max() > TOLERANCE:
        raise InputError(f"vectors: row {int(error.argmax())} is not of unit length (off by {float(error.max()):.2g})")


def _check_scalars(record: Mapping[str, Any]) -> None:
    for name, kind in SCALARS.items():
        value = record[name]
        optional = name not in REQUIRED
        if not (isinstance(value, kind) or (optional and value is None)):
            raise InputError(f"{name}: expected {kind.__name__}, got {value!r}")
    if not (math.isfinite(record["scale"]) and record["scale"] > 0):
        raise InputError(f"scale: expected a number above 0, got {record['scale']}")


def _check_columns(record: Mapping[str, Any], count: int) -> None:
    if len(record["numbers"]) != count or not all(isinstance(number, int) for number in record["numbers"]):
        raise InputError(f"numbers: expected {count} whole numbers, got {record['numbers']!r}")
    for name, (kinds, expected) in PER_DIRECTION.items():
        values = record[name]
        if len(values) != count:
            raise InputError(f"{name}: {len(values)} entries for {count} directions")
        for value in values:
            if isinstance(value, tuple):
                fits = all(isinstance(number, int) and number >= 0 for number in value)
            else:
                fits = not isinstance(value, float) or math.isfinite(value)
            if value is not None and not (isinstance(value, kinds) and fits):
                raise InputError(f"{name}: expected {expected} or null, got {value!r}")
