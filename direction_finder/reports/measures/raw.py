"""Save the raw measurements that a report is computed from, so that it can be computed again without the generator."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypedDict

import torch
from msgspec import Meta
from safetensors.torch import save
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.files import METADATA_KEY, checked, replacing
from direction_finder.generators.weights import state_sha256
from direction_finder.tensor_files import read_tensor_file

RAW = "raw"  # the folder of raw measurements, beside the reports
KIND = "raw measurements"  # what the metadata of their files says they are
LARGE = 100 << 20  # bytes of a file of which the user is told
Count = Annotated[int, Meta(ge=0)]

Origin = TypedDict(
    "Origin",
    {
        "about": str,
        "generator": str,
        "weights_sha256": str,
        "truncation": float | None,
        "device": str,
        "directions_sha256": str | None,
        "class": str,
        "class_index": Count | None,
        "samples": Count | None,
        "samples_sha256": str | None,
        "seed": Count,
        "max_batch": Annotated[int, Meta(ge=1)],
        "direction_finder": str,
        "torch": str,
    },
)
"""Declare what was measured, by which settings. samples: the number asked for; None: the metric's usual number."""


class RawMetadata(TypedDict):
    """The metadata of a file of raw measurements. sha256: of the tensors and of the rest of the metadata."""

    kind: str
    file: str
    settings: dict[str, Any]
    origin: Origin
    sha256: str


class Layout(NamedTuple):
    """Describe the raw measurements of a metric.

    file: the stem of the file, which metrics may share. settings: the type of the settings. shapes: the shape of each
    tensor; a name stands for one size in all of them, and for the value or the length of the setting of that name.
    types: of tensors that are not float32. problem: returns what else is wrong with raw measurements, or None.
    """

    file: str
    settings: Any
    shapes: Mapping[str, tuple[str | int, ...]]
    types: Mapping[str, torch.dtype] = {}
    problem: Callable[["Raw"], str | None] = lambda _: None


@dataclass(frozen=True)
class Raw:
    """Hold what a report is computed from: tensors by name, settings as plain values, and the origin of all of it."""

    tensors: dict[str, Tensor]
    settings: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, Any] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """Return the seed of the samples."""
        return self.origin["seed"]

    def count(self, layout: Layout) -> int:
        """Return the number of samples that were measured."""
        name, shape = next((name, shape) for name, shape in layout.shapes.items() if "samples" in shape)
        return self.tensors[name].shape[shape.index("samples")]


def raw_path(folder: Path, layout: Layout) -> Path:
    """Return the path of the raw measurements that belong to reports in a folder."""
    return folder / RAW / f"{layout.file}.safetensors"


def write_raw(path: str | Path, raw: Raw, layout: Layout) -> int:
    """Write raw measurements, atomically, and return the size of the file in bytes."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in raw.tensors.items()}
    about = {"kind": KIND, "file": layout.file, "settings": raw.settings, "origin": raw.origin}
    content = json.dumps({**about, "sha256": _digest(tensors, about)}, sort_keys=True, ensure_ascii=False)
    data = save(tensors, metadata={METADATA_KEY: content})
    with replacing(path) as part:
        part.write_bytes(data)
    return len(data)


def read_raw(path: str | Path, layout: Layout) -> Raw:
    """Read what `write_raw` wrote. Raises InputError if it is missing, damaged, or holds something else."""
    tensors, metadata = read_tensor_file(path, RawMetadata)
    if metadata is None or metadata["kind"] != KIND or metadata["file"] != layout.file:
        raise InputError(f"{path}: not the raw measurements of {layout.file}")
    about = {name: value for name, value in metadata.items() if name != "sha256"}
    if metadata["sha256"] != _digest(tensors, about):
        raise InputError(f"{path}: damaged (its checksum is wrong); run `measure` without `again`")
    checked(metadata["settings"], f"{path}: settings", layout.settings)
    _check_shapes(tensors, metadata["settings"], layout, path)
    raw = Raw(tensors, metadata["settings"], metadata["origin"])
    if problem := layout.problem(raw):
        raise InputError(f"{path}: {problem}; run `measure` without `again`")
    return raw


def _digest(tensors: dict[str, Tensor], about: dict[str, Any]) -> str:
    return sha256(f"{state_sha256(tensors)} {json.dumps(about, sort_keys=True)}".encode()).hexdigest()


def _check_shapes(tensors: dict[str, Tensor], settings: dict[str, Any], layout: Layout, path: str | Path) -> None:
    """Raise InputError unless the tensors are those of the layout, with shapes that fit together."""
    sizes = {name: each if isinstance(each, int) else len(each) for name, each in settings.items() if _is_size(each)}
    if tensors.keys() != layout.shapes.keys():
        raise InputError(f"{path}: holds {', '.join(sorted(tensors))}; expected {', '.join(sorted(layout.shapes))}")
    for name, shape in layout.shapes.items():
        tensor = tensors[name]
        fits = tensor.ndim == len(shape) and all(
            (each if isinstance(each, int) else sizes.setdefault(each, size)) == size > (each == "samples")
            for each, size in zip(shape, tensor.shape, strict=True)
        )
        kind = layout.types.get(name, torch.float32)
        if not fits or tensor.dtype != kind:
            expected = f"({', '.join(f'{each}' for each in shape)}) of {kind}"
            raise InputError(f"{path}: {name} is {tuple(tensor.shape)} of {tensor.dtype}; expected {expected}")


def _is_size(value: Any) -> bool:
    return isinstance(value, int | list | dict)
