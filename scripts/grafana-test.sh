#!/usr/bin/env bash
# Checks what Prometheus and Grafana get, as far as that goes without a Grafana: the dashboards
# against Grafana's own types (npm), the alerts by promtool, and all expressions by a Prometheus that
# watches a daemon with real runs for a minute. Without npm or Prometheus that part is skipped. With a
# folder as argument it writes there what was seen: dashboards.md and a picture of each dashboard.
set -euo pipefail
cd "$(dirname "$0")/.."
write=${1:+$(realpath "$1")}

# Of the version of Grafana in deploy/compose.yaml.
schema=13.2.3 typescript=7.0.2
types=.deps/grafana-types
if [ "$(cat "$types/.version" 2>/dev/null)" != "$schema $typescript" ]; then
	rm -rf "$types" && mkdir -p "$types"
	if (cd "$types" && echo '{"private": true}' >package.json &&
		npm install --silent --no-audit --no-fund --ignore-scripts "@grafana/schema@$schema" "typescript@$typescript"); then
		echo "$schema $typescript" >"$types/.version"
	else
		rm -rf "$types"
		echo "grafana-test: SKIPPED, the dashboards were not compared with Grafana's types (npm cannot fetch @grafana/schema $schema)" >&2
	fi
fi
if [ -d "$types" ]; then
	cp scripts/grafana/* "$types"
	(files=$(realpath metrics/grafana/*.json) && cd "$types" && node check.mjs $files && node_modules/.bin/tsc -p .)
	echo "grafana-test: the dashboards have Grafana's types"
fi

if ! scripts/fetch-prometheus.sh; then
	echo "grafana-test: SKIPPED, no alert was tested and no expression asked for" >&2
	exit 0
fi
programs=$PWD/.deps/prometheus/usr/bin
(cd metrics/prometheus && "$programs/promtool" check rules alerts.yml recording.yml && "$programs/promtool" test rules alerts_test.yml recording_test.yml)
"$programs/promtool" check config --syntax-only deploy/prometheus.yml
go test ./metrics/grafana -count 1 -run TestPrometheus -v -timeout 10m -prometheus "$programs" -nwl "$PWD/bin/nwl" -write "$write"
