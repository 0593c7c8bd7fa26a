#!/usr/bin/env bash
# check.sh [--fast] - Everything that must hold before a change is accepted.
#
# Builds with gcc and clang with warnings as errors and runs all tests, also
# under the sanitizers. Goes on after a failed test to report all of them; a
# failed build ends the run. The last line counts tests, and the exit code is
# 1 if any failed. The line before it names the steps that this machine does not
# permit and that were skipped. --fast: gcc build, tidiness, unit tests, cluster
# stories.
#
# What mostly waits runs beside what only computes (see "beside"), and most
# end-to-end tests beside each other (tests/e2e/run.py).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage="usage: tests/check.sh [--fast]"
fast=no
case "${1:-}" in
--fast) fast=yes ;;
--help) echo "$usage" && exit 0 ;;
"") ;;
*) echo "$usage" >&2 && exit 2 ;;
esac

jobs=2
began=$SECONDS
passed=0
failed=0
skipped=()
result=0
times=()
besides=()
work=$(mktemp -d)
log=$work/log
trap clean_up EXIT

# Debian's own, for which its packages of drivers are.
python=/usr/bin/python3
[ -x "$python" ] || python=python3

# A sanitizer's shadow memory has a fixed place, which a kernel that
# randomizes much may have taken; so they run without randomization.
plainly=()
if setarch "$(uname -m)" -R true 2>/dev/null; then
    plainly=(setarch "$(uname -m)" -R)
fi

# perform COMMAND...: a step. How it ended and the seconds it took are then in
# $log.result. A step that finds out how many tests it ran says so in
# $log.count, in lines "counted PASSED FAILED". One that cannot be done here
# ends with 77. Not to be called where bash ignores failures, as before ||.
perform() {
    local start=$SECONDS ended
    : >"$log.count"
    set +e
    (set -e; "$@")
    ended=$?
    set -e
    echo "$ended $((SECONDS - start))" >"$log.result"
}

# account NAME LOG [HOW]: counts what perform left with LOG, and keeps its time.
account() {
    local name=$1 how=${3:-} ok=0 bad=0 seconds word a b
    read -r result seconds <"$2.result"
    while read -r word a b; do
        [ "$word" = counted ] && ok=$((ok + a)) && bad=$((bad + b))
    done <"$2.count"
    word=ok
    if [ "$result" -eq 77 ]; then
        word=SKIPPED
        skipped+=("$name")
    elif [ "$result" -ne 0 ] && [ "$bad" -eq 0 ]; then
        bad=1
    elif [ "$((ok + bad))" -eq 0 ]; then
        ok=1
    fi
    passed=$((passed + ok))
    failed=$((failed + bad))
    [ "$bad" -eq 0 ] || word=FAILED
    times+=("$(printf '%5d s  %-7s  %s' "$seconds" "$word" "$name$how")")
    printf -- '--- %s: %s, %d passed, %d failed, %d s\n' "$name" "$word" \
        "$ok" "$bad" "$seconds"
}

# step NAME COMMAND...: with a headline and what the command says.
step() {
    printf '\n=== %s (at %d s)\n' "$1" "$((SECONDS - began))"
    perform "${@:2}"
    account "$1" "$log"
}

# beside NAME COMMAND...: a step that goes on while the next ones run, until
# "joined", which shows what it said. For what mostly waits; the next ones must
# not mind that it takes some of the processors, nor it that they do.
beside() {
    local log=$work/beside${#besides[@]}
    printf '\n=== %s begins beside what follows (at %d s)\n' "$1" \
        "$((SECONDS - began))"
    perform "${@:2}" >"$log.said" 2>&1 &
    besides+=("$!" "$1" "$log")
}

joined() {
    local pid name log
    while [ "${#besides[@]}" -gt 0 ]; do
        pid=${besides[0]} name=${besides[1]} log=${besides[2]}
        wait "$pid" || true
        printf '\n=== %s (joined at %d s)\n' "$name" "$((SECONDS - began))"
        cat "$log.said"
        account "$name" "$log" ", beside others"
        besides=("${besides[@]:3}")
    done
}

# The processes of which these are the first.
trees() {
    local pid
    for pid in "$@"; do
        echo "$pid"
        # shellcheck disable=SC2046
        trees $(cat "/proc/$pid/task/$pid/children" 2>/dev/null)
    done
}

clean_up() {
    # shellcheck disable=SC2046
    kill $(trees $(jobs -p)) 2>/dev/null || true
    rm -rf "$work"
}

finish() {
    joined
    printf '\n=== times\n'
    printf '%s\n' "${times[@]}"
    printf '%5d s  in all\n\n' "$((SECONDS - began))"
    [ "${#skipped[@]}" -eq 0 ] ||
        (IFS=,; printf 'check: SKIPPED: %s\n' "${skipped[*]}")
    printf 'check: %d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ] || exit 1
    exit 0
}

# must NAME COMMAND...: a step without which the others make no sense.
must() {
    step "$@"
    [ "$result" -eq 0 ] || finish
}

packages() {
    deploy/packages.sh build demo tests
}

# build FOLDER TARGETS [CMAKE OPTION]...: behind what runs beside it, if any.
build() {
    local folder=$1 targets=$2 behind=()
    [ "${#besides[@]}" -eq 0 ] || behind=(nice)
    shift 2
    cmake -S . -B "$folder" -G Ninja -DHF_WERROR=ON \
        -DCMAKE_BUILD_TYPE=RelWithDebInfo "$@" >"$log" ||
        { cat "$log"; return 1; }
    # shellcheck disable=SC2086 # They are several words.
    "${behind[@]}" ninja -C "$folder" -j "$jobs" --quiet $targets
}

# ctests FOLDER LABELS [CTEST OPTION]...: runs them and counts: the tests of
# each unit program, and one for each other program.
ctests() {
    local folder=$1 labels=$2 result=0
    shift 2
    (cd "$folder" && "${runner[@]}" timeout 900 ctest -L "$labels" \
        -j "$jobs" --output-on-failure --no-tests=error "$@") || result=$?
    "$python" tests/tidy/count_ctest.py \
        "$folder/Testing/Temporary/LastTest.log" >>"$log.count"
    return "$result"
}

# counted SECONDS COMMAND...: one that says itself what it counted.
counted() {
    local seconds=$1 result=0
    shift
    "${runner[@]}" timeout -k 10 "$seconds" "$python" -B "$@" 2>&1 |
        tee "$log" || result=$?
    grep '^counted ' "$log" >>"$log.count" || true
    return "$result"
}

# e2e FOLDER [ARGUMENT]...: against the binaries in FOLDER.
e2e() {
    local -x HOLDFAST_BUILD=$1
    shift
    counted 600 tests/e2e/run.py "$@"
}

# Stock session stores of six languages.
clients() {
    local -x HOLDFAST_BUILD=build-gcc
    counted 300 tests/clients/run.py
}

# The same random commands to redis-server and to us.
differential() {
    local -x HOLDFAST_BUILD=build-gcc
    counted 300 tests/differential/run.py
}

# Faults on real processes, in network namespaces: 77 where there are none.
# What is judged are losses, not times.
chaos() {
    counted 400 tests/chaos/run.py --seed 1 --seconds 75 --faults mix \
        --build build-gcc
}

# Cuts under each partition policy, in network namespaces, too. Measures times.
policies() {
    counted 300 tests/chaos/policies.py --build build-gcc
}

# A base from which the quickstart finds all its ports free just now: those of
# nodes, of their peers, of the applications and of the front.
free_port_base() {
    "$python" - <<'EOF'
import random, socket

def is_free(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

for _ in range(200):
    base = random.randrange(11000, 21000)
    if all(is_free(base + far + near)
           for far in (0, 1000, 2000, 10000) for near in range(3)):
        print(base)
        break
EOF
}

quickstart() {
    timeout -k 10 300 deploy/quickstart.sh --port-base "$(free_port_base)"
}

asan_tests() {
    runner=("${plainly[@]}")
    ctests build-asan '^(unit|cluster|fuzz)$'
}

# Whether the tests notice what they are for.
mutations() {
    ninja -C build-gcc -j "$jobs" --quiet stories_mutable
    timeout 900 tests/sim/mutations.sh build-gcc
}

asan_sim() {
    "${plainly[@]}" timeout 300 build-asan/tests/sim --seed 3000 \
        --seeds 100 --policy majority
}

asan_e2e() {
    runner=("${plainly[@]}")
    HOLDFAST_PATIENCE=3 e2e build-asan smoke
}

tsan_tests() {
    runner=("${plainly[@]}")
    ctests build-tsan '^unit$'
}

tsan_e2e() {
    runner=("${plainly[@]}")
    HOLDFAST_PATIENCE=4 e2e build-tsan smoke
}

documents() {
    tests/tidy/docs.sh "$1/holdfastd" "$1/tests/command_rows"
}

runner=()
# A cancelled thread leaves the marks of its frames on its stack, where ASan
# then complains about its own giving back of the signal stack.
export ASAN_OPTIONS=use_sigaltstack=0
export TSAN_OPTIONS="suppressions=$PWD/tests/tidy/tsan.supp"

must "packages" packages
must "gcc build" build build-gcc all -DCMAKE_C_COMPILER=gcc
if [ "$fast" = yes ]; then
    step "unit tests, cluster stories" ctests build-gcc '^(unit|cluster)$'
    step "tidiness" tests/tidy/tidy.sh
    step "purity" tests/tidy/purity.sh build-gcc
    step "documents" documents build-gcc
    finish
fi
step "tidiness" tests/tidy/tidy.sh
step "purity" tests/tidy/purity.sh build-gcc
step "documents" documents build-gcc
step "unit tests, cluster stories, simulation" \
    ctests build-gcc '^(unit|cluster|sim)$'
step "fuzz corpus" ctests build-gcc '^fuzz$'
step "stock session stores" clients
step "end to end" e2e build-gcc --jobs 3
step "answers beside those of Redis" differential
step "the quickstart" quickstart
step "partition policies on real processes" policies

# What is built with sanitizers is what is run with them: clang alone has
# compiled all.
beside "faults on real processes" chaos
must "clang build" build build-clang all -DCMAKE_C_COMPILER=clang
step "purity as clang builds" tests/tidy/purity.sh build-clang
step "instructions per operation" tests/bench/budgets.py
must "build with ASan and UBSan" build build-asan \
    "holdfastd holdfast unit_tests cluster_tests fuzz_tests sim" \
    -DCMAKE_C_COMPILER=clang -DHF_SANITIZE=address,undefined
must "build with TSan" build build-tsan "holdfastd holdfast unit_tests" \
    -DCMAKE_C_COMPILER=clang -DHF_SANITIZE=thread
joined

step "mechanisms broken on purpose" mutations
step "tests with ASan and UBSan" asan_tests
step "simulation with ASan and UBSan" asan_sim
step "end to end with ASan and UBSan" asan_e2e
step "unit tests with TSan" tsan_tests
step "end to end with TSan" tsan_e2e
finish
