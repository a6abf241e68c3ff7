#!/bin/sh
# Runs the tests with real clients (boto3, aws) against a gateway on a store of its own.
#
#   tests/s3/run.sh [PYTEST ARGUMENTS]
#
# GATEWAY: the command that serves, given `--s3 ADDRESS STORE`; by default a debug build of strongroom-s3gw.
# With GATEWAY=memory, an example that keeps everything in memory. VENV: where the clients are installed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=${VENV:-$root/target/s3-clients}
work=$(mktemp -d)
gateway=
stop() {
    [ -z "$gateway" ] || { kill "$gateway" 2>/dev/null || true; wait "$gateway" 2>/dev/null || true; }
    rm -rf "$work"
}
trap stop EXIT INT TERM

if [ ! -x "$venv/bin/pytest" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet -r "$here/requirements.txt"
fi

# A proxy or a CA of the surroundings must not come between; credentials are the store's own.
unset AWS_CA_BUNDLE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE AWS_PROFILE AWS_SESSION_TOKEN http_proxy HTTP_PROXY || true
export AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE="$work/config" AWS_SHARED_CREDENTIALS_FILE=/dev/null
export AWS_ACCESS_KEY_ID=minioadmin AWS_SECRET_ACCESS_KEY=minioadmin AWS_DEFAULT_REGION=us-east-1 NO_PROXY=127.0.0.1
# Multipart uploads are not built yet, so that everything goes up in one PUT.
printf '[default]\ns3 =\n    multipart_threshold = 5GB\n' > "$work/config"

if [ "${GATEWAY:-}" = memory ]; then
    cargo build --quiet --ignore-rust-version --manifest-path "$root/Cargo.toml" -p strongroom-s3gw --example memory_gateway
    "$root/target/debug/examples/memory_gateway" 127.0.0.1:0 > "$work/out" &
else
    if [ -z "${GATEWAY:-}" ]; then
        cargo build --quiet --ignore-rust-version --manifest-path "$root/Cargo.toml" -p strongroom-s3gw --bin strongroom-s3gw
        GATEWAY="$root/target/debug/strongroom-s3gw"
    fi
    MINIO_ROOT_USER=$AWS_ACCESS_KEY_ID MINIO_ROOT_PASSWORD=$AWS_SECRET_ACCESS_KEY \
        XDG_CONFIG_HOME="$work/xdg-config" XDG_STATE_HOME="$work/xdg-state" XDG_RUNTIME_DIR="$work" \
        $GATEWAY --s3 127.0.0.1:0 "$work/store" > "$work/out" &
fi
gateway=$!
for _ in $(seq 100); do
    S3_ENDPOINT=$(sed -n 's/.*\(http:\/\/127\.0\.0\.1:[0-9]*\).*/\1/p' "$work/out" | head -n 1)
    [ -z "$S3_ENDPOINT" ] || break
    kill -0 "$gateway" || { echo "the gateway ended before it was ready" >&2; exit 1; }
    sleep 0.1
done
export S3_ENDPOINT
PATH="$venv/bin:$PATH" "$venv/bin/pytest" -q -p no:cacheprovider "$here" "$@"
