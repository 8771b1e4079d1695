#!/usr/bin/env bash
# Tries the daemon's pages in headless Chromium (internal/browsertest), with arguments for go test.
# Without Chromium or axe-core they are skipped. On Debian: apt-get install chromium.
set -euo pipefail
cd "$(dirname "$0")/.."

browser=
for name in ${CHROMIUM:-chromium chromium-browser google-chrome}; do
	browser=$(command -v "$name") && break
done
if [ -z "$browser" ]; then
	echo "page-test: SKIPPED, the pages were not tried in a browser: there is no Chromium; install it (Debian: apt-get install chromium) or name it by CHROMIUM" >&2
	exit 0
fi
if ! scripts/fetch-axe.sh; then
	echo "page-test: SKIPPED, the pages were not tried in a browser: there is no axe-core" >&2
	exit 0
fi
go test ./internal/browsertest -count=1 -v -timeout 20m "$@" -args \
	-nwl "$PWD/bin/nwl" -browser "$browser" -axe "$PWD/.deps/axe-core/axe.min.js" ${SCREENSHOTS:+-screenshots "$SCREENSHOTS"}
