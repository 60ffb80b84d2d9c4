"""The measures that `measure` knows, by the names of `--metric`, and which figures they have."""

from collections.abc import Callable
from pathlib import Path

from direction_finder.commands.measures import of_directions, of_factors, of_generators
from direction_finder.commands.measures.asked import Asked, Measure, Report

OF_DIRECTIONS: dict[str, Measure] = {
    "factors": of_factors.effects,
    "alignment": of_factors.alignment,
    "hessians": of_directions.hessians,
    "share": of_directions.share,
    "activeness": of_directions.activenesses,
    "paths": of_directions.paths,
}
OF_GENERATORS: dict[str, Measure] = {
    "ppl": of_generators.ppl,
    "fid": of_generators.fid,
    "kid": of_generators.kid,
    "fidelity": of_factors.against_renders,
}
ALL = OF_DIRECTIONS | OF_GENERATORS
WITH_A_NETWORK = {"factors", "alignment", "fidelity"}
FIGURES: dict[str, Callable[[Asked, Report, Path], None]] = {
    "factors": of_factors.draw_effects,
    "hessians": of_directions.draw_hessians,
    "activeness": of_directions.draw_activeness,
}
SIDE_BY_SIDE: dict[str, Callable[[dict[str, Report], Path], None]] = {"activeness": of_directions.side_by_side}
TOGETHER = "measures"  # stem of the files that tell of all targets together
