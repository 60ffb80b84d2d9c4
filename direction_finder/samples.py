"""Samples of a generator: latents, their classes and their space, for edits, images and measures."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.files import METADATA_KEY, existing_file, replacing
from direction_finder.overwriting import OF_ENDING, check_overwrite
from direction_finder.tensor_files import read_tensor_file
from direction_finder.torch_files import load_numpy, load_torch

KIND = "samples"  # what their safetensors files say they are
ENDINGS = (".safetensors", ".npy", ".pt", ".pth")


class About(TypedDict, total=False):
    """Declare what the metadata of their safetensors files says."""

    kind: str
    space: str | None


@dataclass(frozen=True, eq=False)
class Samples:
    """latents (n, layers, dim), classes (n,) of class numbers, and the latents' space: "z" or "w"; None: not said.

    >>> samples = generator.samples(6, seed=0, class_name="cube")
    >>> samples[:2].save("two.safetensors")
    """

    latents: Tensor
    classes: Tensor | None = None
    space: str | None = "z"

    def __post_init__(self) -> None:
        if self.latents.ndim == 2:
            object.__setattr__(self, "latents", self.latents[:, None])
        if self.latents.ndim != 3 or not self.latents.numel() or not self.latents.is_floating_point():
            raise InputError(
                f"latents of shape {tuple(self.latents.shape)}, {self.latents.dtype}: expected floats (n, layers, dim)"
            )
        if not torch.isfinite(self.latents).all():
            raise InputError("latents hold NaN or infinite values")
        classes = self.classes
        if classes is not None and (classes.shape != (len(self),) or classes.dtype not in (torch.int64, torch.int32)):
            raise InputError(
                f"classes of shape {tuple(classes.shape)}, {classes.dtype}: expected {len(self)} whole numbers"
            )
        if classes is not None and int(classes.min()) < 0:
            raise InputError(f"classes: {int(classes.min())} is no class; classes are numbered from 0")

    def __len__(self) -> int:
        return len(self.latents)

    def __getitem__(self, chosen: int | slice | Sequence[int] | Tensor) -> Samples:
        if isinstance(chosen, int):
            if not -len(self) <= chosen < len(self):
                raise InputError(f"no sample {chosen}: there are {len(self)}, numbered 0 to {len(self) - 1}")
            chosen = [chosen]
        elif not isinstance(chosen, slice | Tensor):
            chosen = list(chosen)
        classes = None if self.classes is None else self.classes[chosen]
        return replace(self, latents=self.latents[chosen], classes=classes)

    def __iter__(self) -> Iterator[Samples]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Samples):
            return NotImplemented
        same = self.space == other.space and torch.equal(self.latents.cpu(), other.latents.cpu())
        if self.classes is None or other.classes is None:
            return same and self.classes is other.classes
        return same and torch.equal(self.classes.cpu(), other.classes.cpu())

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        n, layers, dim = self.latents.shape
        said = "no class" if self.classes is None else f"classes {sorted(set(self.classes.tolist()))[:5]}"
        return f"<Samples: {n} of {self.space or '?'}, layers={layers}, dim={dim}, {said}>"

    @property
    def class_numbers(self) -> Tensor:
        """The classes (n,), zeros where they are not said."""
        unsaid = torch.zeros(len(self), dtype=torch.long, device=self.latents.device)
        return unsaid if self.classes is None else self.classes

    def to(self, device: torch.device | str) -> Samples:
        """Return the samples on another device."""
        classes = None if self.classes is None else self.classes.to(device)
        return replace(self, latents=self.latents.to(device), classes=classes)

    def with_latents(self, latents: Tensor) -> Samples:
        """Return other latents as the same classes."""
        return replace(self, latents=latents)

    def with_classes(self, classes: Sequence[int]) -> Samples:
        """Return the same latents as other classes."""
        return replace(self, classes=torch.tensor(classes, device=self.latents.device))

    @property
    def sha256(self) -> str:
        """The SHA-256 of the latents and classes."""
        digest = hashlib.sha256(self.latents.detach().cpu().contiguous().numpy().tobytes())
        digest.update(b"" if self.classes is None else self.classes.cpu().numpy().tobytes())
        return digest.hexdigest()

    def save(self, path: str | Path) -> None:
        """Write `.safetensors` or `.pt` (everything), or `.npy` (the latents alone), atomically."""
        path = Path(path)
        tensors = {"latents": self.latents.detach().cpu().contiguous()}
        if self.classes is not None:
            tensors["classes"] = self.classes.cpu().contiguous()
        buffer = io.BytesIO()
        if path.suffix == ".safetensors":
            about = json.dumps({"kind": KIND, "space": self.space}, sort_keys=True)
            buffer.write(save(tensors, metadata={METADATA_KEY: about}))
        elif path.suffix == ".npy":
            np.save(buffer, tensors["latents"].numpy())
        elif path.suffix in ENDINGS:
            torch.save({**tensors, "space": self.space}, buffer)
        else:
            raise InputError(f"{path}: expected a file ending in {', '.join(ENDINGS)}")
        check_overwrite(path, OF_ENDING.get(path.suffix, KIND))
        with replacing(path) as part:
            part.write_bytes(buffer.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> Samples:
        """Read what `save` wrote, or another tool's latents: `.npy` or `.pt` of (dim,), (n, dim) or (n, layers, dim).

        Raises InputError, one line, if the file is none of these. No code in a file is run.
        """
        path = existing_file(path, f"expected latents in a file ending in {', '.join(ENDINGS)}")
        content = _read(path)
        if isinstance(content, Tensor):
            content = {"latents": content, "space": None}
        content = content if isinstance(content, Mapping) else {}
        latents = next((content[name] for name in ("latents", "z", "w") if name in content), None)
        classes, space = content.get("classes"), content.get("space", "w" if "w" in content else None)
        if not isinstance(latents, Tensor) or latents.is_complex():
            raise InputError(f"{path}: holds no latents; expected a tensor of numbers, or one called latents, z or w")
        if not isinstance(classes, Tensor | None) or not isinstance(space, str | None):
            raise InputError(f"{path}: expected whole numbers as classes and a name as space, or leave them out")
        try:
            return cls(_rows(latents), classes, space)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error


def _rows(latents: Tensor) -> Tensor:
    """Return latents as float32; a single one (dim,) becomes a row."""
    return (latents[None] if latents.ndim == 1 else latents).detach().float()


def _read(path: Path) -> Any:
    """Return the content of a file of latents: a tensor, or tensors by name."""
    if path.suffix == ".safetensors":
        tensors, about = read_tensor_file(path, About)
        return {**tensors, "space": (about or {}).get("space")}
    return load_numpy(path) if path.suffix == ".npy" else load_torch(path)
