"""Frozen generators: latents and classes in, images out. `load_generator` makes one from a name or a path."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from direction_finder.class_names import (
    BIGGANS,
    KNOWN,
    ORIGINAL,
    PROGANS,
    SHIPPED,
    known_names,
    resolve_class,
    search_classes,
)
from direction_finder.errors import InputError
from direction_finder.generators.base import IMAGE, SPACES, Generator, Half, Outline
from direction_finder.generators.biggan import PUBLISHED, find_biggan, load_biggan
from direction_finder.generators.biggan_deep import find_biggan_deep, find_on_hub, load_biggan_deep, local_biggan_deep
from direction_finder.generators.dcgan import load_dcgan, load_eyes
from direction_finder.generators.progan import load_progan
from direction_finder.generators.python import load_python
from direction_finder.generators.shipped import shipped
from direction_finder.generators.wrapped import WrappedModule

__all__ = [
    "IMAGE",
    "ORIGINAL",
    "PUBLISHED",
    "SPACES",
    "UNTOLD",
    "Generator",
    "Half",
    "Outline",
    "WrappedModule",
    "class_names",
    "consequence",
    "load_generator",
    "resolve_class",
    "search_classes",
]

FILES = {"biggan": load_biggan, "biggan-deep": load_biggan_deep, "dcgan": load_dcgan, "progan": load_progan}
TOLD = {  # what files or code of a family cannot tell
    "biggan": ("key",),
    "dcgan": ("num_classes", "key", "activation", "output_activation", "resolution"),
    "progan": ("fused_scale", "key"),
    "python": ("num_classes", "dim"),
}
UNTOLD = tuple(dict.fromkeys(name for names in TOLD.values() for name in names))
EXPECTED = (
    f"a known name ({', '.join(KNOWN)}), biggan:FILE, biggan-deep:FOLDER, hf:owner/name, dcgan:FILE, progan:FILE or "
    "python:package.module:factory (or python:FILE.py:factory)"
)


def load_generator(
    spec: str,
    truncation: float | None = None,
    *,
    device: str = "cpu",
    on_download: Callable[[int, int], None] | None = None,
    folder: str | Path | None = None,
    **told: Any,
) -> Generator:
    """Load a frozen generator.

    Args:
        spec: a known name (`shapes-64`, `clevr-1fov`, `clevr-simple` and their `-hp` twins, `eyes`,
            `biggan-128`, `biggan-deep-128`, `-256`, `-512`), `biggan:FILE`, `biggan-deep:FOLDER`, `hf:owner/name` (a
            BigGAN-deep on the hub), `dcgan:FILE`, `progan:FILE`, or `python:package.module:factory` (also
            `python:FILE.py:factory`), a function that returns an nn.Module or a Generator. It is called: name only
            code that you trust.
        truncation: None for z ~ N(0, I); else z is a normal cut to [-2, 2] times this, and BigGAN's batch-norm
            statistics are those of this truncation.
        device: where to compute, e.g. "cpu", "cuda", "mps".
        on_download: called with (bytes so far, bytes in all) if weights have to be downloaded.
        folder: where modules are looked for first (python); the working directory by default.
        told: what files or code cannot tell (None: as not given), see `TOLD` for whose: num_classes; dim, the size of
            z; key, which network of a file that holds several (default: the generator's moving average, else the
            generator); fused_scale, True for genforce's files with fused upsampling; activation, output_activation
            and resolution of a DCGAN.

    Raises InputError, one line, if anything is wrong with the spec or its files.
    """
    family, _, path = spec.partition(":")
    if truncation is not None and truncation <= 0:
        raise InputError(f"truncation {truncation}: expected a number above 0, or none")
    told = {name: value for name, value in told.items() if value is not None}
    for name in told:
        if name not in TOLD.get(family, ()):
            owners = " and ".join(f"{each}:" for each, names in TOLD.items() if name in names)
            raise InputError(f"{name} is read from the generator {spec}, or means nothing for it; it is for {owners}")
    if spec == "eyes":
        generator = load_eyes(truncation=truncation)
    elif spec in SHIPPED:
        generator = load_biggan_deep(shipped(spec), name=spec, truncation=truncation)
    elif spec in PROGANS:
        generator = load_progan(shipped(f"{spec}.safetensors"), name=spec, truncation=truncation)
    elif spec in BIGGANS:
        generator = load_biggan_deep(find_biggan_deep(spec, on_download), name=spec, truncation=truncation)
    elif spec == ORIGINAL:
        generator = load_biggan(find_biggan(spec), name=spec, truncation=truncation)
    elif family == "hf" and path:
        generator = load_biggan_deep(find_on_hub(path, on_download), name=spec, truncation=truncation)
    elif family == "python" and path:
        generator = load_python(path, truncation=truncation, folder=folder, **told)
    elif family in FILES and path:
        generator = FILES[family](path, name=_short(family, path), truncation=truncation, **told)
    else:
        raise InputError(f"unknown generator {spec!r}: expected {EXPECTED}")
    return generator.to(device)


def class_names(spec: str) -> tuple[str, ...]:
    """The class names of a generator; those of known names are given without loading weights."""
    names = known_names(spec)
    return load_generator(spec).class_names if names is None else names


def consequence(spec: str, nothing_is_here: bool = False) -> str | None:
    """Return what loading a generator does beyond reading files, in words; None for most.

    nothing_is_here: as if no published weights had been downloaded yet.
    """
    family, colon, _ = spec.partition(":")
    if family == "python" and colon:
        return "runs that code"
    if (family == "hf" and colon) or (spec in BIGGANS and (nothing_is_here or not local_biggan_deep(spec))):
        return "downloads weights"
    return None


def _short(family: str, path: str) -> str:
    return f"{family}:{Path(path).resolve().name.partition('.')[0]}"
