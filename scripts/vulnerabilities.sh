#!/usr/bin/env bash
# Looks for known vulnerabilities in what the program calls. Where their database cannot be reached, it
# says that nothing was looked for.
set -euo pipefail
cd "$(dirname "$0")/.."

found=0
out=$(go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./... 2>&1) || found=$?
echo "$out"
if grep -q 'fetching vulnerabilities' <<<"$out"; then
	echo "vulnerabilities: SKIPPED, their database cannot be reached and nothing was looked for" >&2
	exit 0
fi
exit $found
