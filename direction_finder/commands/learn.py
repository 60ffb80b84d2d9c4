"""`direction-finder learn`: find directions in a generator."""

from pathlib import Path
from typing import Any

import click

from direction_finder.commands import completion
from direction_finder.commands.given import Learning
from direction_finder.commands.options import (
    config_options,
    device_option,
    grouped,
    several,
    threads_option,
)
from direction_finder.discovery.configs import CONFIGS, DEFAULT
from direction_finder.settings import ACTIVATIONS, OUTPUTS, SAVE_EVERY, SPACES

WHAT = several(
    click.option(
        "--generator",
        "spec",
        shell_complete=completion.generators,
        metavar="SPEC",
        help="Known name, biggan:FILE, biggan-deep:FOLDER, hf:OWNER/NAME, dcgan:FILE, progan:FILE or "
        "python:MODULE:FACTORY.",
    ),
    click.option(
        "--class",
        "class_texts",
        shell_complete=completion.classes,
        metavar="NAME",
        multiple=True,
        help="Class to learn for; repeat for one run each.  [default: random classes]",
    ),
    click.option(
        "--space",
        "space_texts",
        multiple=True,
        type=click.Choice(SPACES),
        help="Part of the latents to search: thirds of BigGAN's chunks of z, or of the layers. Repeat for one run "
        "each.  [default: all]",
    ),
    click.option(
        "--method", type=click.Choice(list(CONFIGS)), default=DEFAULT, show_default=True, help="How to find directions."
    ),
    click.option("--out", type=click.Path(path_type=Path), help="Run folder.  [default: the next number in outputs/]"),
    click.option(
        "--resume",
        type=click.Path(path_type=Path),
        help="Go on with this run; --steps or --points prolong it.",
    ),
    click.option(
        "--truncation", type=float, help="Cut z to [-2, 2] and scale it.  [default: z ~ N(0, I), as the paper]"
    ),
    click.option(
        "--num-classes", type=click.IntRange(0), help="Classes, where the weights cannot tell (dcgan, python)."
    ),
    click.option("--dim", type=click.IntRange(1), help="Size of z, where it cannot be read off (python)."),
    click.option("--fused-scale", is_flag=True, default=None, help="genforce's ProGAN with fused upsampling (progan)."),
    click.option(
        "--key", metavar="NAME", help="Network to take from a file that holds several (biggan, dcgan, progan)."
    ),
    click.option("--activation", type=click.Choice(ACTIVATIONS), help="Of a dcgan: file.  [default: relu]"),
    click.option("--output-activation", type=click.Choice(OUTPUTS), help="Of a dcgan: file.  [default: tanh]"),
    click.option("--resolution", type=click.IntRange(1), help="Of the images, where a dcgan: file allows several."),
)

HOW = several(
    device_option,
    threads_option,
    click.option(
        "--save-every",
        type=click.FloatRange(0),
        default=SAVE_EVERY,
        show_default=True,
        metavar="SECONDS",
        help="How often the state is saved.",
    ),
    click.option("--dry-run", is_flag=True, help="Print the full configuration and end."),
)


@click.command(epilog="Example: direction-finder learn --generator shapes-64 --class cube --points 24")
@grouped("options", Learning, WHAT, config_options(CONFIGS, skip=["class_index"]), HOW)
@click.pass_context
def learn(ctx: click.Context, options: Learning, **settings: Any) -> None:
    """Find directions in a frozen generator and write them to a run folder.

    A run that was stopped or killed goes on with --resume FOLDER and gives the same file, byte for byte, as one that
    never was.
    """
    from direction_finder.commands.actions import learn as action

    action.learn(ctx, options, settings)
