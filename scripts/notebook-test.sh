#!/usr/bin/env bash
# Executes the notebooks of examples/. Without the packages it is skipped. NOTEBOOKS=FOLDER keeps them with
# their results. make notebook-test
set -euo pipefail
cd "$(dirname "$0")/.."

if ! scripts/fetch-python.sh notebook 'nbclient ipykernel nbformat pandas matplotlib'; then
	echo "notebook-test: SKIPPED, the notebooks of examples/ were not executed" >&2
	exit 0
fi
NEURALWL_PROGRAM=$PWD/bin/nwl PYTHONPATH=$PWD/packaging/python/src PYTHONDONTWRITEBYTECODE=1 \
	.deps/notebook/bin/python - examples/*.ipynb <<'END'
import os, pathlib, sys
import nbformat
from nbclient import NotebookClient

for path in map(pathlib.Path, sys.argv[1:]):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    figures = sum("image/png" in o.get("data", {}) for c in notebook.cells for o in c.get("outputs", []))
    if not figures:
        sys.exit(f"{path} draws no figure")
    print(f"{path}: {len(notebook.cells)} cells executed, {figures} figures")
    if folder := os.environ.get("NOTEBOOKS"):
        nbformat.write(notebook, pathlib.Path(folder) / path.name)
END
