"""Figures of measured numbers, as PNG and SVG. They need matplotlib: the extra `measure`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from direction_finder.errors import MissingExtra
from direction_finder.files import replacing

FORMATS = ("png", "svg")
Numbers = Sequence[float] | np.ndarray
WINDOWS = 200  # of a learning curve, over each of which its mean is drawn


def heat_map(
    path: Path,
    values: np.ndarray,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    unit: str,
) -> list[Path]:
    """Draw a matrix (rows, columns) of numbers from 0 up as coloured cells with the numbers in them.

    Written beside each other as `path` with .png and .svg. Raises MissingExtra if matplotlib is not installed.
    """
    figure = _figure(*_heat_map_size(rows, columns))
    draw_heat_map(figure.subplots(), values, rows=rows, columns=columns, title=title, unit=unit)
    return _write(figure, path)


def draw_heat_map(
    ax: Any, values: np.ndarray, *, rows: Sequence[str], columns: Sequence[str], title: str, unit: str
) -> Any:
    """Draw such a matrix on axes of matplotlib (None: on new ones), and return the axes."""
    axes = ax or _figure(*_heat_map_size(rows, columns)).subplots()
    drawn = axes.imshow(values, cmap="Blues", vmin=0, aspect="auto")
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0, labelsize=9, top=True, labeltop=True, bottom=False, labelbottom=False)
    middle = values.max() / 2
    for row, column in np.ndindex(values.shape):
        value = values[row, column]
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8,
                  color="white" if value > middle else "black")  # fmt: skip
    axes.set_title(title, fontsize=10, loc="left")
    axes.figure.colorbar(drawn, ax=axes, label=unit)
    return axes


def _heat_map_size(rows: Sequence[str], columns: Sequence[str]) -> tuple[float, float]:
    return 1.6 + 0.75 * len(columns) + 0.07 * max(map(len, rows)), 1.2 + 0.27 * len(rows)


def bars(path: Path, series: Mapping[str, Sequence[float]], *, title: str, unit: str, line: float = 0) -> list[Path]:
    """Draw numbers from 0 up as bars, largest first, a panel for each name, all on one scale.

    line: the part of each panel's largest bar where a dashed line is drawn; bars below it are paler. Written beside
    each other as `path` with .png and .svg. Raises MissingExtra if matplotlib is not installed.
    """
    longest = max(map(len, series.values()))
    figure = _figure(1 + len(series) * (0.6 + 0.14 * longest), 2.6)
    for axes, (name, values) in zip(
        figure.subplots(1, len(series), sharey=True, squeeze=False)[0], series.items(), strict=True
    ):
        draw_bars(axes, values, title=name, line=line)
    figure.supylabel(unit, fontsize=9)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return _write(figure, path)


def draw_bars(ax: Any, values: Sequence[float], *, title: str, unit: str = "", line: float = 0) -> Any:
    """Draw one panel of bars on axes of matplotlib (None: on new ones), and return the axes."""
    axes = ax or _figure(1.6 + 0.14 * len(values), 2.6).subplots()
    ordered = np.sort(np.asarray(values))[::-1]
    below = line * ordered[0]
    colours = np.where(ordered > below, "tab:blue", "lightsteelblue")
    axes.bar(range(1, len(ordered) + 1), ordered, color=colours)
    if line:
        axes.axhline(below, color="black", linewidth=0.8, linestyle="--")
    axes.set_title(title, fontsize=9)
    axes.set_ylabel(unit, fontsize=9)
    axes.locator_params(axis="x", integer=True)
    return _tidy(axes)


def curves(path: Path, across: str, values: Mapping[str, Sequence[float]], *, title: str) -> list[Path]:
    """Draw each of `values` that varies over the one named `across`, a panel for each, as means over windows.

    All have the same length; NaN where there is no value. Written beside each other as `path` with .png and .svg, if
    anything varies. Raises MissingExtra if matplotlib is not installed.
    """
    named = {name: np.asarray(each, float) for name, each in values.items() if name != across}
    named = {name: each for name, each in named.items() if np.nanmin(each) < np.nanmax(each)}
    if not named:
        return []
    columns = min(3, len(named))
    rows = -(-len(named) // columns)
    figure = _figure(0.5 + 3.1 * columns, 0.6 + 1.8 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for axes, (name, each) in zip(panels, named.items(), strict=False):
        draw_curve(values[across], each, name, ax=axes)
    for axes in list(figure.axes)[len(named) :]:
        axes.set_axis_off()
    figure.supxlabel(across, fontsize=9)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return _write(figure, path)


def draw_curve(across: Numbers, values: Numbers, title: str, unit: str = "", ax: Any = None) -> Any:
    """Draw a curve (NaN: no value) as means over windows on axes of matplotlib (None: on new ones); return the axes."""
    axes = ax or _figure(4, 2.6).subplots()
    x, y = np.asarray(across, float), np.asarray(values, float)
    there = np.isfinite(y)
    windows = np.array_split(np.flatnonzero(there), min(WINDOWS, max(1, there.sum())))
    means = [[x[part].mean(), y[part].mean()] for part in windows if len(part)]
    axes.plot(*np.array(means).reshape(-1, 2).T, color="tab:blue", linewidth=1, marker="." if len(means) < 30 else "")
    axes.set_title(title, fontsize=9)
    axes.set_xlabel(unit, fontsize=9)
    return _tidy(axes)


def _tidy(axes: Any) -> Any:
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def penalty_maps(
    path: Path, images: np.ndarray, penalties: np.ndarray, hessians: np.ndarray, *, title: str
) -> list[Path]:
    """Draw, for each of n pictures: itself; its pixels' penalties over it; |H| of the pixel that they are largest at.

    images (n, H, W, 3) of bytes, penalties (n, H, W), hessians (n, N, N). Each kind has one scale for all pictures.
    Written beside each other as `path` with .png and .svg. Raises MissingExtra if matplotlib is not installed.
    """
    figure = _figure(1 + 1.6 * len(images), 5.4)
    axes = figure.subplots(3, len(images), squeeze=False)
    for column, (image, penalty, matrix) in enumerate(zip(images, penalties, hessians, strict=True)):
        axes[0, column].imshow(image)
        axes[1, column].imshow(image.mean(2), cmap="gray", vmin=0, vmax=255)
        overlay = axes[1, column].imshow(penalty, cmap="inferno", vmin=0, vmax=penalties.max(), alpha=0.75)
        row, at = np.unravel_index(penalty.argmax(), penalty.shape)
        axes[1, column].plot(at, row, "c+", markersize=8)
        heat = axes[2, column].imshow(matrix, cmap="Blues", vmin=0, vmax=hessians.max())
    for each in axes.flat:
        each.set_xticks([])
        each.set_yticks([])
    figure.colorbar(overlay, ax=axes[1], label="penalty")
    figure.colorbar(heat, ax=axes[2], label="|H| at +")
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return _write(figure, path)


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("a figure", "measure") from error
    return Figure((width, height), layout="constrained", dpi=110)


def _write(figure: Any, path: Path) -> list[Path]:
    from matplotlib import rc_context

    written = [path.with_suffix(f".{each}") for each in FORMATS]
    for each in written:
        with replacing(each) as part, rc_context({"svg.hashsalt": "direction-finder"}):  # the same names in each file
            figure.savefig(part, metadata={"Date": None} if each.suffix == ".svg" else None)
    return written
