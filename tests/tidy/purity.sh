#!/usr/bin/env bash
# purity.sh BUILD - What the pure layers may link, and that they keep no state.
#
# core and wire know no clock, socket, thread, allocator or format function:
# all they may need from outside is memory and string functions, each other
# and base. Neither they nor base may have variables that outlive a call.
set -euo pipefail
export LC_ALL=C

if [ $# -ne 1 ]; then
    echo "usage: purity.sh BUILD" >&2
    exit 2
fi
build=$1
failed=0

if grep -qx 'CMAKE_BUILD_TYPE:.*=Release' "$build/CMakeCache.txt"; then
    echo "purity: $build is a Release build, whose objects nm cannot read;" \
        "another is needed: -DCMAKE_BUILD_TYPE=RelWithDebInfo" >&2
    exit 2
fi
for program in holdfastd holdfast tests/sim_mutable; do
    if [ ! -x "$build/$program" ]; then
        echo "purity: $build/$program is not there: ninja -C $build" >&2
        exit 2
    fi
done

# The last ones belong to the compiler.
allowed='^(mem[a-z]+|str[a-z]+|bcmp|__popcountdi2'
allowed+='|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_)$'

# foreign NAME LIBRARY...: what hf_NAME needs and neither it nor those have.
foreign() {
    local wanted=$1 library libraries=()
    for library in "$@"; do
        libraries+=("$build/libhf_$library.a")
    done
    nm -u "$build/libhf_$wanted.a" | awk '$1 == "U" { print $2 }' | sort -u |
        comm -23 - <(nm --defined-only "${libraries[@]}" |
            awk 'NF == 3 { print $3 }' | sort -u) |
        grep -Ev "$allowed" | tr '\n' ' ' || true
}

# expect_pure NAME LIBRARY...
expect_pure() {
    local needs
    needs=$(foreign "$@")
    if [ -n "$needs" ]; then
        echo "purity: hf_$1 needs: $needs"
        failed=1
    fi
}

expect_pure core base
expect_pure wire core base

# script needs Lua besides, and two functions that round and write numbers.
allowed+='|^(lua_[a-z]+|luaL_[a-z]+|luaopen_[a-z]+|floor|snprintf)$'
expect_pure script core base

# The check itself must be able to fail: io is not pure.
if [ -z "$(foreign io wire core base)" ]; then
    echo "purity: finds nothing in hf_io, so it does not work"
    failed=1
fi

# Constants that hold addresses sit in .data.rel.ro, which nothing can write to
# once the program runs.
for name in base core script wire; do
    library=$build/libhf_$name.a
    state=$(objdump -t "$library" |
        awk '/ (\.(data|bss|tdata|tbss)[.a-z0-9_]*|\*COM\*)\t/ \
             && !/ \.data\.rel\.ro/ && $NF !~ /^\./ { print $NF }')
    if [ -n "$state" ]; then
        echo "purity: hf_$name keeps: $(echo "$state" | tr '\n' ' ')"
        failed=1
    fi
done

# mutable FILE...: symbols of the switches in them.
mutable() {
    nm -P "$@" | awk 'NF > 1 { print $1 }' | grep -i mutat | sort -u |
        tr '\n' ' ' || true
}

delivered=("$build"/libhf_*.a "$build"/holdfastd "$build"/holdfast)
if [ -n "$(mutable "${delivered[@]}")" ]; then
    echo "purity: what is delivered has: $(mutable "${delivered[@]}")"
    failed=1
fi
if [ -z "$(mutable "$build/tests/sim_mutable")" ]; then
    echo "purity: finds nothing in sim_mutable, so it does not work"
    failed=1
fi

exit "$failed"
