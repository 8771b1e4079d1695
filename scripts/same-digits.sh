#!/usr/bin/env bash
# Runs every configuration in internal/run/testdata/digits, or those named, by two programs
# on this machine and compares their results byte by byte: a change that must not change
# numbers is held against the program before it. The second program also takes up a run
# that the first one left in the middle.
#
# usage: scripts/same-digits.sh BEFORE AFTER [NAME...]
set -euo pipefail
before=$(realpath "$1") after=$(realpath "$2")
shift 2
cd "$(dirname "$0")/.."
configurations=internal/run/testdata/digits
[ $# -gt 0 ] || set -- $(basename -s .yaml $configurations/*.yaml)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
results="dos.csv dos_transitions.csv observables.csv order.csv proposals.csv"

run() { # PROGRAM FOLDER ARGUMENT...
	program=$1 folder=$2
	shift 2
	ended "$program" run "$@" --set metrics.listen= --set log.level=error >"$folder.txt" 2>&1
}
ended() { # COMMAND... that may end with 3, not converged, or 4, interrupted
	local code=0
	"$@" || code=$?
	[ $code -eq 0 ] || [ $code -eq 3 ] || [ $code -eq 4 ]
}
same() { # NAME FOLDER FOLDER
	for file in $results; do
		if [ -e "$2/$file" ] || [ -e "$3/$file" ]; then
			cmp "$2/$file" "$3/$file" || { echo "$1: $file differs"; failed=1; }
		fi
	done
}
failed=0
for name in "$@"; do
	config=$configurations/$name.yaml
	a=$scratch/$name-before b=$scratch/$name-after c=$scratch/$name-resumed
	began=$SECONDS
	run "$before" "$a" --config "$config" --out "$a"
	half=$(((SECONDS - began) / 2))
	run "$after" "$b" --config "$config" --out "$b"
	same "$name" "$a" "$b"
	# A run of a second may be over before it is stopped: prolonging nothing is a resumption, too.
	ended timeout --preserve-status -s TERM $((half > 0 ? half : 1)) "$before" run --config "$config" --out "$c" \
		--set metrics.listen= --set log.level=error >"$c.txt" 2>&1
	run "$after" "$c" --resume "$c"
	same "$name, resumed" "$a" "$c"
	"$after" verify "$b" >"$b.verify" || { cat "$b.verify"; failed=1; }
	echo "$name: $([ $failed = 0 ] && echo same || echo DIFFERS) after $((SECONDS - began)) s"
done
exit $failed
