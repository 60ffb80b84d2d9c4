"""Carry out `direction-finder edit`."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from direction_finder.commands.actions.shared import kept, made, opened, writing
from direction_finder.commands.option_values import Drawing
from direction_finder.commands.printing import say
from direction_finder.errors import InputError
from direction_finder.files import file_sha256
from direction_finder.numerals import real_number
from direction_finder.overwriting import RECIPE, check_overwrite
from direction_finder.recipes import EDITS, Recipe, Step
from direction_finder.rendering.alignment import compared
from direction_finder.runs.loading import Loaded
from direction_finder.samples import Samples


def edit(
    path: Path,
    steps: tuple[str, ...],
    recipe: Path | None,
    keep: str | None,
    samples: int | Path,
    out: Path | None,
    force: bool,
    given: Collection[str],
    drawing: Drawing,
) -> None:
    """Render samples unchanged and edited, and save the edits as a small recipe file.

    given: names of the options on the command line.
    """
    if bool(steps) == bool(recipe):
        raise InputError("give --step (one or more) or --recipe FILE, not both")
    if keep and recipe:
        raise InputError("`keep` belongs to --step: a recipe says itself what its steps keep")
    if out:
        check_overwrite(out.with_suffix(".json"), RECIPE, force=force)
    with writing(path, out, force):
        target = opened(path, drawing)
        if recipe:
            loaded, own = _replayed(target, recipe, samples, given, drawing)
        else:
            own = target.samples(samples, drawing.seed, drawing.class_text)
            loaded = Recipe(
                steps=tuple(_step(target, text, keep) for text in steps),
                seed=drawing.seed,
                samples=len(own),
                classes=_numbers(own),
                weights_sha256=target.generator.weights_sha256,
                directions_sha256=target.directions.sha256,
                latents=_digest(samples),
            )
        out = out or target.folder / "edit.png"
        title = ", ".join(map(str, loaded.steps))
        rows = {"original": own, "edited": loaded.apply(own, target.directions)}
        sheet = compared(target.generator, rows, ["", title], max_batch=drawing.max_batch)
        sheet.save(out, made(target, "edit"))
        loaded.save(out.with_suffix(".json"))
        say(out)


def _replayed(
    target: Loaded, file: Path, samples: int | Path, given: Collection[str], drawing: Drawing
) -> tuple[Recipe, Samples]:
    """Return a recipe and its samples, with seed, samples and class replaced by those given on the command line."""
    recipe = Recipe.load(file)
    try:
        recipe.check_fits(target.directions, target.generator.weights_sha256)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    if recipe.latents and "samples" not in given:
        raise InputError(
            f"{file}: made with a file of samples ({recipe.latents[:12]}); give that file or another one with --samples"
        )
    chosen = samples if "samples" in given else recipe.samples
    seed = drawing.seed if "seed" in given else recipe.seed
    own = target.samples(chosen, seed, drawing.class_text)
    if "class_text" not in given and not isinstance(chosen, Path) and len(own) <= len(recipe.classes):
        own = target.generator.accept(own.with_classes(recipe.classes[: len(own)]))
    return replace(recipe, samples=len(own), seed=seed, classes=_numbers(own), latents=_digest(chosen)), own


def _numbers(samples: Samples) -> tuple[int, ...]:
    return () if samples.classes is None else tuple(samples.classes.tolist())


def _digest(samples: int | Path) -> str | None:
    return file_sha256(samples) if isinstance(samples, Path) else None


def _step(target: Loaded, text: str, keep: str | None) -> Step:
    name, _, rest = text.partition(":")
    number, _, value = rest.partition("=")
    amount = real_number(value)
    if name not in EDITS or amount is None:
        raise InputError(f"step {text!r}: expected e.g. align:5=0 or move:3=2.5")
    along = target.pick_one(number)
    return Step(name, along, amount, kept(target, keep, [along]))
