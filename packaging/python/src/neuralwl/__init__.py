"""Densities of states by neural Wang-Landau sampling: the program ``nwl`` and its results.

The program does the work. This package finds it, reads what it writes, asks its daemon, and turns
networks from elsewhere into bundles that it accepts.

Energies are those of the whole system in units of J, temperatures in units of J with k_B = 1.
Errors are one standard error.
"""

from __future__ import annotations

from . import bundle, plot
from .client import Client, Event, Problem, Unreachable
from .program import ProgramError, find_program, nwl
from .results import Run, exact, load, reweight, run

__version__ = "0.1.0"

__all__ = [
    "Client",
    "Event",
    "Problem",
    "ProgramError",
    "Run",
    "Unreachable",
    "bundle",
    "exact",
    "find_program",
    "load",
    "nwl",
    "plot",
    "reweight",
    "run",
]
