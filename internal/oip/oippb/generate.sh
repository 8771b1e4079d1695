#!/bin/sh
# Regenerates the Go code of grpc_service.proto. Needs go, and npm for the compiler; the plugins
# are those that go.mod names.
set -eu
cd "$(dirname "$0")"
npx --yes @bufbuild/buf@1.75.0 generate
