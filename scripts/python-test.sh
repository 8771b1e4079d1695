#!/usr/bin/env bash
# Tries the Python package and what is distributed, as their users do: the wheel, in an environment of
# each Python from 3.10 on that is there, by pytest with real runs and a real daemon, and by mypy; the wheel in a new
# environment with a new HOME; and the archive without pip. PYTHONS="3.12" tries those versions alone. What cannot
# be had is skipped, and said so.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

case "$(uname -m)" in
x86_64) arch=amd64 ;;
aarch64 | arm64) arch=arm64 ;;
*)
	echo "python-test: SKIPPED, there is no wheel for $(uname -m)" >&2
	exit 0
	;;
esac
if ! scripts/fetch-python.sh ziglang ziglang==0.15.2 || ! scripts/fetch-python.sh hatchling hatchling==1.33.0; then
	echo "python-test: SKIPPED, no wheel could be built: the Python package was not tried" >&2
	exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
packaging/binary.sh "$arch" "$work/nwl"
wheel=$(NWL_BINARY=$work/nwl packaging/wheel.sh "$arch" "$work/dist")
packaging/archive.sh "$arch" "$work/nwl" "$work/dist"

# The interpreter of a version: in PATH, or pyenv's.
interpreter() {
	local candidate
	for candidate in "python$1" "$HOME/.pyenv/versions/$1".*/bin/python; do
		if [ "$("$candidate" -c 'import sys, venv; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$1" ]; then
			echo "$candidate"
			return
		fi
	done
	return 1
}

tried=0
for version in ${PYTHONS:-3.10 3.11 3.12 3.13 3.14}; do
	if ! python=$(interpreter "$version"); then
		echo "python-test: SKIPPED, there is no Python $version" >&2
		continue
	fi
	packages='pandas xarray matplotlib pytest onnx jsonschema mypy'
	library=()
	case "$version" in
	3.10) # has no ONNX Runtime that nwl can use
		scripts/fetch-onnxruntime.sh
		library=("ONNXRUNTIME_LIB=$root/.deps/onnxruntime/libonnxruntime.so")
		;;
	3.11) packages="$packages onnxruntime==1.27.0" ;; # the oldest, others the newest
	*) packages="$packages onnxruntime>=1.27" ;;
	esac
	if ! PYTHON=$python scripts/fetch-python.sh "python-test/$version" "$packages"; then
		echo "python-test: SKIPPED, the packages for Python $version could not be installed" >&2
		continue
	fi
	bin=$root/.deps/python-test/$version/bin
	"$bin/pip" install --quiet --disable-pip-version-check --no-deps --force-reinstall "$wheel"
	echo "Python $version, $("$bin/pip" list --disable-pip-version-check 2>/dev/null | grep -E '^(numpy|pandas|onnxruntime) ' | tr -s ' \n' ' ,')"
	(
		cd "$root/packaging/python"
		env -u ONNXRUNTIME_LIB -u NEURALWL_PROGRAM PYTHONDONTWRITEBYTECODE=1 "${library[@]}" "$bin/python" -m pytest -q -p no:cacheprovider -rs ${ARGS:-}
	)
	tried=$((tried + 1))
done
[ "$tried" -gt 0 ] || { echo "python-test: SKIPPED, the package was tried with no Python" >&2; exit 0; }
(cd packaging/python && "$bin/python" -m mypy --cache-dir=/dev/null)

# What a user has who has nothing: a new environment, a new HOME, no settings.
mkdir "$work/home" "$work/empty"
settings=(--set system.q=2 --set system.size=4x4 --set model.bundle=pretrained/potts-q2 --set trainer.every=0
	--set run.walkers=64 --set wang_landau.final_ln_f=1e-3 --set production.passes=300 --set metrics.listen=)
bare() {
	local path=$1
	shift
	# How this machine reaches the package registry is no part of the test.
	(cd "$work/empty" && env -i HOME="$work/home" PATH="$path:/usr/bin:/bin" LANG=C.UTF-8 \
		$(env | grep -E '^(PIP_|SSL_CERT|REQUESTS_CA|[a-zA-Z]*_(proxy|PROXY)=)' | tr '\n' ' ') "$@")
}
for version in ${PYTHONS:-3.13 3.12 3.11}; do
	[ "$version" != 3.10 ] && python=$(interpreter "$version") && break || python=
done
if [ -n "$python" ] && "$python" -m venv "$work/venv" &&
	bare "$work/venv/bin" pip install --quiet --disable-pip-version-check --find-links "$work/dist" neuralwl; then
	bare "$work/venv/bin" nwl doctor | tee "$work/doctor"
	grep -q "Python environment $work/venv" "$work/doctor"
	bare "$work/venv/bin" nwl run "${settings[@]}" --out pip 2>&1 | tail -n 30
	bare "$work/venv/bin" python -m neuralwl verify pip
else
	echo "python-test: SKIPPED, neuralwl could not be installed into a new environment" >&2
fi
tar -xzf "$work"/dist/neuralwl-*.tar.gz -C "$work/home"
bin=$(echo "$work"/home/neuralwl-*/bin)
bare "$bin" nwl doctor | tee "$work/doctor"
grep -q "$(dirname "$bin")/lib/nwl" "$work/doctor"
bare "$bin" nwl run "${settings[@]}" --out archive 2>&1 | tail -n 3
if [ -f "$work/empty/pip/dos.csv" ]; then
	# Versions of ONNX Runtime may differ in the last bits of ln q.
	bare "$bin" nwl dos diff pip archive
fi
