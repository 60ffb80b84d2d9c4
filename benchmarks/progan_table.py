"""What fine-tuning does to ProGANs: a row for each generator.

    python -m benchmarks.progan_table DATA NAME=GENERATOR... [--factor-network FILE] [--figure FILE]

Active components: those whose activeness (300 latents, z_i set to -2, 0, 2) is above 5 % of the largest. Penalty per
layer: of z -> activations, last the image; the maximum over entries, mean over 300 latents, 8 probes, unbiased. D% and
D_R: 100 latents, published and robust. Frechet distance: 1,000 pictures and as many real ones, EfficientNet-lite0.
With a factor network, what each active component does to each factor (256 latents, in the factor's natural spreads per
unit of z), and the scores of all components. Seed 0 throughout.
"""

from pathlib import Path

import click
import torch

from direction_finder import discovery
from direction_finder.datasets import Pictures
from direction_finder.directions import Directions
from direction_finder.figures import bars
from direction_finder.generators import Generator, load_generator
from direction_finder.metrics import factors
from direction_finder.metrics.activeness import ACTIVE, active, activeness
from direction_finder.metrics.diagonality import diagonality
from direction_finder.metrics.factor_network import FactorNetwork
from direction_finder.metrics.intervals import Value
from direction_finder.metrics.reference import Reference
from direction_finder.penalty import hessian_penalty
from direction_finder.randomness import normal, stream


def penalties(generator: Generator, samples: int = 300) -> list[float]:
    """Of each layer, in order of depth."""
    names = generator.activation_names
    z, rng = normal(samples, generator.dim, stream(0, "penalty")), stream(0, "probes")

    def activations(rows: torch.Tensor) -> list[torch.Tensor]:
        found = generator.activations(rows[:, None], None, names)
        return [found[name] for name in names]

    parts = [hessian_penalty(activations, part, rng=rng, num_probes=8) for part in z.split(20)]
    return [torch.cat([part[layer].flatten(1).amax(1) for part in parts]).mean().item() for layer in range(len(names))]


def row(generator: Generator, scores: torch.Tensor, reference: Reference) -> list[str]:
    """The cells of a generator whose components have these activenesses."""
    hessians = diagonality(lambda z, _: generator(z[:, None]), normal(100, generator.dim, stream(0, "Hessians")))
    return [
        f"{active(scores)} of {generator.dim}",
        " ".join(f"{score:.4f}" for score in scores.sort(descending=True).values.tolist()),
        " ".join(f"{value:.3g}" for value in penalties(generator)),
        *map(str, (hessians.percent, hessians.percent_bending, hessians.ratio, hessians.ratio_of_sums)),
        f"{reference.distance(lambda z: generator(z[:, None]), generator.dim):.1f}",
    ]


def effects(name: str, generator: Generator, axes: Directions, scores: torch.Tensor, network: FactorNetwork) -> None:
    """Print what the active components do to the factors, the most active first."""
    found = factors.summary(factors.measure_effects(generator, network, axes))
    click.echo(f"\n{name}: " + ", ".join(f"{kind} {Value(**value)}" for kind, value in found["scores"].items()))
    click.echo(f"| component | activeness | {' | '.join(found['factors'])} |")
    click.echo(f"|---|---|{'---|' * len(found['factors'])}")
    for index in scores.argsort(descending=True).tolist()[: active(scores)]:
        cells = " | ".join(f"{value:.2f}" for value in found["effects"][index])
        click.echo(f"| z{index} | {scores[index]:.4f} | {cells} |")


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.argument("models", nargs=-1, required=True)
@click.option("--factor-network", type=click.Path(exists=True, path_type=Path), help="What reads the factors of DATA.")
@click.option("--figure", type=click.Path(path_type=Path), help="Where to draw the bars of activeness.")
def main(data: Path, models: tuple[str, ...], factor_network: Path | None, figure: Path | None) -> None:
    reference = Reference(Pictures(data), 1000)
    network = FactorNetwork.load(factor_network) if factor_network else None
    columns = ["model", "active", "activeness", "penalty, layer by layer", "D%", "D% bending", "D_R", "ratio of sums",
               "Frechet"]  # fmt: skip
    click.echo(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    seen = {}
    for model in models:
        name, _, spec = model.partition("=")
        generator = load_generator(spec)
        axes = discovery.find(generator, "coordinates", score_samples=0)
        seen[name] = generator, axes, activeness(generator, axes).mean(1)
        click.echo(f"| {' | '.join([name, *row(generator, seen[name][2], reference)])} |")
    for name, (generator, axes, scores) in seen.items() if network else ():
        effects(name, generator, axes, scores, network)
    if figure:
        of_each = {name: scores.tolist() for name, (_, _, scores) in seen.items()}
        bars(figure, of_each, title="Activeness of the components of z", unit="activeness", line=ACTIVE)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
