#!/usr/bin/env bash
# Installs a Python package into a virtual environment of its own, .deps/NAME, for a check of the
# Makefile: scripts/fetch-python.sh NAME 'PACKAGE==VERSION'. A second call does nothing. It fails if
# pip cannot fetch it.
set -uo pipefail
cd "$(dirname "$0")/.."

environment=.deps/$1
want=$2
[ "$(cat "$environment/.version" 2>/dev/null)" = "$want" ] && exit 0

fetch() {
	rm -rf "$environment" &&
		python3 -m venv "$environment" &&
		"$environment/bin/pip" install --quiet --disable-pip-version-check "$want" &&
		echo "$want" >"$environment/.version"
}
if ! fetch; then
	rm -rf "$environment"
	echo "fetch-python: could not install $want (needs python3 with venv and pip)" >&2
	exit 1
fi
