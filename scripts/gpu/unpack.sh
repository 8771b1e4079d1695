#!/usr/bin/env bash
# Joins the pieces that scripts/gpu/pack.sh made, checks their digests, and unpacks them into
# .gpu/root. It needs Python alone, for xz.
set -euo pipefail
cd "$(dirname "$0")/../../.gpu"
[ -e 1/SHA256SUMS ] || { echo "unpack: .gpu/1 is not here; send it" >&2; exit 1; }
n=$(cat 1/PIECES)
for k in $(seq "$n"); do
	[ -e "$k/part" ] || { echo "unpack: .gpu/$k of $n pieces is not here; send it" >&2; exit 1; }
done
sha256sum --check --quiet 1/SHA256SUMS || { echo "unpack: a piece is damaged; send it again" >&2; exit 1; }
rm -rf root
mkdir root
for k in $(seq "$n"); do cat "$k/part"; done | python3 -c '
import sys, tarfile
outer = tarfile.open(fileobj=sys.stdin.buffer, mode="r|")
for member in outer:
    tarfile.open(fileobj=outer.extractfile(member), mode="r|xz").extractall("root")
'
ln -sf libonnxruntime.so root/lib/libonnxruntime.so.1
echo "unpacked: $(ls root/bin root/lib | tr '\n' ' ')"
