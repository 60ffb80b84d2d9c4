"""Calibrate `rank`: false discoveries where nothing stands out, and how many planted directions it lists.

    python -m benchmarks.calibration

`radial` depends on the length of z only, so that no direction differs from another. `waves` adds 4,096 short waves of
random directions: every point has its own best basis. Planted generators add to waves four orthonormal directions, each
of which moves a pattern of its own; noise is the ratio of the waves' derivatives to those of a planted direction. They
are found by `jacobian` with 24 points, and compared with a run with another seed. Printed are means over 20 generators.
"""

import click
import torch
from torch import Tensor, nn

from direction_finder.discovery import configure
from direction_finder.discovery.methods import find_with
from direction_finder.generators import WrappedModule
from direction_finder.randomness import normal, stream
from direction_finder.reports.ranking import Ranking, Settings, rank_with

SIZE, WAVES, PLANTED, FAST = 12, 4096, 4, 6.0
FOUND = 0.9  # |cosine| from which on a planted direction counts as found


class Radial(nn.Module):
    """Depend on the length of z only."""

    def __init__(self, seed: int):
        super().__init__()
        rng = stream(seed, "radial")
        self.register_buffer("rates", normal(1, 8, rng))
        self.register_buffer("mixing", normal(8, 48, rng))

    def forward(self, z: Tensor) -> Tensor:
        return ((z.norm(dim=1, keepdim=True) * self.rates).sin() @ self.mixing).view(-1, 3, 4, 4)


class Waves(nn.Module):
    """Add short waves of random directions, and `planted` directions with a pattern each."""

    def __init__(self, seed: int, noise: float = 1.0, planted: int = 0):
        super().__init__()
        rng = stream(seed, "waves")
        self.register_buffer("waves", FAST * normal(WAVES, SIZE, rng) / SIZE**0.5)
        self.register_buffer("phases", 10 * normal(1, WAVES, rng))
        self.register_buffer("heights", noise * SIZE**0.5 / FAST * normal(WAVES, 48, rng) / WAVES**0.5)
        self.register_buffer("rows", torch.linalg.qr(normal(SIZE, SIZE, rng))[0][:planted])
        self.register_buffer("patterns", normal(planted, 48, rng))

    def forward(self, z: Tensor) -> Tensor:
        waves = (z @ self.waves.mT + self.phases).cos() @ self.heights
        return (waves + (z @ self.rows.mT).sin() @ self.patterns).view(-1, 3, 4, 4)


def ranked(module: nn.Module) -> Ranking:
    """Find directions with two seeds, and rank those of the first."""
    generator = WrappedModule(module, SIZE, name="made")
    settings = {"points": 24, "keep_going": True}
    found = [find_with(generator, "jacobian", configure("jacobian", {**settings, "seed": seed})) for seed in (0, 1)]
    return rank_with(generator, found[0], found[1:], settings=Settings(SIZE, ranges="none"))


def false_discoveries(kind: str, count: int) -> dict[str, float]:
    """Return the share of directions above chance by each signal, and of those listed, on isotropic generators."""
    rates: dict[str, list[float]] = {}
    for seed in range(count):
        ranking = ranked(Radial(seed) if kind == "radial" else Waves(seed))
        for signal in ranking.signals:
            rates.setdefault(signal.name, []).append(float(signal.telling.double().mean()))
        rates.setdefault("listed", []).append(len(ranking.short_list) / SIZE)
    return {name: sum(values) / len(values) for name, values in rates.items()}


def hits(noise: float, count: int) -> tuple[float, float]:
    """Return the share of planted directions that are listed, and how many other directions are listed."""
    listed, others = 0.0, 0.0
    for seed in range(count):
        module = Waves(seed, noise, PLANTED)
        ranking = ranked(module)
        cosines = (ranking.directions.vectors[ranking.short_list] @ module.rows.mT).abs() >= FOUND
        listed += float(cosines.any(0).double().mean()) / count
        others += float((~cosines.any(1)).sum()) / count
    return listed, others


@click.command()
@click.option("--count", default=20, show_default=True, help="Generators of each kind.")
def main(count: int) -> None:
    """Print false discoveries and hits."""
    torch.set_num_threads(1)
    for kind in ("radial", "waves"):
        rates = false_discoveries(kind, count)
        click.echo(f"| {kind} | {' | '.join(f'{name} {rate:.3f}' for name, rate in rates.items())} |")
    for noise in (0.25, 0.5, 1.0, 1.5, 2.0):
        listed, others = hits(noise, count)
        click.echo(f"| planted, noise {noise} | {listed:.2f} of planted listed | {others:.2f} others |")


if __name__ == "__main__":
    main()
