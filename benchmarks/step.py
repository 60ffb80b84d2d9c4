"""Time one discovery step on BigGAN-deep-128, beside the same step in the published arithmetic.

    make bench          (python -m benchmarks.step)

The published arithmetic (Peebles et al.'s BigGAN code, on this network) makes five forwards one after the other,
divides by the spectral norms at every forward, and runs Gram-Schmidt as a loop over rows. This package computes one
batch of four, with folded norms, QR, channels last, and three output channels in place of 128. Both see the same
random numbers, so their gradients are compared too. Weights are random but behave like trained ones.
"""

import dataclasses
import platform
import re
import statistics
import subprocess
import time
from pathlib import Path

import torch
from pytorch_pretrained_biggan import BigGAN, BigGANConfig
from torch.nn.functional import cosine_similarity
from torch.utils.flop_counter import FlopCounterMode

from direction_finder.discovery.configs import HessianConfig
from direction_finder.discovery.hessian import penalties, work
from direction_finder.discovery.loop import Batch, batch_penalty, draw_batch
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.discovery.tuning import choose_precision
from direction_finder.generators.biggan_deep import BigGANDeepGenerator
from direction_finder.generators.networks.biggan_deep import FrozenBigGANDeep
from direction_finder.orthogonal import gram_schmidt
from direction_finder.version import package_version
from tests.sane_biggan import sane_biggan

BATCH, ROUNDS, CLASS = 2, 5, 207


def looped_gram_schmidt(rows: torch.Tensor) -> torch.Tensor:
    """Apply modified Gram-Schmidt to rows (num, dim), normalised at the end."""
    done: list[torch.Tensor] = []
    for row in rows:
        for other in done:
            row = row - (row @ other) / (other @ other) * other
        done.append(row)
    orthogonal = torch.stack(done)
    return orthogonal / orthogonal.norm(dim=1, keepdim=True)


def published_step(model: BigGAN, free: torch.Tensor, batch: Batch, epsilon: float = 0.1) -> torch.Tensor:
    """Return the gradient of the penalty for A, (num, dim), computed as the published code does."""
    free = free.clone().requires_grad_(True)
    rows = looped_gram_schmidt(free)
    labels = torch.nn.functional.one_hot(batch.classes, model.config.num_classes).float()

    def g(w: torch.Tensor) -> torch.Tensor:
        return model(batch.z + w @ rows, labels, 1.0)

    centre = g(batch.w)
    second = [(g(batch.w + epsilon * v) - 2 * centre + g(batch.w - epsilon * v)) / epsilon**2 for v in batch.probes]
    torch.stack(second).var(0).mean().backward()
    return free.grad


def our_step(space: SearchSpace, config: HessianConfig, free: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Return the same gradient, as `learn` computes it."""
    free = free.clone().requires_grad_(True)
    rows = gram_schmidt(free)
    leaf = rows.detach().requires_grad_(True)
    batch_penalty(space, config, leaf, batch, penalties)
    rows.backward(leaf.grad)
    return free.grad


def seconds(function, *arguments) -> tuple[float, torch.Tensor]:
    """Call a function, and return the seconds it took and its result."""
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def cpu_name() -> str:
    """Return the name of the CPU, as the system reports it."""
    cpuinfo = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", cpuinfo.read_text()) if cpuinfo.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


def matmul_peak(dtype: torch.dtype, size: int = 2048) -> float:
    """Measure the peak rate of matrix products of this type, in 10^9 floating-point operations per second."""
    a, b = torch.ones(size, size, dtype=dtype), torch.ones(size, size, dtype=dtype)
    return 2 * size**3 / min(seconds(torch.mm, a, b)[0] for _ in range(10)) / 1e9


def main() -> None:
    """Time the three variants in turn, and print medians, gradient cosines and utilisation."""
    settings = BigGANConfig().to_dict()
    model = sane_biggan(settings, batch=8, every=50).requires_grad_(False)
    other = sane_biggan(settings, batch=8, every=50).requires_grad_(False)
    names = [str(i) for i in range(settings["num_classes"])]
    generator = BigGANDeepGenerator(
        FrozenBigGANDeep(other, 1.0), name="biggan-deep-128", weights_sha256="", class_names=names, truncation=None
    )
    exact = HessianConfig(class_index=CLASS, batch_size=BATCH, precision="fast")
    fast, chosen = choose_precision(generator, exact, work)
    exact = dataclasses.replace(exact, precision="exact")
    space, quick = SearchSpace(generator, exact), SearchSpace(generator, fast)
    rng = torch.Generator().manual_seed(0)
    free = torch.randn(generator.dim, generator.dim, generator=rng) * (2 / generator.dim) ** 0.5

    steps = {
        "published": lambda batch: published_step(model, free, batch),
        "exact": lambda batch: our_step(space, exact, free, batch),
        "fast": lambda batch: our_step(quick, fast, free, batch),
    }
    times = {name: [] for name in steps}
    cosines = {name: [] for name in steps}
    for round_number in range(ROUNDS + 1):
        batch = draw_batch(space, exact, generator.dim, rng)
        results = {name: seconds(step, batch) for name, step in steps.items()}
        if round_number:  # the first round is warm-up
            for name, (took, gradient) in results.items():
                times[name].append(took)
                cosines[name].append(
                    float(cosine_similarity(results["published"][1].flatten(), gradient.flatten(), dim=0))
                )
    work_done = {}
    for name, step in steps.items():
        with FlopCounterMode(display=False) as counter:
            step(batch)
        work_done[name] = counter.get_total_flops() / 1e9
    peaks = {name: matmul_peak(getattr(torch, name)) for name in ("float32", "bfloat16")}

    head = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(head, capture_output=True, text=True, check=False).stdout
    version = f"{package_version()} ({commit.strip() or 'no commit'})"
    print(f"biggan-deep-128, batch {BATCH}, seed 0, {ROUNDS} rounds after 1 to warm up, in turn")
    print(f"direction-finder {version}, torch {torch.__version__}, {cpu_name()}, {torch.get_num_threads()} threads")
    print(f"matrix products: {', '.join(f'{name} {peak:.0f} GFlop/s' for name, peak in peaks.items())}")
    print(f"fast is {fast.precision}, chosen by measuring ({chosen})")
    for name, took in times.items():
        ratios = sorted(slow / own for slow, own in zip(times["published"], took, strict=True))
        speed = work_done[name] / statistics.median(took)
        kind = "bfloat16" if name == "fast" and fast.half else "float32"
        print(
            f"{name:10} {statistics.median(took):6.2f} s a step, ratio {statistics.median(ratios):5.2f} "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f}), gradient cosine {min(cosines[name]):.5f} at worst, "
            f"{work_done[name]:.0f} GFlop at {speed:.0f} GFlop/s: {speed / peaks[kind]:.0%} of the {kind} peak"
        )


if __name__ == "__main__":
    main()
