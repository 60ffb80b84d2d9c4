"""Load a generator from its name, its file or its code, with a table from family to loader."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from direction_finder.class_names import AUTOENCODERS, BIGGANS, KNOWN, ORIGINAL, PROGANS, SHIPPED, known_names
from direction_finder.errors import InputError
from direction_finder.generators.autoencoder import load_autoencoder
from direction_finder.generators.base import Generator, Source
from direction_finder.generators.biggan import find_biggan, load_biggan
from direction_finder.generators.biggan_deep import load_biggan_deep
from direction_finder.generators.biggan_deep_files import find_biggan_deep, find_on_hub, local_biggan_deep
from direction_finder.generators.dcgan import load_dcgan, load_eyes
from direction_finder.generators.devices import pick_device
from direction_finder.generators.progan import load_progan
from direction_finder.generators.python import load_python
from direction_finder.generators.shipped import shipped
from direction_finder.generators.wrapped import WrappedModule
from direction_finder.progress import DownloadBar
from direction_finder.settings import ST_RKM, VAE, check_number

OnDownload = Callable[[int, int], None]


@dataclass(frozen=True)
class Untold:
    """Hold the settings that files or code of some families do not contain; None: not given. See `load_generator`."""

    num_classes: int | None = None
    dim: int | None = None
    key: str | None = None
    fused_scale: bool | None = None
    activation: str | None = None
    output_activation: str | None = None
    resolution: int | None = None


class Asked(NamedTuple):
    """Hold what a loader needs to load a generator. path: the text after the family's colon."""

    spec: str
    path: str
    truncation: float | None
    on_download: OnDownload | None
    folder: str | Path | None
    untold: Untold

    @property
    def short(self) -> str:
        """Return the generator's name: the family and the name of the file without its ending."""
        return f"{self.spec.partition(':')[0]}:{Path(self.path).resolve().name.partition('.')[0]}"


def _eyes(request: Asked) -> Generator:
    return load_eyes(truncation=request.truncation)


def _shipped(request: Asked) -> Generator:
    return load_biggan_deep(shipped(request.spec), name=request.spec, truncation=request.truncation)


def _shipped_progan(request: Asked) -> Generator:
    return load_progan(shipped(f"{request.spec}.safetensors"), name=request.spec, truncation=request.truncation)


def _shipped_autoencoder(request: Asked) -> Generator:
    path, kind = shipped(f"{request.spec}.safetensors"), AUTOENCODERS[request.spec]
    return load_autoencoder(path, kind, name=request.spec, truncation=request.truncation)


def _published_deep(request: Asked) -> Generator:
    return _downloaded(find_biggan_deep, request.spec, request)


def _published(request: Asked) -> Generator:
    return load_biggan(find_biggan(request.spec), name=request.spec, truncation=request.truncation)


def _hub(request: Asked) -> Generator:
    return _downloaded(find_on_hub, request.path, request)


def _downloaded(find: Callable[..., Path], name: str, request: Asked) -> Generator:
    """Load a BigGAN-deep; if that fails, check its files in the cache, and download those again that are damaged."""
    folder = find(name, request.on_download)
    try:
        return load_biggan_deep(folder, name=request.spec, truncation=request.truncation)
    except InputError:
        folder = find(name, request.on_download, doubt=True)
    return load_biggan_deep(folder, name=request.spec, truncation=request.truncation)


def _python(request: Asked) -> Generator:
    untold = request.untold
    return load_python(
        request.path,
        dim=untold.dim,
        num_classes=untold.num_classes or 0,
        truncation=request.truncation,
        folder=request.folder,
    )


def _biggan(request: Asked) -> Generator:
    return load_biggan(request.path, name=request.short, truncation=request.truncation, key=request.untold.key)


def _biggan_deep(request: Asked) -> Generator:
    return load_biggan_deep(request.path, name=request.short, truncation=request.truncation)


def _dcgan(request: Asked) -> Generator:
    untold = request.untold
    return load_dcgan(
        request.path,
        name=request.short,
        truncation=request.truncation,
        num_classes=untold.num_classes or 0,
        key=untold.key,
        activation=untold.activation,
        output_activation=untold.output_activation,
        resolution=untold.resolution,
    )


def _progan(request: Asked) -> Generator:
    untold = request.untold
    return load_progan(
        request.path, name=request.short, truncation=request.truncation, fused_scale=untold.fused_scale, key=untold.key
    )


def _autoencoder(request: Asked) -> Generator:
    kind = request.spec.partition(":")[0]
    return load_autoencoder(request.path, kind, name=request.short, truncation=request.truncation)


NAMED: dict[str, Callable[[Asked], Generator]] = {
    "eyes": _eyes,
    **dict.fromkeys(SHIPPED, _shipped),
    **dict.fromkeys(PROGANS, _shipped_progan),
    **dict.fromkeys(AUTOENCODERS, _shipped_autoencoder),
    **dict.fromkeys(BIGGANS, _published_deep),
    ORIGINAL: _published,
}


class Family(NamedTuple):
    """Describe generators named by `family:path`: their loader, and the settings that it cannot read from the path."""

    load: Callable[[Asked], Generator]
    untold: tuple[str, ...] = ()


FAMILIES = {
    "biggan": Family(_biggan, ("key",)),
    "biggan-deep": Family(_biggan_deep),
    "hf": Family(_hub),
    "dcgan": Family(_dcgan, ("num_classes", "key", "activation", "output_activation", "resolution")),
    "progan": Family(_progan, ("fused_scale", "key")),
    ST_RKM: Family(_autoencoder),
    VAE: Family(_autoencoder),
    "python": Family(_python, ("num_classes", "dim")),
}
EXPECTED = (
    f"a known name ({', '.join(KNOWN)}), biggan:FILE, biggan-deep:FOLDER, hf:owner/name, dcgan:FILE, progan:FILE, "
    "st-rkm:FILE, vae:FILE or python:package.module:factory (or python:FILE.py:factory)"
)


def load_generator(
    spec: str,
    truncation: float | None = None,
    *,
    device: str = "cpu",
    progress: bool | OnDownload | None = None,
    folder: str | Path | None = None,
    num_classes: int | None = None,
    dim: int | None = None,
    key: str | None = None,
    fused_scale: bool | None = None,
    activation: str | None = None,
    output_activation: str | None = None,
    resolution: int | None = None,
) -> Generator:
    """Load a frozen generator, which maps latents (batch, layers, dim) and classes (batch,) to images.

    Args:
        spec: a known name (`shapes-64`, `shapes-st-rkm`, `shapes-vae`, `clevr-1fov`, `clevr-simple` and their `-hp`
            twins, `eyes`, `biggan-128`, `biggan-deep-128`, `-256`, `-512`), `biggan:FILE`, `biggan-deep:FOLDER`,
            `hf:owner/name` (a BigGAN-deep on the hub), `dcgan:FILE`, `progan:FILE`, `st-rkm:FILE`, `vae:FILE`, or
            `python:package.module:factory` (also `python:FILE.py:factory`), a function that returns an nn.Module or a
            Generator. It is called: name only code that you trust.
        truncation: None for z ~ N(0, I); else z is a normal cut to [-2, 2] times this, and BigGAN's batch-norm
            statistics are those for this truncation.
        device: where to compute, e.g. "cpu", "cuda" or "mps"; "auto" is the fastest available.
        progress: for downloads: True shows a bar; a callable is called with (bytes so far, bytes in all).
        folder: where modules are searched first (python); by default the working directory.
        num_classes: the number of classes, which the weights do not contain (dcgan, python).
        dim: the size of z, if it cannot be read from the layers (python).
        key: which network to take from a file that holds several (biggan, dcgan, progan); by default the generator's
            moving average, otherwise the generator.
        fused_scale: True for genforce's files with fused upsampling (progan).
        activation, output_activation, resolution: the activation functions and image height of a DCGAN (dcgan).

    >>> generator = df.load_generator("shapes-64")

    Raises InputError, one line, if anything is wrong with the spec or its files.
    """
    family, _, path = spec.partition(":")
    if truncation is not None:
        check_number("truncation", truncation, float, above=0)
    untold = Untold(num_classes, dim, key, fused_scale, activation, output_activation, resolution)
    _check_untold(spec, family, untold)
    load = FAMILIES[family].load if family in FAMILIES and path else NAMED.get(spec)
    if load is None:
        raise InputError(f"unknown generator {spec!r}: expected {EXPECTED}")
    on_download = DownloadBar() if progress is True else progress or None
    generator = load(Asked(spec, path, truncation, on_download, folder, untold)).to(pick_device(device))
    generator.source = Source(spec, truncation, dataclasses.asdict(untold))
    return generator


def _check_untold(spec: str, family: str, untold: Untold) -> None:
    """Raise InputError if a setting is given that is not for the generator's family."""
    known = FAMILIES[family].untold if family in FAMILIES else ()
    for name, value in dataclasses.asdict(untold).items():
        if value is not None and name not in known:
            owners = " and ".join(f"{owner}:" for owner, kind in FAMILIES.items() if name in kind.untold)
            raise InputError(
                f"{name} is read from the generator {spec}, or has no meaning for it; leave it out: it is for {owners}"
            )


wrap = WrappedModule
"""Wrap a module as a generator: `generator = df.wrap(module, num_classes=10)`. Another name of `WrappedModule`."""


def class_names(spec: str) -> tuple[str, ...]:
    """Return the class names of a generator; for a known name, no weights are loaded."""
    names = known_names(spec)
    return load_generator(spec).class_names if names is None else names


def consequence(spec: str, nothing_is_here: bool = False) -> str | None:
    """Return, in words, what loading a generator does besides reading files; None for most generators.

    nothing_is_here: assume that no published weights have been downloaded yet.
    """
    family, colon, _ = spec.partition(":")
    if family == "python" and colon:
        return "runs that code"
    if (family == "hf" and colon) or (spec in BIGGANS and (nothing_is_here or not local_biggan_deep(spec))):
        return "downloads weights"
    return None
