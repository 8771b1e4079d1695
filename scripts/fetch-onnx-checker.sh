#!/usr/bin/env bash
# Puts the Python package onnx into the virtual environment .deps/python, for the
# test that checks exported files with an independent reader. Where pip does not
# answer, the test says so and is skipped. A second call does nothing.
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
	echo "fetch-onnx-checker: the Python package onnx $want cannot be had here (python3 with venv and pip are needed); the test that uses it will be skipped" >&2
fi
