"""The table of methods by name, and `find`, which calls one of them."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from direction_finder import torchrun
from direction_finder.class_names import resolve_classes
from direction_finder.directions import Directions, Finding
from direction_finder.directions_check import TOLERANCE, orthonormality_error
from direction_finder.discovery import (
    axes,
    ganspace,
    hessian,
    hessian_direct,
    jacobian,
    local_basis,
    loop,
    mean_field,
    orojar,
    rehearsals,
    sefa,
    tuning,
)
from direction_finder.discovery.configs import CONFIGS, DEFAULT, LoopConfig, SearchConfig, TunedConfig
from direction_finder.discovery.metering import metered
from direction_finder.discovery.peak_memory import release
from direction_finder.discovery.search_space import SearchSpace, finish
from direction_finder.discovery.tuning import Rehearsal, Work
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.hessians import probe_count
from direction_finder.progress import OnStep, Reporting, reporting

Own = Callable[[Generator, SearchConfig], "Tensor | Directions"]
"""A user's own method."""


class Method(NamedTuple):
    """A method: its `find` function, the dataclass of its settings, and what `tuning` measures.

    work: a piece of its work, for the precision. rehearsal: everything that takes memory, for the batch. resolve: fills
    in the settings that depend on the generator.
    """

    find: Callable[..., Directions]
    config: type[SearchConfig]
    work: Work[Any] | None = None  # for settings of the class `config`
    rehearsal: Rehearsal[Any] | None = None
    resolve: Callable[[Generator, Any], Any] = lambda generator, config: config


JACOBIAN: Rehearsal[Any] = rehearsals.direct(jacobian.work, lambda size: 2 * size, keeps_outputs=True)
METHODS = {
    "jacobian": Method(jacobian.find, CONFIGS["jacobian"], jacobian.work, JACOBIAN, jacobian.resolved),
    "hessian-direct": Method(
        hessian_direct.find,
        CONFIGS["hessian-direct"],
        hessian_direct.work,
        rehearsals.direct(hessian_direct.work, lambda size: 2 * probe_count(size), keeps_outputs=False),
    ),
    "mean-field": Method(mean_field.find, CONFIGS["mean-field"], jacobian.work, JACOBIAN),
    "hessian": Method(hessian.find, CONFIGS["hessian"], hessian.work, rehearsals.loop(hessian.find, hessian.work)),
    "orojar": Method(orojar.find, CONFIGS["orojar"], orojar.work, rehearsals.loop(orojar.find, orojar.work)),
    "sefa": Method(sefa.find, CONFIGS["sefa"]),
    "ganspace": Method(ganspace.find, CONFIGS["ganspace"]),
    "local-basis": Method(local_basis.find, CONFIGS["local-basis"], jacobian.work, JACOBIAN),
    "coordinates": Method(axes.find_coordinates, CONFIGS["coordinates"]),
    "random": Method(axes.find_random, CONFIGS["random"]),
}


def method_named(name: str) -> Method:
    """Return the method of this name. Raises InputError if there is none."""
    if name not in METHODS:
        raise InputError(f"unknown method {name!r}: expected one of {', '.join(METHODS)}")
    return METHODS[name]


def setting_names(method: str) -> list[str]:
    """Return the names of a method's settings."""
    return [field.name for field in dataclasses.fields(METHODS[method].config)]


def configure(method: str, settings: Mapping[str, Any]) -> SearchConfig:
    """Return the settings of a method as its dataclass.

    Raises InputError for an unknown method or setting, or an invalid value.
    """
    return _configured(f"method {method}", method_named(method).config, settings)


def _configured(method: str, config: type[SearchConfig], settings: Mapping[str, Any]) -> SearchConfig:
    known = [field.name for field in dataclasses.fields(config)]
    for name in settings:
        if name not in known:
            owners = [other for other in METHODS if name in setting_names(other)]
            hint = f"{' and '.join(owners)} have it" if owners else f"it has {', '.join(known)}"
            raise InputError(f"{method} has no setting {name}; {hint}")
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()
    }
    return config(**values)


def check(generator: Generator, config: SearchConfig) -> None:
    """Check a configuration before anything slow begins.

    Raises InputError if the generator lacks what is to be searched, or if the file to start from cannot be read.
    """
    config.check(generator)
    if isinstance(config, LoopConfig):
        loop.starting_rows(SearchSpace(generator, config), config)


def settle(generator: Generator, method: str, config: SearchConfig) -> tuple[SearchConfig, dict[str, Any]]:
    """Return the configuration with its precision and batch size decided, and the measurements; see `tuning`."""
    config = METHODS[method].resolve(generator, config)
    work, rehearsal = METHODS[method].work, METHODS[method].rehearsal
    if not (work and rehearsal and isinstance(config, TunedConfig)):
        return config, {}
    return tuning.settle(generator, config, work, rehearsal)


def find(
    generator: Generator,
    method: str | Own = DEFAULT,
    *,
    class_name: str | int | Sequence[str | int] | None = None,
    part: str | None = None,
    progress: Reporting = None,
    **settings: Any,
) -> Directions:
    """Find directions in a frozen generator.

    method: one of `METHODS`, or your own callable. It receives the generator and a `SearchConfig`, and returns
    directions as rows (num, dim), strongest first, or as `Directions`.
    class_name: a name, part of one, or a number; None: random classes (or no class if the generator is unconditional).
    Several, e.g. ["cube", "sphere"]: one basis for all of them, whose points are of these classes in turn.
    part: the name of a part of the latents (see `Outline.parts`), instead of `dims` and `layers`.
    progress: True for a bar on stderr, or a callable that receives each `Progress` and can stop the search.
    settings: fields of the method's configuration, e.g. points=24, layers=(0, 4), seed=1.

    >>> directions = df.find(df.load_generator("shapes-64"), class_name="cube", progress=True)
    >>> print(directions.finding)  # why it stopped, and what it cost

    Raises InputError for settings that do not exist, or that do not fit the generator.
    """
    if part and settings.keys() & {"dims", "layers"}:
        raise InputError("`part` names dimensions or layers: leave out `dims` and `layers`")
    settings |= generator.outline.part(part)
    if class_name is not None:
        settings["class_index"] = resolve_classes(generator.class_names, class_name)
    with reporting(progress) as on_step:
        if callable(method):
            return _find_by(method, generator, _configured("a method of your own", SearchConfig, settings))
        config, _ = settle(generator, method, configure(method, settings))
        return find_with(generator, method, config, on_step=on_step)


def find_with(
    generator: Generator,
    method: str,
    config: SearchConfig,
    *,
    on_step: OnStep | None = None,
    resume: dict[str, Tensor] | None = None,
) -> Directions:
    """Find directions by a method with its configuration, and record the cost in `finding`.

    resume: the tensors of a `Progress.state()`, to resume a run.
    """
    began = time.monotonic()
    with metered(generator) as meter:
        directions = METHODS[method].find(generator, config, on_step=on_step, resume=resume)
    if isinstance(config, TunedConfig) and config.memory_limit:
        release()
    share = directions.share or {}
    images, gradients = torchrun.total(meter.images, meter.gradients)
    finding = Finding(
        directions.finding.reason if directions.finding else "done",
        images,
        gradients,
        time.monotonic() - began,
        share.get("share"),
        share.get("random_share"),
    )
    return dataclasses.replace(directions, finding=finding, probe=generator.probe(*config.class_numbers[:1]))


def _find_by(method: Own, generator: Generator, config: SearchConfig) -> Directions:
    """Find directions by a user's own callable."""
    config.check(generator)
    name, began = getattr(method, "__name__", type(method).__name__), time.monotonic()
    with metered(generator) as meter:
        directions = method(generator, config)
    if not isinstance(directions, Directions):
        directions = _as_directions(directions, generator, config, name)
    finding = Finding(f"{name} returned", meter.images, meter.gradients, time.monotonic() - began)
    return dataclasses.replace(directions, finding=finding, probe=generator.probe(*config.class_numbers[:1]))


def _as_directions(rows: Tensor, generator: Generator, config: SearchConfig, name: str) -> Directions:
    """Return rows (num, dim), or (num, size) of the searched dimensions, as `Directions` of unit length."""
    space = SearchSpace(generator, config)
    if not isinstance(rows, Tensor) or rows.ndim != 2 or rows.shape[1] not in (space.size, generator.dim):
        kind = tuple(rows.shape) if isinstance(rows, Tensor) else type(rows).__name__
        raise InputError(f"{name} returned {kind}: expected rows (num, {generator.dim}) of directions, or Directions")
    if rows.shape[1] != space.size:
        rows = space.searched(rows)
    unit = torch.nn.functional.normalize(rows.detach().float().cpu(), dim=1)
    orthonormal = orthonormality_error(unit) < TOLERANCE
    return finish(space, unit[: config.num_directions], config, name, scores=None, orthonormal=orthonormal)
