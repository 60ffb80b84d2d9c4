"""One discovery step on BigGAN-deep-128, beside the same step in the published arithmetic.

    make bench          (python -m benchmarks.step)

The published arithmetic (Peebles et al.'s BigGAN code, on this network): five forwards one after the other, spectral
norms divided out at every forward, Gram-Schmidt as a loop over rows. Ours: one batch of four, folded norms, QR,
channels last, three output channels in place of 128.
Both see the same random numbers, so their gradients are compared too. Weights are random but behave like trained ones.
"""

import platform
import re
import statistics
import subprocess
import time
from pathlib import Path

import torch
from pytorch_pretrained_biggan import BigGAN, BigGANConfig

from direction_finder import discovery
from direction_finder.discovery.hessian import Batch, HessianConfig, batch_penalty, draw_batch
from direction_finder.discovery.space import SearchSpace
from direction_finder.generators.biggan_deep import BigGANDeepGenerator
from direction_finder.generators.networks.biggan_deep import FrozenBigGANDeep
from direction_finder.orthogonal import gram_schmidt
from tests.sane_biggan import sane_biggan

BATCH, ROUNDS, CLASS = 2, 5, 207


def looped_gram_schmidt(rows: torch.Tensor) -> torch.Tensor:
    """Modified Gram-Schmidt over rows, normalised at the end."""
    done: list[torch.Tensor] = []
    for row in rows:
        for other in done:
            row = row - (row @ other) / (other @ other) * other
        done.append(row)
    orthogonal = torch.stack(done)
    return orthogonal / orthogonal.norm(dim=1, keepdim=True)


def published_step(model: BigGAN, free: torch.Tensor, batch: Batch, epsilon: float = 0.1) -> torch.Tensor:
    """The gradient of the penalty for A, computed as the published code does."""
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
    """The same gradient, as `learn` computes it."""
    free = free.clone().requires_grad_(True)
    rows = gram_schmidt(free)
    leaf = rows.detach().requires_grad_(True)
    batch_penalty(space, config, leaf, batch)
    rows.backward(leaf.grad)
    return free.grad


def seconds(function, *arguments) -> tuple[float, torch.Tensor]:
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", cpuinfo.read_text()) if cpuinfo.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    settings = BigGANConfig().to_dict()
    model = sane_biggan(settings, batch=8, every=50).requires_grad_(False)
    other = sane_biggan(settings, batch=8, every=50).requires_grad_(False)
    names = [str(i) for i in range(settings["num_classes"])]
    generator = BigGANDeepGenerator(
        FrozenBigGANDeep(other, 1.0), name="biggan-deep-128", weights_sha256="", class_names=names, truncation=None
    )
    config = HessianConfig(class_index=CLASS, batch_size=BATCH)
    space = SearchSpace(generator, config)
    rng = torch.Generator().manual_seed(0)
    free = torch.randn(generator.dim, generator.dim, generator=rng) * (2 / generator.dim) ** 0.5

    published, ours, cosines = [], [], []
    for round_number in range(ROUNDS + 1):
        batch = draw_batch(space, config, generator.dim, rng)
        slow, theirs = seconds(published_step, model, free, batch)
        fast, own = seconds(our_step, space, config, free, batch)
        if round_number:  # the first warms up
            published.append(slow)
            ours.append(fast)
            cosines.append(float(torch.nn.functional.cosine_similarity(theirs.flatten(), own.flatten(), dim=0)))
    head = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(head, capture_output=True, text=True, check=False).stdout
    ratios = [slow / fast for slow, fast in zip(published, ours, strict=True)]
    print(f"biggan-deep-128, batch {BATCH}, fp32, seed 0, {ROUNDS} rounds after 1 to warm up, in turn")
    version = f"{discovery.package_version()} ({commit.strip() or 'no commit'})"
    print(f"direction-finder {version}, torch {torch.__version__}, {cpu_name()}, {torch.get_num_threads()} threads")
    print(f"published arithmetic  {statistics.median(published):6.2f} s a step")
    print(f"direction-finder      {statistics.median(ours):6.2f} s a step")
    print(f"ratio                 {statistics.median(ratios):6.2f}  ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"gradient cosine       {min(cosines):.7f} at worst")


if __name__ == "__main__":
    main()
