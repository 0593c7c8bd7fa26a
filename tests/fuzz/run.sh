#!/usr/bin/env bash
# run.sh TARGET SECONDS [LIBFUZZER OPTION]... - Fuzzes with ASan and UBSan.
#
# TARGET is resp, peer, link, config, node or script_text. What is found goes to
# build-fuzz/found/TARGET, to go on from there; inputs that crash to
# build-fuzz/crash-TARGET-*. Put a crasher into corpus/TARGET before you fix
# it. --merge instead of SECONDS takes into corpus/TARGET what reaches more
# than the files there do.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

usage="usage: tests/fuzz/run.sh TARGET SECONDS|--merge [LIBFUZZER OPTION]..."
[ "$#" -ge 2 ] || { echo "$usage" >&2 && exit 2; }
target=$1
length=$2
shift 2
[ -f "$here/${target}_fuzz.c" ] || { echo "$usage" >&2 && exit 2; }

cmake -S . -B build-fuzz -G Ninja -DCMAKE_C_COMPILER=clang \
    -DCMAKE_BUILD_TYPE=RelWithDebInfo -DHF_FUZZER=ON \
    -DHF_SANITIZE=address,undefined >/dev/null
ninja -C build-fuzz -j 2 --quiet "fuzz_$target"

# A sanitizer's shadow memory has a fixed place, which a kernel that
# randomizes much may have taken.
plainly=()
if setarch "$(uname -m)" -R true 2>/dev/null; then
    plainly=(setarch "$(uname -m)" -R)
fi

# Longer inputs find no more and take their time.
declare -A length_max=([resp]=256 [peer]=4096 [link]=1024 [config]=2048
    [node]=384 [script_text]=384)
# What freed memory is kept for and how runs are weighed takes half of the time
# of a script that is worth thousands of allocations.
export ASAN_OPTIONS=use_sigaltstack=0:quarantine_size_mb=16
ASAN_OPTIONS+=:malloc_context_size=4
found=build-fuzz/found/$target
mkdir -p "$found"
options=(-entropic=0 "-max_len=${length_max[$target]:-4096}" -timeout=60
    -rss_limit_mb=3000 "-artifact_prefix=build-fuzz/crash-$target-")
if [ "$length" = --merge ]; then
    options+=(-set_cover_merge=1 -use_counters=0 "$@"
        "$here/corpus/$target" "$found")
else
    options+=("-max_total_time=$length" -print_final_stats=1 "$@"
        "$found" "$here/corpus/$target")
fi
exec "${plainly[@]}" "build-fuzz/tests/fuzz_$target" "${options[@]}"
