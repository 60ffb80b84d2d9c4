"""Fix the noise that a forward pass draws: every row of every batch gets the same numbers."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from direction_finder.errors import InputError
from direction_finder.randomness import stream

DRAWN = {"aten::randn": torch.randn, "aten::rand": torch.rand}
LIKE = {"aten::randn_like": torch.randn, "aten::rand_like": torch.rand}


class FixedNoise(TorchDispatchMode):
    """Replace the numbers that random operations draw inside `with noise.of(batch):`.

    The k-th draw of a forward pass is made once for its shape without the batch axis, from its own random stream, and
    repeated for every row, so that an image depends neither on its place in the batch nor on the batch. The first
    forward pass, which needs two rows or more, shows which draws have a batch axis.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []  # shape of each draw without the batch axis
        self.batch = self.draws = 0

    def of(self, batch: int) -> "FixedNoise":
        """Begin a forward pass with `batch` rows and return this mode."""
        self.batch, self.draws = batch, 0
        return self

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **kwargs)
        name = func._schema.name
        kwargs.pop("generator", None)
        in_place = name.endswith("_") and not any(isinstance(argument, Tensor) for argument in args[1:])
        if in_place:
            shape, rng = self._next(args[0].shape)
            row = func(torch.empty(shape, dtype=args[0].dtype), *args[1:], **kwargs, generator=rng)
            return args[0].copy_(row)
        if name not in DRAWN and name not in LIKE:
            raise InputError(
                f"draws random numbers with {name.removeprefix('aten::')}, which fixed_noise cannot fix; use randn"
            )
        like = args[0] if name in LIKE else None
        size = tuple(args[0] if like is None else like.shape)
        shape, rng = self._next(size)
        dtype = kwargs.get("dtype") or (None if like is None else like.dtype)
        device = kwargs.get("device") or (None if like is None else like.device)
        return (DRAWN | LIKE)[name](shape, dtype=dtype, generator=rng).to(device).expand(size).clone()

    def _next(self, size: Sequence[int]) -> tuple[tuple[int, ...], torch.Generator]:
        """Return the shape of the next draw, which broadcasts to `size`, and its random stream."""
        size, number = tuple(size), self.draws
        self.draws += 1
        if number == len(self.shapes):
            has_batch_axis = size[:1] == (self.batch,) or (len(size) > 1 and size[0] == 1)
            self.shapes.append(size[1:] if has_batch_axis else size)
        shape = self.shapes[number]
        if size != shape and not (size[1:] == shape and size[0] in (1, self.batch)):
            raise InputError(
                f"draws noise of shape {size} for a batch of {self.batch}, but fixed_noise needs a batch axis first, "
                "or none"
            )
        return shape, stream(0, f"noise {number} {shape}")
