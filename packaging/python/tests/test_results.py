from __future__ import annotations

import itertools
import json
import math
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import SETTINGS

import neuralwl


def enumerated(q: int, lx: int, ly: int) -> dict[int, int]:
    """Numbers of states of the Potts model on a torus, one by one."""
    sites = range(lx * ly)
    bonds = [(i, (i // lx) * lx + (i + 1) % lx) for i in sites] + [(i, (i + lx) % (lx * ly)) for i in sites]
    return dict(Counter(-sum(s[i] == s[j] for i, j in bonds) for s in itertools.product(range(q), repeat=lx * ly)))


def test_exact_is_enumeration() -> None:
    want = enumerated(2, 3, 3)
    got = neuralwl.exact(2, "3x3")
    assert list(got.index) == sorted(want)
    np.testing.assert_allclose(got["ln_g"], [math.log(want[e]) for e in got.index], rtol=1e-14)
    assert (got["ln_g_error"] == 0).all()


def test_load(made: neuralwl.Run) -> None:
    assert made.name == "potts q=3 4x4" and made.method == "wang-landau" and made.sites == 16
    assert made.converged and made.checks["passed"].all() and "levels" in made.checks.index
    text = (made.folder / "dos.csv").read_text().splitlines()
    assert len(made.density) == len(text) - 1
    energy, ln_g, error = text[1].split(",")
    assert made.density.index[0] == float(energy) and made.density["ln_g"].iloc[0] == float(ln_g)
    assert made.density.attrs["units"] == {"energy": "J", "ln_g": "1", "ln_g_error": "1"}
    assert "natural logarithm" in made.density.attrs["descriptions"]["ln_g"]
    assert made.density.attrs["origin"]["seed"] == made.summary["seed"]
    assert "converged" in repr(made) and str(made.folder) in repr(made)


def test_density_is_exact_within_errors(made: neuralwl.Run) -> None:
    exact = neuralwl.exact(3, "4x4")
    assert list(exact.index) == list(made.density.index)
    unknown = made.density["ln_g_error"] > 0
    pulls = ((made.density["ln_g"] - exact["ln_g"]) / made.density["ln_g_error"])[unknown]
    assert unknown.sum() > 20 and 0.1 < (pulls**2).mean() < 4


def test_normalisation_and_jackknife(made: neuralwl.Run) -> None:
    value, error = made.error_of(lambda ln_g: np.log(np.sum(np.exp(ln_g - ln_g.max()))) + ln_g.max())
    np.testing.assert_allclose(value, 16 * math.log(3), atol=1e-9)
    assert error < 1e-9  # each replica has the known sum as well
    value, error = made.error_of(lambda ln_g: ln_g)
    np.testing.assert_array_equal(value, made.density["ln_g"])
    np.testing.assert_allclose(error, made.density["ln_g_error"], rtol=1e-4, atol=1e-7)


def test_reweight(made: neuralwl.Run) -> None:
    betas = np.linspace(0.5, 1.2, 8)
    got = neuralwl.reweight(made, betas)
    energy = made.density.index.to_numpy(dtype=float)

    def energy_per_site(ln_g: np.ndarray) -> np.ndarray:
        x = ln_g - np.outer(betas, energy)
        p = np.exp(x - x.max(axis=1, keepdims=True))
        return (p @ energy) / p.sum(axis=1) / made.sites

    value, error = made.error_of(energy_per_site)
    np.testing.assert_array_equal(got.index, betas)
    np.testing.assert_allclose(got["energy"], value, rtol=1e-9)
    np.testing.assert_allclose(got["energy_error"], error, rtol=1e-4)
    assert got.attrs["units"]["energy"] == "J per site" and got.attrs["units"]["entropy_error"] == "k_B per site"
    # F = U - T S, C = -beta^2 dU/dbeta.
    np.testing.assert_allclose(got["free_energy"], got["energy"] - got["entropy"] / betas, rtol=1e-12)
    step = 1e-4
    near = neuralwl.reweight(made, [0.8 - step, 0.8, 0.8 + step])
    slope = (near["energy"].iloc[2] - near["energy"].iloc[0]) / (2 * step)
    np.testing.assert_allclose(near["specific_heat"].iloc[1], -(0.8**2) * slope, rtol=1e-5)


def test_reweight_sources(made: neuralwl.Run) -> None:
    want = neuralwl.reweight(made, 0.9)
    assert neuralwl.reweight(made.folder, [0.9]).equals(want)
    table = neuralwl.reweight(made.density, 0.9, sites=16)
    np.testing.assert_allclose(table["energy"], want["energy"], rtol=1e-12)
    assert table["energy_error"].isna().all()
    with pytest.raises(ValueError, match="no beta"):
        neuralwl.reweight(made, [])
    with pytest.raises(ValueError, match="index 'energy'"):
        neuralwl.reweight(made.density.reset_index(), 0.9)
    with pytest.raises(neuralwl.ProgramError, match="--sites") as e:
        neuralwl.reweight(made.density, 0.9)
    assert e.value.returncode == 2 or e.value.returncode == 1


def test_reweight_many_betas(made: neuralwl.Run) -> None:
    betas = np.linspace(0.1, 1.5, 2501)
    got = neuralwl.reweight(made, betas)
    np.testing.assert_array_equal(got.index, betas)
    assert got["energy"].is_monotonic_decreasing


def test_reweight_negative_beta(made: neuralwl.Run) -> None:
    assert neuralwl.reweight(made, [-0.1, 0.0])["energy"].iloc[0] > neuralwl.reweight(made, 0.0)["energy"].iloc[0]


def test_unsupported_beta_is_refused(made: neuralwl.Run) -> None:
    half = made.density.iloc[10:]
    with pytest.raises(neuralwl.ProgramError, match="not supported by the data"):
        neuralwl.reweight(half, 5.0, sites=16)
    assert len(neuralwl.reweight(half, 5.0, sites=16, force=True)) == 1


def test_tables(made: neuralwl.Run) -> None:
    observables = made.table("observables")
    assert observables.index.name == "beta" and observables.attrs["units"]["energy"] == "J per site"
    middle = observables.iloc[[len(observables) // 2]]
    same = neuralwl.reweight(made, middle.index)
    np.testing.assert_allclose(same["energy"], middle["energy"], rtol=1e-9)
    assert made.table("history").index.name == "pass"
    with pytest.raises(FileNotFoundError, match="observables"):
        made.table("nothing")
    with pytest.raises(FileNotFoundError):
        made.table("../q3/dos")


def test_quantities(made: neuralwl.Run) -> None:
    q = made.quantities
    row = made.summary["transition"]["beta_specific_heat_maximum"]
    assert q.loc["transition.beta_specific_heat_maximum", "value"] == row["value"]
    assert q.loc["transition.beta_specific_heat_maximum", "error"] == row["error"]
    assert (q["error"] >= 0).all()


def test_to_xarray(made: neuralwl.Run) -> None:
    data = made.to_xarray()
    assert data["ln_g"].dims == ("energy",) and data["ln_g"].attrs["units"] == "1" and data["energy"].attrs["units"] == "J"
    assert data["ln_g_jackknife"].dims == ("block", "energy") and data.attrs["system"] == made.name
    np.testing.assert_array_equal(data["ln_g"], made.density["ln_g"])


def test_same_seed_same_numbers(made: neuralwl.Run, tmp_path: Path) -> None:
    again = neuralwl.run({**SETTINGS, "run.workers": 2}, tmp_path / "again")
    assert again.density.equals(made.density)


def test_unconverged_run_is_loaded(tmp_path: Path) -> None:
    got = neuralwl.run({**SETTINGS, "run.walkers": 2, "wang_landau.final_ln_f": 0.5, "production.passes": 2}, tmp_path / "short")
    assert not got.converged and "not converged" in repr(got)
    assert not got.checks["passed"].all()


def test_bad_setting(tmp_path: Path) -> None:
    with pytest.raises(neuralwl.ProgramError, match="system.q") as e:
        neuralwl.run({"system.q": -3}, tmp_path / "bad")
    assert "--out" in e.value.arguments


def test_what_is_no_run_directory(made: neuralwl.Run, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="not a folder"):
        neuralwl.load(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match=r"config\.yaml"):
        neuralwl.load(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(made.folder, copy)
    (copy / "summary.json").unlink()
    with pytest.raises(FileNotFoundError, match="nwl finish"):
        neuralwl.load(copy)


def test_mixed_run_directory_is_refused(made: neuralwl.Run, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(made.folder, copy)
    lines = (copy / "dos.csv").read_text().splitlines()
    (copy / "dos.csv").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(ValueError, match="not of one run"):
        neuralwl.load(copy)


def test_run_without_replicas(made: neuralwl.Run, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(made.folder, copy)
    (copy / "dos.npz").unlink()
    got = neuralwl.load(copy)
    assert got.replicas is None
    with pytest.raises(ValueError, match="no replicas"):
        got.error_of(np.sum)


def test_program_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEURALWL_PROGRAM", str(tmp_path / "nothing"))
    with pytest.raises(FileNotFoundError, match="NEURALWL_PROGRAM"):
        neuralwl.find_program()


def test_interrupt_ends_a_run_in_order(tmp_path: Path) -> None:
    code = f"import neuralwl; neuralwl.run({ {**SETTINGS, 'wang_landau.final_ln_f': 1e-9} !r}, {str(tmp_path / 'run')!r})"
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, start_new_session=True) as process:
        end = time.monotonic() + 60
        while not (tmp_path / "run/events.jsonl").is_file() or "phase begins" not in (tmp_path / "run/events.jsonl").read_text():
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert b"KeyboardInterrupt" in said
    got = neuralwl.load(tmp_path / "run")
    assert not got.converged and len(got.density) > 5


def test_metadata_is_json(made: neuralwl.Run) -> None:
    assert json.loads(json.dumps(made.density.attrs)) == made.density.attrs


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, made: neuralwl.Run) -> None:
    for module, extra, call in (
        ("pandas", "pandas", lambda: neuralwl.load(made.folder)),
        ("xarray", "xarray", made.to_xarray),
        ("matplotlib.pyplot", "plot", lambda: neuralwl.plot.ln_g(made)),
    ):
        with monkeypatch.context() as m:
            for name in [n for n in sys.modules if n.partition(".")[0] == module.partition(".")[0]]:
                m.delitem(sys.modules, name)
            m.setattr(sys, "meta_path", [Hidden(module.partition(".")[0]), *sys.meta_path])
            with pytest.raises(ModuleNotFoundError, match=rf"neuralwl\[{extra}\]"):
                call()


class Hidden:
    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == self.package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_joint(tmp_path: Path) -> None:
    """A joint density is by energy and the second variable; what needs single energies says so."""
    settings = SETTINGS | {"system.model": "ising_field", "system.joint": "magnetisation", "system.size": "4x4"}
    del settings["system.q"]
    joint = neuralwl.run(settings, tmp_path / "joint")
    counts = Counter()
    sites = range(16)
    for s in itertools.product((-1, 1), repeat=16):
        energy = -sum(s[i] * (s[i - i % 4 + (i + 1) % 4] + s[(i + 4) % 16]) for i in sites)
        counts[float(energy), float(sum(s))] += 1
    assert joint.density.index.names == ["energy", "magnetisation"]
    assert sorted(counts) == list(joint.density.index)
    for pair, row in joint.density.iterrows():
        assert abs(row["ln_g"] - math.log(counts[pair])) < 0.5
    assert joint.replicas is not None and joint.replicas.shape[1] == len(joint.density)
    table = neuralwl.reweight(joint, 0.3)
    z = {pair: g * math.exp(-0.3 * pair[0]) for pair, g in counts.items()}
    u = sum(p[0] * w for p, w in z.items()) / sum(z.values()) / 16
    assert abs(table["energy"].iloc[0] - u) < 6 * table["energy_error"].iloc[0] + 1e-6
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match="joint density of the energy and the magnetisation"):
        neuralwl.plot.ln_g(joint)
