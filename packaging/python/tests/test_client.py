from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SETTINGS, Daemon, needs_networks

import neuralwl
from neuralwl import Client, Problem, Unreachable


@pytest.fixture(scope="session")
def ended(daemon: Daemon) -> str:
    client = Client(daemon.url)
    id = client.submit(SETTINGS, id="ended", title="Potts, 3 colours", tags=["test"])["id"]
    assert client.wait(id, 120, poll=0.1)["state"] == "done"
    return id


def test_submit_wait_load(daemon: Daemon, ended: str, made: neuralwl.Run, tmp_path: Path) -> None:
    client = Client(daemon.url)
    about = client.get(ended)
    assert about["title"] == "Potts, 3 colours" and about["outcome"]["converged"]
    got = client.load(ended, tmp_path / "copy")
    # The daemon gives the numbers that nwl run gives.
    assert got.density.equals(made.density) and got.replicas is not None
    assert not (tmp_path / "copy/checkpoints").exists()


def test_download_everything(daemon: Daemon, ended: str, tmp_path: Path) -> None:
    client = Client(daemon.url)
    folder = client.download(ended, tmp_path / "all", exclude=())
    paths = {str(p.relative_to(folder)).replace("\\", "/"): p.stat().st_size for p in folder.rglob("*") if p.is_file()}
    assert paths == {f["path"]: f["bytes"] for f in client.files(ended)}
    assert any(p.startswith("checkpoints/") for p in paths)
    assert client.file(ended, "summary.json") == (folder / "summary.json").read_bytes()


def test_runs(daemon: Daemon, ended: str) -> None:
    client = Client(daemon.url)
    other = client.submit(SETTINGS, tags=["other"], priority=-1)["id"]
    client.wait(other, 120, poll=0.1)
    assert [r["id"] for r in client.runs(tag=["test"])] == [ended]
    assert {r["id"] for r in client.runs(state=["done"])} >= {ended, other}
    assert list(client.runs(state=["failed"])) == []
    assert client.change(other, title="changed")["title"] == "changed"
    client.delete(other)
    with pytest.raises(Problem) as e:
        client.get(other)
    assert e.value.status == 404


def test_pause_resume_cancel(daemon: Daemon) -> None:
    client = Client(daemon.url)
    long = {**SETTINGS, "wang_landau.final_ln_f": 1e-9, "production.passes": 10**6}
    id = client.submit(long)["id"]
    client.pause(id)
    assert client.wait(id, 60, poll=0.1)["state"] == "paused"
    client.resume(id, {"run.max_time": "1h"})
    with pytest.raises(TimeoutError, match=id):
        client.wait(id, 0.3, poll=0.1)
    client.cancel(id)
    assert client.wait(id, 60, poll=0.1)["state"] == "cancelled"
    client.delete(id)


def test_events_and_log(daemon: Daemon, ended: str) -> None:
    client = Client(daemon.url)
    events = list(client.events(ended))
    assert [e.id for e in events] == sorted({e.id for e in events}) and {e.run for e in events} == {ended}
    assert len({e.kind for e in events}) > 2 and all(e.time.tzinfo for e in events)
    later = list(client.events(ended, after=events[2].id))
    assert [e.id for e in later] == [e.id for e in events[3:]]
    lines = client.log(ended, 3)
    assert len(lines) == 3 and all(json.loads(line)["msg"] for line in lines)


def test_all_faults_at_once(daemon: Daemon) -> None:
    with pytest.raises(Problem) as e:
        Client(daemon.url).submit({"system.q": 1, "run.walkers": 0})
    assert e.value.status == 422
    places = {where for where, _ in e.value.errors}
    assert {"body.set.system.q", "body.set.run.walkers"} <= places
    assert all(where in str(e.value) for where in places)


def test_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = tmp_path / "tokens"
    reader = neuralwl.nwl("token", "reader", "--file", tokens, "--role", "read").stdout.strip()
    d = Daemon(tmp_path, f"server.tokens={tokens}")
    try:
        with pytest.raises(Problem) as e:
            list(Client(d.url, token="").runs())
        assert e.value.status == 401
        assert list(Client(d.url, token=reader).runs()) == []
        monkeypatch.setenv("NWL_TOKEN", reader)
        monkeypatch.setenv("NWL_URL", d.url)
        assert list(Client().runs()) == []
        with pytest.raises(Problem) as e:
            Client().submit(SETTINGS)
        assert e.value.status == 403
        assert reader not in repr(Client()) + str(e.value)
    finally:
        d.stop()


@pytest.mark.parametrize(
    ("at", "want"),
    [
        ("2026-11-28T12:00:00Z", "2026-11-28T12:00:00+00:00"),
        ("2026-11-28T12:00:00.5Z", "2026-11-28T12:00:00.500000+00:00"),
        ("2026-11-28T12:00:00.123456789-05:30", "2026-11-28T12:00:00.123456-05:30"),
    ],
)
def test_times_of_events(at: str, want: str) -> None:
    assert neuralwl.Event(1, "x", "r", at, {}).time.isoformat() == want


def test_unreachable() -> None:
    with pytest.raises(Unreachable, match="127.0.0.1:1"):
        Client("http://127.0.0.1:1").get("x")
    with pytest.raises(ValueError, match="http://HOST:PORT"):
        Client("127.0.0.1:9465")


@pytest.fixture
def other_server() -> Iterator[tuple[str, list[str]]]:
    """No daemon: it sends every request elsewhere, and notes the tokens that come."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            if self.path.startswith("/elsewhere"):
                self.send_response(200)
                self.end_headers()
                return
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.server.server_address[1]}/elsewhere")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_token_stays_with_the_daemon(other_server: tuple[str, list[str]]) -> None:
    url, seen = other_server
    with pytest.raises(Problem, match="is it nwl serve"):
        Client(url, token="secret").get("x")
    assert seen == ["Bearer secret"]


def test_loopback_needs_no_proxy(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert isinstance(list(Client(daemon.url).runs()), list)


@needs_networks
def test_swap(daemon: Daemon, tmp_path: Path) -> None:
    client = Client(daemon.url)
    settings = {"system.q": 2, "system.size": "4x4", "run.walkers": 64, "model.bundle": "pretrained/potts-q2", "trainer.every": 0}
    first = client.submit({**settings, "wang_landau.final_ln_f": 1e-9, "run.max_time": "2m"})["id"]
    neuralwl.nwl("bundle", "export", "pretrained/potts-q2", tmp_path / "bundle", "--size", "4x4")
    name = client.add_network(tmp_path / "bundle", "mine")
    assert name == "mine/1" and name in {f"{n['name']}/{n['version']}" for n in client.networks()}
    while not client.get(first).get("progress", {}).get("passes"):
        assert client.get(first)["state"] not in neuralwl.client.RESTING
        time.sleep(0.05)
    swap = client.swap(first, name)
    assert swap["bundle"] == name and [s["bundle"] for s in client.swaps(first)["swaps"]] == [name]
    with pytest.raises(Problem):
        client.swap(first, "nothing/1")
    client.cancel(first)
    client.wait(first, 60, poll=0.1)
