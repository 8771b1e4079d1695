#!/usr/bin/env bash
# Runs the Slurm script of docs/batch.md in a Slurm of its own. It takes some two minutes.
. "$(dirname "$0")/slurm-node.sh"

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
