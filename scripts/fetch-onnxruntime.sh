#!/usr/bin/env bash
# Installs the pinned ONNX Runtime library into .deps/onnxruntime, from the Python
# package onnxruntime (if pip works) or the Node package onnxruntime-node.
# A second call does nothing. ORT_GPU=1 uses onnxruntime-gpu instead (CUDA 13), ORT_TARGET names
# another folder, ORT_PLATFORM another platform, as in Linux-aarch64.
set -euo pipefail
cd "$(dirname "$0")/.."

version=1.27.0
target=${ORT_TARGET:-.deps/onnxruntime}
variant=cpu
[ "${ORT_GPU:-0}" = 1 ] && variant=gpu

host=${ORT_PLATFORM:-$(uname -s)-$(uname -m)}
case "$host" in
Linux-x86_64) platform=x86_64 node=linux/x64/libonnxruntime.so.1 library=libonnxruntime.so ;;
Linux-aarch64 | Linux-arm64) platform=aarch64 node=linux/arm64/libonnxruntime.so.1 library=libonnxruntime.so ;;
Darwin-arm64) platform=none node=darwin/arm64/libonnxruntime.1.dylib library=libonnxruntime.dylib ;;
*)
	echo "fetch-onnxruntime: no library is pinned for $host; install ONNX Runtime $version yourself and set ONNXRUNTIME_LIB to its shared library" >&2
	exit 1
	;;
esac

# sha256 of the shared libraries, by origin.
pinned() {
	case "$1" in
	pip-cpu-x86_64) echo b5c9d4f124d24707f514dad926dc181820807178855df1c528e3addb2dd0e6f7 ;;
	pip-cpu-aarch64) echo 9275ef52956228686ae47b0219f67476a1148505084bdc5571e7bf1bf69b11f2 ;;
	pip-gpu-x86_64) echo 184096f611d6cfff75f5d4cbaf01f76d736ab10d408d335fca0c85e5a79018db ;;
	npm-linux/x64/libonnxruntime.so.1) echo d8aff4aa8abee8fb2abb2f2f2459ffc94461e781e41b9f7c072829dd0d470221 ;;
	npm-linux/arm64/libonnxruntime.so.1) echo c36bc200e7e6c093b8abb0b34590fbdd8c52fd3fb5e33795b9523ffdde2fce0f ;;
	npm-darwin/arm64/libonnxruntime.1.dylib) echo 89f692a3a1a224e4ad0b796b0e7c0bd81113b0741bfe84211eceef14d05a9e59 ;;
	esac
}

digest() {
	if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}

stamp="$version $variant"
if [ -f "$target/$library" ] && [ "$(cat "$target/.version" 2>/dev/null)" = "$stamp" ]; then
	exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

from_pip() {
	[ "$platform" != none ] || return 1
	command -v python3 >/dev/null && python3 -m pip --version >/dev/null 2>&1 || return 1
	local package=onnxruntime
	[ "$variant" = gpu ] && package=onnxruntime-gpu
	# Any Python version's wheel will do: only the library in it is used.
	python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
		--python-version 3.12 --implementation cp \
		--platform "manylinux_2_28_$platform" --platform "manylinux_2_27_$platform" \
		-d "$work" "$package==$version" || return 1
	python3 -m zipfile -e "$work"/onnxruntime*.whl "$work/wheel" || return 1
	mv "$work/wheel/onnxruntime/capi/libonnxruntime.so.$version" "$work/$library"
	check "pip-$variant-$platform"
	mkdir -p "$work/out"
	mv "$work/$library" "$work/out/"
	if [ "$variant" = gpu ]; then
		mv "$work"/wheel/onnxruntime/capi/libonnxruntime_providers_*.so "$work/out/"
	fi
}

from_npm() {
	[ "$variant" = cpu ] && command -v npm >/dev/null || return 1
	(cd "$work" && npm pack --silent "onnxruntime-node@$version" >/dev/null) || return 1
	tar -xzf "$work"/onnxruntime-node-*.tgz -C "$work" "package/bin/napi-v6/$node" || return 1
	mv "$work/package/bin/napi-v6/$node" "$work/$library"
	check "npm-$node"
	mkdir -p "$work/out"
	mv "$work/$library" "$work/out/"
}

check() {
	local want got
	want=$(pinned "$1")
	got=$(digest "$work/$library")
	if [ "$want" != "$got" ]; then
		echo "fetch-onnxruntime: $library from $1 has sha256 $got, expected ${want:-none}; nothing was installed" >&2
		exit 1
	fi
}

echo "fetching ONNX Runtime $version ($variant)" >&2
if ! from_pip && ! from_npm; then
	echo "fetch-onnxruntime: neither pip nor npm could fetch ONNX Runtime $version ($variant); install python3 with pip or Node with npm, or set ONNXRUNTIME_LIB to the shared library" >&2
	exit 1
fi
rm -rf "$target"
mkdir -p "$target"
mv "$work"/out/* "$target/"
echo "$stamp" >"$target/.version"
