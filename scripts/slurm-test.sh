#!/usr/bin/env bash
# Runs the Slurm script of docs/batch.md in a Slurm of its own: Debian's packages, unpacked
# into .deps/slurm (or SLURM_DEPS), in namespaces of its own that end with this script. Nothing
# is installed. It takes some two minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
skip() { echo "SKIPPED: slurm-test: $*" >&2; exit 0; }

if [ "${1:-}" != inside ]; then
	[ "$(id -u)" = 0 ] || skip "it needs root, for namespaces"
	unshare --mount --net --uts --pid --fork --mount-proc true 2>/dev/null || skip "no namespaces can be made here"
	command -v ip >/dev/null || skip "it needs the command ip (iproute2)"
	[ -x bin/nwl ] || { echo "slurm-test: there is no bin/nwl; run make build" >&2; exit 1; }
	deps=$(realpath -m "${SLURM_DEPS:-.deps/slurm}")
	if [ ! -e "$deps/usr/sbin/slurmctld-wlm" ]; then
		command -v apt-get >/dev/null && command -v dpkg >/dev/null || skip "it needs Debian's or Ubuntu's apt-get"
		mkdir -p "$deps/packages"
		(cd "$deps/packages" && apt-get -qq download slurmctld slurmd slurm-client slurm-wlm-basic-plugins libhwloc15) ||
			skip "the packages of Slurm cannot be fetched"
		for package in "$deps"/packages/*.deb; do dpkg -x "$package" "$deps"; done
	fi
	export SLURM_DEPS=$deps
	exec timeout 280 unshare --mount --net --uts --pid --fork --kill-child --mount-proc "$0" inside
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
plugins=$(echo "$SLURM_DEPS"/usr/lib/*/slurm-wlm)
export LD_LIBRARY_PATH=$(dirname "$plugins"):$plugins SLURM_CONF=$scratch/slurm.conf
export PATH=$scratch/bin:$SLURM_DEPS/usr/bin:$SLURM_DEPS/usr/sbin:$PATH
! ldd "$SLURM_DEPS"/usr/sbin/* "$SLURM_DEPS"/usr/bin/s* | grep 'not found' || skip "libraries are missing"
export ONNXRUNTIME_LIB=${ONNXRUNTIME_LIB:-$PWD/.deps/onnxruntime/libonnxruntime.so}
mkdir "$scratch/bin" "$scratch/work" "$scratch/state" "$scratch/spool"
cp bin/nwl "$scratch/bin"
scripts/batch-scripts.sh "$scratch/work"
cd "$scratch/work"

hostname node
ip link set lo up
ip link add net0 type veth peer name net1
ip addr add 10.9.8.1/24 dev net0
ip link set net0 up
ip link set net1 up
# A job that was requeued waits until its credential has expired.
cat >"$SLURM_CONF" <<-C
	ClusterName=test
	SlurmctldHost=node(10.9.8.1)
	SlurmUser=root
	SlurmdUser=root
	AuthType=auth/none
	AuthInfo=cred_expire=5
	CredType=cred/none
	PluginDir=$plugins
	StateSaveLocation=$scratch/state
	SlurmdSpoolDir=$scratch/spool
	SlurmctldPidFile=$scratch/slurmctld.pid
	SlurmdPidFile=$scratch/slurmd.pid
	ProctrackType=proctrack/linuxproc
	TaskPlugin=task/none
	MpiDefault=none
	SelectType=select/cons_tres
	SelectTypeParameters=CR_Core
	SlurmdParameters=config_overrides
	SchedulerParameters=sched_interval=2
	NodeName=node NodeAddr=10.9.8.1 CPUs=8
	PartitionName=main Nodes=node Default=YES
C
slurmctld-wlm -D -c >"$scratch/slurmctld.log" 2>&1 &
slurmd-wlm -D -N node -d "$SLURM_DEPS/usr/sbin/slurmstepd-wlm" >"$scratch/slurmd.log" 2>&1 &

fail() {
	echo "FAILED: $*" >&2
	tail -n 15 "$scratch"/*.log ./*.log >&2 || true
	exit 1
}
within() { # SECONDS COMMAND...: waits until the command succeeds
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || fail "this has not come true in time: $*"
		sleep 1
	done
}
idle() { sinfo -h -o %T | grep -q idle; }
gone() { ! squeue -h -j "$1" -o %T | grep -q .; } # neither waiting nor running
state() { scontrol show job "$1" | grep -Eo 'JobState=\S+|ExitCode=\S+' | tr '\n' ' '; }
within 30 idle

cat >potts.yaml <<-C
	system: {q: 3, size: 6x6}
	run: {moves: [local], walkers: 32, max_time: 20s}
	metrics: {listen: ""}
C
sed 's/^bash go.sh/srun bash go.sh/; s/seed-/step-/g' slurm.sh >step.sh
sed 's/seed-/cancelled-/g' slurm.sh >cancelled.sh
quick="--parsable --cpus-per-task=1 --time=1"

# The runs take 20 s. An allocation, of a minute at least, is used for 10 s before its margin; so
# each run is interrupted by it and requeued. Slurm looks for signals to give twice a minute.
seeds=$(NWL_CHECKPOINT_MARGIN=50s sbatch $quick --array=1-3 --job-name=seeds slurm.sh)
steps=$(NWL_RUN_MAX_TIME=50s NWL_CHECKPOINT_MARGIN=1s sbatch $quick --array=1 --job-name=steps --signal=USR1@55 step.sh)
cancelled=$(NWL_RUN_MAX_TIME=0s NWL_WANG_LANDAU_FINAL_LN_F=1e-12 NWL_CHECKPOINT_MARGIN=1s sbatch $quick --array=1 --job-name=cancelled cancelled.sh)

# One that is cancelled ends in order, and is not requeued.
within 60 grep -q 'phase begins' cancelled-1.log
scancel "$cancelled"
within 60 gone "$cancelled"
[ -e runs/cancelled-1/dos.csv ] || fail "a cancelled job left no results"
grep -q 'terminated' runs/cancelled-1/events.jsonl || fail "a cancelled job was not ended by the signal"
echo "cancelled: $(state "$cancelled")"
NWL_RUN_MAX_TIME=1s NWL_CHECKPOINT_MARGIN=1s sbatch $quick --array=1 --job-name=cancelled cancelled.sh >/dev/null
within 60 grep -q msg=resuming cancelled-1.log

within 150 gone "$seeds"
within 120 gone "$steps"
for seed in 1 2 3; do
	grep -q "seed: $seed$" runs/seed-$seed/config.yaml || fail "seed $seed is not in config.yaml"
	grep -q 'allocation ends at' seeds-$seed.log || fail "run $seed was not ended by its allocation"
	grep -q 'not known' seeds-$seed.log && fail "run $seed does not know the end of its allocation"
	grep -q 'interrupted' <(tail -n 1 runs/seed-$seed/events.jsonl) && fail "run $seed was not taken up to its end"
	grep -q 'No error\|pending' seeds-$seed.log && fail "job $seed requeued others"
	echo "seed $seed: $(grep -c msg=resuming seeds-$seed.log) times resumed"
done
grep -q 'user defined signal 1' runs/step-1/events.jsonl || fail "the step got no signal"
echo "step: $(grep -c msg=resuming steps-1.log) times resumed"
nwl dos merge runs/seed-* --out dos.npz
nwl dos reweight dos.npz --beta 1.0
echo "slurm-test: passed after $SECONDS s"
