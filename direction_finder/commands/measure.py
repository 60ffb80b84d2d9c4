"""`direction-finder measure`: numbers for the directions of runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from direction_finder.commands.options import device_option
from direction_finder.commands.recorder import Bars
from direction_finder.commands.target import Target
from direction_finder.figures import heat_map
from direction_finder.files import write_json
from direction_finder.generators import resolve_class
from direction_finder.generators.shipped import shipped
from direction_finder.metrics import factors
from direction_finder.metrics.factor_network import FactorNetwork

NETWORK = "factors-64.safetensors"
SHOWN = 10  # directions in the terminal, the strongest; factors.json has all
Report = dict[str, Any]


@click.command(epilog="Example: direction-finder measure outputs/demo --metric factors")
@click.argument("targets", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    required=True,
    type=click.Choice(["factors", "alignment"]),
    help="factors: what each direction does to each known factor, and the scores. alignment: what is left of each "
    "factor's spread when samples are aligned along the direction that moves it most. Repeat for several.",
)
@click.option(
    "--factor-network",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What reads the factors (`train factors` makes one).  [default: the one for `shapes` at 64 pixels]",
)
@click.option("--samples", default=256, show_default=True, type=click.IntRange(2), help="Latents.")
@click.option("--class", "class_text", metavar="NAME", help="Class to draw.  [default: the run's]")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the latents.")
@click.option("--max-batch", default=32, show_default=True, type=click.IntRange(1), help="Largest batch.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--generator", metavar="SPEC", help="Generator, if it is not where the run says.")
@device_option
def measure(
    targets: tuple[Path, ...],
    metrics: tuple[str, ...],
    factor_network: Path | None,
    class_text: str | None,
    as_json: bool,
    generator: str | None,
    device: str,
    **options: Any,
) -> None:
    """Measure the directions of run folders (or of directions files).

    Writes factors.json and a heat map, factors.png and factors.svg, beside each TARGET's directions.
    """
    network = FactorNetwork.load(factor_network or shipped(NETWORK))
    reports = {}
    for path in targets:
        target = Target.open(path, generator, device, options["max_batch"])
        network.to(target.generator.device)
        index = target.directions.class_index
        if class_text is not None:
            index = resolve_class(target.generator.class_names, class_text)
        with Bars("direction") as bars:
            effects = factors.measure_effects(
                target.generator, network, target.directions, class_index=index, on_step=bars, **options
            )
        report = {**factors.summary(effects), **options, "class_index": index, "factor_network": network.about}
        if "factors" in metrics:
            order = factors.strongest(effects)
            heat_map(
                target.folder / "factors.png",
                effects.matrix[order].numpy(),
                rows=[f"direction {i}  ({report['names'][i]})" for i in order],
                columns=report["factors"],
                title=f"{target.directions.method}, {target.directions.class_name or 'random classes'}",
                unit="root mean square change, in natural spreads per unit of z",
            )
        if "alignment" in metrics:
            report["alignment"] = _alignments(target, network, effects, index, options)
        write_json(target.folder / "factors.json", report)
        reports[str(path)] = report
        if not as_json:
            click.echo("\n".join(_lines(path, target, report, metrics)))
    if as_json:
        click.echo(json.dumps(reports, indent=2, sort_keys=True))


def _alignments(
    target: Target,
    network: FactorNetwork,
    effects: factors.Effects,
    class_index: int | None,
    options: dict[str, Any],
) -> Report:
    """For each factor: the direction that moves it most, and what aligning along that one does to every factor."""
    best = effects.squares.mean(0).argmax(0).tolist()
    result = {}
    for name, index in zip(effects.factors, best, strict=True):
        aligned = factors.alignment(
            target.generator, network, target.directions[index], class_index=class_index, **options
        )
        result[name] = {
            "direction": index,
            "spreads": {
                factor: {what: vars(value) for what, value in each.items()} for factor, each in aligned.items()
            },
        }
    return result


def _lines(path: Path, target: Target, report: Report, metrics: tuple[str, ...]) -> Iterator[str]:
    names = report["factors"]
    of = target.directions.class_name or "random classes"
    yield f"{path}: {len(target.directions)} {target.directions.method} directions, {of}, {report['samples']} latents"
    if "factors" in metrics:
        for name, value in report["scores"].items():
            yield f"  {name:16} {factors.Value(**value)}"
        yield f"  {'':16} {''.join(f'{name:>8}' for name in names)}"
        strength = [sum(value**2 for value in row) for row in report["effects"]]
        for index in sorted(range(len(strength)), key=strength.__getitem__, reverse=True)[:SHOWN]:
            cells = "".join(f"{value:8.2f}" for value in report["effects"][index])
            yield f"  {f'direction {index}':16} {cells}   {report['names'][index]}"
    for name, aligned in report.get("alignment", {}).items():
        kept = ", ".join(f"{factor} {factors.Value(**each['kept'])}" for factor, each in aligned["spreads"].items())
        yield f"  aligned along direction {aligned['direction']} ({name}), spread kept: {kept}"
