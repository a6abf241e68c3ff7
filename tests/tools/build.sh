#!/bin/sh
# Builds the servers that tests run against into target/tools. Needs Go; versions are pinned by go.mod and go.sum.
set -eu
cd "$(dirname "$0")"
out="$(cd ../.. && pwd)/target/tools"
mkdir -p "$out"
CGO_ENABLED=0 go build -o "$out/kes" github.com/minio/kes/cmd/kes
echo "built $out/kes"
