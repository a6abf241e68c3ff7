#!/bin/sh
# Compiles the packages of this workspace, and only these, with the counters that libFuzzer reads. Cargo calls it as
# RUSTC_WORKSPACE_WRAPPER; works on stable Rust, because the pass is LLVM's own.
set -eu
exec "$@" \
    -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Copt-level=2 -Ccodegen-units=1 -Cdebug-assertions=yes -Coverflow-checks=yes
