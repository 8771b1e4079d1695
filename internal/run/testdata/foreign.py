"""Writes a bundle that no part of neuralwl has made: python foreign.py FOLDER Q LX LY.

Each site keeps its colour with a probability that depends on whether its left neighbour
has the same one, and else takes one of the other colours. Only the onnx package is used.
"""

import hashlib
import json
import math
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

folder, q, lx, ly = pathlib.Path(sys.argv[1]), *map(int, sys.argv[2:5])
n = lx * ly
ALIKE, UNLIKE = 0.7, 0.4  # probabilities to keep a colour


def constant(name, values, dtype):
    return numpy_helper.from_array(np.array(values, dtype=dtype), name)


constants = [
    constant("left", [(i // lx) * lx + (i - 1) % lx for i in range(n)], np.int64),
    constant("site", list(range(n)), np.int32),
    constant("alike", ALIKE, np.float32),
    constant("unlike", UNLIKE, np.float32),
    constant("one", 1.0, np.float32),
    constant("one_i", 1, np.int32),
    constant("others", q - 1, np.float32),
    constant("last", q - 2, np.int32),
    constant("q", q, np.int32),
    constant("sites_axis", [1], np.int64),
]


def keep(condition):
    """The probability keep[M,N] that a site keeps its colour."""
    return [
        helper.make_node("Gather", [condition, "left"], ["neighbour"], axis=1),
        helper.make_node("Equal", [condition, "neighbour"], ["bond"]),
        helper.make_node("Where", ["bond", "alike", "unlike"], ["keep"]),
    ]


def log_q(old, new):
    """log_q[M] of new given old, over the sites from start on."""
    return [
        helper.make_node("Equal", [old, new], ["kept"]),
        helper.make_node("Sub", ["one", "keep"], ["change"]),
        helper.make_node("Div", ["change", "others"], ["each"]),
        helper.make_node("Where", ["kept", "keep", "each"], ["p"]),
        helper.make_node("Log", ["p"], ["ln_p"]),
        helper.make_node("Unsqueeze", ["start", "sites_axis"], ["first"]),
        helper.make_node("Less", ["site", "first"], ["before"]),
        helper.make_node("Sub", ["one", "one"], ["zero"]),
        helper.make_node("Where", ["before", "zero", "ln_p"], ["counted"]),
        helper.make_node("ReduceSum", ["counted", "sites_axis"], ["log_q"], keepdims=0),
    ]


def value(name, dtype, *shape):
    return helper.make_tensor_value_info(name, dtype, shape)


def configuration(name):
    return value(name, TensorProto.INT32, "M", n)


START, LOG_Q = value("start", TensorProto.INT32, "M"), value("log_q", TensorProto.FLOAT, "M")

propose = helper.make_graph(
    keep("state")
    + [
        helper.make_node("Less", ["uniform", "keep"], ["stays"]),
        # What is left of the uniform number chooses among the other colours.
        helper.make_node("Sub", ["uniform", "keep"], ["rest"]),
        helper.make_node("Sub", ["one", "keep"], ["width"]),
        helper.make_node("Div", ["rest", "width"], ["fraction"]),
        helper.make_node("Mul", ["fraction", "others"], ["scaled"]),
        helper.make_node("Cast", ["scaled"], ["step"], to=TensorProto.INT32),
        helper.make_node("Min", ["step", "last"], ["bounded"]),
        helper.make_node("Add", ["state", "bounded"], ["ahead"]),
        helper.make_node("Add", ["ahead", "one_i"], ["further"]),
        helper.make_node("Mod", ["further", "q"], ["other"]),
        helper.make_node("Where", ["stays", "state", "other"], ["drawn"]),
        helper.make_node("Unsqueeze", ["start", "sites_axis"], ["begin"]),
        helper.make_node("Less", ["site", "begin"], ["fixed"]),
        helper.make_node("Where", ["fixed", "state", "drawn"], ["proposal"]),
    ]
    + log_q("state", "proposal"),
    "propose",
    [configuration("state"), START, value("uniform", TensorProto.FLOAT, "M", n)],
    [configuration("proposal"), LOG_Q],
    constants,
)
log_prob = helper.make_graph(
    keep("condition") + log_q("condition", "state"),
    "log_prob",
    [configuration("condition"), configuration("state"), START],
    [LOG_Q],
    [c for c in constants if c.name in {"left", "site", "alike", "unlike", "one", "others", "sites_axis"}],
)

folder.mkdir(parents=True)
digests = {}
for name, graph in {"propose.onnx": propose, "log_prob.onnx": log_prob}.items():
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString()
    (folder / name).write_bytes(data)
    digests[name] = hashlib.sha256(data).hexdigest()
card = {
    "contract": 1,
    "name": "foreign",
    "version": 1,
    "architecture": "kept colours, written in Python",
    "system": {"model": "potts", "q": q, "size": [lx, ly]},
    "conditions": ["state"],
    "sha256": digests,
}
(folder / "card.json").write_text(json.dumps(card, indent=2))
