"""Define `direction-finder finetune`, which fine-tunes a ProGAN with the Hessian Penalty."""

from pathlib import Path
from typing import Any

import click

from direction_finder.commands.option_values import Training
from direction_finder.commands.options import config_options, grouped
from direction_finder.commands.paths import Place
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
@click.argument("checkpoint", required=False, type=Place())
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
    """Fine-tune a fully grown ProGAN with the Hessian Penalty on its activations.

    Afterwards, each component of z changes one thing in the image, and superfluous components change nothing.

    CHECKPOINT is a run of `train progan`, or its snapshot. DATA is a data set that `scenes` made, or a folder of
    images. With --penalty-weight 0 the training continues without the penalty, for comparison. The run folder and
    --resume are like those of `train progan`.
    """
    from direction_finder.commands.actions import train as action

    action.finetune(ctx, checkpoint, data, options, settings)
