#!/usr/bin/env bash
# Makes what is distributed, in dist/: for x86-64 and arm64 a wheel, an archive and a Debian package, a
# list of what is in them (CycloneDX), and SHA256SUMS. ARCHS=amd64 makes those of one.
set -euo pipefail
cd "$(dirname "$0")/.."

archs=${ARCHS:-amd64 arm64}
version=$(packaging/version.sh)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf dist
mkdir dist
for arch in $archs; do
	packaging/binary.sh "$arch" "$work/nwl-$arch"
	# Manual pages and completions are the same for all; the program itself writes them.
	if [ ! -d "$work/share" ] && "$work/nwl-$arch" --version >/dev/null 2>&1; then
		packaging/share.sh "$work/nwl-$arch" "$work/share"
	fi
done
[ -d "$work/share" ] || echo "dist: SKIPPED, no manual pages and completions, as no program of $archs can be executed here" >&2
for arch in $archs; do
	NWL_BINARY=$work/nwl-$arch packaging/wheel.sh "$arch" dist
	archive=$(packaging/archive.sh "$arch" "$work/nwl-$arch" dist)
	packaging/deb.sh "$archive" "$work/share" dist || echo "dist: SKIPPED, no Debian package for $arch was made" >&2
done
if ! packaging/sbom.sh "$work/nwl-${archs%% *}" "dist/neuralwl-$version.cdx.json" >"$work/log" 2>&1; then
	cat "$work/log" >&2
	rm -f "dist/neuralwl-$version.cdx.json"
	echo "dist: SKIPPED, no list of modules was made, as cyclonedx-gomod could not be had or failed" >&2
fi
(cd dist && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
ls -l dist
