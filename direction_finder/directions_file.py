"""The file of directions, format 2, or 3 with curves, and how files of format 1 are read.

One `.safetensors` file with the tensor `vectors` (num, dim) and, if there is a probe, `probe_latents` (layers, dim) and
`probe_image` (3, 16, 16), all float32. Format 3 also has `curve_slopes` (num, dim), `curve_bends` (num, rank) and
`curve_axes` (num, rank, dim), see `Curve`; a direction without a curve has zeros there. The metadata has one key, which
holds sorted JSON: every other field of `Directions`. The file holds no time, path or duration.
"""

import json
import os
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from direction_finder.curves import Curve
from direction_finder.errors import InputError
from direction_finder.files import DIRECTIONS, METADATA_KEY, checked, existing_file, replacing
from direction_finder.tensor_files import read_tensor_file, tensor_shapes

FORMAT, CURVED = 2, 3
CURVES = ("curve_slopes", "curve_bends", "curve_axes")
TENSORS = ("vectors", "probe_latents", "probe_image", *CURVES)
MOST = 1 << 27  # numbers in a tensor of a directions file
RENAMED_METHODS = {"joint": "hessian-direct"}  # by direction-finder 0.2.0
RENAMED_SETTINGS = {"space": "part"}
ADDED = {  # since format 1, or left out there
    "scale": 1.0,
    "share": None,
    "numbers": (),
    "space": None,
    "groups": None,
    "curvature": None,
    "probe_class": None,
}


def write_directions(path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Write the tensors and the metadata of a record, atomically."""
    content = _as_json(metadata, str(path))
    with replacing(path) as part:
        part.write_bytes(save(tensors, metadata={METADATA_KEY: content}))


def read_directions(path: str | Path, kind: type) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and the metadata of a directions file, or of the one in a run folder.

    kind: a TypedDict of what the metadata must hold, and nothing else. Files of format 1 are converted.
    Raises InputError naming the first thing that is wrong.
    """
    path = Path(path)
    path = existing_file(
        path / DIRECTIONS if os.path.isdir(path) else path,
        f"give a directions file or a run folder that holds {DIRECTIONS}",
    )
    _check_tensors(path)
    tensors, metadata = read_tensor_file(path)
    if metadata is None:
        raise InputError(f"{path}: not a directions file (it has no {METADATA_KEY} metadata)")
    number = metadata.pop("format", None) if isinstance(metadata, dict) else None
    if type(number) is not int or number not in (1, FORMAT, CURVED):
        raise InputError(f"{path}: not format 1 to {CURVED} of a directions file; a newer direction-finder may read it")
    if number == 1:
        metadata = _converted(metadata)
    fields = kind.__annotations__
    if odds := metadata.keys() ^ fields.keys():
        odd = min(odds)
        raise InputError(f"{path}: metadata {'lacks' if odd in fields else 'has an unknown'} {odd!r}")
    checked(metadata, f"{path}: its metadata", kind)
    _as_json(metadata, str(path))
    curved = number == CURVED
    if curved is (metadata["curvature"] is None) or any((name in tensors) is not curved for name in CURVES):
        raise InputError(f"{path}: expected curvature, {', '.join(CURVES)} in format {CURVED}, and only there")
    return tensors, metadata


def curve_tensors(curves: Sequence[Curve | None], dim: int) -> dict[str, Tensor]:
    """Return the tensors of a file that hold curves of `dim` dimensions."""
    num, rank = len(curves), max((len(curve.bends) for curve in curves if curve), default=0) or 1
    slopes, bends, axes = torch.zeros(num, dim), torch.zeros(num, rank), torch.zeros(num, rank, dim)
    for i, curve in enumerate(curves):
        if curve:
            slopes[i], bends[i, : len(curve.bends)], axes[i, : len(curve.bends)] = curve.tensors()
    return dict(zip(CURVES, (slopes, bends, axes), strict=True))


def curves_of(tensors: Mapping[str, Tensor]) -> tuple[Curve | None, ...]:
    """Return the curves in the tensors of a file. Raises InputError if their shapes do not fit one another."""
    if CURVES[0] not in tensors:
        return ()
    slopes, bends, axes = (tensors[name] for name in CURVES)
    if not (slopes.ndim == bends.ndim == 2 and axes.shape == (*bends.shape, slopes.shape[1])):
        shapes = ", ".join(f"{name} {tuple(tensors[name].shape)}" for name in CURVES)
        raise InputError(f"{shapes}: expected (num, dim), (num, rank) and (num, rank, dim)")
    if len(slopes) != len(bends):
        raise InputError(f"{len(slopes)} curve_slopes and {len(bends)} curve_bends: expected as many")
    rows = zip(slopes, bends, axes, strict=True)
    return tuple(Curve(*row).trimmed() if row[0].any() or row[1].any() else None for row in rows)


def _as_json(metadata: dict[str, Any], source: str) -> str:
    """Return metadata as sorted JSON. Raises InputError for what JSON cannot hold, e.g. NaN or a tensor."""
    try:
        content = json.dumps(metadata, sort_keys=True, ensure_ascii=False, allow_nan=False)
        content.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{source}: its metadata is not JSON ({error}); expected plain, finite values") from error
    return content


def _check_tensors(path: Path) -> None:
    """Raise InputError unless a file has the tensors of directions, of a size that can be read."""
    shapes = tensor_shapes(path)
    if "vectors" not in shapes:
        raise InputError(f"{path}: not a directions file (it has no tensor called vectors)")
    if unknown := sorted(shapes.keys() - TENSORS):
        raise InputError(f"{path}: has an unknown tensor {unknown[0]!r}; a newer direction-finder may read it")
    for name, shape in shapes.items():
        if prod(shape) > MOST:
            raise InputError(f"{path}: {name} is {shape}, more than the {MOST:,} numbers that directions may have")
    if ("probe_image" in shapes) != ("probe_latents" in shapes):
        raise InputError(f"{path}: has a part of a probe only; expected both probe_latents and probe_image, or none")


def _converted(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of format 1 as that of format 2."""
    metadata = {**ADDED, **metadata}
    for before, now in RENAMED_METHODS.items():
        metadata["method"] = now if metadata.get("method") == before else metadata.get("method")
    config = metadata.get("config")
    if isinstance(config, dict):
        metadata["config"] = {RENAMED_SETTINGS.get(name, name): value for name, value in config.items()}
    return metadata
