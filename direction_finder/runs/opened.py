"""Open existing runs: read their contents, resume them and plot their logs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.progress import Reporting, reporting
from direction_finder.runs import learning, training
from direction_finder.runs.folder import Run
from direction_finder.runs.latest import newest_run
from direction_finder.runs.lifecycle import Machine
from direction_finder.runs.loading import Loader, fitting, read_directions, short_list
from direction_finder.runs.trainers import model_of, trained_spec

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class OpenRun(Run):
    """Give access to a run folder that `learn`, `train`, `finetune` or `import` made."""

    @property
    def directions(self) -> Directions:
        """Return the directions that a run of `learn` found. Raises Unfinished if there are none yet."""
        return read_directions(self)

    @property
    def short_list(self) -> list[int]:
        """Return the numbers of the directions that `rank` found to matter; empty without a ranking."""
        return short_list(self.folder, self.directions)

    def generator(self, spec: str | None = None, *, device: str = "auto", progress: bool = False) -> Generator:
        """Load the generator in which directions were found, or that was trained. spec: where to find it instead."""
        loader = Loader(device, progress)
        if "model" in self.config:
            return loader.load(spec or trained_spec(self))
        return fitting(self.directions, loader.load_recorded(self, spec))[1]

    def resume(
        self,
        *,
        generator: Generator | None = None,
        device: str | None = None,
        progress: Reporting = None,
        **changes: Any,
    ) -> "OpenRun":
        """Resume the run until its end, and return it. changes: settings that may change, e.g. points, steps or kimg.

        generator: the generator in which directions are found, if the run cannot load it because it was made in Python.
        device: where to compute, if it is not the device on which the run was begun.

        >>> df.open_run("latest").resume(points=96, progress=True)
        """
        machine = Machine(device)
        with reporting(progress) as on_step:
            if "model" in self.config:
                longer = changes.pop(model_of(self).longer, None)
                if unexpected := [*changes, *(["generator"] if generator else [])]:
                    raise TypeError(f"resume() got an unexpected argument {min(unexpected)!r}")
                run = training.resume(self.folder, longer, machine=machine, watch=training.Watch(on_step=on_step))
            else:
                run, _ = learning.resume(self.folder, changes, generator=generator, machine=machine, on_step=on_step)
        self.config.clear()
        self.config.update(run.config)
        return self

    def plot(self, value: str, ax: "Axes | None" = None) -> "Axes":
        """Plot a value of the log over the steps, e.g. "penalty", "share" or "frechet". ax: axes to plot on.

        Raises InputError for a value that the log does not contain.
        """
        from direction_finder.figures import draw_curve

        logged = self.steps()
        steps = [step for step in logged if value in step]
        if not steps:
            names = dict.fromkeys(name for step in logged for name in step)
            raise InputError(f"{self.folder}: the log has no {value!r}; it has {', '.join(names) or 'nothing'}")
        across = "kimg" if steps and "kimg" in steps[0] else "step"
        return draw_curve([step[across] for step in steps], [step[value] for step in steps], value, across, ax=ax)


def open_run(folder: str | Path) -> OpenRun:
    """Open a run folder; "latest" means the newest run under outputs/.

    >>> run = df.open_run("latest")
    >>> run.directions, run.generator(), run.config["settings"]

    Raises InputError if the folder is not a run.
    """
    run = Run.open(Path(newest_run(folder)), ("settings", "direction_finder"), "learn or train")
    return OpenRun(run.folder, run.config)
