"""Measure what fine-tuning does to ProGANs, and print a row for each generator.

    python -m benchmarks.progan_table DATA NAME=GENERATOR... [--factor-network FILE] [--figure FILE]

- Active components: those whose activeness (300 latents, z_i set to -2, 0, 2) is above 5 % of the largest.
- Penalty per layer: of z -> activations, the last one being the image. The maximum over entries, mean over 300
  latents, 8 probes, unbiased.
- D% and D_R: 100 latents, published and robust.
- Path length: 1,000 paths, at the beginning of an arc, EfficientNet-lite0.
- Frechet distance: 1,000 images and as many real ones, EfficientNet-lite0. It has no interval.
- With a factor network: what each active component does to each factor (256 latents, in the factor's natural spreads
  per unit of z), the scores of all components and, of several objects, how far components change only one of them.

The seed is 0 throughout.
"""

from collections.abc import Sequence
from pathlib import Path

import click
import torch

from direction_finder import discovery
from direction_finder.datasets import Images
from direction_finder.directions import Directions
from direction_finder.figures import bars
from direction_finder.generators import Generator, load_generator
from direction_finder.metrics import factors
from direction_finder.metrics.activeness import ACTIVE, active, activeness
from direction_finder.metrics.diagonality import diagonality
from direction_finder.metrics.factor_network import FactorNetwork
from direction_finder.metrics.features import Similarity, lite0_similarity
from direction_finder.metrics.intervals import Value
from direction_finder.metrics.path_length import path_lengths, trimmed_mean
from direction_finder.metrics.reference import Reference
from direction_finder.penalty import hessian_penalty
from direction_finder.randomness import normal, stream

LATENTS, HESSIANS, PATHS, IMAGES = 300, 100, 1000, 1000


def penalties(generator: Generator) -> list[float]:
    """Return the Hessian Penalty of each layer, in order of depth."""
    names = generator.activation_names
    z, rng = normal(LATENTS, generator.dim, stream(0, "penalty")), stream(0, "probes")

    def activations(rows: torch.Tensor) -> list[torch.Tensor]:
        by_name = generator.activations(rows[:, None], None, names)
        return [by_name[name] for name in names]

    parts = [hessian_penalty(activations, part, rng=rng, num_probes=8) for part in z.split(20)]
    return [torch.cat([part[layer].flatten(1).amax(1) for part in parts]).mean().item() for layer in range(len(names))]


def row(generator: Generator, scores: torch.Tensor, reference: Reference, similarity: Similarity) -> list[str]:
    """Return the cells of the row of a generator. scores (dim,): the activeness of each component."""
    hessians = diagonality(lambda z, _: generator(z[:, None]), normal(HESSIANS, generator.dim, stream(0, "Hessians")))
    return [
        f"{active(scores)} of {generator.dim}",
        " ".join(f"{score:.4f}" for score in scores.sort(descending=True).values.tolist()),
        " ".join(f"{value:.3g}" for value in penalties(generator)),
        *map(str, (hessians.percent, hessians.percent_bending, hessians.ratio, hessians.ratio_of_sums)),
        "{0.value:.1f} [{0.low:.1f}, {0.high:.1f}]".format(
            trimmed_mean(path_lengths(generator, similarity, samples=PATHS))
        ),
        f"{reference.distance(lambda z: generator(z[:, None]), generator.dim):.1f}",
    ]


def numbered(names: Sequence[str]) -> list[list[int]]:
    """Return the places of the factors of each object: those whose names end with the same digit."""
    ends = sorted({name[-1] for name in names if name[-1].isdigit()})
    return [[place for place, name in enumerate(names) if name[-1] == end] for end in ends]


def effects(name: str, generator: Generator, axes: Directions, scores: torch.Tensor, network: FactorNetwork) -> None:
    """Print how far each active component moves each factor, the most active component first."""
    summary = factors.summary(factors.measure_effects(generator, network, axes))
    click.echo(f"\n{name}: " + ", ".join(f"{kind} {Value(**value)}" for kind, value in summary["scores"].items()))
    if len(groups := numbered(summary["factors"])) > 1:
        squares = torch.tensor(summary["effects"]).square()
        shares = torch.stack([squares[:, group].sum(1) for group in groups]).max(0).values / squares.sum(1)
        click.echo(f"of a component's effects, on the object that it changes more: {shares.mean():.3f}")
    click.echo(f"| component | activeness | {' | '.join(summary['factors'])} |")
    click.echo(f"|---|---|{'---|' * len(summary['factors'])}")
    for index in scores.argsort(descending=True).tolist()[: active(scores)]:
        cells = " | ".join(f"{value:.2f}" for value in summary["effects"][index])
        click.echo(f"| z{index} | {scores[index]:.4f} | {cells} |")


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.argument("models", nargs=-1, required=True)
@click.option(
    "--factor-network", type=click.Path(exists=True, path_type=Path), help="Network that reads the factors of DATA."
)
@click.option(
    "--figure", type=click.Path(path_type=Path), help="File for a figure of the activeness of all components."
)
def main(data: Path, models: tuple[str, ...], factor_network: Path | None, figure: Path | None) -> None:
    """Measure MODELS, given as NAME=GENERATOR, against the images of DATA, and print a table."""
    reference, similarity = Reference(Images(data), IMAGES), lite0_similarity()
    network = FactorNetwork.load(factor_network) if factor_network else None
    columns = ["model", "active", "activeness", "penalty, layer by layer", "D%", "D% bending", "D_R", "ratio of sums",
               "path length", "Frechet"]  # fmt: skip
    click.echo(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    measured = {}
    for model in models:
        name, _, spec = model.partition("=")
        generator = load_generator(spec)
        axes = discovery.find(generator, "coordinates", score_samples=0)
        measured[name] = generator, axes, activeness(generator, axes, samples=LATENTS).mean(1)
        click.echo(f"| {' | '.join([name, *row(generator, measured[name][2], reference, similarity)])} |")
    for name, (generator, axes, scores) in measured.items() if network else ():
        effects(name, generator, axes, scores, network)
    if figure:
        activenesses = {name: scores.tolist() for name, (_, _, scores) in measured.items()}
        bars(figure, activenesses, title="Activeness of the components of z", unit="activeness", line=ACTIVE)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
