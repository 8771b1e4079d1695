#!/usr/bin/env bash
# Builds nwl for distribution: packaging/binary.sh amd64|arm64 FILE. It is compiled by zig, from
# PyPI, for glibc 2.17 of 2012, so that it runs on any Linux of today, and for the other
# architecture as well.
set -euo pipefail
cd "$(dirname "$0")/.."

arch=$1 out=$2
case "$arch" in
amd64) target=x86_64-linux-gnu.2.17 ;;
arm64) target=aarch64-linux-gnu.2.17 ;;
*)
	echo "binary: architecture $arch is not built, amd64 and arm64 are" >&2
	exit 1
	;;
esac
scripts/fetch-python.sh ziglang ziglang==0.15.2
described=$(git describe --tags --always --dirty --abbrev=12 2>/dev/null || true)
case "$described" in
v*) ;; # a tag
*) described=v$(packaging/version.sh)${described:++$described} ;;
esac
CGO_ENABLED=1 GOOS=linux GOARCH=$arch CC="$PWD/.deps/ziglang/bin/python -m ziglang cc -target $target" \
	${GO:-go} build -trimpath -ldflags "-s -w -X main.described=$described" -o "$out" ./cmd/nwl
