"""Executes the Python of docs/python.md, docs/bundles.md and README.md, each document in one go."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import Daemon, needs_networks

import neuralwl

DOCS = Path(__file__).parents[3] / "docs"
README = Path(__file__).parents[1] / "README.md"


def snippets(document: Path) -> list[tuple[int, str]]:
    text = document.read_text()
    return [(text[: m.start(1)].count("\n"), m.group(1)) for m in re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]


@needs_networks
@pytest.mark.skipif(not DOCS.is_dir(), reason="the documents are not there")
@pytest.mark.parametrize("name", ["python.md", "bundles.md"])
def test_snippets(name: str, tmp_path: Path, daemon: Daemon, made: neuralwl.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = snippets(DOCS / name)
    assert found, f"{name} has no Python"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NWL_URL", daemon.url)  # in place of the daemon at the usual address
    execute(DOCS / name, found)


def test_readme(tmp_path: Path, made: neuralwl.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("first").symlink_to(made.folder)  # in place of the run that its commands make
    found = snippets(README)
    assert found, "README.md has no Python"
    execute(README, found)


def execute(document: Path, found: list[tuple[int, str]]) -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    for line, code in found:
        exec(compile("\n" * line + code, str(document), "exec"), names)
