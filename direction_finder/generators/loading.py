"""A generator from its name, its file or its code: a table from family to loader."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from direction_finder.class_names import BIGGANS, KNOWN, ORIGINAL, PROGANS, SHIPPED, known_names
from direction_finder.errors import InputError
from direction_finder.generators.base import Generator, Source
from direction_finder.generators.biggan import find_biggan, load_biggan
from direction_finder.generators.biggan_deep import find_biggan_deep, find_on_hub, load_biggan_deep, local_biggan_deep
from direction_finder.generators.dcgan import load_dcgan, load_eyes
from direction_finder.generators.devices import pick_device
from direction_finder.generators.progan import load_progan
from direction_finder.generators.python import load_python
from direction_finder.generators.shipped import shipped
from direction_finder.generators.wrapped import WrappedModule
from direction_finder.progress import DownloadBar

OnDownload = Callable[[int, int], None]


@dataclass(frozen=True)
class Untold:
    """What files or code of some families cannot tell; None: not given. See `load_generator`."""

    num_classes: int | None = None
    dim: int | None = None
    key: str | None = None
    fused_scale: bool | None = None
    activation: str | None = None
    output_activation: str | None = None
    resolution: int | None = None


class Asked(NamedTuple):
    """What a loader is given; path: what stands behind the family's colon."""

    spec: str
    path: str
    truncation: float | None
    on_download: OnDownload | None
    folder: str | Path | None
    untold: Untold

    @property
    def short(self) -> str:
        """The generator's name: the family and the file's name without ending."""
        return f"{self.spec.partition(':')[0]}:{Path(self.path).resolve().name.partition('.')[0]}"


def _eyes(asked: Asked) -> Generator:
    return load_eyes(truncation=asked.truncation)


def _shipped(asked: Asked) -> Generator:
    return load_biggan_deep(shipped(asked.spec), name=asked.spec, truncation=asked.truncation)


def _shipped_progan(asked: Asked) -> Generator:
    return load_progan(shipped(f"{asked.spec}.safetensors"), name=asked.spec, truncation=asked.truncation)


def _published_deep(asked: Asked) -> Generator:
    folder = find_biggan_deep(asked.spec, asked.on_download)
    return load_biggan_deep(folder, name=asked.spec, truncation=asked.truncation)


def _published(asked: Asked) -> Generator:
    return load_biggan(find_biggan(asked.spec), name=asked.spec, truncation=asked.truncation)


def _hub(asked: Asked) -> Generator:
    folder = find_on_hub(asked.path, asked.on_download)
    return load_biggan_deep(folder, name=asked.spec, truncation=asked.truncation)


def _python(asked: Asked) -> Generator:
    untold = asked.untold
    return load_python(
        asked.path,
        dim=untold.dim,
        num_classes=untold.num_classes or 0,
        truncation=asked.truncation,
        folder=asked.folder,
    )


def _biggan(asked: Asked) -> Generator:
    return load_biggan(asked.path, name=asked.short, truncation=asked.truncation, key=asked.untold.key)


def _biggan_deep(asked: Asked) -> Generator:
    return load_biggan_deep(asked.path, name=asked.short, truncation=asked.truncation)


def _dcgan(asked: Asked) -> Generator:
    untold = asked.untold
    return load_dcgan(
        asked.path,
        name=asked.short,
        truncation=asked.truncation,
        num_classes=untold.num_classes or 0,
        key=untold.key,
        activation=untold.activation,
        output_activation=untold.output_activation,
        resolution=untold.resolution,
    )


def _progan(asked: Asked) -> Generator:
    untold = asked.untold
    return load_progan(
        asked.path, name=asked.short, truncation=asked.truncation, fused_scale=untold.fused_scale, key=untold.key
    )


NAMED: dict[str, Callable[[Asked], Generator]] = {
    "eyes": _eyes,
    **dict.fromkeys(SHIPPED, _shipped),
    **dict.fromkeys(PROGANS, _shipped_progan),
    **dict.fromkeys(BIGGANS, _published_deep),
    ORIGINAL: _published,
}


class Family(NamedTuple):
    """A kind of generator that is named by `family:path`, and which settings it cannot read from there."""

    load: Callable[[Asked], Generator]
    untold: tuple[str, ...] = ()


FAMILIES = {
    "biggan": Family(_biggan, ("key",)),
    "biggan-deep": Family(_biggan_deep),
    "hf": Family(_hub),
    "dcgan": Family(_dcgan, ("num_classes", "key", "activation", "output_activation", "resolution")),
    "progan": Family(_progan, ("fused_scale", "key")),
    "python": Family(_python, ("num_classes", "dim")),
}
EXPECTED = (
    f"a known name ({', '.join(KNOWN)}), biggan:FILE, biggan-deep:FOLDER, hf:owner/name, dcgan:FILE, progan:FILE or "
    "python:package.module:factory (or python:FILE.py:factory)"
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
    """Load a frozen generator.

    Args:
        spec: a known name (`shapes-64`, `clevr-1fov`, `clevr-simple` and their `-hp` twins, `eyes`,
            `biggan-128`, `biggan-deep-128`, `-256`, `-512`), `biggan:FILE`, `biggan-deep:FOLDER`, `hf:owner/name` (a
            BigGAN-deep on the hub), `dcgan:FILE`, `progan:FILE`, or `python:package.module:factory` (also
            `python:FILE.py:factory`), a function that returns an nn.Module or a Generator. It is called: name only
            code that you trust.
        truncation: None for z ~ N(0, I); else z is a normal cut to [-2, 2] times this, and BigGAN's batch-norm
            statistics are those of this truncation.
        device: where to compute, e.g. "cpu", "cuda", "mps"; "auto": the fastest there is.
        progress: of a download: True for a bar, or called with (bytes so far, bytes in all).
        folder: where modules are looked for first (python); the working directory by default.
        num_classes: where the weights cannot tell (dcgan, python).
        dim: the size of z, where it cannot be read off (python).
        key: which network of a file that holds several (biggan, dcgan, progan); by default the generator's moving
            average, else the generator.
        fused_scale: True for genforce's files with fused upsampling (progan).
        activation, output_activation, resolution: of a DCGAN (dcgan).

    >>> generator = df.load_generator("shapes-64")

    Raises InputError, one line, if anything is wrong with the spec or its files.
    """
    family, _, path = spec.partition(":")
    if truncation is not None and truncation <= 0:
        raise InputError(f"truncation {truncation}: expected a number above 0, or none")
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
    """Raise InputError if a setting is given that the generator's family reads by itself."""
    known = FAMILIES[family].untold if family in FAMILIES else ()
    for name, value in dataclasses.asdict(untold).items():
        if value is not None and name not in known:
            owners = " and ".join(f"{each}:" for each, kind in FAMILIES.items() if name in kind.untold)
            raise InputError(f"{name} is read from the generator {spec}, or means nothing for it; it is for {owners}")


wrap = WrappedModule
"""The same in a sentence: `generator = df.wrap(module, num_classes=10)`."""


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
