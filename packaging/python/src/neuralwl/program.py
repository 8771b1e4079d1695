"""The program ``nwl``: where it is, and calls of it."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path


class ProgramError(RuntimeError):
    """A call of ``nwl`` that failed.

    Attributes
    ----------
    arguments : tuple of str
        What ``nwl`` was called with.
    returncode : int
        Its exit code.
    stdout, stderr : str
        What it printed.
    """

    def __init__(self, arguments: tuple[str, ...], returncode: int, stdout: str, stderr: str) -> None:
        self.arguments, self.returncode, self.stdout, self.stderr = arguments, returncode, stdout, stderr
        said = stderr.strip() or stdout.strip() or "it printed nothing"
        super().__init__(f"nwl {' '.join(arguments)}: exit code {returncode}: {said}")


def find_program() -> Path:
    """Find ``nwl``.

    Returns
    -------
    Path
        That of the environment variable ``NEURALWL_PROGRAM``; else the one that came with this package;
        else the first in ``PATH``.

    Raises
    ------
    FileNotFoundError
        If there is none, or ``NEURALWL_PROGRAM`` names none.
    """
    if named := os.environ.get("NEURALWL_PROGRAM"):
        if not os.access(named, os.X_OK) or os.path.isdir(named):
            raise FileNotFoundError(f"NEURALWL_PROGRAM names {named}, which is not a program that can be executed")
        return Path(named)
    try:
        files = importlib.metadata.files("neuralwl") or []
    except importlib.metadata.PackageNotFoundError:
        files = []  # the sources, not installed
    for file in files:
        if file.name == "nwl":
            path = Path(os.path.abspath(str(file.locate())))
            if path.is_file():
                return path
    if found := shutil.which("nwl"):
        return Path(found)
    raise FileNotFoundError(
        "the program nwl is neither with the package neuralwl nor in PATH: install a wheel of neuralwl, "
        "or name the program in the environment variable NEURALWL_PROGRAM"
    )


def nwl(*arguments: str | os.PathLike[str], accept: Iterable[int] = (0,)) -> subprocess.CompletedProcess[str]:
    """Call ``nwl`` and wait for its end. An interrupt (Ctrl-C) is passed on to it first.

    Parameters
    ----------
    *arguments : str or path
        Command, flags and arguments, as in ``nwl("dos", "exact", "--q", "3", "--size", "4x4")``.
    accept : iterable of int
        Exit codes that are no failure.

    Returns
    -------
    subprocess.CompletedProcess
        With what it printed, as ``stdout`` and ``stderr``.

    Raises
    ------
    ProgramError
        If it ends with another exit code.
    """
    texts = tuple(os.fspath(a) for a in arguments)
    # In a session of its own, so that Ctrl-C comes to it once, from here.
    with subprocess.Popen(
        [str(find_program()), *texts], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        encoding="utf-8", errors="replace", start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)  # a run ends in order, with its results so far
            process.communicate()
            raise
    if process.returncode not in set(accept):
        raise ProgramError(texts, process.returncode, stdout, stderr)
    return subprocess.CompletedProcess(texts, process.returncode, stdout, stderr)
