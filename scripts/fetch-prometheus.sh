#!/usr/bin/env bash
# Unpacks Debian's package prometheus into .deps/prometheus: the programs prometheus and promtool,
# which need no service and no root. PROMETHEUS=folder takes others. A second call does nothing. It
# fails if apt-get cannot fetch the package.
set -uo pipefail
cd "$(dirname "$0")/.."

folder=.deps/prometheus
if [ -n "${PROMETHEUS:-}" ]; then
	mkdir -p "$folder/usr" && rm -rf "$folder/usr/bin" && ln -s "$PROMETHEUS" "$folder/usr/bin"
	exit
fi
[ -x "$folder/usr/bin/prometheus" ] && [ -x "$folder/usr/bin/promtool" ] && exit 0

fetch() {
	rm -rf "$folder" && mkdir -p "$folder" && chmod 777 "$folder" &&
		(cd "$folder" && apt-get download --quiet=2 prometheus && dpkg -x prometheus_*.deb . && rm -f prometheus_*.deb) &&
		"$folder/usr/bin/promtool" --version >/dev/null
}
if ! fetch; then
	rm -rf "$folder"
	echo "fetch-prometheus: could not get Debian's package prometheus (needs apt-get and dpkg); PROMETHEUS names a folder with prometheus and promtool" >&2
	exit 1
fi
