"""Uses the networks of a daemon by Triton's clients, as scripts/tritonclient.sh says:
tritonclient_check.py HOST:PORT [READ-TOKEN OPERATE-TOKEN]"""

import sys
import threading
import time

import numpy as np
import tritonclient.grpc as overgrpc
import tritonclient.http as overhttp
from tritonclient.utils import InferenceServerException

address = sys.argv[1]
M, N = 5, 256


def check(so, what):
    if not so:
        sys.exit(f"tritonclient: {what}")


def refused(what, status, text, call):
    try:
        call()
    except InferenceServerException as fault:
        check(fault.status() in (status, f"StatusCode.{status}") and text in fault.message(), f"{what}: {fault}")
    else:
        sys.exit(f"tritonclient: {what} is not refused")


def moves(rows):
    random = np.random.default_rng(rows)
    return {
        "state": np.zeros((rows, N), np.int32),
        "start": np.zeros(rows, np.int32),
        "energy": -random.integers(100, 400, rows).astype(np.float32),
        "uniform": random.random((rows, N), dtype=np.float32),
    }


def inputs(module, arrays, **how):
    all = []
    for name, array in arrays.items():
        all.append(module.InferInput(name, array.shape, "INT32" if array.dtype == np.int32 else "FP32"))
        all[-1].set_data_from_numpy(array, **how)
    return all


def same(what, a, b):
    for name in "proposal", "log_q":
        check(np.array_equal(a.as_numpy(name), b.as_numpy(name)), f"{what}: another {name}")


def tokens(read, operate):
    """The network is there from the start, and who has no token may ask whether it is."""
    http, grpc = overhttp.InferenceServerClient(address), overgrpc.InferenceServerClient(address)
    for _ in range(300):
        if http.is_server_ready():
            break
        time.sleep(0.1)
    check(http.is_server_ready() and http.is_server_live(), "the server is not ready")
    bearer = lambda token: {"authorization": "Bearer " + token}
    refused("HTTP without a token", "401", "token", lambda: http.infer("potts.propose", inputs(overhttp, moves(M))))
    refused("gRPC without a token", "UNAUTHENTICATED", "token", lambda: grpc.infer("potts.propose", inputs(overgrpc, moves(M))))
    a = http.infer("potts.propose", inputs(overhttp, moves(M)), model_version="1", headers=bearer(read))
    same("with a token", a, grpc.infer("potts.propose", inputs(overgrpc, moves(M)), headers=bearer(read)))
    refused("unload by a reader over HTTP", "403", "operate", lambda: http.unload_model("potts.propose", headers=bearer(read)))
    refused("unload by a reader over gRPC", "PERMISSION_DENIED", "operate", lambda: grpc.unload_model("potts.propose", headers=bearer(read)))
    grpc.unload_model("potts.propose", headers=bearer(operate))


if len(sys.argv) > 2:
    tokens(*sys.argv[2:])
    print("tritonclient: tokens are asked for")
    sys.exit()

http, grpc = overhttp.InferenceServerClient(address), overgrpc.InferenceServerClient(address)
pairs = [("HTTP", http, overhttp, ("400", "404")), ("gRPC", grpc, overgrpc, ("INVALID_ARGUMENT", "NOT_FOUND"))]

# What the server is, and what it has.
check(http.get_server_metadata()["name"] == "nwl" and grpc.get_server_metadata().name == "nwl", "the server's metadata")
for name, client, _, (bad, missing) in pairs:
    check(client.is_server_live() and client.is_server_ready(), f"{name}: the server is not ready")
    check(not client.is_model_ready("potts.propose"), f"{name}: a model is ready before it is loaded")
    refused(f"{name}: metadata of what is not loaded", missing, "not loaded", lambda: client.get_model_metadata("potts.propose"))
    refused(f"{name}: load of none", missing, "no such network", lambda: client.load_model("none"))
    refused(f"{name}: upload", bad, "nwl networks add", lambda: client.load_model("potts.propose", config="{}", files={"file:3/propose.onnx": b"x"}))
    refused(f"{name}: another configuration", bad, "version_policy", lambda: client.load_model("potts.propose", config='{"max_batch_size":1}'))
    index = client.get_model_repository_index()
    states = [(m["name"], m["version"], m["state"]) for m in index] if name == "HTTP" else [(m.name, m.version, m.state) for m in index.models]
    states = [state for state in states if state[0].startswith("potts.")]
    check(states == [(f"potts.{kind}", version, "UNAVAILABLE") for version in "12" for kind in ("propose", "log_prob")], f"{name}: index {states}")

# Loading and unloading, a chosen version too.
http.load_model("potts.propose")
check(grpc.is_model_ready("potts.log_prob", "2") and not grpc.is_model_ready("potts.log_prob", "1"), "version 2 is not ready")
http.unload_model("potts.log_prob", unload_dependents=True)
check(not http.is_model_ready("potts.propose"), "it is ready after it was unloaded")
refused("unload of what is not loaded", "NOT_FOUND", "not loaded", lambda: grpc.unload_model("potts.propose"))
grpc.load_model("potts.propose", config='{"version_policy":{"specific":{"versions":[1]}}}')
metadata = http.get_model_metadata("potts.propose")
check(metadata["versions"] == ["1"] and metadata["inputs"][0] == {"name": "state", "datatype": "INT32", "shape": [-1, N]}, f"metadata {metadata}")
check([v.name for v in grpc.get_model_metadata("potts.log_prob", "1").inputs] == ["state", "start", "energy"], "metadata by gRPC")
config = http.get_model_config("potts.propose")
check(config["max_batch_size"] == grpc.get_model_config("potts.propose").config.max_batch_size == 128, f"config {config}")

# Inference: all forms have the same result.
arrays = moves(M)
want = grpc.infer("potts.propose", inputs(overgrpc, arrays), request_id="7")
check(want.get_response().id == "7" and want.as_numpy("proposal").shape == (M, N), "the answer")
check(want.as_numpy("proposal").min() >= 0 and want.as_numpy("proposal").max() <= 1, "the colours")
same("binary", http.infer("potts.propose", inputs(overhttp, arrays)), want)
outputs = [overhttp.InferRequestedOutput(name, binary_data=False) for name in ("log_q", "proposal")]
same("JSON", http.infer("potts.propose", inputs(overhttp, arrays, binary_data=False), outputs=outputs), want)
for how in "gzip", "deflate":
    same(f"HTTP {how}", http.infer("potts.propose", inputs(overhttp, arrays), request_compression_algorithm=how, response_compression_algorithm=how), want)
    same(f"gRPC {how}", grpc.infer("potts.propose", inputs(overgrpc, arrays), compression_algorithm=how), want)
same("a version", http.infer("potts.propose", inputs(overhttp, arrays), model_version="1"), want)
only = grpc.infer("potts.propose", inputs(overgrpc, arrays), outputs=[overgrpc.InferRequestedOutput("log_q")])
check(only.as_numpy("proposal") is None and np.array_equal(only.as_numpy("log_q"), want.as_numpy("log_q")), "one output")
back = {"state": want.as_numpy("proposal"), "start": arrays["start"], "energy": arrays["energy"]}
for name, client, module, _ in pairs:
    evaluated = client.infer("potts.log_prob", inputs(module, back)).as_numpy("log_q")
    check(np.allclose(evaluated, want.as_numpy("log_q"), atol=1e-3), f"{name}: ln q as evaluated {evaluated}, as sampled {want.as_numpy('log_q')}")

# A network of angles.
http.load_model("flow.propose")
random = np.random.default_rng(1)
angles = {"beta": random.random(M, dtype=np.float32), "uniform": random.random((M, 16), dtype=np.float32)}
drawn = grpc.infer("flow.propose", inputs(overgrpc, angles))
same("angles", http.infer("flow.propose", inputs(overhttp, angles)), drawn)
proposal = drawn.as_numpy("proposal")
check(proposal.dtype == np.float32 and proposal.shape == (M, 16) and proposal.min() >= 0 and proposal.max() < 2 * np.pi, "the angles")
for name, client, module, (bad, _) in pairs:
    evaluated = client.infer("flow.log_prob", inputs(module, {"state": proposal, "beta": angles["beta"]})).as_numpy("log_q")
    check(np.allclose(evaluated, drawn.as_numpy("log_q"), atol=1e-4), f"{name}: ln q of angles as evaluated {evaluated}, as drawn {drawn.as_numpy('log_q')}")
    refused(f"{name}: a temperature", bad, "from 0 on", lambda: client.infer("flow.propose", inputs(module, angles | {"beta": -angles["beta"]})))

# Requests of many clients at once, gathered in the server.
faults = []


def client(rows):
    try:
        mine = overgrpc.InferenceServerClient(address)
        first = mine.infer("potts.propose", inputs(overgrpc, moves(rows)))
        for _ in range(5):
            same(f"{rows} rows among others", mine.infer("potts.propose", inputs(overgrpc, moves(rows))), first)
        mine.close()
    except BaseException as fault:
        faults.append(fault)


threads = [threading.Thread(target=client, args=(rows,)) for rows in range(1, 13)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
check(not faults, f"{faults}")
pending = [http.async_infer("potts.propose", inputs(overhttp, arrays)) for _ in range(4)]
for one in pending:
    same("HTTP in the background", one.get_result(), want)
stats = http.get_inference_statistics("potts.propose")["model_stats"][0]
batches = grpc.get_inference_statistics("potts.propose").model_stats[0]
check(stats["inference_stats"]["success"]["count"] > stats["execution_count"] and len(batches.batch_stats) > 1, f"nothing was gathered: {stats}")

# What is refused.
for name, client, module, (bad, missing) in pairs:
    ask = lambda model="potts.propose", more={}, **how: client.infer(model, inputs(module, arrays | more), **how)
    refused(f"{name}: a model that there is not", missing, "not loaded", lambda: ask("none.propose"))
    refused(f"{name}: another version", missing, "version 1 is", lambda: ask(model_version="2"))
    refused(f"{name}: a colour", bad, "row 0 has the colour 2", lambda: ask(more={"state": np.full((M, N), 2, np.int32)}))
    refused(f"{name}: a datatype", bad, "the model takes INT32", lambda: ask(more={"start": np.zeros(M, np.float32)}))
    refused(f"{name}: a shape", bad, "the model takes [-1 256]", lambda: ask(more={"uniform": np.zeros((M, N + 1), np.float32)}))
    refused(f"{name}: rows", bad, "others have", lambda: ask(more={"energy": np.zeros(M + 1, np.float32)}))
    refused(f"{name}: an input more", bad, "does not take it", lambda: ask(more={"noise": np.zeros(M, np.float32)}))
    refused(f"{name}: a sequence", bad, "sequence", lambda: ask(sequence_id=3))
    refused(f"{name}: an output", bad, "there is none", lambda: ask(outputs=[module.InferRequestedOutput("energy")]))
refused("shared memory", "404", "nothing at this address", lambda: http.register_system_shared_memory("x", "/x", 1))
refused("shared memory", "UNIMPLEMENTED", "", lambda: grpc.register_system_shared_memory("x", "/x", 1))
large = moves(1)
large["uniform"] = np.zeros((40_000, N), np.float32)
refused("HTTP: 40 MB", "413", "", lambda: http.infer("potts.propose", inputs(overhttp, large)))
refused("gRPC: 40 MB", "RESOURCE_EXHAUSTED", "", lambda: grpc.infer("potts.propose", inputs(overgrpc, large)))
same("after all that", http.infer("potts.propose", inputs(overhttp, arrays)), want)
print("tritonclient: metadata, inference, repository and refusals are right over HTTP and gRPC")
