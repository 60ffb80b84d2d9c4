"""Describe a run from the headers of its files alone, without torch."""

import json
from pathlib import Path
from typing import Any

from direction_finder.errors import InputError
from direction_finder.files import CONFIG, DIRECTIONS, METADATA_KEY, STATE, read_json

Facts = dict[str, Any]
SHOWN = ("method", "class", "generator", "settings", "started")


def from_headers(folder: Path, problems: list[str]) -> Facts | None:
    """Return facts about a run with directions without reading tensors; None for anything else."""
    config = read_json(folder / CONFIG) if (folder / CONFIG).is_file() else None
    if not isinstance(config, dict) or any(key not in config for key in SHOWN):
        return None
    if not isinstance(config["generator"], dict) or "weights_sha256" not in config["generator"]:
        raise InputError(f"{folder / CONFIG}: damaged (it does not describe its generator)")
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
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            num, dim = file.get_slice("vectors").get_shape()
            record = json.loads(file.metadata()[METADATA_KEY])
        details = {"orthonormal": record["orthonormal"], "share": record.get("share")}
        return {"directions": num, "dim": dim, **details}, record["weights_sha256"]
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a readable directions file ({error}); it may be cut short") from error


def _step(path: Path) -> int:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return int(file.get_tensor("step"))
    except (SafetensorError, TypeError, ValueError) as error:
        raise InputError(f"{path}: damaged ({error}); delete it to start the run again") from error
