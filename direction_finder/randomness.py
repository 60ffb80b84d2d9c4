"""Independent streams of random numbers from one seed."""

import hashlib
from collections.abc import Sequence

import torch


def stream(seed: int, purpose: str) -> torch.Generator:
    """A generator on the CPU, seeded by `seed` and what it is for.

    Two uses of one seed must not share numbers: a starting matrix and latents drawn alike would have the same rows.
    """
    digest = hashlib.sha256(f"{purpose} {seed}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def normal(n: int, dim: int, rng: torch.Generator) -> torch.Tensor:
    """Standard normal rows (n, dim); the first rows are the same however many are drawn.

    torch draws normals in blocks of 16 and redraws the last block when it is not full, so whole blocks are drawn.
    """
    blocks = -(-n * dim // 16)
    return torch.randn(16 * blocks, generator=rng)[: n * dim].view(n, dim)


def rademacher(shape: Sequence[int], rng: torch.Generator) -> torch.Tensor:
    """Independent entries that are -1 or +1 with equal probability, drawn on the CPU."""
    return torch.randint(0, 2, tuple(shape), generator=rng, dtype=torch.float32) * 2 - 1
