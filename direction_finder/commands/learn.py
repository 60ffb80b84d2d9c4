"""Define `direction-finder learn`, which finds directions in a generator."""

from typing import Any

import click

from direction_finder.commands import completion
from direction_finder.commands.numbers import Number, Whole
from direction_finder.commands.option_values import Learning
from direction_finder.commands.options import (
    config_options,
    device_option,
    grouped,
    several,
    threads_option,
)
from direction_finder.commands.paths import Place, Text
from direction_finder.discovery.configs import CONFIGS, DEFAULT
from direction_finder.settings import ACTIVATIONS, MOST_PIXELS, OUTPUTS, PARTS, SAVE_EVERY

WHAT = several(
    click.option(
        "--generator",
        "spec",
        type=Text(),
        shell_complete=completion.generators,
        metavar="SPEC",
        help="Generator to search: a known name like shapes-64, biggan:FILE, biggan-deep:FOLDER, hf:OWNER/NAME, "
        "dcgan:FILE, progan:FILE, or your own as python:MODULE:FUNCTION or python:FILE.py:FUNCTION.",
    ),
    click.option(
        "--class",
        "class_texts",
        shell_complete=completion.classes,
        metavar="NAME",
        multiple=True,
        help="Class of the images; repeat for several, with one run each.  [default: random classes]",
    ),
    click.option(
        "--part",
        "part_texts",
        multiple=True,
        type=click.Choice(PARTS),
        help="Part of the latents to search: a third of BigGAN's chunks of z, or of the layers. Repeat for several, "
        "with one run each.  [default: all]",
    ),
    click.option(
        "--method",
        type=click.Choice(list(CONFIGS)),
        default=DEFAULT,
        show_default=True,
        help="Method that finds directions.",
    ),
    click.option("--out", type=Place(file=False), help="Run folder to create.  [default: the next number in outputs/]"),
    click.option(
        "--resume",
        type=Place(file=False),
        help="Resume this run where it stopped; a larger --steps or --points makes it longer.",
    ),
    click.option(
        "--truncation",
        type=Number(least=0.001, most=1000),
        help="Truncate z to [-2, 2] and multiply it by this factor.  [default: no truncation, z ~ N(0, I)]",
    ),
    click.option(
        "--num-classes",
        type=Whole(least=0),
        help="Number of classes, if it cannot be read from the weights (dcgan, python).",
    ),
    click.option("--dim", type=Whole(least=1), help="Size of z, if it cannot be read from the network (python)."),
    click.option(
        "--fused-scale",
        is_flag=True,
        default=None,
        help="The file is genforce's ProGAN with fused upsampling (progan).",
    ),
    click.option(
        "--key",
        type=Text(),
        metavar="NAME",
        help="Network to load from a file that contains several (biggan, dcgan, progan).",
    ),
    click.option("--activation", type=click.Choice(ACTIVATIONS), help="Activation of a dcgan: file.  [default: relu]"),
    click.option(
        "--output-activation",
        type=click.Choice(OUTPUTS),
        help="Last activation of a dcgan: file.  [default: tanh]",
    ),
    click.option(
        "--resolution",
        type=Whole(least=1, most=MOST_PIXELS),
        help="Size of the images in pixels, if a dcgan: file allows several.",
    ),
)

HOW = several(
    device_option,
    threads_option,
    click.option(
        "--save-every",
        type=Number(least=0),
        default=SAVE_EVERY,
        show_default=True,
        metavar="SECONDS",
        help="Seconds between two saves of the state.",
    ),
    click.option("--curved", is_flag=True, help="Curve the directions once they are found, as `bend` does."),
    click.option("--dry-run", is_flag=True, help="Print the full configuration and exit."),
)


@click.command(epilog="Example: direction-finder learn --generator shapes-64 --class cube --points 24")
@grouped("options", Learning, WHAT, config_options(CONFIGS, skip=["class_index"]), HOW)
@click.pass_context
def learn(ctx: click.Context, options: Learning, **settings: Any) -> None:
    """Find directions in a frozen generator and write them to a run folder.

    If a run was stopped or killed, --resume FOLDER continues it and produces exactly the same file as an uninterrupted
    run.
    """
    from direction_finder.commands.actions import learn as action

    action.learn(ctx, options, settings)
