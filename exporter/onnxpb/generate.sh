#!/bin/sh
# Regenerates onnx.pb.go from onnx.proto. Needs go and python3 with venv.
# protoc comes from the Python package grpcio-tools in a throwaway environment,
# protoc-gen-go is the version that go.mod names.
set -eu

cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check 'grpcio-tools==1.85.1'
go build -o "$tmp/protoc-gen-go" google.golang.org/protobuf/cmd/protoc-gen-go

"$tmp/venv/bin/python" -m grpc_tools.protoc \
	--plugin=protoc-gen-go="$tmp/protoc-gen-go" \
	--proto_path=.. --go_out=.. --go_opt=paths=source_relative \
	onnxpb/onnx.proto
