#!/usr/bin/env bash
# Measures this checkout on a GPU with what scripts/gpu/unpack.sh has unpacked: the most important
# first, each step bounded in time, all of them in LIMIT seconds, each result written at once.
#
# usage: scripts/gpu/measure.sh OUT [PROVIDER]
#   PROVIDER: cuda, or cpu to try the script itself
# environment: LIMIT, 480 s by default; SHARE, 1 by default, by which all times are multiplied
#
# OUT gets steps.tsv (what ran, how it ended, seconds), log.txt (all output), networks.jsonl (nwl
# bench networks), memory.csv (of the GPU, every second) and the summaries of two runs.
set -uo pipefail
cd "$(dirname "$0")/../.."
out=$(mkdir -p "$1" && realpath "$1") provider=${2:-cuda} limit=${LIMIT:-480} share=${SHARE:-1}
root=$PWD/.gpu/root
nwl=$root/bin/nwl
export ONNXRUNTIME_LIB=$root/lib/libonnxruntime.so NWL_INFERENCE_PROVIDER=$provider
# The providers' libraries lie beside it, CUDA and cuDNN among Python's packages or in the system.
nvidia=$(python3 - <<'P' 2>/dev/null
import glob, site, sys
for folder in set(site.getsitepackages() + [site.getusersitepackages()] + sys.path):
    print(*glob.glob(folder + "/nvidia/**/lib", recursive=True), sep="\n")
P
)
LD_LIBRARY_PATH=$root/lib:$(echo "$nvidia" | sort -u | grep . | paste -sd:):/usr/local/cuda/lib64:${LD_LIBRARY_PATH:-}
export LD_LIBRARY_PATH

printf 'step\tended\tseconds\n' >"$out/steps.tsv"
: >"$out/log.txt"
: >"$out/networks.jsonl"
if command -v nvidia-smi >/dev/null; then
	nvidia-smi >>"$out/log.txt" 2>&1
	nvidia-smi --query-gpu=timestamp,name,memory.used,utilization.gpu,power.draw --format=csv -l 1 >"$out/memory.csv" 2>&1 &
	sampling=$!
	trap 'kill $sampling 2>/dev/null' EXIT
else
	echo "no nvidia-smi: the GPU's memory is not recorded" | tee -a "$out/log.txt"
fi

# step NAME SECONDS COMMAND...: its standard output and error go to the log.
step() {
	local name=$1 most left=$((limit - SECONDS)) began=$SECONDS ended=ok code
	most=$(awk "BEGIN { print int($2 * $share + 0.999) }")
	shift 2
	if [ "$left" -lt 5 ]; then
		printf '%s\tleft out, no time\t0\n' "$name" | tee -a "$out/steps.tsv"
		return
	fi
	[ "$most" -lt "$left" ] || most=$left
	printf '\n== %s: %s\n' "$name" "$*" >>"$out/log.txt"
	timeout -k 15 "$most" "$@" >>"$out/log.txt" 2>&1
	code=$?
	case $code in
	0) ;;
	124 | 137) ended="stopped after $most s" ;;
	*) ended="FAILED with $code" ;;
	esac
	printf '%s\t%s\t%d\n' "$name" "$ended" $((SECONDS - began)) | tee -a "$out/steps.tsv"
}
# networks ARGUMENT...: appends JSON lines as they come.
networks() { "$nwl" bench networks --json "$@" >>"$out/networks.jsonl"; }
# tests PACKAGE ARGUMENT...: a test binary in its folder.
tests() {
	local package=$1
	shift
	(cd "$package" && "$root/bin/$(basename "$package").test" -provider "$provider" -test.short "$@")
}
# run L SECONDS: the network on the GPU, local moves on all cores.
run() {
	rm -rf "/tmp/nwl-gpu-$1"
	"$nwl" run --set system.size="$1x$1" --set model.bundle=pretrained/potts-q10 --set trainer.every=0 --set local.sweeps=50 \
		--set run.walkers=256 --set production.histogram=low --set run.max_time="$2s" --set metrics.listen= --out "/tmp/nwl-gpu-$1"
	local code=$?
	cp "/tmp/nwl-gpu-$1/summary.json" "$out/run-$1.json"
	[ $code -eq 3 ] || return $code # not converged in so short a time
}
seconds() { awk "BEGIN { printf \"%.3g\", $1 * $share }"; }
export -f networks tests run
export out provider root nwl

step doctor 20 "$nwl" doctor
step agreement 60 bash -c 'tests inference -test.run ProvidersAgree -test.v'
step microcanonical 70 bash -c "networks --architecture microcanonical --size 16,64 --batch 128,1024,8192 --time $(seconds 1)s"
step tests-inference 60 bash -c 'tests inference -test.run "Balance|Sampled|Target|Pin|Recycler"'
step architectures 90 bash -c "networks --size 8,16,32,64 --batch 128,1024,8192 --time $(seconds 0.3)s"
step tests-trainer 40 bash -c 'tests trainer'
step binding 20 bash -c 'tests inference -test.run xxx -test.bench Binding -test.benchtime 20x'
step cuda-graph 20 bash -c 'tests inference -test.run xxx -test.bench CUDAGraph -test.benchtime 20x'
step run-32 75 bash -c "run 32 $(seconds 40)"
step run-64 95 bash -c "run 64 $(seconds 55)"
step layouts 60 bash -c 'tests inference -test.run xxx -test.bench Layouts -test.benchtime 50ms'
step tests-exporter 30 bash -c 'tests exporter'
step tests-run 60 bash -c 'tests internal/run -test.run "^TestRun$|Systems"'
echo "measured in $SECONDS s; everything is in $out"
grep -q FAILED "$out/steps.tsv" && exit 1 || exit 0
