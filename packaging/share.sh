#!/usr/bin/env bash
# Writes manual pages and shell completions into a folder laid out as /usr/share: packaging/share.sh NWL FOLDER.
set -euo pipefail

nwl=$1 out=$2
man=$out/man/man1 bash=$out/bash-completion/completions zsh=$out/zsh/vendor-completions fish=$out/fish/vendor_completions.d
mkdir -p "$man" "$bash" "$zsh" "$fish"
"$nwl" man "$man"
gzip -9n "$man"/*.1
"$nwl" completion bash >"$bash/nwl"
"$nwl" completion zsh >"$zsh/_nwl"
"$nwl" completion fish >"$fish/nwl.fish"
