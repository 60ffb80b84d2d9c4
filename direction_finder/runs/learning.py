"""Begin and resume runs that find directions, one for each class and part of the latents."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from direction_finder import torchrun
from direction_finder.class_names import class_text, resolve_classes
from direction_finder.directions import Directions
from direction_finder.discovery import SearchConfig, check, configure, plain, settle
from direction_finder.discovery.configs import STARTS, WHOLE
from direction_finder.discovery.estimates import Cost, estimate
from direction_finder.discovery.methods import find_with, method_named
from direction_finder.errors import InputError
from direction_finder.generators import Generator, Untold
from direction_finder.generators.weights import tensor_hashes
from direction_finder.progress import OnStep
from direction_finder.runs.folder import NEEDED, Run, absolute, slug
from direction_finder.runs.latest import newest_run
from direction_finder.runs.lifecycle import Machine, begun, check_longer, held, resumed
from direction_finder.runs.loading import Loader
from direction_finder.runs.recorder import Recorder
from direction_finder.runs.trust import remember
from direction_finder.settings import SAVE_EVERY
from direction_finder.version import package_version

LEARNING = "learning"  # the phase that is logged, and whose state is saved


@dataclass(frozen=True)
class Search:
    """One run of `learn`. record: the entry of `config.json` for the generator. measured: what `settle` measured."""

    generator: Generator
    record: Mapping[str, Any]
    method: str
    config: SearchConfig
    part: str | None = None
    measured: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def settled(self) -> "Search":
        """Return the search with precision and batch chosen by measuring."""
        config, measured = torchrun.from_first(lambda: settle(self.generator, self.method, self.config))
        return dataclasses.replace(self, config=config, measured=measured)

    @property
    def class_name(self) -> str | None:
        """The name of the class, or of several that are searched together."""
        return class_text(self.generator.class_names, self.config.class_numbers)

    @property
    def name(self) -> str:
        """The name of the run's folder, after its number."""
        of = self.class_name or ("random classes" if self.generator.num_classes else "")
        return slug(f"{self.method} {self.generator.name} {of.split(',')[0]} {self.part or ''}")

    def content(self) -> dict[str, Any]:
        """Return the content of `config.json`: everything that the run depends on."""
        return {
            "direction_finder": package_version(),
            "torch": torch.__version__,
            "device": str(self.generator.device),
            "threads": torch.get_num_threads(),
            "generator": dict(self.record),
            "class": self.class_name,
            "method": self.method,
            "settings": plain(self.config),
            "part": self.part,
            "measured": dict(self.measured),
        }


def costs(wanted: Sequence[Search]) -> list[Cost]:
    """Return what each search would cost; of those that differ only in class and seed, one is measured."""
    known: dict[tuple[str, SearchConfig], Cost] = {}
    found = []
    for search in wanted:
        like = search.method, search.config.kind
        if like not in known:
            known[like] = estimate(search.generator, search.method, search.settled().config)
        found.append(known[like])
    return found


def generator_record(generator: Generator) -> dict[str, Any]:
    """Return the entry of `config.json` for a generator; its spec is None if it was made in Python."""
    record = outline_record(None, generator.name, generator.weights_sha256)
    if source := generator.source:
        record |= {"spec": absolute(source.spec), "truncation": source.truncation, **source.untold}
    if generator.notes:
        record["notes"] = list(generator.notes)
    if source and source.spec.startswith("python:"):
        record["tensors"] = tensor_hashes(generator.state_dict())
    return record


def outline_record(spec: str | None, name: str | None, weights_sha256: str | None) -> dict[str, Any]:
    """Return the entry of `config.json` for a generator that may not be available here."""
    record = {"spec": spec and absolute(spec), "name": name, "weights_sha256": weights_sha256, "truncation": None}
    return {**record, **dataclasses.asdict(Untold())}


def searches(
    generator: Generator,
    method: str,
    settings: Mapping[str, Any],
    class_names: Sequence[str] = (),
    parts: Sequence[str] = (),
    together: bool = False,
) -> list[Search]:
    """Return a search for each class and part; all of them are checked before anything slow.

    together: one search for all classes instead of one for each. Raises InputError for a setting, class or part that
    does not exist.
    """
    check_parts(settings, parts)
    record = generator_record(generator)
    groups: Sequence[str | Sequence[str]] = [class_names] if together else class_names
    classes: list[dict[str, Any]] = [
        {"class_index": resolve_classes(generator.class_names, group)} for group in groups
    ] or [{}]
    names: list[str | None] = [*parts] or [None]
    wanted = [
        Search(
            generator,
            record,
            method,
            configure(method, {**settings, **generator.outline.part(part), **chosen}),
            part,
        )
        for chosen in classes
        for part in names
    ]
    for search in wanted:
        check(generator, search.config)
    return wanted


def check_parts(settings: Mapping[str, Any], parts: Sequence[str]) -> None:
    """Raise InputError if a part of the latents is given both by name and by numbers."""
    if parts and {"dims", "layers"} & settings.keys():
        raise InputError("`part` names dimensions or layers: leave out `dims` and `layers`")


def absolute_start(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings with `start`, if it is a file, as an absolute path."""
    start = settings.get("start")
    return settings if start in (None, *STARTS) else {**settings, "start": str(Path(start).resolve())}


def begin(
    search: Search,
    out: Path | None,
    *,
    save_every: float = SAVE_EVERY,
    on_begin: Callable[[Run], None] | None = None,
    on_step: OnStep | None = None,
) -> tuple[Run, Directions]:
    """Create a run folder and find directions. on_begin: called once the folder exists.

    `run.finished` is False if the loop was stopped. Of the processes of `torchrun`, only the first creates a folder.
    """
    if torchrun.number():
        run = Run(out or Path(search.name), search.content())
        return run, find_with(search.generator, search.method, search.config)
    with begun(out, search.name, search.content()) as run:
        remember(run.folder, search.record["spec"])
        return run, _carry_out(run, search.generator, None, save_every, on_begin, on_step)


def resume(
    folder: Path,
    changes: Mapping[str, Any] | None = None,
    *,
    generator: Generator | None = None,
    spec: str | None = None,
    machine: Machine | None = None,
    save_every: float = SAVE_EVERY,
    on_begin: Callable[[Run], None] | None = None,
    on_step: OnStep | None = None,
) -> tuple[Run, Directions]:
    """Resume a run. changes: settings that may change. generator, spec: replace the run's own generator.

    machine: resume on another device (ignored with `generator`) or with another number of threads.
    Raises InputError, and leaves the run as it is, if that cannot be done.
    """
    machine = machine or Machine()
    if generator:
        machine = machine._replace(device=str(generator.device))
    if torchrun.number():
        run = Run.open(newest_run(folder))
        taken = machine.taken(run)
        state, settings, generator = _read(run, dict(changes or {}), generator, spec, taken["device"])
        method = run.config["method"]
        return run, find_with(generator, method, configure(method, settings), resume=state)
    with held(newest_run(folder), NEEDED, "learn") as run:
        directions = _resumed(run, dict(changes or {}), generator, spec, machine, save_every, on_begin, on_step)
    return run, directions


def _resumed(
    run: Run,
    changes: dict[str, Any],
    generator: Generator | None,
    spec: str | None,
    machine: Machine,
    save_every: float,
    on_begin: Callable[[Run], None] | None,
    on_step: OnStep | None,
) -> Directions:
    taken = machine.taken(run)
    state, settings, generator = _read(run, changes, generator, spec, taken["device"])
    record = run.config["generator"]
    if spec:
        record = {**record, "spec": absolute(spec)}
        remember(run.folder, absolute(spec))
    done = int(state["step"]) if state else 0
    with resumed(run, {"settings": settings, "generator": record, "finding": None, **taken}, done):
        return _carry_out(run, generator, state, save_every, on_begin, on_step)


def _read(
    run: Run, changes: dict[str, Any], generator: Generator | None, spec: str | None, device: str
) -> tuple[dict[str, torch.Tensor] | None, dict[str, Any], Generator]:
    """Return what a run resumes with: its state, its settings with the changes, and its generator."""
    changeable = method_named(run.config["method"]).config.changeable
    if refused := [f"`{name}`" for name in changes if name not in changeable]:
        raise InputError(f"a resumed run takes its own settings: leave out {', '.join(refused)}")
    state = run.read_state()
    done = int(state["step"]) if state else 0
    for name in ("steps", "points"):
        check_longer(name, changes.get(name, done), done)
    settings = {**_recorded(run), **changes}
    configure(run.config["method"], settings)  # refuse wrong settings before anything is changed
    generator = generator or Loader(device).load_recorded(run, spec)
    if generator.weights_sha256 != run.config["generator"]["weights_sha256"]:
        raise InputError(f"{run.folder}: generator {generator.name} has other weights now than when the run began")
    return state, settings, generator


def _recorded(run: Run) -> dict[str, Any]:
    """Return the settings of a run; versions up to 0.2 measured the whole output and did not say so."""
    before = {"by": WHOLE} if run.config["method"] == "jacobian" else {}
    return {**before, **run.config["settings"]}


def _carry_out(
    run: Run,
    generator: Generator,
    state: dict[str, torch.Tensor] | None,
    save_every: float,
    on_begin: Callable[[Run], None] | None,
    on_step: OnStep | None,
) -> Directions:
    method = run.config["method"]
    config = configure(method, _recorded(run))
    if on_begin:
        on_begin(run)
    with Recorder(run, LEARNING, save_every=save_every, on_step=on_step) as recorder:
        directions = find_with(generator, method, config, on_step=recorder, resume=state)
    directions.save(run.directions_path)
    if not recorder.stopped:
        run.config["finding"] = directions.finding and dataclasses.asdict(directions.finding)
        run.finish()
    return directions
