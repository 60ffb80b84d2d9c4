"""Find, draw and apply directions in the latent space of a pretrained GAN.

>>> import direction_finder as df
>>> generator = df.load_generator("shapes-64")
>>> directions = df.find(generator, class_name="cube", progress=True)
>>> ranking = df.rank(generator, directions)
>>> samples = generator.samples(6, seed=0, class_name="cube")
>>> df.grid(generator, ranking.best, samples).save("grid.png")

Generators    load_generator  a frozen generator from a name, a file or a function of yours
              wrap            an nn.Module of yours as a generator
              search_classes  the numbers of the classes with some text in their name
Directions    find            directions in a generator, by a method or by a callable of yours
              learn           the same in a run folder, from which it can go on
              rank            which directions matter, and why
              usable_range    how far a direction can be followed
              measure         every metric of directions and generators
              import_directions, export_directions  other tools' files
Edits         move            samples further along a direction, or by an edit like 2 * a - b
              align           samples with one value along a direction
              combine         several moves at once
              coordinate      where samples are along a direction
              percentile      the coordinate below which a part of the samples lies
              spread, walk    a latent for every layer; coordinates of a looping film
Pictures      grid, video     what directions do
              align_sheet     samples as they are, and aligned
              compare         several versions of the same samples
              to_uint8, write_sheet, write_video    images as bytes; sheets and films of your own rows and frames
Runs          open_run        a run folder: .directions, .generator(), .config, .resume()
              train           a generator on pictures
              finetune        a ProGAN on, with the Hessian Penalty
              write_page      what a run holds, on one HTML page
              describe        what any file or folder is, and what is wrong with it
Mathematics   hessian_penalty the penalty of any function

Everything is imported when it is asked for, and torch with it.
"""

from typing import TYPE_CHECKING, Any

from direction_finder.lazy import attach

if TYPE_CHECKING:
    from direction_finder.class_names import search_classes
    from direction_finder.direction import Direction, Edit
    from direction_finder.directions import Directions
    from direction_finder.discovery.configs import SearchConfig
    from direction_finder.discovery.methods import find
    from direction_finder.edits import Recipe, align, combine, coordinate, move, percentile, spread, walk
    from direction_finder.errors import DirectionFinderError, Diverged, InputError, MissingExtra, Unfinished
    from direction_finder.generators.base import Generator
    from direction_finder.generators.loading import load_generator, wrap
    from direction_finder.generators.wrapped import WrappedModule
    from direction_finder.interop import export_directions, import_directions
    from direction_finder.metrics.usable_range import usable_range
    from direction_finder.penalty import hessian_penalty
    from direction_finder.pictures import Row, to_uint8, write_sheet, write_video
    from direction_finder.progress import Progress
    from direction_finder.rendering.api import align_sheet, compare, grid, video
    from direction_finder.rendering.films import Film
    from direction_finder.reports.describing import describe
    from direction_finder.reports.measures import measure
    from direction_finder.reports.measures.measurement import Measurement
    from direction_finder.reports.page import write_page
    from direction_finder.reports.ranking import Ranking, rank
    from direction_finder.runs.learning import learn
    from direction_finder.runs.opened import OpenRun, open_run
    from direction_finder.runs.training import finetune, train
    from direction_finder.samples import Samples

    __version__: str

_HOMES = {
    "DirectionFinderError": "errors",
    "Direction": "direction",
    "Directions": "directions",
    "Diverged": "errors",
    "Edit": "direction",
    "Film": "rendering.films",
    "Generator": "generators.base",
    "InputError": "errors",
    "Measurement": "reports.measures.measurement",
    "MissingExtra": "errors",
    "OpenRun": "runs.opened",
    "Progress": "progress",
    "Ranking": "reports.ranking",
    "Recipe": "edits",
    "Row": "pictures",
    "Samples": "samples",
    "SearchConfig": "discovery.configs",
    "Unfinished": "errors",
    "WrappedModule": "generators.wrapped",
    "align": "edits",
    "align_sheet": "rendering.api",
    "combine": "edits",
    "compare": "rendering.api",
    "coordinate": "edits",
    "describe": "reports.describing",
    "export_directions": "interop",
    "find": "discovery.methods",
    "finetune": "runs.training",
    "grid": "rendering.api",
    "hessian_penalty": "penalty",
    "import_directions": "interop",
    "learn": "runs.learning",
    "load_generator": "generators.loading",
    "measure": "reports.measures",
    "move": "edits",
    "open_run": "runs.opened",
    "percentile": "edits",
    "rank": "reports.ranking",
    "search_classes": "class_names",
    "spread": "edits",
    "to_uint8": "pictures",
    "train": "runs.training",
    "usable_range": "metrics.usable_range",
    "video": "rendering.api",
    "walk": "edits",
    "wrap": "generators.loading",
    "write_page": "reports.page",
    "write_sheet": "pictures",
    "write_video": "pictures",
}
_get, __dir__ = attach(__name__, _HOMES)
__all__ = [
    "Direction",
    "DirectionFinderError",
    "Directions",
    "Diverged",
    "Edit",
    "Film",
    "Generator",
    "InputError",
    "Measurement",
    "MissingExtra",
    "OpenRun",
    "Progress",
    "Ranking",
    "Recipe",
    "Row",
    "Samples",
    "SearchConfig",
    "Unfinished",
    "WrappedModule",
    "__version__",
    "align",
    "align_sheet",
    "combine",
    "compare",
    "coordinate",
    "describe",
    "export_directions",
    "find",
    "finetune",
    "grid",
    "hessian_penalty",
    "import_directions",
    "learn",
    "load_generator",
    "measure",
    "move",
    "open_run",
    "percentile",
    "rank",
    "search_classes",
    "spread",
    "to_uint8",
    "train",
    "usable_range",
    "video",
    "walk",
    "wrap",
    "write_page",
    "write_sheet",
    "write_video",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from direction_finder.version import package_version

        return package_version()
    return _get(name)
