#!/usr/bin/env bash
# Puts axe-core, which looks for what keeps people from using a page, into .deps/axe-core, for make
# page-test. A second call does nothing. It fails if npm cannot fetch it.
set -uo pipefail
cd "$(dirname "$0")/.."

want=4.14.1
folder=.deps/axe-core
[ "$(cat "$folder/.version" 2>/dev/null)" = "$want" ] && exit 0

fetch() {
	rm -rf "$folder" && mkdir -p "$folder" &&
		(cd "$folder" && npm pack --silent "axe-core@$want" >/dev/null && tar -xzf axe-core-*.tgz --strip-components=1 package/axe.min.js package/LICENSE && rm axe-core-*.tgz) &&
		echo "$want" >"$folder/.version"
}
if ! fetch; then
	rm -rf "$folder"
	echo "fetch-axe: could not fetch the npm package axe-core $want (needs npm)" >&2
	exit 1
fi
