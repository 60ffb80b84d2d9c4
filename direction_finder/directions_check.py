"""Check the record of a directions file."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NotRequired, TypedDict

import torch
from msgspec import Meta
from torch import Tensor

from direction_finder.curves import Curve
from direction_finder.errors import InputError
from direction_finder.files import checked

PER_DIRECTION = ("layers", "names", "scores", "ranges")  # lists with an entry for each direction
TOLERANCE = 1e-4  # largest error of rows that count as of unit length, or as orthonormal
PROBED = (3, 16, 16)  # shape of a probe's image
LARGEST_NAME = 200  # letters
STEEPEST = 1e6  # largest slope and bend of a curve; the smallest slope is one divided by it
Number = Annotated[float, Meta(ge=-1e300, le=1e300)]  # neither NaN nor infinite
Index = Annotated[int, Meta(ge=0, lt=10**9)]
Layer = Annotated[int, Meta(ge=0, lt=1000)]


class Share(TypedDict):
    """Declare the mean diagonal share of the directions, that of a random basis, and on how many matrices."""

    share: Number
    random_share: Number
    share_of: NotRequired[Index]


class Curvature(TypedDict):
    """Declare how curves were measured: at how many points, their seed, in which outputs, by which steps."""

    points: Index
    seed: int
    at: list[str]
    epsilon: Number


class Config(TypedDict, total=False):
    """Declare the settings of a method that are read again; a record holds all others too."""

    dims: tuple[Index, Index] | None
    layers: tuple[Layer, Layer] | None
    chunk: Annotated[int, Meta(ge=1)] | None


class Record(TypedDict):
    """Declare the types of all fields of `Directions` that are no tensors, and of a file's metadata."""

    method: str
    config: Config
    generator: str | None
    weights_sha256: str | None
    class_index: Index | None
    class_name: str | None
    seed: int | None
    orthonormal: bool
    layers: list[list[Layer] | None]
    names: list[Annotated[str, Meta(min_length=1, max_length=LARGEST_NAME)] | None]
    scores: list[Number | None]
    ranges: list[Number | None]
    share: Share | None
    scale: Annotated[float, Meta(gt=0, le=1e30)]
    package_version: str
    numbers: list[Index]
    space: str | None
    groups: dict[str, list[Layer]] | None
    curvature: Curvature | None
    probe_class: NotRequired[Index | None]  # in files only


def check_record(record: Mapping[str, Any]) -> None:
    """Check the fields of a record of directions. Raises InputError naming the first thing that is wrong."""
    vectors = record["vectors"]
    check_vectors(vectors)
    checked({name: value for name, value in record.items() if name in Record.__annotations__}, "directions", Record)
    _check_config(record["config"], vectors.shape[1])
    _check_columns(record, len(vectors))
    _check_curves(record["curves"], record["curvature"], vectors.shape[1])
    if record["probe"] is not None:
        _check_probe(record["probe"].latents, record["probe"].image, vectors.shape[1])
    if record["orthonormal"]:
        error = orthonormality_error(vectors)
        if error > TOLERANCE:
            raise InputError(f"vectors: rows said to be orthonormal are not (largest error {error:.2g})")


def check_vectors(vectors: Any) -> None:
    """Raise InputError unless vectors are a matrix of finite floats with unit rows."""
    if not isinstance(vectors, Tensor) or vectors.ndim != 2 or not vectors.numel() or not vectors.is_floating_point():
        raise InputError("vectors: expected a matrix of floats (num, dim) with at least one row")
    if not torch.isfinite(vectors).all():
        raise InputError("vectors: NaN or infinite values")
    error = (vectors.norm(dim=1) - 1).abs()
    if error.max() > TOLERANCE:
        raise InputError(f"vectors: row {int(error.argmax())} is not of unit length (off by {float(error.max()):.2g})")


def check_name(name: str) -> None:
    """Raise InputError unless a direction may be called this."""
    plain = name.isprintable() and 0 < len(name) <= LARGEST_NAME and not name[0].isdigit()
    if not plain or "," in name or name == "all":
        raise InputError(
            f"name {name!r}: expected a word of up to {LARGEST_NAME} characters that is no number, not the word all, "
            "and has no comma"
        )


def orthonormality_error(rows: Tensor) -> float:
    """Return the largest difference of the Gram matrix of rows (num, dim) from the identity, 1 if num > dim."""
    if len(rows) > rows.shape[1]:
        return 1.0  # at least; the Gram matrix may be too large to compute
    gram = rows.double() @ rows.double().mT
    return float((gram - torch.eye(len(rows), dtype=gram.dtype, device=gram.device)).abs().max())


def check_fit(
    record: Mapping[str, Any],
    name: str,
    dim: int,
    num_layers: int,
    weights_sha256: str,
    space: str | None,
    num_classes: int | None,
) -> None:
    """Raise InputError unless directions were found in the generator described, or can act on it."""
    have = record["vectors"].shape[1]
    if have != dim:
        raise InputError(f"the directions have {have} dimensions but generator {name} has {dim}: they do not fit")
    if space and record["space"] not in (None, space):
        raise InputError(
            f"the directions are of {record['space']}, but the latents of {name} are {space}: they do not fit"
        )
    if record["weights_sha256"] not in (None, weights_sha256):
        raise InputError(
            f"the directions were found in generator {record['generator']} (weights {record['weights_sha256'][:12]}), "
            f"not in {name} (weights {weights_sha256[:12]}): load the generator they belong to"
        )
    deepest = max((max(layers, default=0) for layers in record["layers"] if layers is not None), default=0)
    if deepest >= num_layers:
        raise InputError(f"the directions act on layer {deepest} but generator {name} has {num_layers} layers")
    if num_classes is not None and record["class_index"] is not None and record["class_index"] >= num_classes:
        raise InputError(
            f"the directions are of class {record['class_index']}, but generator {name} has {num_classes} classes"
        )


def _check_config(config: Mapping[str, Any], dim: int) -> None:
    first, last = config.get("dims") or (0, dim - 1)
    top, bottom = config.get("layers") or (0, 0)
    if not (first <= last < dim and top <= bottom and dim % (config.get("chunk") or 1) == 0):
        chunk = config.get("chunk")
        raise InputError(
            f"config: dims {first}-{last}, layers {top}-{bottom} or chunk {chunk} do not fit {dim} dimensions"
        )


def _check_columns(record: Mapping[str, Any], count: int) -> None:
    for name in ("numbers", *PER_DIRECTION, "curves"):
        if len(record[name]) != count:
            raise InputError(f"{name}: {len(record[name])} entries for {count} directions")
    names = [name for name in record["names"] if name is not None]
    for name in names:
        if not name.isprintable():
            raise InputError(f"names: {name!r} contains control characters; expected a word")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"names: two directions are called {twice!r}; each name may stand once")


def _check_curves(curves: Sequence[Any], curvature: Any, dim: int) -> None:
    for number, curve in enumerate(curves):
        if curve is None:
            continue
        if curvature is None:
            raise InputError("curves: expected `curvature` too, which says how they were measured")
        if problem := _flaw(curve, dim):
            raise InputError(f"curve {number}: {problem}")


def _flaw(curve: Any, dim: int) -> str | None:
    """Return what is wrong with the curve of a direction with `dim` dimensions."""
    if not isinstance(curve, Curve):
        return f"expected a Curve or None, not {type(curve).__name__}"
    slope, bends, axes = curve.tensors()
    if slope.shape != (dim,) or bends.ndim != 1 or axes.shape != (len(bends), dim):
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in curve.tensors())
        return f"slope, bends and axes of shapes {shapes}: expected ({dim},), (rank,) and (rank, {dim})"
    if not all(tensor.is_floating_point() and torch.isfinite(tensor).all() for tensor in curve.tensors()):
        return "expected finite floats"
    if not 1 / STEEPEST <= slope.norm() <= STEEPEST or (bends.abs() > STEEPEST).any():
        return f"expected a slope of length {1 / STEEPEST:g} to {STEEPEST:g}, and bends up to {STEEPEST:g}"
    if len(bends) and (error := orthonormality_error(axes)) > TOLERANCE:
        return f"axes are not orthonormal (largest error {error:.2g})"
    return None


def _check_probe(latents: Tensor, image: Tensor, dim: int) -> None:
    if latents.ndim != 2 or latents.shape[1] != dim or not torch.isfinite(latents).all():
        raise InputError(f"probe_latents {tuple(latents.shape)}: expected finite floats (layers, {dim})")
    if image.shape != PROBED or not torch.isfinite(image).all():
        raise InputError(f"probe_image {tuple(image.shape)}: expected finite floats {PROBED}")
