#!/usr/bin/env bash
# Makes an archive of nwl with ONNX Runtime's library inside, for machines without Python:
# packaging/archive.sh amd64|arm64 BINARY FOLDER. It prints the archive's path.
set -euo pipefail
cd "$(dirname "$0")/.."

arch=$1 binary=$2 out=$3
version=$(packaging/version.sh)
case "$arch" in
amd64) machine=x86_64 ;;
arm64) machine=aarch64 ;;
*)
	echo "archive: architecture $arch is not built, amd64 and arm64 are" >&2
	exit 1
	;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ORT_PLATFORM=Linux-$machine ORT_TARGET=$work/onnxruntime scripts/fetch-onnxruntime.sh

name=neuralwl-$version-linux-$arch
mkdir -p "$work/$name/bin" "$work/$name/lib/nwl"
install -m 755 "$binary" "$work/$name/bin/nwl"
install -m 644 "$work/onnxruntime/libonnxruntime.so" "$work/$name/lib/nwl/"
install -m 644 README.md LICENSE CITATION.cff "$work/$name/"
cp -r docs "$work/$name/"
# The same commit makes the same archive.
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(git log -1 --format=%ct)" -cf - "$name" |
	gzip -n >"$out/$name.tar.gz"
echo "$out/$name.tar.gz"
