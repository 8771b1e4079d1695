"""Results of runs as pandas and xarray objects."""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .optional import need
from .program import nwl

if TYPE_CHECKING:
    import pandas
    import xarray

#: Units of the columns of all tables; errors have those of what they are the errors of.
UNITS: Mapping[str, str] = {
    "beta": "1/J",
    "temperature": "J",
    "energy": "J",
    "ln_g": "1",
    "ln_omega": "1",
    "effective_draws": "1",
    "specific_heat": "k_B per site",
    "free_energy": "J per site",
    "entropy": "k_B per site",
    "order_parameter": "1",
    "susceptibility": "1/J per site",
    "fourth_order_cumulant": "1",
    "m": "1",
    "m2": "1",
    "m4": "1",
    "measurements": "1",
    "acceptance": "1",
    "proposals": "1",
    "changed_share": "1",
    "pass": "1",
    "seconds": "s",
    "ln_f": "1",
    "flatness": "1",
    "loss": "nat",
}

# Tables over beta have averages per site.
_PER_SITE = {"energy": "J per site"}

#: Exit code of a run that ended in order but has not converged.
NOT_CONVERGED = 3


def _table(source: Any, index: str | None) -> pandas.DataFrame:
    pandas = need("pandas", "a table")
    # By default pandas 2 loses the last bits, and pandas 3 does not want to be told.
    precisely: Any = {"float_precision": "round_trip"} if pandas.__version__.startswith("2.") else {}
    table = pandas.read_csv(source, index_col=index, comment="#", **precisely)
    per_site = _PER_SITE if index == "beta" else {}
    units = {}
    for column in [table.index.name, *table.columns]:
        if column is None:
            continue
        quantity = column.removesuffix("_error")
        if unit := per_site.get(quantity) or UNITS.get(quantity):
            units[column] = unit
    table.attrs["units"] = units
    return table


# The second variables of joint densities of states.
_SECOND = ("magnetisation", "squares", "colour")


@dataclass(frozen=True, repr=False)
class Run:
    """The results of a run, as :func:`load` reads them.

    Attributes
    ----------
    folder : Path
        The run directory.
    density : pandas.DataFrame
        ``dos.csv``: ``ln_g`` and ``ln_g_error`` by ``energy``, normalised as the run does it, NaN
        where production has no data. ``attrs`` holds ``units``, ``descriptions`` and ``origin``. Of a
        joint density (``system.joint``) it is by ``energy`` and the second variable.
    replicas : ndarray of float, shape (blocks, levels), or None
        How much ``ln_g`` differs with each block of walkers left out (jackknife), NaN at levels that
        only that block visited; None where the run has none.
    summary : dict
        ``summary.json``.
    """

    folder: Path
    density: pandas.DataFrame
    replicas: NDArray[np.float64] | None
    summary: dict[str, Any]

    def __repr__(self) -> str:
        state = "converged" if self.converged else "not converged"
        return f"<Run {self.name}: {self.method}, {len(self.density)} levels, {state}, {self.folder}>"

    @property
    def name(self) -> str:
        """The system in words, as in ``potts q=10 8x8``."""
        return str(self.summary["system"]["name"])

    @property
    def method(self) -> str:
        """The value of ``run.method``."""
        return str(self.summary["method"])

    @property
    def sites(self) -> int:
        """The number of sites N of the lattice."""
        if sites := self.density.attrs.get("origin", {}).get("sites"):
            return int(sites)
        return int(np.prod(self.summary["system"]["size"]))

    @property
    def converged(self) -> bool:
        """Whether every check of the verdict holds."""
        return bool(self.summary["verdict"]["converged"])

    @property
    def checks(self) -> pandas.DataFrame:
        """The verdict: ``passed`` and ``detail`` by the name of the check."""
        return need("pandas", "the verdict").DataFrame(self.summary["verdict"]["checks"]).set_index("name")

    @property
    def quantities(self) -> pandas.DataFrame:
        """All numbers of the summary that have an error: ``value`` and ``error`` by their place in
        it, as in ``transition.coexistence.latent_heat``."""
        rows: dict[str, tuple[float, float]] = {}

        def walk(node: Any, path: tuple[str, ...]) -> None:
            if not isinstance(node, dict):
                return
            if {"value", "error"} <= node.keys():
                rows[".".join(path)] = (node["value"], node["error"])
                return
            for key, child in node.items():
                walk(child, (*path, key))

        walk(self.summary, ())
        return need("pandas", "a table").DataFrame.from_dict(rows, orient="index", columns=["value", "error"], dtype=float)

    def table(self, name: str) -> pandas.DataFrame:
        """Read another table of the run directory.

        Parameters
        ----------
        name : str
            ``observables``, ``order``, ``history``, ``proposals``, ``dos_histogram``,
            ``dos_transitions``, ``bridge`` or ``temperatures``, as far as the run wrote it.

        Returns
        -------
        pandas.DataFrame
            Its index is its first column. ``attrs["units"]`` has the units of columns.
        """
        path = self.folder / f"{name}.csv"
        if os.path.basename(name) != name or not path.is_file():
            have = sorted(p.stem for p in self.folder.glob("*.csv"))
            raise FileNotFoundError(f"{self.folder} has no table {name!r}; it has {', '.join(have)}")
        with path.open(encoding="utf-8") as file:
            first = file.readline().strip().split(",")[0]
        return _table(path, first)

    def error_of(self, f: Callable[[NDArray[np.float64]], ArrayLike]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Compute something of ln g with its standard error, by the jackknife.

        Parameters
        ----------
        f : callable
            From ``ln_g``, an array over the levels of :attr:`density`, to a number or an array.

        Returns
        -------
        value, error : ndarray
            ``f(ln_g)`` and its standard error.

        Raises
        ------
        ValueError
            If the run has no replicas.
        """
        ln_g = self.density["ln_g"].to_numpy(dtype=float)
        value = np.asarray(f(ln_g), dtype=float)
        if self.replicas is None or len(self.replicas) < 2:
            raise ValueError(f"{self.folder}: dos.npz has no replicas of ln g, so errors of what follows from it are not known")
        x = np.array([np.asarray(f(ln_g + row), dtype=float) for row in self.replicas])
        return value, np.sqrt((len(x) - 1) * x.var(axis=0))

    def to_xarray(self) -> xarray.Dataset:
        """The density of states as an ``xarray.Dataset`` over ``energy``, with units as attributes
        and, where there are any, the replicas ``ln_g_jackknife`` over ``block`` and ``energy``."""
        data: xarray.Dataset = need("xarray", "to_xarray").Dataset.from_dataframe(self.density)
        for name in [*data.data_vars, "energy"]:
            data[name].attrs["units"] = self.density.attrs["units"].get(name, "1")
            if text := self.density.attrs["descriptions"].get(name):
                data[name].attrs["long_name"] = text
        if self.replicas is not None:
            data["ln_g_jackknife"] = (("block", "energy"), self.replicas, {"units": "1", "long_name": "change of ln_g without a block of walkers"})
        data.attrs = {"system": self.name, "method": self.method, "converged": int(self.converged), "run": str(self.folder)}
        return data


def load(run_dir: str | os.PathLike[str]) -> Run:
    """Read the results of a run.

    Parameters
    ----------
    run_dir : path
        A run directory, as ``nwl run`` and :meth:`Client.download` make it.

    Returns
    -------
    Run

    Raises
    ------
    FileNotFoundError
        If the folder holds no results.
    """
    folder = Path(run_dir)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder; give a run directory, which holds dos.csv and summary.json")
    for name in ("dos.csv", "summary.json"):
        if not (folder / name).is_file():
            remedy = "the run has no results yet; let it end, or make them of its last checkpoint by `nwl finish`"
            if not (folder / "config.yaml").is_file():
                remedy = "give a run directory, which also holds config.yaml"
            raise FileNotFoundError(f"{folder} has no {name}: {remedy}")
    density = _table(folder / "dos.csv", "energy")
    attrs = density.attrs
    energies = density.index.to_numpy()
    for second in _SECOND:
        if second in density.columns:
            density = density.set_index(second, append=True)
            density.attrs = attrs
    density.attrs |= {"descriptions": {}, "origin": {}}
    about = folder / "dos.csv-metadata.json"
    if about.is_file():
        meta = json.loads(about.read_text(encoding="utf-8"))
        density.attrs["descriptions"] = {c["name"]: c.get("dc:description", "") for c in meta["tableSchema"]["columns"]}
        density.attrs["origin"] = meta.get("nwl:origin") or {}
    replicas = None
    archive = folder / "dos.npz"
    if archive.is_file():
        with np.load(archive, allow_pickle=False) as arrays:
            if not np.array_equal(arrays["energy"], energies):
                raise ValueError(f"{folder}: dos.npz has other levels than dos.csv: they are not of one run")
            if "ln_g_jackknife" in arrays.files:
                replicas = np.asarray(arrays["ln_g_jackknife"], dtype=float)
    return Run(folder, density, replicas, json.loads((folder / "summary.json").read_text(encoding="utf-8")))


def run(settings: Mapping[str, object], out: str | os.PathLike[str]) -> Run:
    """Perform a run, by ``nwl run``, and read its results.

    Parameters
    ----------
    settings : mapping
        Keys of the configuration with their values, as in ``{"system.q": 3, "system.size": "8x8"}``;
        ``nwl config`` lists them.
    out : path
        The run directory, which must not exist.

    Returns
    -------
    Run
        Also if it has not converged: see :attr:`Run.converged`.
    """
    flags = ["--set", "metrics.listen="] if "metrics.listen" not in settings else []
    for key, value in settings.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        flags += ["--set", f"{key}={text}"]
    nwl("run", *flags, "--out", out, accept=(0, NOT_CONVERGED))
    return load(out)


def exact(q: int, size: str) -> pandas.DataFrame:
    """Compute the exact density of states of the Potts model on a torus, by ``nwl dos exact``.

    Parameters
    ----------
    q : int
        Number of colours.
    size : str
        Sides of the lattice, as in ``"4x4"``.

    Returns
    -------
    pandas.DataFrame
        ``ln_g`` and ``ln_g_error`` (0) by ``energy``.
    """
    text = nwl("dos", "exact", "--q", str(q), "--size", size).stdout
    text = nwl("dos", "exact", "--q", str(q), "--size", size).stdout
    # g itself, a whole number of any length, is left out.
    return _table(io.StringIO(text), "energy")[["ln_g", "ln_g_error"]]


_AT_ONCE = 1000  # betas of a call, since the length of a command is limited


def reweight(
    source: Run | pandas.DataFrame | str | os.PathLike[str],
    betas: float | Iterable[float],
    *,
    sites: int | None = None,
    force: bool = False,
) -> pandas.DataFrame:
    """Compute canonical averages at inverse temperatures, by ``nwl dos reweight``.

    Parameters
    ----------
    source : Run, DataFrame or path
        A run or its directory, whose replicas give the errors, of a joint density summed over the second
        variable; or a table with ``ln_g`` by
        ``energy``, or a file that ``nwl dos reweight`` reads, whose errors are not known.
    betas : float or iterable of float
        Inverse temperatures in units of 1/J.
    sites : int, optional
        Sites of the system; files of ``nwl`` say it. 1 gives averages of the whole system.
    force : bool
        Also compute what the data do not support, as the states that matter may be missing.

    Returns
    -------
    pandas.DataFrame
        By ``beta``: ``temperature`` and, per site and each with its standard error in the next
        column, ``energy`` U, ``specific_heat`` C, ``free_energy`` F and ``entropy`` S, in units of J
        with k_B = 1. F and S are absolute if ln g is. Errors that are not known are NaN.

    Raises
    ------
    ProgramError
        If a beta is not supported by the data, for instance.
    """
    pandas = need("pandas", "reweight")
    values = [float(b) for b in np.atleast_1d(np.asarray(list(betas) if isinstance(betas, Iterable) else betas, dtype=float))]
    if not values:
        raise ValueError("reweight: no beta is given")
    if isinstance(source, pandas.DataFrame):
        if source.index.name != "energy" or "ln_g" not in source.columns:
            raise ValueError("reweight: a table needs the index 'energy' and the column 'ln_g'")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "dos.csv"
            columns = [c for c in ("ln_g", "ln_g_error") if c in source.columns]
            source[columns].to_csv(path)
            return _reweight(path, values, sites, force)
    return _reweight(source.folder if isinstance(source, Run) else Path(source), values, sites, force)


def _reweight(path: Path, betas: list[float], sites: int | None, force: bool) -> pandas.DataFrame:
    flags = ([] if sites is None else ["--sites", str(sites)]) + (["--force"] if force else [])
    parts = []
    for k in range(0, len(betas), _AT_ONCE):
        part = ",".join(repr(b) for b in betas[k : k + _AT_ONCE])
        text = nwl("dos", "reweight", path, f"--beta={part}", *flags).stdout
        parts.append(_table(io.StringIO(text), "beta"))
    table = need("pandas", "reweight").concat(parts)
    table.attrs = parts[0].attrs
    return table
