"""Find out how to call a user's module: the size and shape of z, and the form of the class."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Annotated, Any, NamedTuple, TypedDict

import torch
from msgspec import Meta
from torch import Tensor, nn

from direction_finder.errors import InputError
from direction_finder.files import checked

CLASS_INPUTS = {"index": "class numbers", "onehot": "one-hot classes", "vector": "class vectors"}
MOST = 10**6  # dimensions of z, or classes
CONVOLUTIONS = (nn.ConvTranspose2d, nn.Conv2d)


class Settings(TypedDict):
    """Declare the types of the settings of a `WrappedModule` that say how the module is called."""

    dim: Annotated[int, Meta(ge=1, le=MOST)] | None
    num_classes: Annotated[int, Meta(ge=0, le=MOST)]
    latent_shape: Annotated[list[Annotated[int, Meta(ge=1, le=MOST)]], Meta(min_length=1)] | None
    num_layers: Annotated[int, Meta(ge=1, le=1000)]
    value_range: tuple[Annotated[float, Meta(ge=-1e30, le=1e30)], Annotated[float, Meta(ge=-1e30, le=1e30)]] | None
    truncation: Annotated[float, Meta(gt=0, le=1e30)] | None
    class_names: list[str]
    name: str | None


def check_settings(module: nn.Module, **settings: Any) -> None:
    """Raise InputError unless `module` is a module and its settings are of the right types."""
    if not isinstance(module, nn.Module):
        raise InputError(f"type {type(module).__name__} is not an nn.Module: give a module that maps z to images")
    checked(settings, f"the settings of {type(module).__name__}", Settings)
    if settings["value_range"] and settings["value_range"][0] == settings["value_range"][1]:
        raise InputError(f"value_range {settings['value_range']}: black and white must differ")


class Call(NamedTuple):
    """Describe a way to call a module: the shape of one z, and the form of the class, if there is one."""

    latent_shape: tuple[int, ...]
    class_input: str | None

    def __str__(self) -> str:
        shape = f"z of shape (batch, {', '.join(map(str, self.latent_shape))})"
        return f"{shape} and {CLASS_INPUTS[self.class_input]}" if self.class_input else shape


def calls_to_try(
    module: nn.Module, dim: int, conditional: bool, latent_shape: Sequence[int] | None, class_input: str | None
) -> list[Call]:
    """Return the ways to call a module that agree with the settings given, the likeliest first."""
    shapes = [tuple(latent_shape)] if latent_shape else [(dim,)]
    if not latent_shape and isinstance(first_layer(module), CONVOLUTIONS):
        shapes = [(dim, 1, 1), (dim,)]
    forms = [class_input] if class_input else ["index", "onehot"]
    return [Call(shape, form) for shape, form in product(shapes, forms if conditional else [None])]


def check_arguments(name: str, module: nn.Module, conditional: bool) -> None:
    """Raise InputError unless a module's forward takes z, or z and a class if `conditional`."""
    try:
        parameters = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):  # a scripted module has no signature
        return
    taken = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p.name for p in taken if p.default is p.empty]
    if len(needed) > 1 + conditional:
        advice = "wrap it in a module of your own that takes z and a class"
        if not conditional:
            advice = (
                f"if {needed[1]!r} is the class, give `num_classes` and `dim`; otherwise wrap it in a "
                "module of your own that takes z alone"
            )
        raise InputError(f"{name} takes {', '.join(needed)}: {advice}")
    if conditional and len(taken) < 2 and not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        keywords = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
        if keywords:
            raise InputError(
                f"{name} takes {', '.join(keywords)} by keyword only: wrap it in a module that takes z and the class "
                "by position"
            )
        raise InputError(f"{name} takes z alone: leave out `num_classes`")


def input_size(module: nn.Module) -> int | None:
    """Return the number of inputs of a module's first layer with weights; None if it is not known."""
    layer = first_layer(module)
    size = layer.in_features if isinstance(layer, nn.Linear) else getattr(layer, "in_channels", None)
    return size if isinstance(size, int) and 0 < size <= MOST else None


def first_layer(module: nn.Module) -> nn.Module | None:
    """Return the first linear layer or 2-d convolution of a module; None if it has neither."""
    return next((layer for layer in module.modules() if isinstance(layer, (nn.Linear, *CONVOLUTIONS))), None)


def hookable(module: nn.Module) -> set[str]:
    """Return the names of the submodules that accept hooks: those neither scripted nor inside compiled ones."""
    return {
        name
        for name, submodule in module.named_modules()
        if name and "_orig_mod" not in name and not isinstance(submodule, torch.jit.ScriptModule)
    }


@torch.no_grad()
def reading_weights(module: nn.Module, z: Tensor, call: Callable[[], Any]) -> dict[str, Tensor]:
    """Return the weights (out, dim) of the submodules whose input is z (batch, dim), or begins with z, by their names.

    call: calls the module with z.
    """
    found: dict[str, Tensor] = {}

    def make_hook(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
            rows = inputs[0].flatten(1) if inputs and isinstance(inputs[0], Tensor) else z[:0]
            if len(rows) == len(z) and rows.shape[1] >= z.shape[1] and torch.equal(rows[:, : z.shape[1]], z):
                found[name] = _matrix(layer)[:, : z.shape[1]]

        return hook

    layers = {name: layer for name, layer in module.named_modules() if isinstance(layer, (nn.Linear, *CONVOLUTIONS))}
    hooks = [layers[name].register_forward_pre_hook(make_hook(name)) for name in hookable(module) & layers.keys()]
    try:
        call()
    finally:
        for hook in hooks:
            hook.remove()
    return {name: found[name] for name in layers if name in found}


def _matrix(layer: nn.Module) -> Tensor:
    """Return the weights of a layer as (out, inputs), with each place of a kernel as an output of its own."""
    weight: Any = layer.weight  # also if a norm computes it
    if isinstance(layer, nn.Linear):
        return weight
    return weight.flatten(1).mT if isinstance(layer, nn.ConvTranspose2d) else weight.movedim(1, -1).flatten(0, 2)


@contextmanager
def watched(module: nn.Module, names: set[str], store: Callable[[str, Any], None]) -> Iterator[None]:
    """Call `store` with the name and the output of these submodules whenever they are called."""
    counts = dict.fromkeys(names, 0)

    def make_hook(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            counts[name] += 1
            store(name if counts[name] == 1 else f"{name}#{counts[name]}", output)

        return hook

    modules = {name: layer for name, layer in module.named_modules() if name in names}
    hooks = [layer.register_forward_hook(make_hook(name)) for name, layer in modules.items()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
