"""What `direction-finder edit` does."""

import re
from pathlib import Path
from typing import Any

import click
import torch

from direction_finder.commands.target import Target, column_labels
from direction_finder.edits import EDITS, Recipe, Step
from direction_finder.errors import InputError
from direction_finder.pictures import Row, write_sheet


def edit(
    target: Path, steps: tuple[str, ...], recipe: Path | None, samples: int, out: Path | None, **options: Any
) -> None:
    """Draw samples as they are and edited, and keep the edit as a small recipe file."""
    if bool(steps) == bool(recipe):
        raise InputError("give --step (one or more) or --recipe FILE, not both")
    opened = Target.open(target, options["generator"], options["device"], options["max_batch"])
    digest = opened.directions.sha256
    if recipe:
        loaded = Recipe.load(recipe)
        for ours, theirs, what in (
            (digest, loaded.directions_sha256, "other directions"),
            (opened.generator.weights_sha256, loaded.weights_sha256, "another generator"),
        ):
            if ours != theirs:
                raise InputError(
                    f"{recipe}: made with {what} ({theirs[:12]}, here {ours[:12]}); replay it on its own run"
                )
        latents, _ = opened.samples(loaded.samples, loaded.seed, None)
        classes = torch.tensor(loaded.classes, device=latents.device)
    else:
        latents, classes = opened.samples(samples, options["seed"], options["class_text"])
        loaded = Recipe(
            steps=tuple(_step(opened, text) for text in steps),
            seed=options["seed"],
            samples=samples,
            classes=tuple(classes.tolist()),
            weights_sha256=opened.generator.weights_sha256,
            directions_sha256=digest,
        )
    edited = loaded.apply(latents, opened.directions)
    out = out or opened.folder / "edit.png"
    title = ", ".join(f"{step.edit} {step.direction} {step.value:+.3g}" for step in loaded.steps)
    rows = [Row("original", opened.draw(latents, classes)), Row("edited", opened.draw(edited, classes), title)]
    write_sheet(out, rows, columns=column_labels(len(latents)), labels=["original", "edited"], made=opened.made("edit"))
    loaded.save(out.with_suffix(".json"))
    click.echo(out)


def _step(target: Target, text: str) -> Step:
    name, _, rest = text.partition(":")
    number, _, value = rest.partition("=")
    if name not in EDITS or not re.fullmatch(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?", value):
        raise InputError(f"step {text!r}: expected e.g. align:5=0 or move:3=2.5")
    return Step(name, target.pick_one(number), float(value))
