#!/usr/bin/env bash
# Prints the version of what is distributed, that of the Python package.
set -euo pipefail
sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$(dirname "$0")/python/src/neuralwl/__init__.py"
