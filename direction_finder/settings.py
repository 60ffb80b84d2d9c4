"""Declare settings as fields of frozen dataclasses with help texts and limits; commands turn them into options."""

import dataclasses
from typing import Any

from direction_finder.errors import InputError

SAVE_EVERY = 30.0  # seconds between two states of a run
IMAGE = "image"  # the name of a generator's last activation
ACTIVATIONS = ("relu", "leaky-relu", "elu", "selu", "gelu", "silu")  # allowed activations of a DCGAN
OUTPUTS = ("tanh", "sigmoid", "none")  # allowed activations of its last layer
FEATURES = ("lite0", "published")  # networks that distances of images are computed with
PLACES = ("end", "full")  # where the step of a path length is taken: at its end, as in the paper, or anywhere
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
PARTS = ("all", "coarse", "mid", "fine")  # parts of the latents to search


def number_range(text: str) -> tuple[int, int] | None:
    """Return "0-39" as (0, 39), "7" as (7, 7), and None for any other text."""
    first, dash, last = text.strip().partition("-")
    last = last if dash else first
    if not (first.isdecimal() and last.isdecimal()) or int(last) < int(first):
        return None
    return int(first), int(last)


def option(default: Any, text: str, **limits: Any) -> Any:
    """Return a dataclass field with a default, a help text and limits: `above`, `least`, `below`, `choices`."""
    return dataclasses.field(default=default, metadata={"help": text, **limits})


def check_options(config: Any) -> None:
    """Raise InputError unless every field of a dataclass is within its declared limits; None always passes."""
    for field in dataclasses.fields(config):
        limits, value = field.metadata, getattr(config, field.name)
        if value is None:
            continue
        if "choices" in limits and value not in limits["choices"]:
            raise InputError(f"{field.name} is {value!r}: expected one of {', '.join(limits['choices'])}")
        if "least" in limits and not value >= limits["least"]:
            raise InputError(f"{field.name} is {value}: expected at least {limits['least']}")
        if "above" in limits and not value > limits["above"]:
            raise InputError(f"{field.name} is {value}: expected a number above {limits['above']}")
        if "below" in limits and not value < limits["below"]:
            raise InputError(f"{field.name} is {value}: expected a number below {limits['below']}")
