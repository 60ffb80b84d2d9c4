"""Declare settings as fields of frozen dataclasses with help texts and limits; commands turn them into options."""

import dataclasses
import math
import numbers
import types
from typing import Any, get_args, get_origin

from direction_finder.errors import InputError
from direction_finder.numerals import ordinal

SAVE_EVERY = 30.0  # seconds between two states of a run
MOST = 10**9  # the largest number of a setting that declares no other limit
MOST_SEED = 2**63 - 1
FEWEST_BENT = 8  # points by which directions are curved
MOST_INDEX = 99_999  # of a direction, layer or dimension
MOST_ROWS = 10**6  # samples, points or images
MOST_PIXELS = 4096  # width and height of images
MOST_THREADS = 1024
MOST_PROCESSES = 256
FARTHEST = 1e6  # the largest coordinate along a direction: far beyond any latents, but no overflow in float32
IMAGE = "image"  # the name of a generator's last activation
MIDDLE = "middle"  # in place of names: activations of middle resolution, which are then looked up
ACTIVATIONS = ("relu", "leaky-relu", "elu", "selu", "gelu", "silu")  # allowed activations of a DCGAN
OUTPUTS = ("tanh", "sigmoid", "none")  # allowed activations of its last layer
FEATURES = ("lite0", "published")  # networks that distances of images are computed with
PLACES = ("end", "full")  # where the step of a path length is taken: at its end, as in the paper, or anywhere
READERS = ("network", "pixels")  # what reads factors in images
METRICS = (  # metrics of `measure`: first those of directions, then those of generators
    "factors",
    "alignment",
    "diagonality",
    "share",
    "activeness",
    "paths",
    "ppl",
    "fid",
    "kid",
    "fidelity",
)
ST_RKM, VAE = "st-rkm", "vae"  # kinds of autoencoders
PARTS = ("all", "coarse", "mid", "fine")  # parts of the latents to search
LIMITS = ("least", "above", "below", "most")


def number_range(text: str) -> tuple[int, int] | None:
    """Return "0-39" as (0, 39), "7" as (7, 7), and None for any other text."""
    first, dash, last = text.strip().partition("-")
    low, high = ordinal(first), ordinal(last if dash else first)
    return None if low is None or high is None or not low <= high <= MOST_INDEX else (low, high)


def option(default: Any, text: str, **limits: Any) -> Any:
    """Return a dataclass field with a default, a help text and limits: those of `flaw`, or `choices`."""
    return dataclasses.field(default=default, metadata={"help": text, **limits})


def limits_of(field: dataclasses.Field) -> dict[str, Any]:
    """Return the limits that a field declares for a number, as `flaw` takes them."""
    return {name: field.metadata[name] for name in LIMITS if name in field.metadata}


def flaw(
    value: Any,
    kind: type,
    *,
    least: float = -MOST,
    above: float | None = None,
    below: float | None = None,
    most: float = MOST,
) -> str | None:
    """Return what is expected instead of `value`, e.g. "at least 1"; None if it is a number within the limits.

    kind: int, or float, which may be a whole number too. Not finite numbers, texts and True are never right.
    """
    if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
        return "a whole number of type int" if kind is int else "a number of type int or float"
    if isinstance(value, float) and not math.isfinite(value):
        return "a finite number"
    if above is not None and not value > above:
        return f"a number above {above}"
    if below is not None and not value < below:
        return f"a number below {below}"
    if value < least:
        return f"at least {least}"
    return f"at most {most}" if value > most else None


def check_number(name: str, value: Any, kind: type, **limits: float) -> None:
    """Raise InputError unless an argument, which may be a number of NumPy, is within limits, which are those of `flaw`.

    >>> check_number("steps", 7, int, least=2)
    """
    plain = value.item() if isinstance(value, numbers.Number) and hasattr(value, "item") else value
    if expected := flaw(plain, kind, **limits):
        raise InputError(f"{name} is {value!r}: expected {expected}")


def check_options(config: Any) -> None:
    """Raise InputError unless every field of a dataclass is of its type and within its declared limits."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if expected := _flaw_of(field, value):
            raise InputError(f"{field.name} is {value!r}: expected {expected}")


def _flaw_of(field: dataclasses.Field, value: Any) -> str | None:
    """Return what is expected instead of the value of a field."""
    kinds = get_args(field.type) if isinstance(field.type, types.UnionType) else (field.type,)
    several = [kind for kind in kinds if get_origin(kind) is tuple] if isinstance(value, tuple) else []
    kind, choices = (several or kinds)[0], field.metadata.get("choices")
    if value is None and types.NoneType in kinds:
        return None
    if choices:
        return None if value in choices else f"one of {', '.join(choices)}"
    if kind in (int, float):
        return flaw(value, kind, **limits_of(field))
    if kind in (bool, str):
        return None if isinstance(value, kind) else {bool: "True or False", str: "a text"}[kind]
    if get_origin(kind) is tuple:
        return _flaw_of_several(value, *get_args(kind))
    return None


def _flaw_of_several(value: Any, item: type, end: Any) -> str | None:
    """Return what is expected instead of a tuple: of names, of any number if `end` is `...`, or of two numbers."""
    if end is Ellipsis:
        fits = isinstance(value, tuple) and value and all(isinstance(each, item) for each in value)
        return None if fits else 'several names, e.g. ("image",)'
    fits = isinstance(value, tuple) and len(value) == 2 and not any(flaw(each, item) for each in value)
    return None if fits else "two whole numbers, e.g. (0, 39)"
