"""Lets schemathesis send bytes of all kinds where an archive is wanted."""

import schemathesis

schemathesis.serializer.alias("application/gzip", "application/octet-stream")
