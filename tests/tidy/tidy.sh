#!/usr/bin/env bash
# tidy.sh - The rules of the house that a compiler does not check: format,
# shell scripts, direction of includes, sizes of lines, functions and files,
# banned calls, first lines of headers, links and lines of the documents.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

failed=0

mapfile -t sources < <(
    find src include tests deploy -name node_modules -prune -o \
        -type f \( -name '*.c' -o -name '*.h' \) -print | sort)

if ! clang-format --dry-run -Werror "${sources[@]}"; then
    echo "tidy: clang-format -i the files named above"
    failed=1
fi

mapfile -t scripts < <(
    find tests deploy -name node_modules -prune -o \
        -type f -name '*.sh' -print | sort)
shellcheck -S warning "${scripts[@]}" || failed=1

python3 tests/tidy/rules.py || failed=1

exit "$failed"
