"""Share code between verbs: open directions with their generator, and describe how an image was made."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from direction_finder.commands.option_values import Drawing, Learning, Training
from direction_finder.commands.printing import tell
from direction_finder.locks import locked
from direction_finder.overwriting import OF_ENDING, check_overwrite
from direction_finder.runs.lifecycle import Machine
from direction_finder.runs.loading import Loaded, Loader


def opened(path: Path, drawing: Drawing) -> Loaded:
    """Open a run folder or a directions file with its generator."""
    target = Loaded.open(path, Loader(drawing.device, progress=True), drawing.generator)
    return replace(target, directions=target.directions.straight) if drawing.straight else target


def machine_given(options: Learning | Training, names: Collection[str]) -> Machine:
    """Return the device and threads of a resumed run. names: the options that were given on the command line."""
    return Machine(options.device if "device" in names else None, options.threads)


def kept(target: Loaded, text: str | None, moved: Collection[int]) -> tuple[int, ...]:
    """Return the numbers of the directions that keep their coordinates. "all" means all but those that are `moved`."""
    picked = () if text is None else target.pick(text)
    return tuple(number for number in picked if text != "all" or number not in moved)


def made(target: Loaded, verb: str, **settings: Any) -> dict[str, Any]:
    """Return how an image was made, to be saved in it. settings: options of the verb."""
    record = target.directions
    return {
        "made_by": f"direction-finder {verb}",
        "method": record.method,
        "generator": target.generator.name,
        "weights_sha256": target.generator.weights_sha256,
        "class": record.class_name,
        "run": target.folder.name,
        **{name: str(value) if isinstance(value, Path) else value for name, value in settings.items()},
    }


def folder_of(target: Path) -> Path:
    """Return the folder of a run or directions file."""
    return target if target.is_dir() else target.parent


@contextmanager
def writing(target: Path, out: Path | None = None, force: bool = False) -> Iterator[None]:
    """Let no other process write in the folder of a run or directions file, if that is where the output goes.

    out: the file that the user named. force: replace it even if we did not write it.
    """
    if out and out.suffix.lower() in OF_ENDING:
        check_overwrite(out, OF_ENDING[out.suffix.lower()], force=force)
    folder = folder_of(target)
    if out is None or out.parent.resolve() == folder.resolve():
        with locked(folder):
            yield
    else:
        yield


@contextmanager
def going_on() -> Iterator[None]:
    """Tell the user how to resume if a measurement is stopped."""
    try:
        yield
    except KeyboardInterrupt:
        tell("Repeat the command to resume it.")
        raise
