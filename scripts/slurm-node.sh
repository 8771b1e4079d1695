# Sourced by tests: they go on in a Slurm of their own, with Debian's packages, unpacked into
# .deps/slurm (or SLURM_DEPS), in namespaces that end with the test. Nothing is installed. The
# working directory is then an empty one with the scripts of docs/batch.md and docs/machines.md.
test=$(basename "$0" .sh)
set -euo pipefail
cd "$(dirname "$0")/.."
skip() { echo "SKIPPED: $test: $*" >&2; exit 0; }

if [ "${1:-}" != inside ]; then
	[ "$(id -u)" = 0 ] || skip "it needs root, for namespaces"
	unshare --mount --net --uts --pid --fork --mount-proc true 2>/dev/null || skip "no namespaces can be made here"
	command -v ip >/dev/null || skip "it needs the command ip (iproute2)"
	[ -x bin/nwl ] || { echo "$test: there is no bin/nwl; run make build" >&2; exit 1; }
	deps=$(realpath -m "${SLURM_DEPS:-.deps/slurm}")
	if [ ! -e "$deps/usr/sbin/slurmctld-wlm" ]; then
		command -v apt-get >/dev/null && command -v dpkg >/dev/null || skip "it needs Debian's or Ubuntu's apt-get"
		mkdir -p "$deps/packages"
		(cd "$deps/packages" && apt-get -qq download slurmctld slurmd slurm-client slurm-wlm-basic-plugins libhwloc15) ||
			skip "the packages of Slurm cannot be fetched"
		for package in "$deps"/packages/*.deb; do dpkg -x "$package" "$deps"; done
	fi
	export SLURM_DEPS=$deps
	exec timeout "${LIMIT:-280}" unshare --mount --net --uts --pid --fork --kill-child --mount-proc "scripts/$test.sh" inside
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
