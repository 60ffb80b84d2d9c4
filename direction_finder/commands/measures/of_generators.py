"""Measures of generators, and of the generators of runs."""

from direction_finder.commands.measures.asked import Asked, Report
from direction_finder.commands.recorder import Bars
from direction_finder.metrics import path_length
from direction_finder.metrics.features import INCEPTION, LPIPS
from direction_finder.metrics.frechet import frechet_distance
from direction_finder.metrics.kernel import kernel_distance

DISTANCES = {  # with the published networks, and with others
    "ppl": ("PPL", "path length"),
    "fid": ("FID", "Frechet distance"),
    "kid": ("KID", "kernel distance"),
}


def fid(asked: Asked) -> tuple[Report, list[str]]:
    drawn, real, about = asked.seen
    value = frechet_distance(drawn, real)
    return {"value": value, **about}, [f"  {called('fid', about)}, {about['samples']} pictures: {value:.3f}"]


def kid(asked: Asked) -> tuple[Report, list[str]]:
    drawn, real, about = asked.seen
    value = kernel_distance(drawn, real, seed=asked.seed)
    said = f"{value.value:.3g} [{value.low:.3g}, {value.high:.3g}]"
    return {**vars(value), **about}, [f"  {called('kid', about)}, {about['samples']} pictures: {said}"]


def ppl(asked: Asked) -> tuple[Report, list[str]]:
    similarity, name = asked.similarity
    samples = asked.samples or 1000
    with Bars("batch") as bars:
        found = path_length.path_lengths(
            asked.generator, similarity, samples=samples, at=asked.place, on_step=bars, **asked.how("path")
        )
    value = path_length.trimmed_mean(found, asked.seed)
    about = {**step_settings(name, samples, asked), "place": asked.place}
    return {**vars(value), **about}, [f"  {called('ppl', about)}, {samples} paths: {value}"]


def called(name: str, about: Report) -> str:
    """What a distance is called, and its network: by its published name only with the published network."""
    published, otherwise = DISTANCES[name]
    return f"{published if about['features'] in (INCEPTION, LPIPS) else otherwise} ({about['features']})"


def step_settings(name: str, samples: int, asked: Asked) -> Report:
    """All that path lengths depend on."""
    return {"features": name, "epsilon": path_length.EPSILON, "samples": samples, "seed": asked.seed}
