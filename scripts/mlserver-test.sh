#!/usr/bin/env bash
# Runs with inference.provider: remote against MLServer, a model server from PyPI, which evaluates the
# pretrained network for ten colours on 6x6: ln g must agree with the exact one within its errors.
# Also reads config.pbtxt of nwl bundle export --triton by the definition in Triton's client.
# Without the packages it is skipped. make mlserver-test
set -euo pipefail
cd "$(dirname "$0")/.."

environment=${MLSERVER_ENVIRONMENT:-.deps/mlserver}
want="mlserver==1.7.1 onnxruntime tritonclient[grpc]==2.73.0"
if [ "$(cat "$environment/.version" 2>/dev/null)" != "$want" ]; then
	rm -rf "$environment"
	# shellcheck disable=SC2086
	if ! { python3 -m venv "$environment" && "$environment/bin/pip" install --quiet --disable-pip-version-check $want &&
		echo "$want" >"$environment/.version"; }; then
		rm -rf "$environment"
		echo "mlserver-test: SKIPPED, could not install the Python packages $want (needs python3 with venv and pip): no run with a network on a foreign model server was tried" >&2
		exit 0
	fi
fi
python=$PWD/$environment/bin/python
[[ $environment = /* ]] && python=$environment/bin/python
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }; rm -rf "$folder"' EXIT

bin/nwl bundle export pretrained/potts-q10 --size 6x6 --name potts-q10-6 --triton "$folder/models"
"$python" scripts/mlserver_check.py config "$folder"/models/*/config.pbtxt

# MLServer's own configuration beside Triton's.
read -r http grpc metrics < <("$python" -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(s.getsockname()[1] for s in sockets))')
cat >"$folder/models/settings.json" <<END
{"host": "127.0.0.1", "http_port": $http, "grpc_port": $grpc, "metrics_port": $metrics, "parallel_workers": 0, "debug": false}
END
for model in potts-q10-6.propose potts-q10-6.log_prob; do
	cat >"$folder/models/$model/model-settings.json" <<END
{"name": "$model", "implementation": "mlserver_onnx.Onnx", "parameters": {"version": "1", "uri": "$folder/models/$model/1/model.onnx"}}
END
done
PYTHONPATH=$PWD/scripts "$(dirname "$python")/mlserver" start "$folder/models" >"$folder/log" 2>&1 &
server=$!

run=(--set system.size=6x6 --set model.bundle=pretrained/potts-q10 --set trainer.every=0 --set metrics.listen=
	--set wang_landau.final_ln_f=2e-4 --set production.passes="${PASSES:-400}" --set local.sweeps=2 --set log.level=warn)
remote=(--set inference.provider=remote --set inference.url="http://127.0.0.1:$grpc" --set inference.model=potts-q10-6/1)
for try in $(seq 60); do
	bin/nwl doctor "${run[@]}" "${remote[@]}" >"$folder/doctor" 2>&1 && break
	[ "$try" -lt 60 ] && kill -0 $server 2>/dev/null || { cat "$folder/log" "$folder/doctor" >&2; exit 1; }
	sleep 0.5
done
cat "$folder/doctor"

# Exit code 3: complete, but not converged by all checks. That is for longer runs to show.
for where in remote local; do
	options=("${run[@]}")
	[ $where = local ] || options+=("${remote[@]}")
	bin/nwl run "${options[@]}" --out "$folder/$where" >"$folder/$where.txt" 2>"$folder/$where.log" || [ $? = 3 ] || { cat "$folder/$where.log" >&2; exit 1; }
done
bin/nwl dos exact --q 10 --size 6x6 --out "$folder/exact.csv"
grep -E '^(system|network|verdict) ' "$folder/remote.txt"
"$python" scripts/mlserver_check.py exact "$folder/remote/dos.csv" "$folder/exact.csv"
bin/nwl verify "$folder/remote" >/dev/null
for where in remote local; do
	echo "$where: $(grep -E '^ +time ' "$folder/$where.txt" | tail -1 | sed 's/^ *time *//')"
done
