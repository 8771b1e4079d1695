#!/usr/bin/env bash
# Installs the Python program schemathesis into the virtual environment .deps/schemathesis, for
# make schemathesis. A second call does nothing. It fails if pip cannot fetch it.
set -uo pipefail
cd "$(dirname "$0")/.."

want=4.32.5
environment=.deps/schemathesis
[ "$(cat "$environment/.version" 2>/dev/null)" = "$want" ] && exit 0

fetch() {
	rm -rf "$environment" &&
		python3 -m venv "$environment" &&
		"$environment/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$want" &&
		echo "$want" >"$environment/.version"
}
if ! fetch; then
	rm -rf "$environment"
	echo "fetch-schemathesis: could not install the Python package schemathesis $want (needs python3 with venv and pip)" >&2
	exit 1
fi
