#!/usr/bin/env bash
# Makes a Debian package of what an archive holds: packaging/deb.sh ARCHIVE FOLDER. Without nfpm, which the Go
# proxy has, it fails.
set -euo pipefail
cd "$(dirname "$0")/.."

archive=$1 out=$2
name=$(basename "$archive" .tar.gz)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -xzf "$archive" -C "$work"
# The unit is for a program in /usr/local/bin with its library elsewhere.
sed -e '1,3d' -e 's|/usr/local/bin/nwl|/usr/bin/nwl|' -e '/^Environment=ONNXRUNTIME_LIB=/d' packaging/nwl.service >"$work/nwl.service"
VERSION=$(packaging/version.sh) ARCH=${name##*-} ROOT=$work/$name SERVICE=$work/nwl.service \
	${GO:-go} run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.47.0 package --config packaging/nfpm.yaml --packager deb --target "$out/"
