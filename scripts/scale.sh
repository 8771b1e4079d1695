#!/bin/bash
# What workers cost the queue: each worker in a network namespace of its own, so that its packets and bytes
# can be counted, behind a relay that delays what passes by a number of milliseconds each way (tc netem is not
# in all kernels). Prints for idle workers, for RUNS short runs, and for one run whose adaptation and
# production are made in shards: wall seconds, processor seconds of head and of workers with their runs, and packets and kB
# of all workers together, both ways. Needs root and python3.
#
#   scripts/scale.sh NWL DELAY RUNS WORKERS...
#
# Further settings of the run in shards go into SET.
set -euo pipefail
nwl=$(realpath "$1") delay=$2 runs=$3
shift 3
work=$(mktemp -d)
name=nwlscale$$
pids=() spaces=()
clean() {
    kill "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    for s in "${spaces[@]}"; do ip netns del "$s"; done
    rm -rf "$work"
}
trap clean EXIT
cd "$work"
cat >relay.py <<'PY'
import asyncio, sys
port, host, to, delay = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]) / 1000
async def pump(reader, writer):
    queue = asyncio.Queue()
    async def drain():
        while (item := await queue.get())[1]:
            await asyncio.sleep(max(0, item[0] - asyncio.get_running_loop().time()))
            writer.write(item[1])
        writer.close()
    out = asyncio.create_task(drain())
    try:
        while data := await reader.read(65536):
            queue.put_nowait((asyncio.get_running_loop().time() + delay, data))
    except ConnectionError:
        pass
    queue.put_nowait((0, b""))
    await out
async def client(reader, writer):
    r, w = await asyncio.open_connection(host, to)
    await asyncio.gather(pump(reader, w), pump(r, writer))
async def main():
    async with await asyncio.start_server(client, "0.0.0.0", port) as s:
        await s.serve_forever()
asyncio.run(main())
PY
# ticks PIDS: processor time of processes and of the children that they waited for.
ticks() {
    local sum=0 pid
    for pid; do sum=$((sum + $(cut -d' ' -f14,15,16,17 "/proc/$pid/stat" | tr ' ' +))); done
    echo "$sum"
}
# traffic: packets and bytes of all workers, both ways.
traffic() {
    local k packets=0 bytes=0 x
    for ((k = 0; k < workers; k++)); do
        for x in rx tx; do
            packets=$((packets + $(cat "/sys/class/net/nws$k/statistics/${x}_packets")))
            bytes=$((bytes + $(cat "/sys/class/net/nws$k/statistics/${x}_bytes")))
        done
    done
    echo "$packets $bytes"
}
measure() { # WHAT COMMAND: prints what goes on while the command runs
    local what=$1 before after began wall p b
    shift
    read -r p b < <(traffic)
    before=($(ticks "$head") $(ticks "${hands[@]}"))
    began=$(date +%s.%N)
    "$@"
    wall=$(echo "$(date +%s.%N) - $began" | bc)
    after=($(ticks "$head") $(ticks "${hands[@]}"))
    read -r p2 b2 < <(traffic)
    printf '%3d workers %4s ms %-14s %7.1f s wall  head %6.2f s  workers %7.2f s  %7d packets %9.1f kB %s\n' "$workers" "$delay" "$what" "$wall" \
        "$(echo "(${after[0]} - ${before[0]}) / $(getconf CLK_TCK)" | bc -l)" "$(echo "(${after[1]} - ${before[1]}) / $(getconf CLK_TCK)" | bc -l)" \
        $((p2 - p)) "$(echo "($b2 - $b) / 1000" | bc -l)" "$(digest)"
}
digest() { [ ! -e data/runs/it/dos.csv ] || sha256sum <data/runs/it/dos.csv | cut -c1-12; }
api() { curl -s "http://127.0.0.1:9598/api/v1/$1"; }
many() {
    local k
    for ((k = 1; k <= runs; k++)); do
        "$nwl" submit --server http://127.0.0.1:9598 --id "r$k" --set system.q=3 --set system.size=3x3 --set run.moves=local --set run.walkers=16 --set "run.seed=$k" \
            --set wang_landau.final_ln_f=1e-2 --set production.passes=200 --set report.figures=false >/dev/null 2>&1
    done
    for ((k = 1; k <= runs; k++)); do
        until api "runs/r$k" | grep -q '"state":"\(done\|failed\)"'; do sleep 0.1; done
    done
}
sharded=(--set "system.size=8x8" --set system.model=ising --set run.method=wang-landau --set run.shards=8 --set run.round=100
    --set run.walkers=64 --set wang_landau.final_ln_f=5e-4 --set production.passes=200 --set report.figures=false --set checkpoint.interval=10s ${SET:-})
one() {
    "$nwl" submit --server http://127.0.0.1:9598 --id it "${sharded[@]}" >/dev/null 2>&1
    until api runs/it | grep -q '"state":"\(done\|failed\)"'; do sleep 0.1; done
}
began=$(date +%s.%N)
"$nwl" run "${sharded[@]}" --set run.workers=1 --set metrics.listen= --out plain >plain.log 2>&1 || [ $? = 3 ]
printf 'nwl run: %.1f s wall, dos.csv %s, adaptation of %s passes\n' "$(echo "$(date +%s.%N) - $began" | bc)" "$(sha256sum <plain/dos.csv | cut -c1-12)" \
    "$(python3 -c 'import json; print(json.load(open("plain/summary.json"))["phases"][0]["passes"])')"
for workers; do
    pids=() hands=() spaces=()
    rm -rf data
    "$nwl" serve --set server.data=data --set server.listen=127.0.0.1:9598 --set queue.listen=:4298 --set server.work=false >serve.log 2>&1 &
    head=$!
    pids+=("$head")
    until curl -sf http://127.0.0.1:9598/api/v1/runs >/dev/null; do sleep 0.1; done
    python3 relay.py 4297 127.0.0.1 4298 "$delay" &
    pids+=($!)
    rm -f key
    "$nwl" worker invite w --data data --url tls://127.0.0.1:4297 --file "$work/key" >/dev/null 2>&1
    sleep 2 # it is admitted within a second
    for ((k = 0; k < workers; k++)); do
        s=$name-$k
        ip netns add "$s"
        spaces+=("$s")
        ip link add "nws$k" type veth peer name eth0 netns "$s"
        ip addr add "10.78.$k.1/24" dev "nws$k"
        ip link set "nws$k" up
        ip -n "$s" addr add "10.78.$k.2/24" dev eth0
        ip -n "$s" link set eth0 up
        ip -n "$s" link set lo up
        # Within the namespace the head has the address that its certificate names.
        ip netns exec "$s" python3 relay.py 4297 "10.78.$k.1" 4297 0 &
        pids+=($!)
        until ip netns exec "$s" bash -c ': </dev/tcp/127.0.0.1/4297' 2>/dev/null; do sleep 0.2; done
        ip netns exec "$s" "$nwl" worker --key "$work/key" --jobs 1 --cores 1 >"worker$k.log" 2>&1 &
        hands+=($!)
    done
    pids+=("${hands[@]}")
    sleep 10
    kill -0 "${hands[@]}" || { cat worker*.log; exit 1; }
    measure idle sleep 15
    measure "$runs runs" many
    measure "one in shards" one
    kill "${pids[@]}"
    wait || true
    for s in "${spaces[@]}"; do ip netns del "$s"; done
    spaces=()
done
pids=()
