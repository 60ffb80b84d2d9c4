"""The methods by name, and `find`, which calls one."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

from direction_finder.directions import Directions
from direction_finder.discovery import axes, hessian, jacobian, joint, loop, orojar, tuning
from direction_finder.discovery.configs import CONFIGS, DEFAULT, LoopConfig, SearchConfig
from direction_finder.discovery.space import SearchSpace
from direction_finder.discovery.tuning import Work
from direction_finder.errors import InputError
from direction_finder.generators import Generator, Outline, resolve_class
from direction_finder.progress import OnStep


class Method(NamedTuple):
    """A way to find directions, the dataclass of its settings, and a piece of its work to measure."""

    find: Callable[..., Directions]
    config: type[SearchConfig]
    work: Work | None = None


METHODS = {
    "jacobian": Method(jacobian.find, CONFIGS["jacobian"], jacobian.work),
    "joint": Method(joint.find, CONFIGS["joint"], joint.work),
    "hessian": Method(hessian.find, CONFIGS["hessian"], hessian.work),
    "orojar": Method(orojar.find, CONFIGS["orojar"], orojar.work),
    "coordinates": Method(axes.find_coordinates, CONFIGS["coordinates"]),
    "random": Method(axes.find_random, CONFIGS["random"]),
}


def setting_names(method: str) -> list[str]:
    """The names of a method's settings."""
    return [field.name for field in dataclasses.fields(METHODS[method].config)]


def configure(method: str, settings: dict[str, Any]) -> SearchConfig:
    """The settings of a method as its dataclass. Raises InputError on an unknown method or setting, or a bad value."""
    if method not in METHODS:
        raise InputError(f"unknown method {method!r}: expected one of {', '.join(METHODS)}")
    known = setting_names(method)
    for name in settings:
        if name not in known:
            owners = [other for other in METHODS if name in setting_names(other)]
            hint = f"{' and '.join(owners)} have it" if owners else f"it has {', '.join(known)}"
            raise InputError(f"method {method} has no setting {name}; {hint}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
    return METHODS[method].config(**values)


def check(generator: Generator, config: SearchConfig) -> None:
    """Raise InputError, before anything slow, if the generator lacks what is searched or a start cannot be read."""
    config.check(generator)
    if isinstance(config, LoopConfig):
        loop.starting_rows(SearchSpace(generator, config), config)


def settle(generator: Generator, method: str, config: SearchConfig) -> tuple[SearchConfig, dict[str, Any]]:
    """The configuration with what is chosen by measuring chosen, and the measurements; see `tuning`."""
    work = METHODS[method].work
    return tuning.settle(generator, config, work) if work else (config, {})


def find(
    generator: Generator,
    method: str = DEFAULT,
    *,
    class_name: str | None = None,
    space: str | None = None,
    on_step: OnStep | None = None,
    **settings: Any,
) -> Directions:
    """Find directions in a frozen generator.

    class_name: a name, part of one, or a number; None: random classes (or none, if the generator is unconditional).
    space: a part of the latents by name (see `Outline.spaces`), in place of dims and layers; None: as these say.
    settings: fields of the method's configuration, e.g. points=24, layers=(0, 4), seed=1.
    """
    if class_name is not None:
        settings["class_index"] = resolve_class(generator.class_names, class_name)
    config, _ = settle(generator, method, configure(method, {**settings, **space_settings(generator.outline, space)}))
    return METHODS[method].find(generator, config, on_step=on_step)


def space_settings(outline: Outline, space: str | None) -> dict[str, tuple[int, int]]:
    """The `dims` or `layers` that a space's name stands for. Raises InputError if the generator has no such space."""
    if space is None:
        return {}
    if space not in outline.spaces:
        raise InputError(
            f"space {space!r}: {outline.name} has {', '.join(outline.spaces)}; `dims` and `layers` take numbers"
        )
    return outline.spaces[space]
