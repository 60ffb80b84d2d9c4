"""Measure how much of the gradient that a loop sees is signal.

    python -m benchmarks.noise --samples 2000 --hessians outputs/share/hessian-direct-0

At the starting matrix of the loop, print the squared length of the mean gradient (in the tangent space of orthogonal
matrices) divided by the mean squared length of one sample's gradient, with a standard error. The inverse of this ratio
is the number of samples at which signal and noise are equally long. With --hessians, print the same for the diagonal
energy of measured Hessians.
"""

from pathlib import Path

import click
import torch
from safetensors.torch import load_file

from direction_finder.diagonalisation import unit_norm
from direction_finder.discovery import configure
from direction_finder.discovery.hessian import penalties
from direction_finder.discovery.loop import batch_penalty, draw_batch, starting_rows
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.generators import load_generator, resolve_class
from direction_finder.hessians import probe_count
from direction_finder.orthogonal import gram_schmidt
from direction_finder.randomness import stream


def tangent(gradient: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return the part of a gradient (num, dim) that rotates `rows` (num, dim), as a vector (num * num,)."""
    turning = gradient @ rows.mT
    return ((turning - turning.mT) / 2).flatten()


def signal_share(gradients: torch.Tensor) -> tuple[float, float]:
    """Return |mean|^2 / mean of |g|^2 of gradients (samples, size), and its standard error.

    The estimate has no bias, because it uses products of different samples only.
    """
    gram = gradients @ gradients.mT
    count = len(gram)
    products = gram[~torch.eye(count, dtype=torch.bool)]
    length = gram.diagonal().mean()
    error = (products.square().mean() * 2 / (count * (count - 1))).sqrt()
    return float(products.mean() / length), float(error / length)


@click.command()
@click.option("--generator", default="eyes", show_default=True, help="Generator.")
@click.option("--class", "class_name", default="blue", show_default=True, help="Class of the samples.")
@click.option("--samples", default=2000, show_default=True, help="Number of gradients.")
@click.option("--num-probes", default=2, show_default=True, help="Rademacher probes per sample.")
@click.option(
    "--hessians", type=click.Path(exists=True, path_type=Path), help="Run of `hessian-direct` to compare with."
)
def main(generator: str, class_name: str, samples: int, num_probes: int, hessians: Path | None) -> None:
    """Print the signal-to-noise ratio of the penalty's gradient, and of measured Hessians."""
    frozen = load_generator(generator)
    index = resolve_class(frozen.class_names, class_name)
    config = configure("hessian", {"class_index": index, "batch_size": 1, "num_probes": num_probes})
    space = SearchSpace(frozen, config)
    rows = gram_schmidt(starting_rows(space, config))
    rng = stream(0, "noise")
    gradients = []
    for _ in range(samples):
        leaf = rows.clone().requires_grad_(True)
        batch_penalty(space, config, leaf, draw_batch(space, config, len(rows), rng), penalties)
        gradients.append(tangent(leaf.grad, rows))
    report("samples of the penalty", torch.stack(gradients), 2 * config.rows_per_sample)
    if hessians:
        gradients = []
        for matrix in unit_norm(load_file(hessians / "state.safetensors")["matrices"]):
            turned = rows.clone().requires_grad_(True)
            (turned @ matrix @ turned.mT).diagonal().square().sum().backward()
            gradients.append(tangent(turned.grad, rows))
        report("Hessians of unit norm", torch.stack(gradients), 4 * probe_count(len(rows)))


def report(kind: str, gradients: torch.Tensor, passes: int) -> None:
    """Print the ratio for gradients (samples, size), each of which cost so many passes."""
    share, error = signal_share(gradients)
    click.echo(
        f"{len(gradients)} {kind} of {passes} passes: signal / noise {share:.2e} +- {error:.1e} each, "
        f"{share / passes * 1e6:.1f} +- {error / passes * 1e6:.1f} in a million passes"
    )


if __name__ == "__main__":
    main()
