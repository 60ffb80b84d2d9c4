"""`direction-finder finetune`: train a ProGAN on, with the Hessian Penalty."""

from pathlib import Path
from typing import Any

import click

from direction_finder.commands.given import Training
from direction_finder.commands.options import config_options, grouped
from direction_finder.commands.training_options import (
    FOLDER,
    how_options,
    resolution_option,
    run_options,
    score_options,
)
from direction_finder.training.progan_config import ProGANConfig


@click.command(
    epilog="Example: direction-finder finetune outputs/simple data/simple --penalty-weight 0.05 --ramp-kimg 60"
)
@click.argument("checkpoint", required=False, type=click.Path(path_type=Path))
@click.argument("data", required=False, type=FOLDER)
@grouped(
    "options",
    Training,
    run_options,
    resolution_option,
    config_options(
        {"progan": ProGANConfig},
        skip=["fade_kimg", "stable_kimg", "largest_batch", "z_dim", "width", "max_width", "codes"],
    ),
    score_options,
    how_options,
)
@click.pass_context
def finetune(
    ctx: click.Context, checkpoint: Path | None, data: Path | None, options: Training, **settings: Any
) -> None:
    """Train a ProGAN on, fully grown, with the Hessian Penalty on its activations, so that each component of z comes
    to do one thing and the superfluous ones nothing.

    CHECKPOINT is a run of `train progan`, or its snapshot. With --penalty-weight 0 the same training goes on without
    the penalty, for comparison. The run folder is as that of `train progan`, and --resume works alike.
    """
    from direction_finder.commands.actions import train as action

    action.finetune(ctx, checkpoint, data, options, settings)
