from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import needs_networks

import neuralwl
from neuralwl import bundle

onnx = pytest.importorskip("onnx", reason="SKIPPED: the package onnx is not there")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

N, Q = 16, 3


def value(name: str, kind: int, *shape: object) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def uniform_graphs(ln_q: float = -float(np.log(Q)), opset: int = 18) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """The network that knows nothing: every colour of every site is equally probable."""
    constants = [
        numpy_helper.from_array(np.array(v, dtype=t), n)
        for n, v, t in (("q", Q, np.float32), ("ln", ln_q, np.float32), ("sites", np.arange(N), np.int32), ("axis", [1], np.int64), ("zero", 0, np.float32))
    ]
    ln_q_nodes = [
        helper.make_node("Unsqueeze", ["start", "axis"], ["first"]),
        helper.make_node("Less", ["sites", "first"], ["before"]),
        helper.make_node("Where", ["before", "zero", "ln"], ["each"]),
        helper.make_node("ReduceSum", ["each", "axis"], ["log_q"], keepdims=0),
    ]
    draw = [
        helper.make_node("Mul", ["uniform", "q"], ["scaled"]),
        helper.make_node("Cast", ["scaled"], ["drawn"], to=TensorProto.INT32),
        *ln_q_nodes,
        helper.make_node("Where", ["before", "state", "drawn"], ["proposal"]),
    ]
    state, start = value("state", TensorProto.INT32, "M", N), value("start", TensorProto.INT32, "M")
    log_q = value("log_q", TensorProto.FLOAT, "M")
    graphs = (
        helper.make_graph(draw, "propose", [state, start, value("uniform", TensorProto.FLOAT, "M", N)], [value("proposal", TensorProto.INT32, "M", N), log_q], constants),
        helper.make_graph(ln_q_nodes, "log_prob", [state, start], [log_q], constants[1:]),
    )
    propose, log_prob = (helper.make_model(g, opset_imports=[helper.make_opsetid("", opset)], ir_version=9) for g in graphs)
    return propose, log_prob


@needs_networks
def test_write_and_use(tmp_path: Path) -> None:
    propose, log_prob = uniform_graphs()
    folder = bundle.write(tmp_path / "uniform", name="uniform", q=Q, size=[4, 4], propose=propose, log_prob=log_prob, architecture="none", symmetries=["colours"])
    assert sorted(p.name for p in folder.iterdir()) == ["card.json", "log_prob.onnx", "propose.onnx"]
    assert [p.name for p in tmp_path.iterdir()] == ["uniform"]
    assert "draws" in bundle.verify(folder)
    card = bundle.read_card(folder)
    assert card["name"] == "uniform" and card["system"] == {"model": "potts", "q": Q, "size": [4, 4]}
    run = neuralwl.run(
        {"system.q": Q, "system.size": "4x4", "model.bundle": folder, "trainer.every": 0, "run.walkers": 64, "run.workers": 1,
         "wang_landau.final_ln_f": 1e-3, "production.passes": 200}, tmp_path / "run",
    )
    assert run.summary["network"]["architecture"] == "none"
    acceptance = run.summary["phases"][-1]["moves"]["neural"]["acceptance"]
    assert 0 < acceptance < 1 and run.summary["exact"]["rms"] < 0.2


@needs_networks
def test_graphs_of_all_kinds(tmp_path: Path) -> None:
    propose, log_prob = uniform_graphs()
    (tmp_path / "propose").write_bytes(propose.SerializeToString())
    common = dict(name="uniform", q=Q, size=[4, 4])
    a = bundle.write(tmp_path / "a", propose=tmp_path / "propose", log_prob=log_prob.SerializeToString(), **common)
    b = bundle.write(tmp_path / "b", propose=str(tmp_path / "propose"), log_prob=log_prob, **common)
    assert (a / "card.json").read_bytes() == (b / "card.json").read_bytes()
    with pytest.raises(FileExistsError, match="exists"):
        bundle.write(a, propose=propose, log_prob=log_prob, **common)


@needs_networks
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(ln_q=-1.0), "test of normalisation|probabilities"),
        (dict(opset=21), "operator set 21"),
    ],
)
def test_refused(tmp_path: Path, change: dict, message: str) -> None:
    propose, log_prob = uniform_graphs(**change)
    with pytest.raises(bundle.BundleError, match=message) as e:
        bundle.write(tmp_path / "bad", name="bad", q=Q, size=[4, 4], propose=propose, log_prob=log_prob)
    assert str(tmp_path / "bad") in str(e.value) and list(tmp_path.iterdir()) == []


@needs_networks
def test_refused_by_its_card(tmp_path: Path) -> None:
    propose, log_prob = uniform_graphs()
    with pytest.raises(bundle.BundleError, match="condition \"weather\"|weather"):
        bundle.write(tmp_path / "bad", name="bad", q=Q, size=[4, 4], propose=propose, log_prob=log_prob, conditions=["weather"])
    with pytest.raises(bundle.BundleError, match="contract says|shape"):
        bundle.write(tmp_path / "bad", name="bad", q=Q, size=[5, 5], propose=propose, log_prob=log_prob)
    assert list(tmp_path.iterdir()) == []


@needs_networks
def test_unnormalised(tmp_path: Path) -> None:
    """Draws that depend on nothing are reversible for the uniform p; without the condition the card is refused."""
    propose, log_prob = uniform_graphs()
    written = bundle.write(tmp_path / "u", name="u", q=Q, size=[4, 4], propose=propose, log_prob=log_prob, conditions=["state"], unnormalised=True)
    card = bundle.read_card(written)
    assert card["unnormalised"] is True and card["uniforms"] == 0
    assert "moves are reversible" in bundle.verify(written)
    with pytest.raises(bundle.BundleError, match="unnormalised"):
        bundle.write(tmp_path / "v", name="v", q=Q, size=[4, 4], propose=propose, log_prob=log_prob, unnormalised=True)


def test_read_card(tmp_path: Path) -> None:
    propose, log_prob = uniform_graphs()
    for version in (2, 10):
        bundle.write(tmp_path / "n" / str(version), name="n", q=Q, size=[4, 4], propose=propose, log_prob=log_prob, version=version, verify=False)
    assert bundle.read_card(tmp_path / "n")["version"] == 10
    with pytest.raises(FileNotFoundError, match="card.json"):
        bundle.read_card(tmp_path)


def test_cards_keep_the_schema(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    path = Path(__file__).parents[3] / "docs/card.schema.json"
    if not path.is_file():
        pytest.skip("the sources of nwl are not there")
    schema = json.loads(path.read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    validator.check_schema(schema)
    propose, log_prob = uniform_graphs()
    written = bundle.write(tmp_path / "u", name="u", q=Q, size=[4, 4], propose=propose, log_prob=log_prob, verify=False)
    foreign = tmp_path / "foreign"
    subprocess.run([sys.executable, Path(__file__).parents[3] / "internal/run/testdata/foreign.py", foreign, "3", "4", "4"], check=True)
    neuralwl.nwl("bundle", "export", "pretrained/potts-q10", tmp_path / "own")
    for folder in (written, foreign, tmp_path / "own"):
        validator.validate(bundle.read_card(folder))
    for key, wrong in (("contract", 3), ("conditions", ["weather"]), ("sha256", {"propose.onnx": "0" * 64}), ("name", ".hidden"), ("system", {"q": 3})):
        assert not validator.is_valid({**bundle.read_card(written), key: wrong}), key
