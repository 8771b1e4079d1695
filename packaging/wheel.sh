#!/usr/bin/env bash
# Makes the wheel of the Python package neuralwl with nwl in it: packaging/wheel.sh amd64|arm64 FOLDER.
# It prints the wheel's path. NWL_BINARY names an nwl that packaging/binary.sh has built.
set -euo pipefail
cd "$(dirname "$0")/.."

arch=$1
folder=$(mkdir -p "$2" && cd "$2" && pwd)
case "$arch" in
amd64) machine=x86_64 ;;
arm64) machine=aarch64 ;;
*) machine=$arch ;; # binary.sh refuses it
esac
scripts/fetch-python.sh hatchling hatchling==1.33.0 >&2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
binary=${NWL_BINARY:-$work/nwl}
[ -n "${NWL_BINARY:-}" ] || packaging/binary.sh "$arch" "$binary" >&2
cp -r packaging/python "$work/python"
cp LICENSE "$work/python/"
NWL_BINARY=$binary NWL_PLATFORM=manylinux_2_17_$machine.manylinux2014_$machine \
	.deps/hatchling/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work/wheels" "$work/python" >&2
wheel=$(cd "$work/wheels" && ls neuralwl-*.whl)
mv "$work/wheels/$wheel" "$folder/"
echo "$folder/$wheel"
