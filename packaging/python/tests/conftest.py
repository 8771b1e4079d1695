"""Runs of the real program, made once, and a real daemon on 127.0.0.1."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import neuralwl

SETTINGS = {
    "system.q": 3,
    "system.size": "4x4",
    "run.moves": "local",
    "run.walkers": 64,
    "run.workers": 1,
    "wang_landau.final_ln_f": 1e-4,
    "production.passes": 500,
}

if sys.version_info < (3, 11) and "ONNXRUNTIME_LIB" not in os.environ:
    networks = False  # there is no onnxruntime for it that nwl can use
else:
    networks = True

needs_networks = pytest.mark.skipif(not networks, reason="SKIPPED: no ONNX Runtime for this Python; set ONNXRUNTIME_LIB")


@pytest.fixture(autouse=True)
def figures_off_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> neuralwl.Run:
    """A short run with three colours on 4x4."""
    return neuralwl.run(SETTINGS, tmp_path_factory.mktemp("runs") / "q3")


class Daemon:
    def __init__(self, folder: Path, *settings: str) -> None:
        self.log = folder / "log"
        flags = [x for s in ("server.listen=127.0.0.1:0", "server.jobs=1", "server.cores=1", *settings) for x in ("--set", s)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([neuralwl.find_program(), "serve", "--data", folder / "data", *flags], stderr=log)
        end = time.monotonic() + 60
        while not (found := re.search(r"the daemon takes runs\" url=(\S+)", self.log.read_text())):
            if time.monotonic() > end or self.process.poll() is not None:
                self.stop()
                pytest.fail(f"the daemon does not begin: {self.log.read_text()}")
            time.sleep(0.05)
        self.url = found.group(1)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    d = Daemon(tmp_path_factory.mktemp("daemon"))
    yield d
    d.stop()
