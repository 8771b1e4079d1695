#!/usr/bin/env bash
# Installs the Python package onnx into the virtual environment .deps/python, for the
# test that checks exported files with an independent reader. If pip cannot fetch it,
# that test is skipped with a message. A second call does nothing.
set -uo pipefail
cd "$(dirname "$0")/.."

want=1.23.2
environment=.deps/python
[ "$(cat "$environment/.version" 2>/dev/null)" = "$want" ] && exit 0

fetch() {
	rm -rf "$environment" &&
		python3 -m venv "$environment" &&
		"$environment/bin/pip" install --quiet --disable-pip-version-check "onnx==$want" &&
		echo "$want" >"$environment/.version"
}
if ! fetch; then
	rm -rf "$environment"
	echo "fetch-onnx-checker: could not install the Python package onnx $want (needs python3 with venv and pip); the test that uses it will be skipped" >&2
fi
