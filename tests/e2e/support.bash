# What the end-to-end scripts share: a daemon on a store of its own, ended and unmounted whatever happens.
#
# MOUNTD, STRONGROOM: the programs, by default debug builds. VENV: where `aws` is installed (see .ci/run).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
MOUNTD=${MOUNTD:-$target/debug/strongroom-mountd}
STRONGROOM=${STRONGROOM:-$target/debug/strongroom}
work=$(mktemp -d)
store=$work/store mnt=$work/mnt
daemon=
mkdir "$mnt"
export XDG_CONFIG_HOME=$work/config XDG_STATE_HOME=$work/state XDG_RUNTIME_DIR=$work/run
export MINIO_ROOT_USER=e2e-access MINIO_ROOT_PASSWORD=e2e-secret-key
mkdir -p "$XDG_RUNTIME_DIR"

say() { printf '   %s\n' "$*"; }
fail() {
    printf 'FAILED: %s\n' "$*" >&2
    tail -n 20 "$work/daemon.log" >&2 2>/dev/null || true
    exit 1
}

# start [STORE]: starts the daemon and waits until it is ready; sets $daemon and $endpoint.
start() {
    : > "$work/ready"
    "$MOUNTD" --s3 127.0.0.1:0 "$store" "$mnt" > "$work/ready" 2>> "$work/daemon.log" &
    daemon=$!
    for _ in $(seq 300); do
        if [ -s "$work/ready" ]; then
            endpoint=$(sed -n 's/.*\(http:\/\/127\.0\.0\.1:[0-9]*\).*/\1/p' "$work/ready" | head -n 1)
            return 0
        fi
        kill -0 "$daemon" 2>/dev/null || { wait "$daemon" || true; daemon=; fail "the daemon ended before it was ready"; }
        sleep 0.1
    done
    fail "the daemon was not ready within 30 s"
}

# stop: asks the daemon to end, and demands that it does so cleanly.
stop() {
    kill -TERM "$daemon"
    local status=0
    wait "$daemon" || status=$?
    daemon=
    [ "$status" = 0 ] || fail "the daemon ended with status $status"
    ! mountpoint -q "$mnt" || fail "it is still mounted after the daemon ended"
}

# kill9: ends the daemon as a crash would; its mount point stays behind, stale.
kill9() {
    kill -KILL "$daemon"
    wait "$daemon" 2>/dev/null || true
    daemon=
}

cleanup() {
    [ -z "$daemon" ] || { kill -KILL "$daemon" 2>/dev/null || true; wait "$daemon" 2>/dev/null || true; }
    umount -l "$mnt" 2>/dev/null || true
    if [ -n "${loop_mount:-}" ]; then umount -l "$loop_mount" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap cleanup EXIT

same() { diff -r --no-dereference "$1" "$2" > "$work/diff" 2>&1 || { head -n 10 "$work/diff" >&2; fail "$1 and $2 differ ($3)"; }; }
