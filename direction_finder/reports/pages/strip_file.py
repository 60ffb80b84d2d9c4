"""Save the strips of a run beside its directions, so that its page and the gallery need no generator."""

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict

import torch
from msgspec import Meta
from PIL import Image
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.files import METADATA_KEY, STRIPS, replacing
from direction_finder.rendering.strips import MOST, Strip
from direction_finder.tensor_files import read_tensor_file

KIND = "strips"
STRAIGHT = " straight"  # ending of the name of a sheet that leaves out the curve of its direction
CURE = "delete it; `page` renders strips again"
Side = Annotated[int, Meta(ge=1, le=MOST)]
Positions = Annotated[list[float], Meta(min_length=1, max_length=MOST)]


class StripRecord(TypedDict):
    """One strip: its direction, the size of a frame, the number of samples, and the positions along the direction."""

    direction: Annotated[int, Meta(ge=0)]
    size: tuple[Side, Side]
    samples: Side
    positions: Positions


class StripsRecord(TypedDict):
    """The metadata of a file of strips.

    made: everything that they depend on. straight: strips along straight lines, of directions that are curved.
    """

    kind: str
    made: dict[str, Any]
    strips: list[StripRecord]
    straight: NotRequired[list[StripRecord]]


def save_strips(folder: Path, strips: Mapping[int, Strip], made: dict[str, Any]) -> None:
    """Write strips, by the number of their direction, into a run folder. made: everything that they depend on."""
    from safetensors.torch import save

    straight = {number: strip.straight for number, strip in strips.items() if strip.straight}
    about = {"kind": KIND, "made": made, "strips": _records(strips)}
    about |= {"straight": _records(straight)} if straight else {}
    content = json.dumps(about, sort_keys=True, ensure_ascii=False)
    sheets = {str(number): strip.sheet for number, strip in strips.items()}
    sheets |= {f"{number}{STRAIGHT}": strip.sheet for number, strip in straight.items()}
    tensors = {name: torch.frombuffer(bytearray(sheet), dtype=torch.uint8) for name, sheet in sheets.items()}
    with replacing(folder / STRIPS) as part:
        part.write_bytes(save(tensors, metadata={METADATA_KEY: content}))


def read_strips(path: Path) -> tuple[dict[int, Strip], dict[str, Any]]:
    """Return the strips in a file by the number of their direction, and what they depend on.

    Raises InputError if the file is damaged.
    """
    tensors, record = read_tensor_file(path, StripsRecord)
    if record is None or record["kind"] != KIND:
        raise InputError(f"{path}: no strips; {CURE}")
    strips = {each["direction"]: _strip(path, tensors, each, "") for each in record["strips"]}
    for each in record.get("straight", ()):
        number, straight = each["direction"], _strip(path, tensors, each, STRAIGHT)
        curved = strips.get(number)
        if not curved or (curved.samples, curved.positions) != (straight.samples, straight.positions):
            raise InputError(f"{path}: the strips of direction {number} do not fit one another; {CURE}")
        strips[number] = replace(curved, straight=straight)
    return strips, record["made"]


def _records(strips: Mapping[int, Strip]) -> list[dict[str, Any]]:
    return [
        {"direction": number, "size": strip.size, "samples": strip.samples, "positions": strip.positions}
        for number, strip in strips.items()
    ]


def _strip(path: Path, tensors: Mapping[str, Tensor], record: StripRecord, ending: str) -> Strip:
    """Return the strip of a record, whose sheet is the tensor named after its direction, with an ending."""
    tensor = tensors.get(f"{record['direction']}{ending}")
    if tensor is None or tensor.dtype != torch.uint8:
        raise InputError(f"{path}: has no strip of direction {record['direction']}{ending}; {CURE}")
    width, height = record["size"]
    strip = Strip(tensor.numpy().tobytes(), (width, height), record["samples"], tuple(record["positions"]))
    if not _fits(strip):
        raise InputError(f"{path}: the strip of direction {record['direction']}{ending} is damaged; {CURE}")
    return strip


def _fits(strip: Strip) -> bool:
    """Return whether the sheet is a WebP image of the size that its record says."""
    try:
        with Image.open(io.BytesIO(strip.sheet), formats=("WEBP",)) as image:
            return image.size == (strip.size[0] * len(strip.positions), strip.size[1] * strip.samples)
    except (OSError, ValueError, Image.DecompressionBombError):
        return False
