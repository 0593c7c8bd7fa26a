#!/usr/bin/env bash
# run.sh [--quick] [--only ROW...] - Holdfast beside redis-server, in one run.
#
# Builds the release in build-bench (or takes the binaries in HOLDFAST_BUILD)
# and hands over to run.py, which prints tables for people; see its --help.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if [ -z "${HOLDFAST_BUILD:-}" ]; then
    export HOLDFAST_BUILD=$PWD/build-bench
    if ! { cmake -S . -B build-bench -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_C_COMPILER=gcc &&
        ninja -C build-bench -j 2 holdfastd holdfast load; } \
        >build-bench.log 2>&1; then
        cat build-bench.log >&2
        exit 1
    fi
    rm build-bench.log
fi
exec python3 -B tests/bench/run.py "$@"
