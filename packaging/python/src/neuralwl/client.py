"""A client of the daemon, ``nwl serve``, by its HTTP interface below ``/api/v1``."""

from __future__ import annotations

import fnmatch
import http.client
import io
import ipaddress
import json
import os
import re
import ssl
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from .results import Run, load

#: States in which a run rests.
RESTING = frozenset({"paused", "done", "failed", "cancelled"})

_PREFIX = "/api/v1"
_ANSWER = 60.0  # seconds for an answer
_PATIENCE = 60.0  # for a daemon that is restarted
_SWAP = 600.0  # for an exchange of networks: a pass may take minutes


class Unreachable(ConnectionError):
    """The daemon does not answer."""


class Problem(RuntimeError):
    """An answer of the daemon that is an error (RFC 9457).

    Attributes
    ----------
    status : int
        Of HTTP: 404 for a run that there is not, 409 for what its state does not allow, 422 for a
        configuration at fault, 401 and 403 for a token.
    detail : str
    errors : list of (location, message)
        All faults of the request, each with its place in it.
    """

    def __init__(self, status: int, detail: str, errors: list[tuple[str, str]]) -> None:
        self.status, self.detail, self.errors = status, detail, errors
        super().__init__("\n".join([detail, *(f"{m} ({w})" if w else m for w, m in errors)]))


@dataclass(frozen=True)
class Event:
    """Something that happened to a run.

    Attributes
    ----------
    id : int
        Its number, which rises over all runs.
    kind : str
        As in the OpenAPI document of the daemon.
    run : str
    at : str
        Time, as in RFC 3339.
    data : dict
        By kind.
    """

    id: int
    kind: str
    run: str
    at: str
    data: dict[str, Any]

    @property
    def time(self) -> datetime:
        """``at``, to the microsecond, with its time zone."""
        parts = re.fullmatch(r"(.*?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", self.at)
        if not parts:
            raise ValueError(f"event {self.id}: {self.at!r} is not a time as in RFC 3339")
        whole, fraction, zone = parts.groups()
        return datetime.fromisoformat(f"{whole}.{(fraction or '')[:6]:0<6}{'+00:00' if zone == 'Z' else zone}")


class _Refuse(urllib.request.HTTPRedirectHandler):
    # A redirection would carry the token elsewhere.
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Client:
    """Asks a daemon.

    Parameters
    ----------
    url : str, optional
        Of the daemon; by default ``$NWL_URL``, else http://127.0.0.1:9465.
    token : str, optional
        Where the daemon asks for one; by default ``$NWL_TOKEN``. It is sent to the daemon alone.
    cafile : path, optional
        Certificates to be trusted for HTTPS, as a daemon's own; by default the system's.

    Raises
    ------
    Unreachable
        By all methods, if the daemon does not answer.
    Problem
        By all methods, if it refuses what is asked.

    Notes
    -----
    Runs are dicts with the fields of ``Run`` in the daemon's OpenAPI document, ``/docs``.
    """

    def __init__(self, url: str | None = None, token: str | None = None, cafile: str | os.PathLike[str] | None = None) -> None:
        self.url = (url or os.environ.get("NWL_URL") or "http://127.0.0.1:9465").rstrip("/")
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"the daemon's URL {self.url!r} must be of the form http://HOST:PORT")
        self._token = token if token is not None else os.environ.get("NWL_TOKEN", "")
        handlers: list[urllib.request.BaseHandler] = [_Refuse()]
        if _is_loopback(parts.hostname):
            handlers.append(urllib.request.ProxyHandler({}))  # no proxy reaches this machine
        if parts.scheme == "https":
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=cafile)))
        self._opener = urllib.request.build_opener(*handlers)

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    # Requests.

    def _open(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, timeout: float = _ANSWER) -> Any:
        request = urllib.request.Request(self.url + _PREFIX + path, data=body, method=method, headers=dict(headers or {}))
        if self._token:
            request.add_unredirected_header("Authorization", "Bearer " + self._token)
        try:
            return self._opener.open(request, timeout=timeout)
        except urllib.error.HTTPError as e:
            with e:
                raise self._problem(e) from None
        except (urllib.error.URLError, http.client.HTTPException, OSError) as e:
            raise Unreachable(f"the daemon cannot be reached at {self.url}: {getattr(e, 'reason', e)}") from e

    def _problem(self, e: urllib.error.HTTPError) -> Problem:
        try:
            text = json.loads(e.read(1 << 20))
            detail = text.get("detail") or text.get("title") or e.reason
            errors = [(x.get("location") or "", x.get("message") or "") for x in text.get("errors") or []]
        except (ValueError, AttributeError, OSError, http.client.HTTPException):
            detail, errors = f"{e.code} {e.reason}; is it nwl serve that listens at {self.url}?", []
        return Problem(e.code, detail, errors)

    def _call(self, method: str, path: str, body: Any = None, timeout: float = _ANSWER) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": "application/json"}
        text = self._read(method, path, data, headers, timeout)
        if not text:
            return None
        try:
            return json.loads(text)
        except ValueError as e:
            raise Unreachable(f"{method} {path}: the answer cannot be read; is it nwl serve that listens at {self.url}?") from e

    def _read(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, timeout: float = _ANSWER) -> bytes:
        with self._open(method, path, body, headers, timeout) as answer:
            try:
                return bytes(answer.read())
            except (http.client.HTTPException, OSError) as e:
                raise Unreachable(f"{method} {path}: the answer of {self.url} broke off: {e}") from e

    # Runs.

    def submit(
        self,
        settings: Mapping[str, object] | None = None,
        *,
        config: str | None = None,
        id: str | None = None,
        title: str | None = None,
        tags: Iterable[str] = (),
        **fields: Any,
    ) -> dict[str, Any]:
        """Submit a run.

        Parameters
        ----------
        settings : mapping
            Keys of the configuration with their values, as in ``{"system.q": 3}``.
        config : str
            Configuration in YAML, over which ``settings`` go.
        id : str
            Name of the run; by default the daemon makes one of the system.
        title, tags
            For people.
        **fields
            Others of ``Submission`` in the OpenAPI document, as ``priority``, ``after``, ``publish``,
            ``follow``.

        Returns
        -------
        dict
            The run; ``["id"]`` is its name.
        """
        body: dict[str, Any] = {k: v for k, v in {"config": config, "id": id, "title": title, **fields}.items() if v is not None}
        if settings:
            body["set"] = [f"{k}={str(v).lower() if isinstance(v, bool) else v}" for k, v in settings.items()]
        if tags := list(tags):
            body["tags"] = tags
        return dict(self._call("POST", "/runs", body))

    def get(self, id: str) -> dict[str, Any]:
        """All that is known of a run."""
        return dict(self._call("GET", "/runs/" + _quote(id)))

    def runs(self, *, state: Iterable[str] = (), tag: Iterable[str] = (), **filters: str) -> Iterator[dict[str, Any]]:
        """Runs, the newest first, page by page.

        Parameters
        ----------
        state, tag : iterable of str
            Only runs in one of these states, with these tags.
        **filters : str
            ``text``, ``system`` or ``method``.
        """
        query: dict[str, str] = {"state": ",".join(state), "tag": ",".join(tag), "limit": "1000", **filters}
        while True:
            page = self._call("GET", "/runs?" + urllib.parse.urlencode({k: v for k, v in query.items() if v}))
            yield from page["runs"]
            if not page.get("next"):
                return
            query["before"] = page["next"]

    def change(self, id: str, **fields: Any) -> dict[str, Any]:
        """Change a run: the fields of ``RunChange``, as in ``change(id, title="the real one")``."""
        return dict(self._call("PATCH", "/runs/" + _quote(id), fields))

    def pause(self, id: str) -> dict[str, Any]:
        """Pause a run; it keeps a checkpoint."""
        return self.change(id, wish="pause")

    def cancel(self, id: str) -> dict[str, Any]:
        """End a run with the results so far."""
        return self.change(id, wish="cancel")

    def resume(self, id: str, settings: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Let a run go on, with other limits if these settings are given."""
        fields: dict[str, Any] = {"wish": "run"}
        if settings:
            fields["set"] = [f"{k}={v}" for k, v in settings.items()]
        return self.change(id, **fields)

    def delete(self, id: str) -> None:
        """Delete a run with its directory."""
        self._call("DELETE", "/runs/" + _quote(id))

    def wait(self, id: str, timeout: float | None = None, poll: float = 1.0) -> dict[str, Any]:
        """Wait until a run rests, also while the daemon is restarted, if that takes no minute.

        Parameters
        ----------
        timeout : float, optional
            Seconds after which ``TimeoutError`` is raised; the run goes on.
        poll : float
            Seconds between two questions.

        Returns
        -------
        dict
            The run: ``["state"]`` is ``done``, ``paused``, ``failed`` or ``cancelled``.
        """
        end = None if timeout is None else time.monotonic() + timeout
        heard = time.monotonic()
        while True:
            try:
                run = self.get(id)
                if run["state"] in RESTING:
                    return run
                heard = time.monotonic()
            except Unreachable:
                if time.monotonic() - heard > _PATIENCE:
                    raise
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"run {id} has not ended within {timeout} s; it goes on")
            time.sleep(poll if end is None else max(0.0, min(poll, end - time.monotonic())))

    def events(self, id: str | None = None, after: int = 0) -> Iterator[Event]:
        """The events of a run until it has ended, or of all runs, for ever.

        A stream that breaks is taken up again after the last event, for a minute; then
        :class:`Unreachable` is raised.

        Parameters
        ----------
        id : str, optional
            Of the run; by default all runs.
        after : int
            Number of the last event that is known.
        """
        path = "/events" if id is None else f"/runs/{_quote(id)}/events"
        lost: float | None = None
        pause = 0.5
        while True:
            headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(after)} if after else {})
            try:
                with self._open("GET", path, headers=headers) as stream:
                    lost, pause = None, 0.5
                    for number, kind, data in _messages(stream):
                        if kind == "end":
                            return
                        content = json.loads(data)
                        yield Event(number, kind, content["run"], content["at"], content.get("data") or {})
                        after = max(after, number)
            except (Unreachable, http.client.HTTPException, OSError) as e:
                now = time.monotonic()
                lost = lost if lost is not None else now
                if now - lost > _PATIENCE:
                    raise Unreachable(f"the daemon at {self.url} cannot be reached for a minute: {e}") from e
            time.sleep(pause)
            pause = min(2 * pause, 8)

    def log(self, id: str, lines: int = 0) -> list[str]:
        """The last lines of a run's log, each a JSON object; 0 for all."""
        return self._read("GET", f"/runs/{_quote(id)}/log?lines={lines}").decode().splitlines()

    # Results.

    def files(self, id: str) -> list[dict[str, Any]]:
        """What the run directory holds: ``path``, ``bytes``, ``modified`` and ``type``."""
        answer = self._call("GET", f"/runs/{_quote(id)}/files")
        if answer.get("more"):
            raise ValueError(f"run {id} has more files than a list has room for; ask for single ones by file()")
        return list(answer["files"])

    def file(self, id: str, path: str) -> bytes:
        """A file of the run directory, as it is."""
        return self._read("GET", f"/runs/{_quote(id)}/files/{urllib.parse.quote(path)}")

    def download(self, id: str, folder: str | os.PathLike[str], patterns: Iterable[str] = ("*",), exclude: Iterable[str] = ("checkpoints/*",)) -> Path:
        """Copy the run directory, by default without its checkpoints.

        Parameters
        ----------
        folder : path
            Becomes the copy. Files of the same names are replaced.
        patterns, exclude : iterable of str
            Which paths within the run directory, as in ``("*.csv", "models/*")``.

        Returns
        -------
        Path
            The folder.
        """
        target, patterns, exclude = Path(folder), tuple(patterns), tuple(exclude)
        for entry in self.files(id):
            path = PurePosixPath(entry["path"])
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(f"run {id}: the daemon lists the file {path}, which is not within the run directory")
            fits = [any(fnmatch.fnmatchcase(str(path), p) for p in some) for some in (patterns, exclude)]
            if not fits[0] or fits[1]:
                continue
            data = self.file(id, str(path))
            out = target.joinpath(*path.parts)
            out.parent.mkdir(parents=True, exist_ok=True)
            part = out.with_name(out.name + ".part")
            part.write_bytes(data)
            part.replace(out)
        return target

    def load(self, id: str, folder: str | os.PathLike[str]) -> Run:
        """Copy the results of a run into a folder and read them: :meth:`download` of its tables and
        :func:`neuralwl.load`."""
        return load(self.download(id, folder, patterns=("*.csv", "*.json", "*.npz", "config.yaml")))

    # Networks.

    def networks(self) -> list[dict[str, Any]]:
        """The versions of networks in the daemon's repository."""
        return list(self._call("GET", "/networks")["networks"])

    def add_network(self, folder: str | os.PathLike[str], name: str | None = None) -> str:
        """Add a bundle to the daemon's repository.

        Parameters
        ----------
        folder : path
            Of the bundle, with ``card.json``.
        name : str, optional
            Of the network there; by default that of the card.

        Returns
        -------
        str
            Its name with its version, as in ``mine/3``.
        """
        card = json.loads((Path(folder) / "card.json").read_text(encoding="utf-8"))
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            for file in ["card.json", *sorted(card["sha256"])]:
                tar.add(Path(folder) / file, arcname=file)
        text = self._read("POST", "/networks/" + _quote(name or card["name"]), archive.getvalue(), {"Content-Type": "application/gzip"}, _SWAP)
        network = json.loads(text)
        return f"{network['name']}/{network['version']}"

    def swap(self, id: str, bundle: str, *, restart: bool = False) -> dict[str, Any]:
        """Have a run go on with another network, and wait until it does.

        Parameters
        ----------
        bundle : str
            Of the repository, as :meth:`add_network` returns it, or ``pretrained/NAME``.
        restart : bool
            In production: start it over. Otherwise the exchange is refused there.

        Returns
        -------
        dict
            ``pass`` and ``stage`` of the exchange, and what it took. On any fault the run keeps the
            network that it has, and :class:`Problem` says why.
        """
        body = {"bundle": bundle} | ({"phase": "restart"} if restart else {})
        return dict(self._call("POST", f"/runs/{_quote(id)}/network", body, _SWAP))

    def swaps(self, id: str) -> dict[str, Any]:
        """The networks that a run has had: ``acceptance`` of the present one, and ``swaps``."""
        return dict(self._call("GET", f"/runs/{_quote(id)}/network"))


def _quote(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _messages(stream: Iterable[bytes]) -> Iterator[tuple[int, str, str]]:
    """Server-sent events: number, kind and data."""
    number, kind = 0, ""
    data: list[str] = []
    for raw in stream:
        line = raw.decode().rstrip("\r\n")
        if not line:
            if data:
                yield number, kind, "\n".join(data)
            kind, data = "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            number = int(value)
        elif name == "event":
            kind = value
        elif name == "data":
            data.append(value)
