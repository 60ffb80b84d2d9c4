"""List the runs of a sweep: the product of methods, classes, parts and seeds."""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from direction_finder.discovery.config_bases import FAST, SearchConfig
from direction_finder.discovery.methods import METHODS, method_named, setting_names
from direction_finder.discovery.search_space import plain
from direction_finder.errors import InputError
from direction_finder.files import CONFIG
from direction_finder.generators import Generator, Untold
from direction_finder.runs import learning
from direction_finder.runs.claims import holds_nothing
from direction_finder.runs.folder import Run, slug
from direction_finder.runs.learning import Search
from direction_finder.settings import MIDDLE, number_range

MOST_RUNS = 100_000
Middles = dict[SearchConfig, list[str]]
"""What "middle" means in searches that differ in class and seed only."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Hold what is asked for: the product of methods, classes (none: random ones), parts and seeds.

    together: beside the classes, all of them together.
    """

    methods: tuple[str, ...]
    classes: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    together: bool = False

    @property
    def count(self) -> int:
        """Return the number of runs, before classes that are named twice are left out."""
        classes = sum(last - first + 1 for first, last in map(_numbers, self.classes)) or 1
        return len(self.methods) * (classes + self.together) * max(1, len(self.parts)) * len(self.seeds)

    @property
    def class_names(self) -> list[str]:
        """Return the classes one by one: "0-9" stands for ten."""
        texts = [
            [text] if number_range(text) is None else map(str, range(first, last + 1))
            for text in self.classes
            for first, last in [_numbers(text)]
        ]
        return list(itertools.chain.from_iterable(texts))


def _numbers(text: str) -> tuple[int, int]:
    return number_range(text) or (0, 0)


def planned(generator: Generator, wanted: Wanted, settings: Mapping[str, Any]) -> dict[str, Search]:
    """Return the searches by the names of their folders.

    A setting is for those of the methods that have it. Raises InputError if none has it, for more than `MOST_RUNS`
    runs, and as `learning.searches` does.
    """
    if not wanted.methods or not wanted.seeds:
        raise InputError("no runs: give at least one `method` and one `seed`")
    if wanted.count > MOST_RUNS:
        raise InputError(f"{wanted.count:,} runs: expected at most {MOST_RUNS:,}; divide them into several sweeps")
    for method in wanted.methods:
        method_named(method)
    if unknown := settings.keys() - set(itertools.chain(*map(setting_names, wanted.methods))):
        owners = [name for name in METHODS if min(unknown) in setting_names(name)]
        hint = f"{' and '.join(owners)} have it" if owners else "no method has it"
        raise InputError(f"no method of this sweep has a setting {min(unknown)}; {hint}")
    names, found = wanted.class_names, []
    for method in wanted.methods:
        own = {name: value for name, value in settings.items() if name in setting_names(method)}
        for seed in wanted.seeds:
            for together in (False, True)[: 1 + wanted.together]:
                found += learning.searches(generator, method, {**own, "seed": seed}, names, wanted.parts, together)
    return {folder_name(search): search for search in found}


def folder_name(search: Search) -> str:
    """Return the name of a run's folder: the method, the class's number and name, the part and the seed.

    >>> folder_name(search)
    'jacobian-0-cube-seed-2'
    """
    numbers, of = search.config.class_numbers, (search.class_name or "").split(",")[0]
    if len(numbers) == 1:
        of = f"{numbers[0]:0{len(str(search.generator.num_classes - 1))}d} {of}"
    elif numbers:
        of = f"together {of}"
    return slug(f"{search.method} {of} {search.part or ''} seed {search.config.seed}")


def existing(folder: Path, search: Search, device: str | None = None, middles: Middles | None = None) -> Run | None:
    """Return the run in a folder if it has anything to keep, and None if it has to begin.

    device: on which the run is to be (None: where the generator is). middles: is filled; the same dict for many
    searches saves time. Raises InputError if the folder holds another run than this search would make.
    """
    if not (folder / CONFIG).is_file() or holds_nothing(folder):
        return None
    run = Run.open(folder)
    wanted = search.content() | ({"device": device} if device else {})
    if other := _difference(run, search, wanted, {} if middles is None else middles):
        raise InputError(f"{folder}: holds a run with {other}; give another folder as `out`")
    return run


def _difference(run: Run, search: Search, wanted: Mapping[str, Any], middles: Middles) -> str | None:
    """Describe in what a run is another one than a search, whose content is `wanted`.

    Settings that were chosen by measuring are left out.
    """
    here = run.config
    for key in ("method", "class", "part", "threads", "device"):
        if _plain(here.get(key)) != _plain(wanted[key]):
            return f"{key} {here.get(key)}, not {wanted[key]}"
    if here["generator"].get("weights_sha256") != wanted["generator"]["weights_sha256"]:
        return "a generator of other weights"
    for key in ("truncation", *(field.name for field in dataclasses.fields(Untold))):
        if here["generator"].get(key) != wanted["generator"].get(key):
            return f"{key} {here['generator'].get(key)}, not {wanted['generator'].get(key)}"
    for name, value in plain(search.config).items():
        if (old := here["settings"].get(name)) != value and not _chosen(name, run, search, middles):
            return f"{name} {old}, not {value}"
    return None


def _plain(value: Any) -> Any:
    """Return the name of a device as short as it can be, and anything else unchanged."""
    return "cuda" if value == "cuda:0" else value


def _chosen(name: str, run: Run, search: Search, middles: Middles) -> bool:
    """Return whether a run chose the value of a setting itself, because the search leaves it open."""
    measured, value = run.config.get("measured", {}), getattr(search.config, name)
    if name == "at":
        return value == (MIDDLE,) and _is_middle(run.config["settings"].get(name), search, middles)
    if name == "precision":
        return value == FAST and bool({"precision", "memory"} & measured.keys())
    return name == "max_batch" and "memory" in measured


def _is_middle(at: Any, search: Search, middles: Middles) -> bool:
    """Return whether "middle" means these activations; it hardly depends on class and seed, so try others' first."""
    like = search.config.kind
    if at != middles.get(like):
        middles[like] = plain(METHODS[search.method].resolve(search.generator, search.config))["at"]
    return at == middles[like]


def shard_of(names: Sequence[str], shard: tuple[int, int] | None) -> Iterable[str]:
    """Return the names of one shard (number, count), counted from 1: every count-th name.

    Raises InputError for a shard that does not exist.
    """
    if shard is None:
        return names
    number, count = shard
    if not 1 <= number <= count:
        raise InputError(f"shard {number}/{count}: expected a number from 1 to {count}")
    return names[number - 1 :: count]
