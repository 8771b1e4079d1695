"""Networks from elsewhere as bundles, which ``nwl`` accepts as proposals.

A bundle is a folder with ``card.json``, ``propose.onnx`` and ``log_prob.onnx``; docs/bundles.md of the
sources describes both graphs and every field of the card.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Union

from .program import ProgramError, nwl

#: Version of the contract between networks and ``nwl``.
CONTRACT = 1


class BundleError(ValueError):
    """A bundle that does not keep the contract; the message says what does not hold."""


class _Serializable(Protocol):
    def SerializeToString(self) -> bytes: ...


#: A graph: an ``onnx.ModelProto``, the contents of its file, or the path of the file.
Graph = Union[bytes, str, "os.PathLike[str]", _Serializable]


def _contents(graph: Graph) -> bytes:
    if isinstance(graph, bytes):
        return graph
    if isinstance(graph, (str, os.PathLike)):
        return Path(graph).read_bytes()
    return graph.SerializeToString()


def write(
    folder: str | os.PathLike[str],
    *,
    name: str,
    q: int,
    size: Sequence[int],
    propose: Graph,
    log_prob: Graph,
    model: str = "potts",
    conditions: Iterable[str] = (),
    architecture: str = "",
    hyperparameters: Mapping[str, Any] | None = None,
    symmetries: Iterable[str] = (),
    unnormalised: bool = False,
    uniforms: int = 0,
    training: Mapping[str, Any] | None = None,
    version: int = 1,
    verify: bool = True,
) -> Path:
    """Write a bundle and check it as a run would.

    Parameters
    ----------
    folder : path
        Of the bundle, which must not exist. It appears once it is complete and checked.
    name : str
        Of the network, in plain characters.
    q, size, model
        The system that it was trained for: colours, sides of the lattice, and ``system.model``.
    propose, log_prob : ModelProto, bytes or path
        The graphs, each in one file, with weights and without external data.
    conditions : iterable of str
        What proposals depend on: ``"state"``, also with ``"shift"``, or ``"energy"``; empty for none.
    architecture : str
        In words, for people. Not a name of ``nwl``'s own architectures.
    hyperparameters : mapping, optional
        ``{"window": w}`` for a network with the condition ``energy``: how far from the target its
        states may be, in units of J.
    symmetries : iterable of str
        ``"colours"`` if ln q does not change when colours are permuted.
    unnormalised : bool
        That ``log_q`` is ln p up to a constant, where moves are reversible for p; with the condition
        ``state`` alone.
    uniforms : int
        Random numbers of a proposal of an unnormalised network, 0 for one per site.
    training : mapping, optional
        ``seed``, ``steps``, ``loss``, ``seconds``, ``data``: how it was trained.
    version : int
        Of the network.
    verify : bool
        Check it by ``nwl bundle verify``.

    Returns
    -------
    Path
        The folder, for ``model.bundle`` and :meth:`neuralwl.Client.add_network`.

    Raises
    ------
    BundleError
        If anything does not hold; then no folder is left.
    FileExistsError
        If the folder exists.
    """
    target = Path(folder)
    if target.exists():
        raise FileExistsError(f"bundle {target}: it exists; name another folder or remove it")
    graphs = {"propose.onnx": _contents(propose), "log_prob.onnx": _contents(log_prob)}
    card: dict[str, Any] = {
        "contract": CONTRACT,
        "name": name,
        "version": version,
        "architecture": architecture,
        "hyperparameters": dict(hyperparameters or {}),
        "system": {"model": model, "q": q, "size": [int(side) for side in size]},
        "conditions": list(conditions),
        "symmetries": list(symmetries),
        **({"unnormalised": True, "uniforms": uniforms} if unnormalised else {}),
        "training": dict(training or {}),
        "sha256": {file: hashlib.sha256(data).hexdigest() for file, data in graphs.items()},
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        part.chmod(0o755)
        for file, data in graphs.items():
            (part / file).write_bytes(data)
        (part / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        if verify:
            _verify(part, target)
        part.rename(target)
    finally:
        if part.exists():
            shutil.rmtree(part)
    return target


def verify(bundle: str | os.PathLike[str]) -> str:
    """Check a bundle by ``nwl bundle verify``.

    Parameters
    ----------
    bundle : path or str
        A folder, or ``pretrained/NAME``.

    Returns
    -------
    str
        What was checked, a line for each check.

    Raises
    ------
    BundleError
        If anything does not hold.
    """
    return _verify(bundle, bundle)


def _verify(bundle: str | os.PathLike[str], name: str | os.PathLike[str]) -> str:
    try:
        return nwl("bundle", "verify", bundle).stdout
    except ProgramError as e:
        lines = [line for line in e.stdout.splitlines() if " ok: " not in line] + e.stderr.splitlines()
        text = "\n".join(lines).replace(os.fspath(bundle), os.fspath(name))
        raise BundleError(f"bundle {name}: {text}") from e


def read_card(bundle: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the card of a bundle, whose highest version is taken where there are several."""
    folder = Path(bundle)
    if not (folder / "card.json").is_file():
        versions = [int(p.name) for p in folder.glob("[1-9]*") if p.name.isdecimal() and (p / "card.json").is_file()]
        if not versions:
            raise FileNotFoundError(f"{folder} has neither a card.json nor a numbered version in it")
        folder /= str(max(versions))
    return dict(json.loads((folder / "card.json").read_text(encoding="utf-8")))
