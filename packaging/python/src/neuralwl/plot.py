"""Figures of results with matplotlib, in the colours of the pictures that ``nwl`` makes.

Every function draws into given axes, or into a new figure, and returns the axes: change and save
them as any others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .optional import need

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

    from .results import Run

#: Colours of curves, distinguishable to the colour-blind (Okabe, Ito, Color Universal Design, 2008).
COLOURS = ("#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#000000")
#: Colour of exact results.
EXACT = "#e69f00"

#: Settings of matplotlib with which the figures are made.
STYLE: Mapping[str, Any] = {
    "axes.grid": True,
    "grid.color": "0.9",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 150,
}


def _axes(rows: int, given: Any, use: str) -> Any:
    """Axes below each other that share x, new ones unless given."""
    if given is not None:
        return given
    pyplot = need("matplotlib.pyplot", use)
    with need("matplotlib", use).rc_context({**STYLE}):
        _, axes = pyplot.subplots(rows, 1, sharex=True, figsize=(6.4, 4.2 if rows == 1 else 2.6 * rows))
    return axes


def _band(ax: Axes, x: Any, y: Any, error: Any, colour: str, label: str | None) -> None:
    x, y, error = (np.asarray(a, dtype=float) for a in (x, y, error))
    ax.plot(x, y, color=colour, label=label)
    if np.any(error > 0):
        ax.fill_between(x, y - error, y + error, color=colour, alpha=0.25, linewidth=0)


def _draw(ax: Axes, table: pandas.DataFrame, column: str, colour: str) -> None:
    _band(ax, table.index, table[column], table[f"{column}_error"], colour, None)


def _check_energies(run: Run, name: str) -> None:
    if run.density.index.nlevels > 1:
        second = run.density.index.names[1]
        raise ValueError(f"{name}: {run.name} is a joint density of the energy and the {second}; nwl dos plot draws it")


def ln_g(run: Run, *, exact: pandas.DataFrame | None = None, ax: tuple[Axes, Axes] | None = None) -> Any:
    """Draw ln g(E) and below it the deviation from exact, or else its standard error.

    Parameters
    ----------
    run : Run
    exact : DataFrame, optional
        The exact density of states by ``energy``, as of :func:`neuralwl.exact`.
    ax : two Axes, optional

    Returns
    -------
    array of two Axes
    """
    _check_energies(run, "plot.ln_g")
    upper, lower = axes = _axes(2, ax, "plot.ln_g")
    density = run.density.dropna(subset=["ln_g"])
    error = density["ln_g_error"].fillna(0)
    if exact is not None:
        upper.plot(exact.index, exact["ln_g"], color=EXACT, linewidth=3, label="exact")
    upper.errorbar(density.index, density["ln_g"], error, fmt=".", markersize=3, color=COLOURS[0], label=run.name)
    upper.set_ylabel("ln g(E)")
    upper.legend()
    if exact is not None:
        common = density.index.intersection(exact.index)
        if common.empty:
            raise ValueError(f"plot.ln_g: {run.name} and the exact density of states have no energy in common; are they of one system?")
        deviation = density.loc[common, "ln_g"] - exact.loc[common, "ln_g"]
        lower.axhline(0, color=EXACT, linewidth=3)
        lower.errorbar(common, deviation, error.loc[common], fmt=".", markersize=3, color=COLOURS[0])
        lower.set_ylabel("deviation of ln g")
    else:
        lower.plot(density.index, error, ".", markersize=3, color=COLOURS[0])
        lower.set_ylim(bottom=0)
        lower.set_ylabel("error of ln g")
    lower.set_xlabel("E / J")
    return axes


def averages(table: pandas.DataFrame, *, ax: tuple[Axes, Axes] | None = None) -> Any:
    """Draw energy and specific heat per site over the temperature, with bands of one standard error.

    Parameters
    ----------
    table : DataFrame
        As of :func:`neuralwl.reweight`, or the table ``observables`` of a run.
    ax : two Axes, optional

    Returns
    -------
    array of two Axes
    """
    axes = _axes(2, ax, "plot.averages")
    by_temperature = table.set_index("temperature").sort_index()
    for a, column, colour, label in zip(axes, ("energy", "specific_heat"), COLOURS[:2], ("U / N J", "C / N k$_B$"), strict=True):
        _draw(a, by_temperature, column, colour)
        a.set_ylabel(label)
    axes[-1].set_xlabel("k$_B$T / J")
    return axes


def _distribution(run: Run, beta: float, width: float | None) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Energies, the probability there, and its standard error (0 if unknown).

    With a width it is that of E/N, seen through the kernel [1 - (distance/width)^2]^2 like the peaks
    of the program (sampler/dos/coexistence.go), else that of each level.
    """
    _check_energies(run, "plot.distribution")
    levels = run.density.index.to_numpy(dtype=float)
    x, kernel = levels, None
    if width is not None:
        x = np.arange(levels[0], levels[-1] + width / 16, width / 8)
        distance = np.abs(x[:, np.newaxis] - levels) / width
        kernel = np.where(distance < 1, (1 - distance**2) ** 2, 0) * run.sites / (16 / 15 * width)

    def p(ln_g: NDArray[np.float64]) -> NDArray[np.float64]:
        y = ln_g - beta * levels
        y = np.nan_to_num(np.exp(y - np.nanmax(y)))
        y /= y.sum()
        return np.asarray(y if kernel is None else kernel @ y, dtype=np.float64)

    if run.replicas is None:
        value = p(run.density["ln_g"].to_numpy(dtype=float))
        return x, value, np.zeros_like(value)
    value, error = run.error_of(p)
    return x, value, error


def distribution(run: Run, beta: float | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw the probability P of the energies on a logarithmic axis.

    Where the run has found two phases it is the probability of E/N, smoothed as the program does to
    find the peaks; else that of each level.

    Parameters
    ----------
    run : Run
    beta : float, optional
        Inverse temperature in units of 1/J; by default that at which the two peaks have equal
        heights, and where there is one peak, that of the largest specific heat.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    transition = run.summary.get("transition") or {}
    phases = transition.get("coexistence")
    what = "beta"
    if beta is None:
        if phases:
            what, beta = "equal height, beta", phases["beta_equal_height"]["value"]
        elif "beta_specific_heat_maximum" in transition:
            what, beta = "largest specific heat, beta", transition["beta_specific_heat_maximum"]["value"]
        else:
            raise ValueError(f"plot.distribution: the summary of {run.folder} names no transition; give beta")
    axes: Axes = _axes(1, ax, "plot.distribution")
    x, p, error = _distribution(run, float(beta), phases["resolution"] if phases else None)
    keep = p > p.max() * 1e-8
    x, p, error = x[keep] / run.sites, p[keep], error[keep]
    axes.plot(x, p, color=COLOURS[0], label=f"{run.name}, {what} = {beta:.6g}")
    # A band in the logarithm: it stays above 0.
    ratio = np.exp(error / p)
    axes.fill_between(x, p / ratio, p * ratio, color=COLOURS[0], alpha=0.25, linewidth=0)
    axes.set_yscale("log")
    axes.set_xlabel("E / N J")
    axes.set_ylabel("P(E/N)" if phases else "P(E)")
    axes.legend()
    return axes


def history(run: Run, *, ax: tuple[Axes, Axes] | None = None) -> Any:
    """Draw the course of a run: ln f and the round trips over the passes.

    Parameters
    ----------
    run : Run
    ax : two Axes, optional

    Returns
    -------
    array of two Axes
    """
    upper, lower = axes = _axes(2, ax, "plot.history")
    for k, (phase, part) in enumerate(run.table("history").groupby("phase", sort=False)):
        colour = COLOURS[k % len(COLOURS)]
        if (part["ln_f"] > 0).any():
            upper.plot(part.index, part["ln_f"].where(part["ln_f"] > 0), color=colour)
        lower.plot(part.index, part["round_trips"], color=colour, label=str(phase))
    upper.set_yscale("log")
    upper.set_ylabel("ln f")
    lower.set_ylabel("round trips")
    lower.set_xlabel("pass")
    lower.legend()
    return axes
