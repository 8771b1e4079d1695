"""Packages that are imported when they are used."""

from __future__ import annotations

import importlib
from typing import Any

_extras = {"pandas": "pandas", "xarray": "xarray", "matplotlib": "plot"}


def need(module: str, use: str) -> Any:
    """Import a module for some use, or say how to install it."""
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as e:
        if e.name is None or e.name.partition(".")[0] != package:
            raise  # it is there, but something that it needs is not
        raise ModuleNotFoundError(
            f"{use} needs the package {package}: pip install 'neuralwl[{_extras[package]}]'", name=e.name
        ) from None
