#!/usr/bin/env bash
# soak.sh N [FIRST] - Runs N seeds of the simulator from FIRST (default: drawn)
# on all cores.
#
# The simulator is that of HOLDFAST_BUILD (default build). HOLDFAST_JOBS says on
# how many cores, HOLDFAST_SIM which of sim and sim_full. Goes on after a seed
# that failed. The last lines are the sums, the seeds that failed and how to
# run each again; the exit code is 1 if any did.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

case "${1:-}" in
"" | *[!0-9]*) echo "usage: tests/sim/soak.sh N [FIRST]" >&2 && exit 2 ;;
esac
total=$1
first=${2:-$((($(date +%s) % 1000000) * 1000000))}
build=$(realpath "${HOLDFAST_BUILD:-build}")
sim=$build/tests/${HOLDFAST_SIM:-sim}
jobs=${HOLDFAST_JOBS:-$(nproc)}
chunk=200
commit=$("$sim" --seeds 0 | sed -n 's/^sim: commit \([^,]*\),.*/\1/p')
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
began=$SECONDS

# run_chunk FIRST COUNT: its own exit code says nothing; the log does.
run_chunk() {
    "$sim" --seed "$1" --seeds "$2" --keep-going \
        >"$logs/$1" 2>&1 || echo "exit code $?" >>"$logs/$1"
}
export -f run_chunk
export sim logs

echo "soak: $total seeds from $first, commit $commit, $jobs jobs"
for ((at = 0; at < total; at += chunk)); do
    count=$((total - at < chunk ? total - at : chunk))
    echo "$((first + at)) $count"
done | xargs -P "$jobs" -L 1 bash -c 'run_chunk "$1" "$2"' -

grep -hE '^(sim: seed [0-9]|replay:)|Assert|assert' "$logs"/* || true
cat "$logs"/* | awk -v seconds=$((SECONDS - began)) -v wanted="$total" '
/^sim: [0-9]+ seeds,/ {
    seeds += $2; virtual += $4; faults += $7; answers += $9
    refused += $11; writes += $13; failed += $17
}
END {
    printf "soak: %d seeds, %d virtual seconds, %d faults, %d answers, " \
        "%d refused, %d acknowledged writes checked, %d failed, %d s\n", \
        seeds, virtual, faults, answers, refused, writes, failed, seconds
    if (seeds != wanted) {
        printf "soak: %d seeds are missing: a run ended early\n", \
            wanted - seeds
    }
    exit failed > 0 || seeds != wanted
}'
