#!/usr/bin/env bash
# Has schemathesis send a daemon of its own thousands of requests, good and bad, that it makes up
# from the OpenAPI document: no answer may be a 5xx, have a status that the document does not list, or
# a body other than it says. Without the Python package it is skipped. make schemathesis
# EXAMPLES=100 sends about so many to each operation, SEED=1 other ones.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! scripts/fetch-python.sh schemathesis schemathesis==4.32.5; then
	echo "schemathesis: SKIPPED, the HTTP interface was not tested against its OpenAPI document" >&2
	exit 0
fi
folder=$(mktemp -d)
bin/nwl serve --data "$folder/data" --set server.listen=127.0.0.1:0 --set server.jobs=1 --set server.cores=1 2>"$folder/log" &
daemon=$!
trap 'kill -9 $daemon 2>/dev/null || true; wait $daemon 2>/dev/null || true; rm -rf "$folder"' EXIT
url=
for _ in $(seq 100); do
	url=$(sed -n 's/.*the daemon takes runs" url=\([^ ]*\).*/\1/p' "$folder/log")
	[ -n "$url" ] && break
	sleep 0.1
done
[ -n "$url" ] || { cat "$folder/log" >&2; exit 1; }

# A run that has ended, for the examples of the document, as there is nothing to see of others.
NWL_URL=$url bin/nwl submit --id example --set run.moves=local --set system.q=3 --set system.size=4x4 \
	--set wang_landau.final_ln_f=1e-3 --set production.passes=200 --set run.walkers=32 >/dev/null
for _ in $(seq 100); do
	curl -fs "$url/api/v1/runs/example" | grep -q '"state":"done"' && break
	sleep 0.2
done

# Endless streams would keep it waiting: they are followed by the tests of internal/server.
program=$PWD/.deps/schemathesis/bin/schemathesis
export SCHEMATHESIS_HOOKS=$PWD/scripts/schemathesis_hooks.py
cd "$folder" # where it leaves files
"$program" --no-color run "$url/openapi.json" \
	--checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,negative_data_rejection,missing_required_header,unsupported_method,allow_header_conformance \
	--exclude-operation-id events --exclude-operation-id run-events --exclude-operation-id log --exclude-operation-id group-events \
	--max-examples "${EXAMPLES:-60}" --seed "${SEED:-1}" --request-timeout 20 --suppress-health-check all --warnings off \
	--continue-on-failure ${ARGS:-}
! grep -E 'level=ERROR|panic' "$folder/log" || { echo "schemathesis: the daemon logged faults" >&2; exit 1; }
