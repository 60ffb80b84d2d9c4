"""Independent streams of random numbers from one seed."""

import hashlib
from collections.abc import Sequence

import torch


def stream(seed: int, purpose: str) -> torch.Generator:
    """Return a random generator on the CPU, seeded by `seed` and by the purpose of its numbers.

    Two uses of one seed must not share numbers: a starting matrix and latents from the same stream would have the same
    rows.
    """
    digest = hashlib.sha256(f"{purpose} {seed}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def normal(n: int, dim: int, rng: torch.Generator) -> torch.Tensor:
    """Draw standard normal rows (n, dim); the first rows are the same for every n.

    torch draws normals in blocks of 16 and redraws the last block when it is not full, so whole blocks are drawn.
    """
    blocks = -(-n * dim // 16)
    return torch.randn(16 * blocks, generator=rng)[: n * dim].view(n, dim)


def rademacher(shape: Sequence[int], rng: torch.Generator) -> torch.Tensor:
    """Draw a tensor of this shape whose independent entries are -1 or +1 with equal probability, on the CPU."""
    return torch.randint(0, 2, tuple(shape), generator=rng, dtype=torch.float32) * 2 - 1
