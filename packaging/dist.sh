#!/usr/bin/env bash
# Makes what is distributed, in dist/: for x86-64 and arm64 a wheel, an archive and a Debian package, a
# list of the modules in the program (CycloneDX), and SHA256SUMS. ARCHS=amd64 makes those of one.
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
	NWL_BINARY=$work/nwl-$arch packaging/wheel.sh "$arch" dist
	archive=$(packaging/archive.sh "$arch" "$work/nwl-$arch" dist)
	packaging/deb.sh "$archive" dist || echo "dist: SKIPPED, no Debian package for $arch was made" >&2
done
if ! ${GO:-go} run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 bin -json -version "$version" \
	-output "dist/neuralwl-$version.cdx.json" "$work/nwl-${archs%% *}" >"$work/log" 2>&1; then
	cat "$work/log" >&2
	echo "dist: SKIPPED, no list of modules was made, as cyclonedx-gomod could not be had or failed" >&2
fi
(cd dist && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
ls -l dist
