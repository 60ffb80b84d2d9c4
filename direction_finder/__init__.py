"""Find, show and apply directions in the latent space of a pretrained GAN.

>>> import direction_finder as df
>>> generator = df.load_generator("shapes-64")
>>> directions = df.find(generator, class_name="cube", progress=True)
>>> ranking = df.rank(generator, directions)
>>> samples = generator.samples(6, seed=0, class_name="cube")
>>> df.grid(generator, ranking.best, samples).save("grid.png")

Generators   load_generator      load a frozen generator by name, from a file, or from a function of your own
             wrap                use your own nn.Module as a generator
             search_classes      find the numbers of classes by name
Directions   find                find directions, by a method of ours or by your own callable
             learn               the same in a run folder, which can be resumed
             sweep               many such runs on several processes, and a table of them
             bend                curve directions, so that edits follow how they turn from point to point
             rank                list the directions that matter, and why
             usable_range        measure how far a direction can be followed
             measure             compute any metric of directions or generators
             measure_again       the same from the raw measurements in a run, without the generator
             import_directions, export_directions   read and write files of other tools
Edits        move                move samples along a direction, or by an edit such as 2 * a - b
             align               set all samples to one value along a direction, or along several
             combine             apply several moves at once
             commutativity_error measure how much the order of two moves matters
             coordinate          return where samples are along a direction
             percentile          return the coordinate below which a part of the samples lies
             spread, walk        give z a layer axis; coordinates of a looping video
Images       grid, video         show what directions do
             align_sheet         show samples before and after alignment
             compare             show several versions of the same samples
             to_uint8, write_sheet, write_video     turn tensors into bytes; write your own sheets and videos
Runs         open_run            open a run folder: .directions, .generator(), .config, .resume()
             train, finetune     train a generator; fine-tune a ProGAN with the Hessian Penalty
             write_page          write one HTML page on which one can follow a run's directions
             write_gallery       write one HTML page that lists all runs in a folder
             describe            say what a file or folder is, and what is wrong with it
Mathematics  hessian_penalty     compute the penalty of any function

Names are imported when they are first used, and torch with them.
"""

from typing import TYPE_CHECKING, Any

from direction_finder.lazy import attach

if TYPE_CHECKING:
    from direction_finder.class_names import search_classes
    from direction_finder.direction import Direction, Edit
    from direction_finder.directions import Directions
    from direction_finder.discovery.bend import bend
    from direction_finder.discovery.configs import SearchConfig
    from direction_finder.discovery.methods import find
    from direction_finder.edits import align, combine, commutativity_error, coordinate, move, percentile, spread, walk
    from direction_finder.errors import DirectionFinderError, Diverged, InputError, MissingExtra, Unfinished
    from direction_finder.generators.base import Generator
    from direction_finder.generators.loading import load_generator, wrap
    from direction_finder.generators.wrapped import WrappedModule
    from direction_finder.images import Row, to_uint8, write_sheet, write_video
    from direction_finder.interop import export_directions, import_directions
    from direction_finder.metrics.usable_range import usable_range
    from direction_finder.penalty import hessian_penalty
    from direction_finder.progress import Progress
    from direction_finder.recipes import Recipe
    from direction_finder.rendering.api import align_sheet, compare, grid, video
    from direction_finder.rendering.videos import Video
    from direction_finder.reports.describing import describe
    from direction_finder.reports.measures import measure
    from direction_finder.reports.measures.again import measure_again
    from direction_finder.reports.measures.measurement import Measurement
    from direction_finder.reports.pages.gallery import write_gallery
    from direction_finder.reports.pages.page import write_page
    from direction_finder.reports.ranking import Ranking, rank
    from direction_finder.runs.api import finetune, learn, train
    from direction_finder.runs.opened import OpenRun, open_run
    from direction_finder.samples import Samples
    from direction_finder.sweeps.api import sweep

    __version__: str

_HOMES = {
    "DirectionFinderError": "errors",
    "Direction": "direction",
    "Directions": "directions",
    "Diverged": "errors",
    "Edit": "direction",
    "Video": "rendering.videos",
    "Generator": "generators.base",
    "InputError": "errors",
    "Measurement": "reports.measures.measurement",
    "MissingExtra": "errors",
    "OpenRun": "runs.opened",
    "Progress": "progress",
    "Ranking": "reports.ranking",
    "Recipe": "recipes",
    "Row": "images",
    "Samples": "samples",
    "SearchConfig": "discovery.configs",
    "Unfinished": "errors",
    "WrappedModule": "generators.wrapped",
    "align": "edits",
    "align_sheet": "rendering.api",
    "bend": "discovery.bend",
    "combine": "edits",
    "commutativity_error": "edits",
    "compare": "rendering.api",
    "coordinate": "edits",
    "describe": "reports.describing",
    "export_directions": "interop",
    "find": "discovery.methods",
    "finetune": "runs.api",
    "grid": "rendering.api",
    "hessian_penalty": "penalty",
    "import_directions": "interop",
    "learn": "runs.api",
    "load_generator": "generators.loading",
    "measure": "reports.measures",
    "measure_again": "reports.measures.again",
    "move": "edits",
    "open_run": "runs.opened",
    "percentile": "edits",
    "rank": "reports.ranking",
    "search_classes": "class_names",
    "spread": "edits",
    "sweep": "sweeps.api",
    "to_uint8": "images",
    "train": "runs.api",
    "usable_range": "metrics.usable_range",
    "video": "rendering.api",
    "walk": "edits",
    "wrap": "generators.loading",
    "write_gallery": "reports.pages.gallery",
    "write_page": "reports.pages.page",
    "write_sheet": "images",
    "write_video": "images",
}
_get, __dir__ = attach(__name__, _HOMES)
__all__ = [
    "Direction",
    "DirectionFinderError",
    "Directions",
    "Diverged",
    "Edit",
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
    "Video",
    "WrappedModule",
    "__version__",
    "align",
    "align_sheet",
    "bend",
    "combine",
    "commutativity_error",
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
    "measure_again",
    "move",
    "open_run",
    "percentile",
    "rank",
    "search_classes",
    "spread",
    "sweep",
    "to_uint8",
    "train",
    "usable_range",
    "video",
    "walk",
    "wrap",
    "write_gallery",
    "write_page",
    "write_sheet",
    "write_video",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from direction_finder.version import package_version

        return package_version()
    return _get(name)
