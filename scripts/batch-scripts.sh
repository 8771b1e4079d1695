#!/usr/bin/env bash
# Writes the scripts of docs/batch.md and docs/machines.md, each a block that names itself in its second line,
# into a folder.
#
# usage: scripts/batch-scripts.sh FOLDER
set -euo pipefail
pages=$(realpath "$(dirname "$0")"/../docs/{batch,machines}.md)
cd "$1"
awk '/^```/ { block = /bash/; n = 0; next }
	block && ++n == 1 { first = $0; next }
	block && n == 2 { name = $2; sub(/:$/, "", name); print first > name }
	block { print > name }' $pages
