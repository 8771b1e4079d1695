"""Trains a small autoregressive network in PyTorch and lets a running run propose with it.

    python examples/torch_van.py [FOLDER]

1. A short run with local moves gives ln g of the Potts model with three colours on 4x4.
2. A masked dense network q(s), a VAN (Wu, Wang, Zhang, Phys. Rev. Lett. 122, 080602 (2019)), is trained
   to draw states of all energies alike: it minimises D(q||p) for p = 1/g(E) by the score function.
3. It becomes a bundle by the contract of docs/bundles.md.
4. A daemon performs a run with an untrained network of nwl, which takes the one of PyTorch in
   mid-run; its ln g is compared with the exact result.

It needs the packages neuralwl[pandas], torch and onnxscript.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas
import torch

import neuralwl

Q, LX, LY = 3, 4, 4
N = LX * LY
SYSTEM = {"system.q": Q, "system.size": f"{LX}x{LY}", "run.workers": 1, "run.walkers": 64}
HIDDEN, STEPS, BATCH = 96, 600, 512


class Van(torch.nn.Module):
    """ln q of every colour of every site, given the sites before it: one-hot [M,N*Q] to [M,N,Q]."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Linear(N * Q, HIDDEN), torch.nn.Linear(HIDDEN, N * Q)
        site = torch.arange(N).repeat_interleave(Q)
        unit = torch.arange(HIDDEN) % (N - 1)  # sees the sites up to this one
        self.register_buffer("see", (site[None, :] <= unit[:, None]).float())
        self.register_buffer("tell", (unit[None, :] < site[:, None]).float())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.relu(torch.nn.functional.linear(x, self.first.weight * self.see, self.first.bias))
        logits = torch.nn.functional.linear(h, self.second.weight * self.tell, self.second.bias)
        return torch.log_softmax(logits.reshape(-1, N, Q), dim=2)


def one_hot(state: torch.Tensor) -> torch.Tensor:
    """[M,K] to [M,K*Q]."""
    return (state.unsqueeze(2) == torch.arange(Q, dtype=torch.int32)).float().reshape(-1, state.shape[1] * Q)


class LogProb(torch.nn.Module):
    """The graph log_prob of the contract."""

    def __init__(self, van: Van) -> None:
        super().__init__()
        self.van = van

    def forward(self, state: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        x = one_hot(state)
        each = (self.van(x) * x.reshape(-1, N, Q)).sum(dim=2)
        drawn = torch.arange(N, dtype=torch.int32) >= start.unsqueeze(1)
        return (each * drawn.float()).sum(dim=1)


class Propose(torch.nn.Module):
    """The graph propose: site after site, by inverting the cumulative probabilities."""

    def __init__(self, van: Van) -> None:
        super().__init__()
        self.van, self.log_prob = van, LogProb(van)

    def forward(self, state: torch.Tensor, start: torch.Tensor, uniform: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, columns = one_hot(state), []
        for i in range(N):
            below = torch.cumsum(torch.exp(self.van(x)[:, i]), dim=1)[:, : Q - 1]
            colour = (uniform[:, i : i + 1] >= below).to(torch.int32).sum(dim=1, keepdim=True).to(torch.int32)
            colour = torch.where(start.unsqueeze(1) <= i, colour, state[:, i : i + 1])
            columns.append(colour)
            x = torch.cat([x[:, : i * Q], one_hot(colour), x[:, (i + 1) * Q :]], dim=1)
        proposal = torch.cat(columns, dim=1)
        return proposal, self.log_prob(proposal, start)


def energies(state: torch.Tensor) -> torch.Tensor:
    """E = -(number of satisfied bonds), [M]."""
    s = state.reshape(-1, LY, LX)
    return -sum((s == torch.roll(s, 1, dims=d)).sum(dim=(1, 2)) for d in (1, 2))


def train(density: pandas.DataFrame) -> Van:
    """A network that draws the levels of ln g alike."""
    ln_g = torch.full((2 * N + 1,), float(density["ln_g"].max()))
    ln_g[torch.tensor(density.index.to_numpy() + 2 * N, dtype=torch.long)] = torch.tensor(density["ln_g"].to_numpy(), dtype=torch.float32)
    van = Van()
    propose, log_prob = Propose(van), LogProb(van)
    adam = torch.optim.Adam(van.parameters(), lr=3e-3)
    zero = torch.zeros(BATCH, dtype=torch.int32)
    for step in range(STEPS):
        with torch.no_grad():
            state, ln_q = propose(torch.zeros(BATCH, N, dtype=torch.int32), zero, torch.rand(BATCH, N))
            # The target 1/g^a goes from all states alike to all levels alike.
            a = min(1.0, 1.5 * (step + 1) / STEPS)
            level = energies(state)
            cost = ln_q + a * ln_g[level + 2 * N]
        loss = ((cost - cost.mean()) * log_prob(state, zero)).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        if (step + 1) % 100 == 0:
            print(f"step {step + 1}: {len(level.unique())} levels in a batch, mean energy {level.float().mean():.1f}")
    return van


def export(module: torch.nn.Module, inputs: dict[str, torch.Tensor], outputs: list[str]) -> bytes:
    """The module as an ONNX file whose number of walkers is free."""
    free = tuple({0: torch.export.Dim("M")} for _ in inputs)
    program = torch.onnx.export(
        module.eval(), tuple(inputs.values()), input_names=list(inputs), output_names=outputs, dynamic_shapes=free, opset_version=18, dynamo=True,
        verbose=False,
    )
    return program.model_proto.SerializeToString()


def main(folder: Path) -> None:
    torch.manual_seed(1)
    torch.set_num_threads(1)
    local = neuralwl.run({**SYSTEM, "run.moves": "local", "wang_landau.final_ln_f": 1e-4, "production.passes": 500}, folder / "local")
    van = train(local.density)

    state, start, uniform = torch.zeros(2, N, dtype=torch.int32), torch.zeros(2, dtype=torch.int32), torch.rand(2, N)
    bundle = neuralwl.bundle.write(
        folder / "torch-van", name="torch-van", q=Q, size=[LX, LY],
        propose=export(Propose(van), {"state": state, "start": start, "uniform": uniform}, ["proposal", "log_q"]),
        log_prob=export(LogProb(van), {"state": state, "start": start}, ["log_q"]),
        architecture="VAN of PyTorch", training={"steps": STEPS, "data": "draws of its own"},
    )
    print(neuralwl.bundle.verify(bundle))

    log = folder / "serve.log"
    with log.open("wb") as file:
        daemon = subprocess.Popen(
            [neuralwl.find_program(), "serve", "--data", folder / "data", "--set", "server.listen=127.0.0.1:0", "--set", "server.jobs=1"], stderr=file)
    try:
        while not (found := re.search(r"the daemon takes runs\" url=(\S+)", log.read_text())):
            if daemon.poll() is not None:
                sys.exit(log.read_text())
            time.sleep(0.1)
        client = neuralwl.Client(found.group(1))
        network = client.add_network(bundle)
        id = client.submit({**SYSTEM, "model.architecture": "made", "model.decoder": 16, "trainer.every": 0, "neural.trials": 2,
                            "local.sweeps": 1, "wang_landau.final_ln_f": 1e-4, "production.passes": 1000})["id"]
        while not client.get(id).get("progress", {}).get("passes"):
            time.sleep(0.1)
        swap = client.swap(id, network, restart=True)
        print(f"{id} goes on with {swap['bundle']} after pass {swap['pass']} ({swap['stage']})")
        ended = client.wait(id, timeout=600)
        if ended["state"] != "done":
            sys.exit(f"{id} {ended['state']}: {ended.get('reason')}")
        before, after = client.swaps(id)["swaps"][-1]["acceptance_before"], client.swaps(id)["acceptance"]
        result = client.load(id, folder / "result")
    finally:
        daemon.terminate()
        daemon.wait()

    exact = neuralwl.exact(Q, f"{LX}x{LY}")
    deviation = result.density["ln_g"] - exact["ln_g"]
    known = result.density["ln_g_error"] > 0
    pull = np.sqrt(((deviation / result.density["ln_g_error"])[known] ** 2).mean())
    print(f"acceptance: {before:.3f} of the untrained network, {after:.3f} of the VAN of PyTorch")
    print(f"ln g: {np.sqrt((deviation**2).mean()):.4f} (rms) from exact, {pull:.2f} standard errors; {result!r}")
    if not result.converged or pull > 2 or after <= before:
        sys.exit("the run with the network of PyTorch is not as it should be")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "torch-van"))
