"""What the shell is offered to complete: generators, classes, runs and the names of directions. Needs no torch."""

import json
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from direction_finder.class_names import KNOWN, known_names
from direction_finder.files import CONFIG, DIRECTIONS, METADATA_KEY

FAMILIES = ("biggan:", "biggan-deep:", "dcgan:", "hf:", "progan:", "python:")


def generators(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return known names of generators, and the families that a path or a module follows."""
    return [name for name in (*KNOWN, *FAMILIES) if name.startswith(incomplete)]


def classes(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the classes of the generator that is named before, or that the run before was made with."""
    spec = ctx.params.get("spec") or ctx.params.get("generator") or _record(ctx).get("generator")
    names = (name.split(",")[0] for name in known_names(str(spec)) or ())
    return [name for name in names if name.lower().startswith(incomplete.lower())]


def runs(incomplete: str) -> list[CompletionItem]:
    """Return the run folders under outputs/, and latest; paths where none of them fits."""
    folders = sorted(str(path.parent) for path in Path("outputs").glob(f"*/{CONFIG}"))
    fitting = [name for name in (*folders, *(["latest"] if folders else [])) if name.startswith(incomplete)]
    return [CompletionItem(name) for name in fitting] or [CompletionItem(incomplete, type="file")]


def directions(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of the directions of the run that is named before, after a comma too."""
    before, comma, last = incomplete.rpartition(",")
    names = (name for name in _record(ctx).get("names") or () if name)
    return [f"{before}{comma}{name}" for name in names if name.startswith(last)]


def _record(ctx: click.Context) -> dict:
    """Return what the directions file of the run before says of itself; nothing if there is none."""
    from safetensors import SafetensorError, safe_open

    target = ctx.params.get("target") or next(iter(ctx.args), "")  # an option without its value hides arguments
    path = Path(target, DIRECTIONS) if Path(target).is_dir() else Path(target)
    try:
        with safe_open(path, framework="numpy") as file:
            return json.loads(file.metadata()[METADATA_KEY])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        return {}
