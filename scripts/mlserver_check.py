"""Checks of make mlserver-test.

mlserver_check.py config FILE...  reads Triton's configurations by Triton's own definition of them
mlserver_check.py exact DOS EXACT requires ln g to agree with the exact one within its errors
"""

import csv
import math
import sys


def config(paths):
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    for path in paths:
        with open(path) as file:
            c = text_format.Parse(file.read(), model_config_pb2.ModelConfig())
        inputs = {i.name: (model_config_pb2.DataType.Name(i.data_type), list(i.dims)) for i in c.input}
        assert c.backend == "onnxruntime" and c.max_batch_size == 0 and c.output, c
        assert inputs["start"] == ("TYPE_INT32", [-1]) and inputs["state"] == ("TYPE_INT32", [-1, 36]), inputs
        print(f"{path}: {c.name}, inputs {inputs}")


def read(path):
    with open(path) as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {float(r["energy"]): (float(r["ln_g"]), float(r.get("ln_g_error") or "nan")) for r in rows}


def exact(density, reference):
    have, want = read(density), read(reference)
    assert have.keys() == want.keys(), "levels differ"
    z = [(have[e][0] - want[e][0]) / have[e][1] for e in have if have[e][1] > 0]
    rms = math.sqrt(sum(x * x for x in z) / len(z))
    print(f"ln g of {len(z)} levels differs from the exact one by {rms:.2f} errors (rms), {max(map(abs, z)):.1f} at most")
    assert len(z) > len(have) / 2 and rms < 2, "not within its errors"


{"config": config, "exact": lambda a: exact(*a)}[sys.argv[1]](sys.argv[2:])
