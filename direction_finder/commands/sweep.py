"""Define `direction-finder sweep`, which finds directions in many runs."""

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
from direction_finder.commands.numbers import Seeds, Shard, Whole
from direction_finder.commands.option_values import Sweeping
from direction_finder.commands.options import config_options, device_option, grouped, several
from direction_finder.commands.paths import Place, Text
from direction_finder.discovery.configs import CONFIGS, DEFAULT
from direction_finder.settings import MOST_THREADS

WHAT = several(
    generator_option,
    class_option,
    click.option("--together", is_flag=True, help="Find one basis for all classes together too, beside one for each."),
    part_option,
    click.option(
        "--method",
        "methods",
        type=click.Choice(list(CONFIGS)),
        multiple=True,
        default=(DEFAULT,),
        show_default=True,
        help="Method that finds directions; may be repeated.",
    ),
    click.option(
        "--seed",
        "seeds",
        type=Seeds(),
        multiple=True,
        default=((0, 0),),
        help="Seed of all random numbers, or a range like 0-4; may be repeated.  [default: 0]",
    ),
    click.option("--out", type=Place(file=False), help="Folder of the sweep, with one run folder for each run in it."),
    loading_options,
)
HOW = several(
    click.option(
        "--workers",
        type=Whole(least=1, most=1024),
        help="Number of processes, or of runs at once on a cluster.  [default: one per core, a single one on a GPU, as "
        "many as fit on a cluster]",
    ),
    click.option(
        "--address",
        type=Text(),
        metavar="auto|HOST:PORT",
        help="Ray cluster whose nodes carry out the runs; auto: the one that Ray finds. All nodes need to see --out.",
    ),
    click.option(
        "--shard",
        type=Shard(),
        help="Carry out one shard of the runs only, e.g. 2/8, while other machines carry out the others.",
    ),
    click.option(
        "--rank",
        is_flag=True,
        help="Also rank the directions of each run, and render strips of the best for the page of the sweep.",
    ),
    device_option,
    click.option(
        "--threads",
        type=Whole(least=1, most=MOST_THREADS),
        default=1,
        show_default=True,
        help="Number of CPU threads of each process.",
    ),
    save_option,
    upload_option,
    click.option(
        "--dry-run", is_flag=True, help="Print which runs are left, and what they would cost, judging by a part of one."
    ),
)


@click.command(
    epilog="Example: direction-finder sweep --generator shapes-64 --class cube --class sphere --seed 0-2 --points 24 "
    "--out outputs/sweep"
)
@grouped("options", Sweeping, WHAT, config_options(CONFIGS, skip=["class_index", "seed"]), HOW)
def sweep(options: Sweeping, **settings: Any) -> None:
    """Find directions in many runs, one for each method, class, part and seed.

    A class like 0-9 stands for ten. Every run is a run folder below --out. Runs that are done are left out, and
    interrupted ones are resumed: repeat the command after any interruption. runs.csv and runs.jsonl list all runs, and
    index.html shows them.
    """
    from direction_finder.commands.actions import sweep as action

    action.sweep(options, settings)
