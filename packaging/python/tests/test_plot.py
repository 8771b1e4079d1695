from __future__ import annotations

import re
from pathlib import Path

import matplotlib.colors
import numpy as np
import pytest
from conftest import SETTINGS

import neuralwl
from neuralwl import plot


def test_ln_g(made: neuralwl.Run, tmp_path: Path) -> None:
    upper, lower = plot.ln_g(made)
    assert upper.get_ylabel() == "ln g(E)" and lower.get_xlabel() == "E / J" and lower.get_ylabel() == "error of ln g"
    points = upper.containers[0].lines[0].get_xydata()
    np.testing.assert_array_equal(points, np.column_stack([made.density.index, made.density["ln_g"]]))
    upper.figure.savefig(tmp_path / "ln_g.png")
    assert (tmp_path / "ln_g.png").read_bytes().startswith(b"\x89PNG")


def test_ln_g_and_exact(made: neuralwl.Run) -> None:
    exact = neuralwl.exact(3, "4x4")
    _, lower = plot.ln_g(made, exact=exact)
    y = lower.containers[0].lines[0].get_ydata().astype(float)
    np.testing.assert_allclose(y, (made.density["ln_g"] - exact["ln_g"]).to_numpy())
    with pytest.raises(ValueError, match="no energy in common"):
        plot.ln_g(made, exact=exact.set_axis(exact.index + 0.5))


def test_averages(made: neuralwl.Run) -> None:
    table = neuralwl.reweight(made, np.linspace(0.5, 1.2, 20))
    upper, lower = plot.averages(table)
    x, y = upper.lines[0].get_data()
    assert np.all(np.diff(x) > 0)
    np.testing.assert_allclose(np.sort(y), np.sort(table["energy"]))
    assert len(upper.collections) == 1, "no band of one standard error"
    assert lower.get_xlabel() == "k$_B$T / J"


def test_distribution(made: neuralwl.Run) -> None:
    axes = plot.distribution(made, 0.9)
    x, y = axes.lines[0].get_data()
    assert y.sum() == pytest.approx(1, abs=1e-6) and axes.get_yscale() == "log"
    assert (x * y).sum() == pytest.approx(neuralwl.reweight(made, 0.9)["energy"].iloc[0], rel=1e-6)
    low, high = axes.collections[0].get_paths()[0].get_extents().intervaly
    assert 0 < low < y.min() and high > y.max()
    assert "largest specific heat" in plot.distribution(made).get_legend().get_texts()[0].get_text()


def test_two_peaks(tmp_path: Path) -> None:
    run = neuralwl.run({**SETTINGS, "system.q": 20, "wang_landau.final_ln_f": 1e-3}, tmp_path / "q20")
    axes = plot.distribution(run)
    assert "equal height" in axes.get_legend().get_texts()[0].get_text()
    assert axes.get_ylabel() == "P(E/N)"
    x, y = axes.lines[0].get_data()
    # Equal heights, and P integrates to 1, but for what the kernel has beyond the ground state.
    assert y[x < -1.2].max() == pytest.approx(y[x > -1.2].max(), rel=0.05)
    assert np.trapezoid(y, x) == pytest.approx(1, abs=0.25)
    b = run.quantities.loc["transition.coexistence.interface_tension_2sigma", "value"]
    between = y[(x > -1.6) & (x < -0.6)].min()
    assert np.log(y.max() / between) / 4 == pytest.approx(b, rel=0.05)


def test_history(made: neuralwl.Run) -> None:
    upper, lower = plot.history(made)
    assert [t.get_text() for t in lower.get_legend().get_texts()] == list(made.table("history")["phase"].unique())
    assert upper.get_yscale() == "log"


def test_given_axes(made: neuralwl.Run) -> None:
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(1, 2)
    assert plot.ln_g(made, ax=tuple(axes)) == tuple(axes)


def test_style_stays_within(made: neuralwl.Run) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    plot.ln_g(made)
    assert dict(matplotlib.rcParams) == before


def test_colours_are_those_of_the_program() -> None:
    source = Path(__file__).parents[3] / "internal/plots/density.go"
    if not source.is_file():
        pytest.skip("the sources of nwl are not there")
    text = source.read_text()
    rgba = [tuple(int(x, 16) for x in m) for m in re.findall(r"RGBA\{R: 0x(..), G: 0x(..), B: 0x(..), A: 0xff\}", text)]
    want = {matplotlib.colors.to_hex(tuple(c / 255 for c in x)) for x in rgba} | {"#000000"}
    assert want == {*plot.COLOURS, plot.EXACT}
