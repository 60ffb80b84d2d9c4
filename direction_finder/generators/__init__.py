"""Frozen generators: latents and classes in, images out. `load_generator` makes one from a name or a path."""

from collections.abc import Callable
from pathlib import Path

from direction_finder.errors import InputError
from direction_finder.generators.base import IMAGE, SPACES, Generator, Half, Outline
from direction_finder.generators.biggan import PUBLISHED, find_biggan, load_biggan
from direction_finder.generators.biggan_deep import find_biggan_deep, find_on_hub, load_biggan_deep, local_biggan_deep
from direction_finder.generators.classes import imagenet_names, resolve_class, search_classes
from direction_finder.generators.dcgan import EYES_CLASSES, load_dcgan, load_eyes
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

BIGGANS = ("biggan-deep-128", "biggan-deep-256", "biggan-deep-512")
ORIGINAL = PUBLISHED.name  # the paper's
SHIPPED = {"shapes-64": ("cube", "sphere", "cylinder")}
PROGANS = ("clevr-1fov", "clevr-1fov-hp", "clevr-simple", "clevr-simple-hp")  # shipped: as trained, and fine-tuned
KNOWN = {**SHIPPED, **dict.fromkeys(PROGANS, ()), "eyes": EYES_CLASSES, **dict.fromkeys((*BIGGANS, ORIGINAL), None)}
UNTOLD = ("num_classes", "dim", "fused_scale", "key")  # what some weights cannot tell, and `load_generator` is told
EXPECTED = (
    f"a known name ({', '.join(KNOWN)}), biggan:FILE, biggan-deep:FOLDER, hf:owner/name, dcgan:FILE, progan:FILE or "
    "python:package.module:factory (or python:FILE.py:factory)"
)


def load_generator(
    spec: str,
    truncation: float | None = None,
    *,
    num_classes: int | None = None,
    dim: int | None = None,
    fused_scale: bool | None = None,
    key: str | None = None,
    device: str = "cpu",
    on_download: Callable[[int, int], None] | None = None,
    folder: str | Path | None = None,
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
        num_classes: how many classes, where the weights cannot tell (dcgan, python).
        dim: size of z, where it cannot be read off (python).
        fused_scale: True for genforce's ProGAN files with fused upsampling, where the shapes cannot tell (progan).
        key: which network of a file that holds several (biggan, dcgan, progan); default: the moving average of the
            generator, else the generator.
        device: where to compute, e.g. "cpu", "cuda", "mps".
        on_download: called with (bytes so far, bytes in all) if weights have to be downloaded.
        folder: where modules are looked for first (python); the working directory by default.

    Raises InputError, one line, if anything is wrong with the spec or its files.
    """
    family, _, path = spec.partition(":")
    if truncation is not None and truncation <= 0:
        raise InputError(f"truncation {truncation}: expected a number above 0, or none")
    if num_classes is not None and family not in ("dcgan", "python"):
        raise InputError(f"num_classes is read from the generator {spec}: leave it out")
    if dim is not None and family != "python":
        raise InputError(f"dim is read from the generator {spec}: leave it out")
    if fused_scale is not None and family != "progan":
        raise InputError(f"fused_scale is for progan:FILE, not for {spec}: leave it out")
    if key is not None and family not in ("biggan", "dcgan", "progan"):
        raise InputError(f"key is for biggan:FILE, dcgan:FILE and progan:FILE, not for {spec}: leave it out")
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
    elif family == "biggan" and path:
        generator = load_biggan(path, name=_short(family, path), truncation=truncation, key=key)
    elif family == "biggan-deep" and path:
        generator = load_biggan_deep(path, name=_short(family, path), truncation=truncation)
    elif family == "hf" and path:
        generator = load_biggan_deep(find_on_hub(path, on_download), name=spec, truncation=truncation)
    elif family == "dcgan" and path:
        generator = load_dcgan(
            path, name=_short(family, path), truncation=truncation, num_classes=num_classes or 0, key=key
        )
    elif family == "progan" and path:
        generator = load_progan(
            path, name=_short(family, path), truncation=truncation, fused_scale=fused_scale, key=key
        )
    elif family == "python" and path:
        generator = load_python(path, dim=dim, num_classes=num_classes or 0, truncation=truncation, folder=folder)
    else:
        raise InputError(f"unknown generator {spec!r}: expected {EXPECTED}")
    return generator.to(device)


def class_names(spec: str) -> tuple[str, ...]:
    """The class names of a generator; those of known names are given without loading weights."""
    if spec in KNOWN:
        return imagenet_names() if KNOWN[spec] is None else KNOWN[spec]
    return load_generator(spec).class_names


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
