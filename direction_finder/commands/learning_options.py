"""Define the options of `learn` and `sweep` that say in which generator directions are found, and how."""

import click

from direction_finder.commands import completion
from direction_finder.commands.numbers import Number, Whole
from direction_finder.commands.options import several
from direction_finder.commands.paths import Text
from direction_finder.settings import ACTIVATIONS, MOST_PIXELS, OUTPUTS, PARTS, SAVE_EVERY

generator_option = click.option(
    "--generator",
    "spec",
    type=Text(),
    shell_complete=completion.generators,
    metavar="SPEC",
    help="Generator to search: a known name like shapes-64, biggan:FILE, biggan-deep:FOLDER, hf:OWNER/NAME, "
    "dcgan:FILE, progan:FILE, or your own as python:MODULE:FUNCTION or python:FILE.py:FUNCTION.",
)
class_option = click.option(
    "--class",
    "class_texts",
    shell_complete=completion.classes,
    metavar="NAME",
    multiple=True,
    help="Class of the images; repeat for several, with one run each.  [default: random classes]",
)
part_option = click.option(
    "--part",
    "part_texts",
    multiple=True,
    type=click.Choice(PARTS),
    help="Part of the latents to search: a third of BigGAN's chunks of z, or of the layers. Repeat for several, "
    "with one run each.  [default: all]",
)
loading_options = several(
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
save_option = click.option(
    "--save-every",
    type=Number(least=0),
    default=SAVE_EVERY,
    show_default=True,
    metavar="SECONDS",
    help="Seconds between two saves of the state.",
)
upload_option = click.option(
    "--upload",
    type=Text(),
    metavar="ADDRESS",
    help="Copy every run, once it is finished, to this folder in other storage, e.g. s3://bucket/folder; any address "
    "that fsspec knows.",
)
