"""`direction-finder info`: what a file, a run or a generator is, how it was made, what is wrong with it."""

import json
from pathlib import Path
from typing import Any

import click

from direction_finder.class_names import KNOWN
from direction_finder.commands.latest import newest_run
from direction_finder.errors import DirectionFinderError, InputError
from direction_finder.files import CONFIG, DIRECTIONS, METADATA_KEY, STATE, read_json

Facts = dict[str, Any]
SHOWN = ("method", "class", "generator", "settings", "started")


@click.command(epilog="Example: direction-finder info outputs/00001-hessian-eyes-blue")
@click.argument("target")
@click.option("--check", is_flag=True, help="Of a run: read its tensors too, not only their headers.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(target: str, check: bool, as_json: bool) -> None:
    """Say what TARGET is, how it was made and what is wrong with it.

    TARGET is a run folder (or latest), a directions file, a data set, a recipe, an image or video of ours, a
    generator's weights, folder or name, a factor network, or a matrix of directions.
    """
    path = Path(newest_run(target))
    if not path.exists() and target not in KNOWN and ":" not in target:
        raise InputError(f"{target}: no such file or folder, nor a generator of that name")
    facts: Facts = {"path": str(path)}
    problems: list[str] = []
    try:
        told = None if check else from_headers(path, problems)
        if told is None:
            from direction_finder.commands import described  # imports torch

            told = described.describe(path, problems) if path.exists() else described.generator(target)
        facts |= told
    except DirectionFinderError as error:
        facts.setdefault("kind", "unreadable")
        problems.append(str(error))
    facts["problems"] = problems
    if as_json:
        click.echo(json.dumps(facts, indent=2, sort_keys=True))
        return
    for key, value in facts.items():
        if key != "problems":
            click.echo(f"{key + ':':18} {value if isinstance(value, str) else json.dumps(value)}")
    for problem in problems or ["none found"]:
        click.echo(f"{'problem:' if problems else 'problems:':18} {problem}")


def from_headers(folder: Path, problems: list[str]) -> Facts | None:
    """Return what is known of a run with directions without reading tensors; None of anything else."""
    config = read_json(folder / CONFIG) if (folder / CONFIG).is_file() else None
    if not isinstance(config, dict) or any(key not in config for key in SHOWN):
        return None
    facts: Facts = {"kind": "run", **{key: config[key] for key in SHOWN}, "finished": config.get("finished")}
    made_with = ("direction_finder", "torch", "device", "threads")
    facts["made_with"] = {key: config[key] for key in made_with if key in config}
    if (folder / STATE).is_file():
        facts["step"] = _step(folder / STATE)
    resume = f"learn --resume {folder} resumes it"
    if not (folder / DIRECTIONS).is_file():
        problems.append(f"no directions yet: {resume}")
        return facts
    (num, dim), record = _directions(folder / DIRECTIONS)
    facts |= {"directions": num, "dim": dim, "orthonormal": record["orthonormal"], "share": record.get("share")}
    if record["weights_sha256"] != config["generator"]["weights_sha256"]:
        problems.append("the directions were found in other weights than config.json names")
    if not config.get("finished"):
        problems.append(f"stopped at step {facts.get('step', 0)}: {resume}")
    return facts


def _directions(path: Path) -> tuple[list[int], Facts]:
    """Return the shape of a directions file's vectors, and its record."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return file.get_slice("vectors").get_shape(), json.loads(file.metadata()[METADATA_KEY])
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a readable directions file ({error}); it may be cut short") from error


def _step(path: Path) -> int:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return int(file.get_tensor("step"))
    except SafetensorError as error:
        raise InputError(f"{path}: damaged ({error}); delete it to start the run again") from error
