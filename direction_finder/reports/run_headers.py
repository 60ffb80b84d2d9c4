"""Describe a run from the headers of its files alone, without torch."""

from pathlib import Path
from typing import Any, NotRequired, TypedDict

from direction_finder.errors import InputError
from direction_finder.files import CONFIG, DIRECTIONS, STATE, checked, read_json
from direction_finder.runs.models import RunConfig
from direction_finder.tensor_files import read_metadata, tensor_shapes

Facts = dict[str, Any]
SHOWN = ("method", "class", "generator", "settings", "started")


class Header(TypedDict):
    """The part of a directions file's metadata that describes a run; see `directions_check` for all of it."""

    orthonormal: bool
    weights_sha256: str | None
    share: NotRequired[dict[str, float] | None]


def from_headers(folder: Path, problems: list[str]) -> Facts | None:
    """Return facts about a run with directions without reading tensors; None for anything else."""
    config = read_json(folder / CONFIG) if (folder / CONFIG).is_file() else None
    if not isinstance(config, dict) or any(key not in config for key in SHOWN):
        return None
    checked(config, f"{folder / CONFIG}: damaged", RunConfig)
    if "weights_sha256" not in config["generator"]:
        raise InputError(f"{folder / CONFIG}: damaged: it does not describe its generator")
    facts: Facts = {"kind": "run", **{key: config[key] for key in SHOWN}, "finished": config.get("finished")}
    made_with = ("direction_finder", "torch", "device", "threads")
    facts["made_with"] = {key: config[key] for key in made_with if key in config}
    if (folder / STATE).is_file():
        facts["step"] = _step(folder / STATE)
    resume = f"learn --resume {folder} resumes it"
    if not (folder / DIRECTIONS).is_file():
        problems.append(f"no directions yet: {resume}")
        return facts
    details, weights = _directions(folder / DIRECTIONS)
    facts |= details
    if weights != config["generator"]["weights_sha256"]:
        problems.append("the directions were found in other weights than those in config.json")
    if not config.get("finished"):
        problems.append(f"stopped at step {facts.get('step', 0)}: {resume}")
    return facts


def _directions(path: Path) -> tuple[Facts, str | None]:
    """Return facts from a directions file's header, and the hash of the weights they were found in."""
    header, shape = read_metadata(path, Header), tensor_shapes(path).get("vectors", ())
    if header is None or len(shape) != 2:
        raise InputError(f"{path}: not a directions file; it may be damaged")
    details = {"orthonormal": header["orthonormal"], "share": header.get("share")}
    return {"directions": shape[0], "dim": shape[1], **details}, header["weights_sha256"]


def _step(path: Path) -> int:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return int(file.get_tensor("step"))
    except (SafetensorError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise InputError(f"{path}: damaged ({error}); delete it to start the run again") from error
