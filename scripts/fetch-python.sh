#!/usr/bin/env bash
# Installs Python packages into a virtual environment of their own, .deps/NAME, for a check of the
# Makefile: scripts/fetch-python.sh NAME 'PACKAGE==VERSION...', by $PYTHON or python3. A second call does
# nothing. It fails if pip cannot fetch them.
set -uo pipefail
cd "$(dirname "$0")/.."

environment=.deps/$1
want=$2
read -ra packages <<<"$want"
[ "$(cat "$environment/.version" 2>/dev/null)" = "$want" ] && exit 0

fetch() {
	rm -rf "$environment" &&
		"${PYTHON:-python3}" -m venv "$environment" &&
		"$environment/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}" &&
		echo "$want" >"$environment/.version"
}
if ! fetch; then
	rm -rf "$environment"
	echo "fetch-python: could not install $want (needs python3 with venv and pip)" >&2
	exit 1
fi
