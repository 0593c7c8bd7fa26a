#!/usr/bin/env bash
# mutations.sh BUILD [--from SEED] [--limit N] [NAME...] - Does the simulator
# notice when a mechanism is broken?
#
# Runs sim_mutable with each switch of tests/sim/mutations.h (or with those
# named) until a seed fails, and prints how many it took and what noticed; as
# many of them at a time as there are processors, so the order is chance. Not
# noticed within the bound of the switch is a failure. --from and --limit take
# the place of the first seed and the bound in the list. Where a switch names
# stories, these must notice it, too (build stories_mutable first). One with the
# bound 0 and no stories does no harm, and is only run when --limit is given.
# Seeds have the policy majority, or what follows the stories in the list: a
# policy, and maybe more options of the simulator.
set -euo pipefail
export LC_ALL=C

usage="usage: mutations.sh BUILD [--from SEED] [--limit N] [NAME...]"
[ $# -ge 1 ] || { echo "$usage" >&2 && exit 2; }
build=$1/tests
sim=$build/sim_mutable
shift
from=
limit=
# Far fewer than a slow machine runs in the 600 s after which it counts as one
# that never ends.
at_once=500
names=" "
while [ $# -gt 0 ]; do
    case "$1" in
    --from) from=$2 && shift 2 ;;
    --limit) limit=$2 && shift 2 ;;
    -*) echo "$usage" >&2 && exit 2 ;;
    *) names+="$1 " && shift ;;
    esac
done

work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT

# What noticed, in a few words, out of $log and the exit code $1.
oracle() {
    local text
    text=$(sed -nE 's/^sim: seed [0-9]+ failed: //p' "$log" | head -n 1)
    if [ "$1" -eq 124 ]; then
        text="a step of a node never ends"
    elif [ -z "$text" ]; then
        text=$(grep -m 1 -i 'assert' "$log" || echo "it crashed with $1")
    fi
    echo "${text:0:100}"
}

# run NAME SEED COUNT: the exit code in $result, the seed that failed in $seed.
run() {
    result=0
    # shellcheck disable=SC2086 # It may be several words.
    timeout 600 "$sim" --policy $policy --mutate "$1" --seed "$2" \
        --seeds "$3" >"$log" 2>&1 ||
        result=$?
    if [ "$result" -eq 64 ]; then
        cat "$log" >&2
        return 2
    fi
    seed=$(sed -nE 's/^replay: .* --seed ([0-9]+) .*/\1/p' "$log" | tail -n 1)
}

# Whether $seed is fine when nothing is broken: else it proves nothing.
holds_unbroken() {
    # shellcheck disable=SC2086
    "$sim" --policy $policy --seed "$1" >/dev/null 2>&1
}

# check NAME FIRST BOUND
check() {
    local name=$1 first=$2 end=$(($2 + $3)) next=$2 count began=$SECONDS
    while [ "$next" -lt "$end" ]; do
        count=$((end - next < at_once ? end - next : at_once))
        run "$name" "$next" "$count"
        if [ "$result" -eq 0 ]; then
            next=$((next + count))
            continue
        fi
        if [ -z "$seed" ] || holds_unbroken "$seed"; then
            printf '%-24s %4d  seed %-6s %3d s  %s\n' "$name" \
                "$((${seed:-$first} - first + 1))" "${seed:-?}" \
                "$((SECONDS - began))" "$(oracle "$result")"
            return
        fi
        echo "mutations: seed $seed fails though nothing is broken"
        next=$((seed + 1))
    done
    printf '%-24s NOT NOTICED in %d seeds from %d, %d s\n' "$name" \
        "$((end - first))" "$first" "$((SECONDS - began))"
}

# check_story NAME STORY
check_story() {
    local text began=$SECONDS
    if HOLDFAST_MUTATE=$1 timeout 600 "$build/mutable_$2_test" \
        >"$log" 2>&1; then
        echo "$1 NOT NOTICED by the stories of $2"
        return
    fi
    text=$(sed -nE 's/^\[  FAILED  \] ([a-z_]+)$/\1/p' "$log" | head -n 1)
    printf '%-24s      %-11s %3d s  %s\n' "$1" "$2" "$((SECONDS - began))" \
        "${text:?the stories of $2 do not run}"
}

# examine NAME FIRST BOUND STORY: a line for each who should notice.
examine() {
    local name=$1 first=$2 bound=$3 story=$4
    local policy=majority log=$work/$name.log
    if [[ $story == *" "* ]]; then
        policy=${story#* } story=${story%% *}
    fi
    if [ -n "$limit" ] || [ "$bound" -gt 0 ]; then
        check "$name" "${from:-$first}" "${limit:-$bound}"
    fi
    if [ -z "$limit" ] && [ "$story" != - ]; then
        check_story "$name" "$story"
    fi
}

# The same, with all its lines at once.
tell() {
    examine "$@" >"$work/$1.said"
    cat "$work/$1.said"
}

printf '%-24s seeds needed, and what noticed\n' "switch"
children=()
while IFS=$'\t' read -r name first bound story _; do
    if [ "$names" != " " ] && [[ $names != *" $name "* ]]; then
        continue
    fi
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
        wait -n || true # How it ended is looked at below.
    done
    tell "$name" "$first" "$bound" "$story" &
    children+=("$!")
done < <("$sim" --list-mutations)
if [ "${#children[@]}" -eq 0 ]; then
    echo "mutations: no such switch; $sim --list-mutations" >&2
    exit 2
fi
for child in "${children[@]}"; do
    wait "$child" || exit 2
done
count=$(cat "$work"/*.said | grep -vc '^mutations: ' || true)
failed=$(cat "$work"/*.said | grep -c 'NOT NOTICED' || true)
echo "mutations: $((count - failed)) of $count noticed, $SECONDS s"
[ "$count" -gt 0 ] && [ "$failed" -eq 0 ]
