#!/usr/bin/env bash
# Has Triton's own client for Python, over HTTP and gRPC, use the networks of a daemon of its own:
# scripts/tritonclient_check.py. Without the Python package it is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! scripts/fetch-python.sh tritonclient 'tritonclient[all]==2.73.0'; then
	echo "tritonclient: SKIPPED, the Open Inference Protocol was not tested with Triton's client" >&2
	exit 0
fi
folder=$(mktemp -d)
daemon=
trap 'kill $daemon 2>/dev/null || true; wait $daemon 2>/dev/null || true; rm -rf "$folder"' EXIT
serve() { # sets daemon and url
	: >"$folder/log"
	bin/nwl serve --data "$folder/data" --set server.listen=127.0.0.1:0 --set server.jobs=1 --set server.cores=1 "$@" 2>"$folder/log" &
	daemon=$!
	url=
	for _ in $(seq 100); do
		url=$(sed -n 's/.*the daemon takes runs" url=\([^ ]*\).*/\1/p' "$folder/log")
		[ -n "$url" ] && break
		sleep 0.1
	done
	[ -n "$url" ] || { cat "$folder/log" >&2; exit 1; }
}
serve
NWL_URL=$url bin/nwl networks add pretrained/potts-q2 --name potts
NWL_URL=$url bin/nwl networks add pretrained/potts-q2 --name potts
bin/nwl train --set system.model=xy --set system.size=4x4 --set run.walkers=8 --set trainer.batch=8 --set train.steps=1 --name flow --out "$folder/models" 2>"$folder/train"
NWL_URL=$url bin/nwl networks add "$folder/models/flow" --name flow
.deps/tritonclient/bin/python scripts/tritonclient_check.py "${url#http://}"
kill $daemon && wait $daemon
! grep -E 'level=ERROR|panic' "$folder/log" || { echo "tritonclient: the daemon logged faults" >&2; exit 1; }

# With tokens, and the network from the start.
read=$(bin/nwl token reader --role read --file "$folder/tokens")
operate=$(bin/nwl token operator --role operate --file "$folder/tokens")
serve --set server.tokens="$folder/tokens" --set 'serving.load=[potts/1]'
.deps/tritonclient/bin/python scripts/tritonclient_check.py "${url#http://}" "$read" "$operate"
kill $daemon && wait $daemon
