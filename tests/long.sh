#!/usr/bin/env bash
# The long tier: the full counts of the random tests, soak, fuzzing of every target for ten minutes, and benches.
#
#   tests/long.sh [STEP...]       all steps, or some of: tests e2e fuzz benches
#
# FUZZ_SECONDS: seconds a target, 600 by default. STRONGROOM_SEED: repeats one seed in the random tests.
# Takes hours. Logs go to target/long; the last lines sum up date, machine, seeds and results, for docs/TESTING.md.
set -euo pipefail
cd "$(dirname "$0")/.."
export STRONGROOM_LONG=1
logs=${CARGO_TARGET_DIR:-$PWD/target}/long
mkdir -p "$logs"
rm -f "$logs"/*
steps=("$@")
[ $# -gt 0 ] || steps=(tests e2e fuzz benches)
summary=$logs/summary.txt
failed=0

say() { printf '%s\n' "$*" | tee -a "$summary"; }

# step NAME COMMAND...
step() {
    local name=$1 started=$SECONDS outcome=ok
    shift
    printf '\n== %s\n' "$name"
    "$@" 2>&1 | tee "$logs/$name.log" || { outcome=FAILED; failed=1; }
    say "$name: $outcome, $((SECONDS - started)) s"
}

tests() {
    # In release: ten million operations are too many for anything else. Output is shown, because seeds are in it.
    cargo test --release --workspace --ignore-rust-version --no-fail-fast -- --include-ignored --nocapture --test-threads 2
}

e2e() {
    local script release=${CARGO_TARGET_DIR:-$PWD/target}/release
    cargo build --release --workspace --bins --ignore-rust-version || return 1
    for script in tests/e2e/*.sh; do
        MOUNTD=$release/strongroom-mountd STRONGROOM=$release/strongroom STRONGROOM_KILLS=50 bash "$script" || return 1
    done
}

benches() {
    cargo bench --workspace --ignore-rust-version
}

say "date: $(date -u +%Y-%m-%d)"
say "commit: $(git rev-parse --short HEAD)$(git diff --quiet || echo ', with changes')"
say "machine: $(nproc) CPUs, $(awk '/MemTotal/ { printf "%d GiB", $2 / 1048576 }' /proc/meminfo), $(rustc --version)"
for name in "${steps[@]}"; do
    case $name in
        tests) step tests tests ;;
        e2e) step e2e e2e ;;
        fuzz) step fuzz bash fuzz/run.sh "${FUZZ_SECONDS:-600}" ;;
        benches) step benches benches ;;
        *) echo "no step $name; there are tests, e2e, fuzz and benches" >&2; exit 2 ;;
    esac
done
grep -hiE '\bseeds?\b' "$logs"/*.log | grep -vE '^(warning|error|test )' | sort -u | head -n 60 | tee -a "$summary" || true
if [ -f "$logs/tests.log" ]; then python3 .ci/totals.py "$logs" | tee -a "$summary" || failed=1; fi
echo "summed up in $summary"
exit "$failed"
