"""Carry out `direction-finder rank`."""

from dataclasses import replace
from pathlib import Path

from direction_finder.commands.actions.shared import folder_of, going_on, opened, writing
from direction_finder.commands.option_values import Drawing
from direction_finder.commands.printing import say, tell
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.files import RANK
from direction_finder.metrics.samples import Sampling
from direction_finder.progress import Bars
from direction_finder.rendering.drawing import DEFAULT_EXTENT
from direction_finder.reports.measures.factor_metrics import moves
from direction_finder.reports.ranking import Ranking, Settings, rank_by_matrix, rank_with
from direction_finder.runs.loading import Loaded
from direction_finder.runs.measure_cache import MeasureCache, identity
from direction_finder.samples import Samples


def rank(path: Path, others: tuple[Path, ...], samples: int | Path, settings: Settings, drawing: Drawing) -> None:
    """Print the directions that matter, and why, and save the ranking in rank.json."""
    with writing(path):
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
        folder = folder_of(path)
        replace(ranking, compared_with=tuple(str(other) for other in others)).save(folder / RANK)
        say(*str(replace(ranking, moves=moves(folder / "factors.json", ranking.directions, tell))).split("\n"))
        if ranking.unlimited:
            say(f"{ranking.unlimited}; `render` goes to {DEFAULT_EXTENT:.0f} by default")


def _ranked(
    target: Loaded, others: list[Directions], samples: int | Path, settings: Settings, drawing: Drawing
) -> Ranking:
    loaded = Samples.load(samples) if isinstance(samples, Path) else None
    count = samples if isinstance(samples, int) else len(loaded or ())
    index = target.class_index(drawing.class_text)
    depends_on = {
        **identity(target.generator, target.directions, index),
        "rank": [count, drawing.seed, loaded and loaded.sha256],
    }
    with going_on(), MeasureCache(depends_on, tell) as cache, Bars() as bars:
        return rank_with(
            target.generator,
            target.directions,
            others,
            Sampling(index, drawing.seed, drawing.max_batch, loaded),
            replace(settings, samples=count),
            cache=cache,
            on_step=bars,
        )


def _open(path: Path, drawing: Drawing) -> Loaded | None:
    """Open the directions with their generator; return None if it is missing but the matrix alone can be ranked."""
    try:
        return opened(path, drawing)
    except InputError as error:
        if drawing.generator or not Directions.load(path).config.get("chunk"):
            raise
        tell(f"Ranked by the matrix alone ({error}).")
        return None
