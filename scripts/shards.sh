#!/bin/bash
# What a run in shards costs: its adaptation and its production by worker processes of one machine, each
# of one thread. Prints wall and processor seconds, what all processes wrote in MB (files, and messages
# of the queue), and the digest of dos.csv, which is the same in all lines of a lattice.
#
#   scripts/shards.sh NWL 16 2000 1 2 4 7      # NWL SIDE PASSES WORKERS...
#
# Further settings go into SET, as in SET='--set run.walkers=512'. With KILL=5 a worker is killed every five seconds or
# so, with its runs, and another one takes its place; what those took that were killed is not counted.
set -euo pipefail
nwl=$(realpath "$1") side=$2 passes=$3
shift 3
run=(--set "system.size=${side}x$side" --set system.model=ising --set run.method=wang-landau --set run.shards=7
    --set run.walkers=224 --set wang_landau.final_ln_f=1e-3 --set "production.passes=$passes" --set report.figures=false ${SET:-})
address=127.0.0.1:9599 queue=127.0.0.1:4299
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait || true; rm -rf "$work"' EXIT
cd "$work"

# counted PIDS: processor seconds and bytes written of processes and the children that they waited for.
counted() {
    local ticks=0 bytes=0 pid
    for pid; do
        ticks=$((ticks + $(cut -d' ' -f14,15,16,17 "/proc/$pid/stat" | tr ' ' +)))
        bytes=$((bytes + $(sed -n 's/^wchar: //p' "/proc/$pid/io")))
    done
    echo "$ticks $bytes"
}
# a plain run, with the same shards
began=$(date +%s.%N)
"$nwl" run "${run[@]}" --set run.workers=1 --set metrics.listen= --out plain >plain.log 2>&1 || [ $? = 3 ]
printf 'plain run      %7.1f s wall                                    %s\n' "$(echo "$(date +%s.%N) - $began" | bc)" "$(sha256sum <plain/dos.csv | cut -c1-16)"

for workers; do
    pids=()
    rm -rf data
    "$nwl" serve --set server.data=data --set "server.listen=$address" --set "queue.listen=$queue" --set server.work=false --set "queue.silence=$([ -n "${KILL:-}" ] && echo 5s || echo 30s)" >serve.log 2>&1 &
    pids+=($!)
    until curl -sf "http://$address/readyz" >/dev/null 2>&1 || curl -sf "http://$address/api/v1/runs" >/dev/null; do sleep 0.1; done
    "$nwl" worker invite w --data data --url "tls://$queue" --file "$work/key" >/dev/null 2>&1
    sleep 2 # it is admitted within a second
    for ((i = 0; i < workers; i++)); do
        "$nwl" worker --key "$work/key" --jobs 1 --cores 1 >"worker$i.log" 2>&1 &
        pids+=($!)
    done
    kills=0
    sleep 2
    read -r ticks bytes < <(counted "${pids[@]}")
    began=$(date +%s.%N)
    "$nwl" submit --server "http://$address" --id it "${run[@]}" >submit.log 2>&1
    next=$((SECONDS + ${KILL:-0}))
    until curl -s "http://$address/api/v1/runs/it" | grep -q '"state":"\(done\|failed\)"'; do
        sleep 0.2
        if [ -n "${KILL:-}" ] && [ "$SECONDS" -ge "$next" ]; then
            i=$((1 + RANDOM % workers)) next=$((SECONDS + KILL)) kills=$((kills + 1))
            kill -9 "${pids[i]}"
            "$nwl" worker --key "$work/key" --jobs 1 --cores 1 >>"worker$i.log" 2>&1 &
            pids[i]=$!
        fi
    done
    wall=$(echo "$(date +%s.%N) - $began" | bc)
    read -r ticks2 bytes2 < <(counted "${pids[@]}")
    printf '%d workers %10.1f s wall %8.1f s of processors %8.1f MB written %s%s\n' "$workers" "$wall" \
        "$(echo "scale=2; ($ticks2 - $ticks) / $(getconf CLK_TCK)" | bc)" "$(echo "scale=2; ($bytes2 - $bytes) / 1000000" | bc)" "$(sha256sum <data/runs/it/dos.csv | cut -c1-16)" \
        "${KILL:+, $kills workers killed}"
    rm -f key
    kill "${pids[@]}"
    wait || true
done
pids=()
