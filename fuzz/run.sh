#!/usr/bin/env bash
# Fuzzes every target for a while, one after the other; stops at the first input that breaks one, and says where it is.
#
#   fuzz/run.sh SECONDS [TARGET...]
#
# What is learnt stays in fuzz/corpus; inputs that break a target go to fuzz/artifacts. To run one again:
# FUZZ_TARGET=name target/debug/strongroom-fuzz fuzz/artifacts/name/crash-...
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?usage: fuzz/run.sh SECONDS [TARGET...]}
shift
seed=${FUZZ_SEED:-$((RANDOM * 32768 + RANDOM + 1))}
jobs=${FUZZ_JOBS:-$(nproc)}
target=${CARGO_TARGET_DIR:-$PWD/target}

# The packages of the workspace are chosen as `cargo test --workspace` does, so that what is not instrumented is shared.
RUSTC_WORKSPACE_WRAPPER="$PWD/fuzz/rustc.sh" cargo build --quiet --ignore-rust-version --workspace \
    --features strongroom-fuzz/engine --bin strongroom-fuzz
fuzzer=$target/debug/strongroom-fuzz
[ $# -gt 0 ] || mapfile -t all < <(FUZZ_TARGET=list "$fuzzer" 2> /dev/null)
[ $# -gt 0 ] && all=("$@")

# one NAME: seeds and runs one target.
one() {
    local name=$1 corpus=fuzz/corpus/$1 artifacts=fuzz/artifacts/$1/ log
    log=$(mktemp)
    mkdir -p "$corpus" "$artifacts"
    FUZZ_TARGET=$name FUZZ_SEEDS=$corpus "$fuzzer" > "$log" 2>&1 || { cat "$log"; return 1; }
    if FUZZ_TARGET=$name "$fuzzer" -max_total_time="$seconds" -seed="$seed" -timeout=10 -rss_limit_mb=1024 -max_len=16384 \
        -artifact_prefix="$artifacts" "$corpus" > "$log" 2>&1; then
        echo "fuzz $name: ok, $(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$log") runs," \
            "$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1) edges, seed $seed"
        rm -f "$log"
    else
        tail -n 40 "$log"
        echo "fuzz $name: FAILED, seed $seed, input in $artifacts"
        rm -f "$log"
        return 1
    fi
}

running=0
failed=0
for name in "${all[@]}"; do
    if [ "$running" -ge "$jobs" ]; then
        wait -n || failed=1
        running=$((running - 1))
    fi
    [ "$failed" = 0 ] || break
    one "$name" &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n || failed=1
    running=$((running - 1))
done
exit "$failed"
