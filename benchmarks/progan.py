"""Time the fine-tuning of a ProGAN at 32 pixels, in seconds per kimg: without the Hessian Penalty, with it, and in the
published arithmetic.

    make bench          (python -m benchmarks.progan)

The published arithmetic (Peebles et al.'s ProGAN code, on this network) makes 2k + 1 passes of the whole generator, one
after the other, at every step, even while the weight is 0. This package computes one batch of 2k rows, no deeper than
the last penalised layer, and nothing while the weight is 0. The variants take turns, so that a noisy machine slows all
of them equally.
"""

import statistics
import time
from collections.abc import Callable
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from benchmarks.step import cpu_name
from direction_finder.generators.networks.progan import ProGAN
from direction_finder.randomness import rademacher
from direction_finder.training import progan
from direction_finder.training.progan_config import ProGANConfig

ROUNDS, STEPS = 5, 10


def published_penalty(
    generator: ProGAN, z: Tensor, grown: float, layers: list[int], config: ProGANConfig, rng: torch.Generator
) -> Tensor:
    """Compute the penalty as the published code does, for z (batch, dim).

    It makes a pass for the centre and for each end of each probe, and takes the biased variance and the maximum over
    the whole batch.
    """

    def activations(rows: Tensor) -> list[Tensor]:
        stages = dict(generator.stages(rows, grown))
        return [stages[f"layer{layer}"] for layer in layers]

    centre = activations(z)
    seconds = []
    for _ in range(config.num_probes):
        step = config.epsilon * rademacher(z.shape, rng)
        plus, minus = activations(z + step), activations(z - step)
        seconds.append([(p - 2 * c + m) / config.epsilon**2 for p, c, m in zip(plus, centre, minus, strict=True)])
    stacks = [torch.stack(layer) for layer in zip(*seconds, strict=True)]
    variances = [(stack - stack.mean(0)).square().mean(0) for stack in stacks]
    return torch.stack([variance.max() for variance in variances]).sum()


def seconds_per_kimg(images: np.ndarray, config: ProGANConfig) -> float:
    """Train a ProGAN on images (n, H, W, 3) of bytes for a few steps, and return the seconds per thousand images."""
    stamps = [time.perf_counter()]

    def on_step(progress) -> None:
        stamps.append(time.perf_counter())
        if progress.step == STEPS + 1:
            progress.stop()

    progan.train(images, config, on_step=on_step, grown=True)
    return (stamps[-1] - stamps[1]) / (STEPS * config.batch_size) * 1000  # the first step is warm-up


def main() -> None:
    """Time the four variants in turn, and print the medians."""
    images = np.random.default_rng(0).integers(0, 256, (256, 32, 32, 3), dtype=np.uint8)
    half = {"kimg": 10.0, "penalty_weight": 0.05}
    variants: dict[str, tuple[ProGANConfig, Callable]] = {
        "without the penalty": (ProGANConfig(kimg=10.0), progan.penalty_of),
        "with it": (ProGANConfig(**half), progan.penalty_of),
        "with it, every 4th step": (ProGANConfig(**half, penalty_every=4), progan.penalty_of),
        "published arithmetic": (ProGANConfig(kimg=10.0, penalty_weight=0.1), published_penalty),
    }
    times = {name: [] for name in variants}
    for _ in range(ROUNDS):
        for name, (config, penalty) in variants.items():
            with patch.object(progan, "penalty_of", penalty):
                times[name].append(seconds_per_kimg(images, config))
    print(f"ProGAN, 32 pixels, batch 16, {ROUNDS} rounds of {STEPS} steps")
    print(f"{cpu_name()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    plain = times["without the penalty"]
    for name, values in times.items():
        ratios = [value / base for value, base in zip(values, plain, strict=True)]
        print(
            f"{name:26} {statistics.median(values):6.1f} s per kimg, {statistics.median(ratios):.2f} times "
            f"({min(ratios):.2f} to {max(ratios):.2f})"
        )


if __name__ == "__main__":
    main()
