#!/usr/bin/env bash
# Tries the pack that scripts/gpu/pack.sh made with the CPU's library, as on the bare machine that it is
# for: a copy of the tracked files and the pieces, no Go, no network, no home. Then damages it.
# What this machine does not allow is left out with a word.
set -euo pipefail
cd "$(dirname "$0")/../.."
bare=$(mktemp -d)
trap 'rm -rf "$bare"' EXIT
git ls-files -z | tar --null -T - -cf - | tar -C "$bare" -xf -
cp -r .gpu "$bare/"
rm -rf "$bare/.gpu/cache"

isolate=()
if unshare --net --mount true 2>/dev/null; then
	isolate=(unshare --net --mount)
else
	echo "SKIPPED: no namespaces here; tried with a network, and Go only out of the path"
fi
cat >"$bare/isolated.sh" <<'END'
for folder in "$GONE" "$GOING"; do # Go and its caches
	[ -d "$folder" ] && mount -t tmpfs none "$folder" 2>/dev/null
done
command -v go && { echo "Go is still here"; exit 1; }
cd "$BARE" && scripts/gpu/unpack.sh && scripts/gpu/measure.sh out cpu
END
GOROOT=$(go env GOROOT) HOMEGO=$(go env GOPATH)
env -i PATH=/usr/bin:/bin BARE="$bare" GONE="$GOROOT" GOING="$HOMEGO" SHARE="${SHARE:-0.5}" LIMIT="${LIMIT:-480}" \
	"${isolate[@]}" bash "$bare/isolated.sh" || { echo "try: it failed; the end of its log:" >&2; tail -40 "$bare/out/log.txt" >&2; exit 1; }
for file in steps.tsv log.txt networks.jsonl; do
	[ -s "$bare/out/$file" ] || { echo "try: measure.sh left no $file" >&2; exit 1; }
done
python3 - "$bare/out/networks.jsonl" <<'P'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
print(f"{len(rows)} lines of speed")
for r in rows:
    if r.get("fault"): print("  fault:", r)
    elif r["call"] == "propose": print(f"  {r['architecture']:15} L={r['l']:<3} batch={r['batch']:<5} {r['samples_per_second']:10.0f} samples/s")
P

printf x | dd of="$bare/.gpu/1/part" bs=1 seek=100 conv=notrunc 2>/dev/null
if (cd "$bare" && scripts/gpu/unpack.sh 2>/dev/null); then echo "try: a damaged piece was taken" >&2; exit 1; fi
rm -r "$bare/.gpu/1"
if (cd "$bare" && scripts/gpu/unpack.sh 2>/dev/null); then echo "try: a missing piece went unnoticed" >&2; exit 1; fi
echo "a damaged and a missing piece are refused"
