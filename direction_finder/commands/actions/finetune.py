"""What `direction-finder finetune` does."""

from pathlib import Path
from typing import Any

import click

from direction_finder.commands.training import (
    SNAPSHOT,
    begin_or_resume,
)
from direction_finder.errors import InputError
from direction_finder.generators.weights import State, read_whole


def finetune(ctx: click.Context, checkpoint: Path | None, **options: Any) -> None:
    """Train a ProGAN on, fully grown, with the Hessian Penalty on its activations."""
    if checkpoint:
        file = checkpoint / SNAPSHOT if checkpoint.is_dir() else checkpoint
        options |= {"start": file, **_sizes(read_whole(file), file)}
    elif not options["resume"]:
        raise InputError("no checkpoint: give a run of `train progan`, or its snapshot.safetensors")
    begin_or_resume(ctx, "progan", {**options, "start": options.get("start")})


def _sizes(start: State, file: Path) -> dict[str, Any]:
    """The settings that a snapshot's shapes tell."""
    widths = [
        tensor.shape[1] for name, tensor in start.items() if name.startswith("average.output") and tensor.ndim == 4
    ]
    if "average.layer0.weight" not in start or not widths or "critic.last.0.weight" not in start:
        raise InputError(f"{file}: no snapshot of `train progan`, with generator and critic")
    codes = start["critic.guess.2.bias"].numel() if "critic.guess.2.bias" in start else 0
    return {
        "z_dim": start["average.layer0.weight"].shape[1],
        "width": min(widths),
        "max_width": max(widths),
        "codes": codes,
    }
