#!/usr/bin/env bash
# docs.sh HOLDFASTD COMMAND_ROWS - Whether the documents say what the program
# says.
#
# The settings of README.md against --help (names, defaults, bounds), the
# tables of docs/COMMANDS.md against that of commands and its CLUSTERDOWN texts
# against those of the sources, and the tests and functions that
# docs/PROTOCOL.md names against those there are. Prints the differences.
set -euo pipefail
export LC_ALL=C

if [ $# -ne 2 ]; then
    echo "usage: docs.sh HOLDFASTD COMMAND_ROWS" >&2
    exit 2
fi
holdfastd=$(realpath "$1")
command_rows=$(realpath "$2")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
failed=0

# Both print lines "name|default|N to M", the last part only for numbers.
settings_of_program() {
    "$holdfastd" --help | sed -zE 's/\n {10,}/ /g' |
        sed -nE 's/^  --([a-z-]+) +(.*) \[(.*)\]$/\1|\3|\2/p' |
        sed -E 's/\|[^|]*\(([0-9]+ to [0-9]+)\)$/|\1/; t; s/\|[^|]*$/|/'
}
settings_of_readme() {
    sed -n '/^## Settings$/,/^## Limits$/p' README.md |
        sed -nE 's/^\| `--([a-z-]+)` \| ([^|]*) \| ([^|]*) \|.*/\1|\2|\3/p' |
        sed -E '/\|[0-9]+ to [0-9]+$/!s/\|[^|]*$/|/'
}

# Names of tests are sentences: at least two underscores. Some functions too.
names_mentioned() {
    grep -oE '`[a-z0-9]+(_[a-z0-9]+){2,}`' docs/PROTOCOL.md | tr -d '`' |
        sort -u
}
names_there_are() {
    grep -rhoEw '[a-z0-9]+(_[a-z0-9]+){2,}' src tests --include='*.[ch]' \
        --include='*.py' | sort -u
}

# Whole texts: literals that C joins are joined.
clusterdown_of_program() {
    find src -name '*.[ch]' -exec cat {} + | sed -z 's/"[[:space:]]*"//g' |
        grep -oE '"CLUSTERDOWN [^"]*"' | sed -E 's/^"CLUSTERDOWN |"$//g' |
        sort -u
}
clusterdown_of_page() {
    sed -n '/^## CLUSTERDOWN$/,/^## Strings$/p' docs/COMMANDS.md |
        sed -nE 's/^\| `([a-z][^`]*)` \|.*/\1/p' | sort -u
}

# compare WHAT LEFT RIGHT: two texts of lines, neither of them empty.
compare() {
    local what=$1 program=$2 document=$3
    if [ -z "$program" ] || [ -z "$document" ]; then
        echo "docs: $what: nothing to compare, so this check does not work"
        failed=1
    elif ! diff --label program --label document -U 0 \
        <(echo "$program") <(echo "$document"); then
        echo "docs: $what differ"
        failed=1
    fi
}

compare "the settings in README.md" \
    "$(settings_of_program)" "$(settings_of_readme)"
compare "the CLUSTERDOWN texts in docs/COMMANDS.md" \
    "$(clusterdown_of_program)" "$(clusterdown_of_page)"
python3 tests/tidy/commands_page.py "$command_rows" || failed=1
named=$(names_mentioned)
compare "the names in docs/PROTOCOL.md" \
    "$(comm -12 <(echo "$named") <(names_there_are))" "$named"

exit "$failed"
