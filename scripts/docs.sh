#!/usr/bin/env bash
# Makes the site of docs in .site, with search; a link or an anchor that leads nowhere is an error. Without
# the Python package it is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! scripts/fetch-python.sh mkdocs mkdocs-material==9.8.1; then
	echo "docs: SKIPPED, the site was not made, and its links were not checked" >&2
	exit 0
fi
NO_MKDOCS_2_WARNING=1 PYTHONDONTWRITEBYTECODE=1 .deps/mkdocs/bin/mkdocs build --strict # not --quiet, with which warnings pass
echo "docs: .site/index.html"
