#!/bin/bash
# Succeeds if the daemon at PORT, by default 9465, takes runs. The image has no curl.
set -euo pipefail
exec 3<>"/dev/tcp/127.0.0.1/${PORT:-9465}"
printf 'GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
read -r -t 4 _ status _ <&3
[ "$status" = 200 ]
