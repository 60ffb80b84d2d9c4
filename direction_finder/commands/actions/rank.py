"""What `direction-finder rank` does."""

from dataclasses import replace
from pathlib import Path

import click

from direction_finder.commands.actions.shared import going_on, opened, tell
from direction_finder.commands.given import Drawing
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.files import RANK
from direction_finder.metrics.samples import Sampling
from direction_finder.progress import Bars
from direction_finder.rendering.drawing import DEFAULT_EXTENT
from direction_finder.reports.ranking import Ranking, Settings, moves, rank_by_matrix, rank_with
from direction_finder.runs.kept import Kept, identity
from direction_finder.runs.target import Target
from direction_finder.samples import Samples


def rank(path: Path, others: tuple[Path, ...], samples: int | Path, settings: Settings, drawing: Drawing) -> None:
    """Say which directions matter, and why; `render` then shows these unless told otherwise."""
    target = _open(path, drawing)
    compared = [Directions.load(other) for other in others]
    if target is None:
        ranking = rank_by_matrix(Directions.load(path), compared, settings, drawing.seed)
    else:
        ranking = _ranked(target, compared, samples, settings, drawing)
        if settings.ranges != "none":
            ranking.directions.save(target.path)
    for note in ranking.notes:
        tell(note)
    folder = target.folder if target else path if path.is_dir() else path.parent
    replace(ranking, compared_with=tuple(str(other) for other in others)).save(folder / RANK)
    click.echo(replace(ranking, moves=moves(folder / "factors.json", ranking.directions)))
    if ranking.unlimited:
        click.echo(f"{ranking.unlimited}; render goes to {DEFAULT_EXTENT:.0f}")


def _ranked(
    target: Target, others: list[Directions], samples: int | Path, settings: Settings, drawing: Drawing
) -> Ranking:
    given = Samples.load(samples) if isinstance(samples, Path) else None
    count = samples if isinstance(samples, int) else len(given or ())
    index = target.class_index(drawing.class_text)
    depends_on = {
        **identity(target.generator, target.directions, index),
        "rank": [count, drawing.seed, given and given.sha256],
    }
    with going_on(), Kept(depends_on) as keep, Bars() as bars:
        return rank_with(
            target.generator,
            target.directions,
            others,
            Sampling(index, drawing.seed, drawing.max_batch, given),
            replace(settings, samples=count),
            keep=keep,
            on_step=bars,
        )


def _open(path: Path, drawing: Drawing) -> Target | None:
    """The directions with their generator; None if it is not at hand and the matrix alone tells something."""
    try:
        return opened(path, drawing)
    except InputError as error:
        if drawing.generator or not Directions.load(path).config.get("chunk"):
            raise
        tell(f"Ranked by the matrix alone ({error}).")
        return None
