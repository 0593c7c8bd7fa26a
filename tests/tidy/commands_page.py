#!/usr/bin/env python3
"""commands_page.py - The tables of docs/COMMANDS.md, from the command table.

usage: commands_page.py COMMAND_ROWS [--write]

COMMAND_ROWS is the program of command_rows.c. Without --write, prints how the
page differs from what the table of commands says, and exits 1 if it does; with
it, brings the page up to date. What is between the markers of a section is
written by this program, everything else on the page by people.
"""

import difflib
import os
import re
import subprocess
import sys

PAGE = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "../../docs/COMMANDS.md"
)
MARKED = re.compile(
    r"(<!-- commands: (\w+) -->\n).*?(<!-- end of commands -->\n)", re.S
)
HEADER = (
    "| Command | Arity | Atomic | Differs from Redis |\n|---|---|---|---|\n"
)


def tables(program):
    """Section -> lines of its table."""
    lines = subprocess.run(
        [program], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    sections = {}
    for line in lines:
        section, name, arity, usage, atomic, note = line.split("\t")
        command = ("`%s` %s" % (name, usage)).strip()
        row = "| %s | %s | %s | %s |\n" % (command, arity, atomic, note)
        sections.setdefault(section, []).append(row)
    return sections


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--write"]):
        print(__doc__, file=sys.stderr)
        return 2
    sections = tables(sys.argv[1])
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    told = [match.group(2) for match in MARKED.finditer(page)]
    if sorted(told) != sorted(sections):
        print(
            "docs/COMMANDS.md has the sections %s, the table of commands %s"
            % (sorted(told), sorted(sections))
        )
        return 1
    made = MARKED.sub(
        lambda m: m.group(1)
        + "\n"
        + HEADER
        + "".join(sections[m.group(2)])
        + "\n"
        + m.group(3),
        page,
    )
    if "--write" in sys.argv:
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(made)
        return 0
    differences = list(
        difflib.unified_diff(
            page.splitlines(),
            made.splitlines(),
            "docs/COMMANDS.md",
            "what the table of commands says",
            n=0,
            lineterm="",
        )
    )
    for line in differences:
        print(line)
    if differences:
        print("commands_page.py COMMAND_ROWS --write brings it up to date")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
