#!/usr/bin/env bash
# Packs everything that a bare machine with CUDA 13 and cuDNN 9 needs to measure this checkout, without
# Go or a network: nwl, test binaries, and ONNX Runtime's libraries. The pack lies in .gpu/1,
# .gpu/2, ... in pieces of at most PIECE bytes, to be sent one after the other beside the checkout.
# There, scripts/gpu/unpack.sh joins and checks them and scripts/gpu/measure.sh measures.
#
# usage: scripts/gpu/pack.sh [PIECE] [gpu|cpu]
#   PIECE: size of a piece as split takes it, by default 56M
#   cpu:   the CPU's library in place of the GPU's, to try all of this without a GPU
set -euo pipefail
cd "$(dirname "$0")/../.."
piece=${1:-56M} variant=${2:-gpu}
work=.gpu/work root=.gpu/work/root cache=.gpu/cache
rm -rf .gpu/[0-9]* "$work"
mkdir -p "$root/bin" "$root/lib" "$cache"

echo "building"
described=$(git describe --tags --always --dirty --abbrev=12 2>/dev/null || echo unknown)
go build -trimpath -ldflags "-s -w -X main.described=$described" -o "$root/bin/nwl" ./cmd/nwl
for package in inference exporter trainer internal/run; do
	go test -c -trimpath -ldflags '-s -w' -o "$root/bin/$(basename "$package").test" "./$package"
done
if command -v objdump >/dev/null; then
	needs=$(for f in "$root"/bin/*; do objdump -T "$f"; done | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -1)
	echo "the binaries need $needs or later"
fi

ORT_GPU=$([ "$variant" = gpu ] && echo 1 || echo 0) ORT_TARGET="$cache/onnxruntime-$variant" scripts/fetch-onnxruntime.sh
cp "$cache/onnxruntime-$variant"/*.so "$root/lib/"

# compress NAME FOLDER: the archive of a folder. It is kept, by the digest of what is in it:
# the GPU's library takes minutes.
compress() {
	local digest
	digest=$(cd "$2" && find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c1-16)
	local kept="$cache/$1-$variant-$digest.tar.xz"
	if [ ! -e "$kept" ]; then
		echo "compressing $1"
		rm -f "$cache/$1-$variant-"*.tar.xz
		tar -C "$root" -cf - "$1" | python3 -c 'import lzma, shutil, sys
with lzma.open(sys.argv[1], "wb", preset=9) as out: shutil.copyfileobj(sys.stdin.buffer, out, 1 << 20)' "$kept.part"
		mv "$kept.part" "$kept"
	fi
	cp "$kept" "$work/$1.tar.xz"
}
compress bin "$root/bin"
compress lib "$root/lib"

(cd "$work" && tar -cf pack.tar bin.tar.xz lib.tar.xz && split -b "$piece" -d -a 3 pack.tar part-)
n=0
for part in "$work"/part-*; do
	n=$((n + 1))
	mkdir -p ".gpu/$n"
	mv "$part" ".gpu/$n/part"
done
(cd .gpu && for k in $(seq "$n"); do sha256sum "$k/part"; done >1/SHA256SUMS)
printf '%s\n' "$n" >.gpu/1/PIECES
rm -rf "$work"
echo "packed $described with ONNX Runtime for the $variant:"
for k in $(seq "$n"); do
	printf '  .gpu/%d  %6.1f MB\n' "$k" "$(echo "$(stat -c %s ".gpu/$k/part") / 1000000" | awk '{print $1 / $3}')"
done
cat <<END
Send the checkout with each piece in turn, e.g. carrying .gpu/1, then .gpu/2, and so on; run
true with all but the last, and with the last:  scripts/gpu/unpack.sh && scripts/gpu/measure.sh OUT
END
