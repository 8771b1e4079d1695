#!/usr/bin/env bash
# Runs the Slurm script of docs/machines.md in a Slurm of its own: an array of workers whose time ends
# while they have runs. It takes some four minutes.
LIMIT=480
. "$(dirname "$0")/slurm-node.sh"

cat >potts.yaml <<-C
	system: {q: 3, size: 6x6}
	run: {moves: [local], walkers: 32, workers: 1}
	wang_landau: {final_ln_f: 1e-6}
	production: {passes: ${PASSES:-60000}}
	checkpoint: {interval: 2s, margin: 5s}
	metrics: {listen: ""}
C
nwl serve --data data --set server.listen=127.0.0.1:9465 --set queue.listen=10.9.8.1:4222 --set queue.silence=6s --set server.work=false >head.log 2>&1 &
head=$!
within 30 nwl ps
nwl worker invite slurm --data data --url tls://10.9.8.1:4222 --file slurm.key
for seed in 1 2 3 4 5 6; do nwl submit --config potts.yaml --set "run.seed=$seed" --id "seed-$seed"; done

# The allocation is of a minute; its workers get the signal 35 s before, as Slurm gives them up to a
# minute early, and the runs take longer.
workers=$(sbatch --parsable --cpus-per-task=1 --time=1 --signal=B:USR1@35 workers.sh)
done_() { [ "$(nwl ps | grep -c ' done ')" = 6 ]; }
within 220 done_
grep -h 'worker takes runs\|ends early' workers-*.log | cut -c 1-120 | sort | uniq -c | sort -rn | head -n 4
requeued=$(grep -l 'worker takes runs' workers-*.log | xargs grep -c 'worker takes runs' | awk -F: '$2 > 1' | wc -l)
[ "$requeued" -ge 1 ] || fail "no worker was requeued"
scancel "$workers"
within 60 gone "$workers"

for seed in 1 2 3 4 5 6; do
	nwl run --config potts.yaml --set "run.seed=$seed" --out "alone-$seed" >alone.log 2>&1 || [ $? = 3 ] || fail "seed $seed alone"
	cmp "alone-$seed/dos.csv" "data/runs/seed-$seed/dos.csv" || fail "seed $seed has other numbers"
	echo "seed $seed: $(grep -c '"the run is resumed\|"resuming' "data/runs/seed-$seed/events.jsonl" || true) times resumed, the same numbers"
done
kill "$head"
wait "$head" || true
echo "slurm-workers-test: $requeued workers were requeued; passed after $SECONDS s"
