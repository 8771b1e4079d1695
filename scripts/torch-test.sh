#!/usr/bin/env bash
# Performs examples/torch_van.py: a network trained by PyTorch takes the place of a run's. Without PyTorch
# (five gigabytes with what its package brings) it is skipped. make torch-test
set -euo pipefail
cd "$(dirname "$0")/.."

if ! scripts/fetch-python.sh torch 'torch==2.15.0 onnx onnxscript pandas'; then
	echo "torch-test: SKIPPED, no network of PyTorch was tried" >&2
	exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
NEURALWL_PROGRAM=$PWD/bin/nwl PYTHONPATH=$PWD/packaging/python/src PYTHONDONTWRITEBYTECODE=1 \
	.deps/torch/bin/python -W ignore examples/torch_van.py "$folder/van"
