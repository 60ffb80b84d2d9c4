"""Plot measured numbers, as PNG and SVG. This needs matplotlib, from the extra `measure`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from direction_finder.errors import MissingExtra
from direction_finder.files import replacing

FORMATS = ("png", "svg")
Numbers = Sequence[float] | np.ndarray
WINDOWS = 200  # at most this many means are plotted for a learning curve
LARGEST = 1e300  # larger numbers are plotted as this one, because their differences overflow


def heat_map(
    path: Path,
    values: np.ndarray,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    unit: str,
) -> list[Path]:
    """Plot a matrix (rows, columns) of numbers >= 0 as coloured cells with the numbers in them.

    Write it as `path` with the suffixes .png and .svg, and return both paths. Raises MissingExtra if matplotlib is not
    installed.
    """
    figure = _figure(*_heat_map_size(rows, columns))
    draw_heat_map(figure.subplots(), values, rows=rows, columns=columns, title=title, unit=unit)
    return _write(figure, path)


def draw_heat_map(
    ax: Any, values: np.ndarray, *, rows: Sequence[str], columns: Sequence[str], title: str, unit: str
) -> Any:
    """Plot a matrix as `heat_map` does, on matplotlib axes (None: on new ones), and return the axes."""
    axes = ax or _new_axes(*_heat_map_size(rows, columns))
    cells = axes.imshow(values, cmap="Blues", vmin=0, aspect="auto")
    axes.set_xticks(range(len(columns)), [_plain(column) for column in columns])
    axes.set_yticks(range(len(rows)), [_plain(row) for row in rows])
    axes.tick_params(length=0, labelsize=9, top=True, labeltop=True, bottom=False, labelbottom=False)
    middle = values.max() / 2
    for row, column in np.ndindex(values.shape):
        value = values[row, column]
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8,
                  color="white" if value > middle else "black")  # fmt: skip
    axes.set_title(_plain(title), fontsize=10, loc="left")
    axes.figure.colorbar(cells, ax=axes, label=unit)
    return axes


def _heat_map_size(rows: Sequence[str], columns: Sequence[str]) -> tuple[float, float]:
    return 1.6 + 0.75 * len(columns) + 0.07 * max(map(len, rows)), 1.2 + 0.27 * len(rows)


def bars(path: Path, series: Mapping[str, Sequence[float]], *, title: str, unit: str, line: float = 0) -> list[Path]:
    """Plot numbers >= 0 as bars, largest first, with one panel for each name and one scale for all panels.

    line: the fraction of each panel's largest bar at which a dashed line is plotted; bars below it are paler.
    Write the figure as `path` with the suffixes .png and .svg, and return both paths. Raises MissingExtra if matplotlib
    is not installed.
    """
    longest = max(map(len, series.values()))
    figure = _figure(1 + len(series) * (0.6 + 0.14 * longest), 2.6)
    for axes, (name, values) in zip(
        figure.subplots(1, len(series), sharey=True, squeeze=False)[0], series.items(), strict=True
    ):
        draw_bars(axes, values, title=name, line=line)
    figure.supylabel(unit, fontsize=9)
    figure.suptitle(_plain(title), fontsize=10, x=0.01, ha="left")
    return _write(figure, path)


def draw_bars(ax: Any, values: Sequence[float], *, title: str, unit: str = "", line: float = 0) -> Any:
    """Plot one panel of bars, as `bars` does, on matplotlib axes (None: on new ones), and return the axes."""
    axes = ax or _new_axes(1.6 + 0.14 * len(values), 2.6)
    ordered = np.sort(np.asarray(values))[::-1]
    below = line * ordered[0]
    colours = np.where(ordered > below, "tab:blue", "lightsteelblue")
    axes.bar(range(1, len(ordered) + 1), ordered, color=colours)
    if line:
        axes.axhline(below, color="black", linewidth=0.8, linestyle="--")
    axes.set_title(_plain(title), fontsize=9)
    axes.set_ylabel(unit, fontsize=9)
    axes.locator_params(axis="x", integer=True)
    return _tidy(axes)


def curves(path: Path, across: str, values: Mapping[str, Sequence[float]], *, title: str) -> list[Path]:
    """Plot each of `values` that varies, as means over windows, against the one named `across`, each in its own panel.

    values: sequences of the same length, NaN where there is no value. Write the figure as `path` with the suffixes .png
    and .svg, and return both paths, or an empty list if nothing varies. Raises MissingExtra if matplotlib is not
    installed.
    """
    named = {name: np.asarray(numbers, float) for name, numbers in values.items() if name != across}
    named = {name: numbers for name, numbers in named.items() if len(np.unique(numbers[np.isfinite(numbers)])) > 1}
    if not named:
        return []
    columns = min(3, len(named))
    rows = -(-len(named) // columns)
    figure = _figure(0.5 + 3.1 * columns, 0.6 + 1.8 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for axes, (name, numbers) in zip(panels, named.items(), strict=False):
        draw_curve(values[across], numbers, name, ax=axes)
    for axes in list(figure.axes)[len(named) :]:
        axes.set_axis_off()
    figure.supxlabel(across, fontsize=9)
    figure.suptitle(_plain(title), fontsize=10, x=0.01, ha="left")
    return _write(figure, path)


def draw_curve(across: Numbers, values: Numbers, title: str, unit: str = "", ax: Any = None) -> Any:
    """Plot a curve (NaN: no value) as means over windows on matplotlib axes (None: on new ones); return the axes."""
    axes = ax or _new_axes(4, 2.6)
    x, y = (np.clip(np.asarray(numbers, float), -LARGEST, LARGEST) for numbers in (across, values))
    finite = np.isfinite(x) & np.isfinite(np.asarray(values, float))
    windows = np.array_split(np.flatnonzero(finite), min(WINDOWS, max(1, finite.sum())))
    means = [[x[part].mean(), y[part].mean()] for part in windows if len(part)]
    axes.plot(*np.array(means).reshape(-1, 2).T, color="tab:blue", linewidth=1, marker="." if len(means) < 30 else "")
    axes.set_title(_plain(title), fontsize=9)
    axes.set_xlabel(unit, fontsize=9)
    return _tidy(axes)


def _plain(text: str) -> str:
    """Return a text such that matplotlib does not read dollar signs in it as formulas."""
    return text.replace("$", r"\$")


def _tidy(axes: Any) -> Any:
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def penalty_maps(
    path: Path, images: np.ndarray, penalties: np.ndarray, hessians: np.ndarray, *, title: str
) -> list[Path]:
    """Plot, for each of n images: the image, the penalty of each pixel over it, and |H| of the pixel with the largest.

    images (n, H, W, 3) of bytes, penalties (n, H, W), hessians (n, N, N). Penalties, and likewise Hessians, have one
    scale for all images. Write the figure as `path` with the suffixes .png and .svg, and return both paths. Raises
    MissingExtra if matplotlib is not installed.
    """
    figure = _figure(1 + 1.6 * len(images), 5.4)
    axes = figure.subplots(3, len(images), squeeze=False)
    for column, (image, penalty, matrix) in enumerate(zip(images, penalties, hessians, strict=True)):
        axes[0, column].imshow(image)
        axes[1, column].imshow(image.mean(2), cmap="gray", vmin=0, vmax=255)
        overlay = axes[1, column].imshow(penalty, cmap="inferno", vmin=0, vmax=penalties.max(), alpha=0.75)
        row, pixel = np.unravel_index(penalty.argmax(), penalty.shape)
        axes[1, column].plot(pixel, row, "c+", markersize=8)
        heat = axes[2, column].imshow(matrix, cmap="Blues", vmin=0, vmax=hessians.max())
    for panel in axes.flat:
        panel.set_xticks([])
        panel.set_yticks([])
    figure.colorbar(overlay, ax=axes[1], label="penalty")
    figure.colorbar(heat, ax=axes[2], label="|H| at +")
    figure.suptitle(_plain(title), fontsize=10, x=0.01, ha="left")
    return _write(figure, path)


def _new_axes(width: float, height: float) -> Any:
    """Return axes of a new figure, which a notebook shows."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingExtra("a figure", "measure") from error
    return pyplot.subplots(figsize=(width, height), layout="constrained")[1]


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("a figure", "measure") from error
    return Figure((width, height), layout="constrained", dpi=110)


def _write(figure: Any, path: Path) -> list[Path]:
    from matplotlib import rc_context

    paths = [path.with_suffix(f".{suffix}") for suffix in FORMATS]
    for file in paths:
        with replacing(file) as part, rc_context({"svg.hashsalt": "direction-finder"}):  # the same names in each file
            figure.savefig(part, metadata={"Date": None} if file.suffix == ".svg" else None)
    return paths
