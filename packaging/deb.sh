#!/usr/bin/env bash
# Makes a Debian package of what an archive holds, with the manual pages and completions of packaging/share.sh:
# packaging/deb.sh ARCHIVE SHARE FOLDER. Without nfpm, which the Go proxy has, it fails.
set -euo pipefail
cd "$(dirname "$0")/.."

archive=$1 share=$2 out=$3
name=$(basename "$archive" .tar.gz)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -xzf "$archive" -C "$work"
# The unit is for a program in /usr/local/bin with its library elsewhere.
sed -e '1,3d' -e 's|/usr/local/bin/nwl|/usr/bin/nwl|' -e '/^Environment=ONNXRUNTIME_LIB=/d' packaging/nwl.service >"$work/nwl.service"
mkdir -p "$share"
VERSION=$(packaging/version.sh) ARCH=${name##*-} ROOT=$work/$name SHARE=$share SERVICE=$work/nwl.service \
	${GO:-go} run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.0 package --config packaging/nfpm.yaml --packager deb --target "$out/"
