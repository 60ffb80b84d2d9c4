"""Define `direction-finder learn`, which finds directions in a generator."""

from typing import Any

import click

from direction_finder.commands.learning_options import (
    class_option,
    generator_option,
    loading_options,
    part_option,
    save_option,
    upload_option,
)
from direction_finder.commands.option_values import Learning
from direction_finder.commands.options import (
    config_options,
    device_option,
    grouped,
    several,
    threads_option,
)
from direction_finder.commands.paths import Place
from direction_finder.discovery.configs import CONFIGS, DEFAULT

WHAT = several(
    generator_option,
    class_option,
    click.option("--together", is_flag=True, help="Find one basis for all classes together, instead of one for each."),
    part_option,
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
    loading_options,
)

HOW = several(
    device_option,
    threads_option,
    save_option,
    upload_option,
    click.option(
        "--dry-run",
        is_flag=True,
        help="Print the full configuration, and what the run would cost, judging by a part of it.",
    ),
    click.option("--curved", is_flag=True, help="Curve the directions once they are found, as `bend` does."),
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
