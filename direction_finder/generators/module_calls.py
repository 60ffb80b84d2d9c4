"""How a module of the user's is called: the size and shape of z, the form of the class."""

import inspect
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from torch import nn

from direction_finder.errors import InputError

CLASS_INPUTS = {"index": "class numbers", "onehot": "one-hot classes", "vector": "class vectors"}
CONVOLUTIONS = (nn.ConvTranspose2d, nn.Conv2d)


class Call(NamedTuple):
    """A way to call a module: the shape of one z, and the form of the class, if there is one."""

    latent_shape: tuple[int, ...]
    class_input: str | None

    def __str__(self) -> str:
        shape = f"z of shape (batch, {', '.join(map(str, self.latent_shape))})"
        return f"{shape} and {CLASS_INPUTS[self.class_input]}" if self.class_input else shape


def calls_to_try(
    module: nn.Module, dim: int, conditional: bool, latent_shape: Sequence[int] | None, class_input: str | None
) -> list[Call]:
    """Return the ways to call a module that agree with what is given, the likeliest first."""
    shapes = [tuple(latent_shape)] if latent_shape else [(dim,)]
    if not latent_shape and isinstance(first_layer(module), CONVOLUTIONS):
        shapes = [(dim, 1, 1), (dim,)]
    forms = [class_input] if class_input else ["index", "onehot"]
    return [Call(shape, form) for shape, form in product(shapes, forms if conditional else [None])]


def check_arguments(name: str, module: nn.Module, conditional: bool) -> None:
    """Raise InputError if a module's forward takes another number of arguments than z, or z and a class."""
    try:
        parameters = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):  # a scripted module does not tell
        return
    taken = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    needed = [each.name for each in taken if each.default is each.empty]
    if len(needed) > 1 + conditional:
        cure = "wrap it in a module of your own that takes z and a class"
        if not conditional:
            cure = (
                f"if {needed[1]!r} is the class, give `num_classes` and `dim`; else wrap it in a "
                "module of your own that takes z alone"
            )
        raise InputError(f"{name} takes {', '.join(needed)}: {cure}")
    if conditional and len(taken) < 2 and not any(each.kind is each.VAR_POSITIONAL for each in parameters):
        raise InputError(f"{name} takes z alone: leave out `num_classes`")


def input_size(module: nn.Module) -> int | None:
    """Return the number of inputs of a module's first layer with weights; None if it cannot be told."""
    layer = first_layer(module)
    return layer.in_features if isinstance(layer, nn.Linear) else getattr(layer, "in_channels", None)


def first_layer(module: nn.Module) -> nn.Module | None:
    """Return the first linear layer or 2-d convolution of a module."""
    return next((layer for layer in module.modules() if isinstance(layer, (nn.Linear, *CONVOLUTIONS))), None)
