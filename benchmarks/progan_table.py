"""What fine-tuning does to ProGANs: a row for each generator.

    python -m benchmarks.progan_table DATA NAME=FILE...

Active components: those whose activeness (300 latents, z_i set to -2, 0, 2) is above 5 % of the largest. Penalty per
layer: of z -> activations, the maximum over entries, mean over 300 latents, 8 probes, unbiased. D% and D_R: 100
latents, published and robust. Frechet distance: 1,000 pictures and as many real ones, EfficientNet-lite0. Seed 0.
"""

from pathlib import Path

import click
import torch

from direction_finder import discovery
from direction_finder.datasets import read_pictures
from direction_finder.figures import bars
from direction_finder.generators import Generator, load_generator
from direction_finder.metrics.activeness import ACTIVE, active, activeness
from direction_finder.metrics.diagonality import diagonality
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


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.argument("models", nargs=-1, required=True)
@click.option("--figure", type=click.Path(path_type=Path), help="Where to draw the bars of activeness.")
def main(data: Path, models: tuple[str, ...], figure: Path | None) -> None:
    reference = Reference(read_pictures(data)[0], 1000)
    click.echo(
        "| model | active | activeness | penalty, layer by layer | D% | D% bending | D_R | ratio of sums | Frechet |"
    )
    click.echo("|---|---|---|---|---|---|---|---|---|")
    all_scores = {}
    for model in models:
        name, _, file = model.partition("=")
        generator = load_generator(f"progan:{file}")
        axes = discovery.find(generator, "coordinates", score_samples=0)
        scores = activeness(generator, axes).mean(1).sort(descending=True).values
        all_scores[name] = scores.tolist()
        hessians = diagonality(
            lambda z, _, g=generator: g(z[:, None]), normal(100, generator.dim, stream(0, "Hessians"))
        )
        cells = [
            f"{active(scores)} of {generator.dim}",
            " ".join(f"{score:.4f}" for score in scores.tolist()),
            " ".join(f"{value:.3g}" for value in penalties(generator)),
            hessians.percent,
            hessians.percent_bending,
            hessians.ratio,
            hessians.ratio_of_sums,
            f"{reference.distance(lambda z, g=generator: g(z[:, None]), generator.dim):.1f}",
        ]
        click.echo(f"| {name} | {' | '.join(map(str, cells))} |")
    if figure:
        bars(figure, all_scores, title="Activeness of the components of z", unit="activeness", line=ACTIVE)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
