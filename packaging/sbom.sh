#!/usr/bin/env bash
# Writes a list of what is in a binary and the archives and packages of it, in CycloneDX: the Go modules, and
# ONNX Runtime's library, which wheels have not: packaging/sbom.sh BINARY FILE.
set -euo pipefail
cd "$(dirname "$0")/.."

binary=$1 out=$2
${GO:-go} run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 bin -json \
	-version "$(packaging/version.sh)" -output "$out" "$binary"
python3 - "$out" "$(sed -n 's/^version=//p' scripts/fetch-onnxruntime.sh)" <<'END'
import json, sys

path, version = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    bom = json.load(file)
purl = f"pkg:github/microsoft/onnxruntime@v{version}"
bom["components"].append({
    "bom-ref": purl, "type": "library", "name": "onnxruntime", "version": version, "purl": purl, "scope": "required",
    "description": "lib/nwl/libonnxruntime.so of archives and Debian packages", "licenses": [{"license": {"id": "MIT"}}],
})
bom["dependencies"].append({"ref": purl})
program = bom["metadata"]["component"]["bom-ref"]
next(d for d in bom["dependencies"] if d["ref"] == program).setdefault("dependsOn", []).append(purl)
with open(path, "w", encoding="utf-8") as file:
    json.dump(bom, file, indent=2)
    file.write("\n")
END
