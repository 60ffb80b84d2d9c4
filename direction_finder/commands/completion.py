"""Complete generators, classes, runs and names of directions in the shell, without importing torch."""

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from direction_finder.class_names import KNOWN, known_names
from direction_finder.errors import InputError
from direction_finder.files import CONFIG, DIRECTIONS

FAMILIES = ("biggan:", "biggan-deep:", "dcgan:", "hf:", "progan:", "st-rkm:", "vae:", "python:")


def generators(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return known names of generators, and the prefixes of those that take a path or a module."""
    return [name for name in (*KNOWN, *FAMILIES) if name.startswith(incomplete)]


def classes(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the classes of the generator named earlier in the command, or of that of the run named earlier."""
    spec = ctx.params.get("spec") or ctx.params.get("generator") or _record(ctx).get("generator")
    names = (name.split(",")[0] for name in known_names(str(spec)) or ())
    return [name for name in names if name.lower().startswith(incomplete.lower())]


def runs(incomplete: str) -> list[CompletionItem]:
    """Return the run folders under outputs/ and the word latest, or any path if none of them matches."""
    folders = sorted(str(path.parent) for path in Path("outputs").glob(f"*/{CONFIG}"))
    matches = [name for name in (*folders, *(["latest"] if folders else [])) if name.startswith(incomplete)]
    return [CompletionItem(name) for name in matches] or [CompletionItem(incomplete, type="file")]


def directions(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of the directions of the run named earlier in the command, also after a comma."""
    before, comma, last = incomplete.rpartition(",")
    names = (name for name in _record(ctx).get("names") or () if name)
    return [f"{before}{comma}{name}" for name in names if name.startswith(last)]


def _record(ctx: click.Context) -> dict:
    """Return the metadata in the directions file of the run named earlier; empty if there is none."""
    from direction_finder.tensor_files import read_metadata

    target = ctx.params.get("target") or next(
        iter(ctx.args), ""
    )  # click hides arguments after an option without its value
    path = Path(target, DIRECTIONS) if Path(target).is_dir() else Path(target)
    try:
        return read_metadata(path, dict) or {}
    except (InputError, OSError):
        return {}
