#!/usr/bin/env python3
"""rules.py - The rules of the house that are about text; see tidy.sh.

Prints one line per offence, and exits 1 if there was any. Each run starts by
checking that every rule finds what it should.
"""

import os
import re
import sys

ROOT = os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
)

COLUMNS_MAX = 80
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 800

# A folder may include from itself and from those to its left.
LAYERS = ["base", "core", "script", "wire", "io", "server"]

BANNED = (
    "strcpy strcat stpcpy sprintf vsprintf gets atoi atol atoll atof strtok"
    " strdup strndup alloca rand srand random srandom system popen tmpnam"
    " tempnam mktemp localtime gmtime ctime asctime sscanf fscanf scanf"
    " setjmp longjmp signal sleep usleep"
).split()
BANNED_IN_TESTS = "gets atoi atol atoll atof rand srand sleep usleep".split()
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")
LINK = re.compile(r"\]\(([^)\s]+)\)")
SKIPPED_FOLDERS = {".git", "node_modules", "__pycache__"}
TEXT_ENDINGS = (".c", ".h", ".py", ".sh", ".js", ".mjs", ".cmake", ".conf")


def files():
    """Every file of the project, as a path relative to its root."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(
            f
            for f in folders
            if f not in SKIPPED_FOLDERS
            and not (folder == ROOT and re.match(r"build(-|$)", f))
        )
        for name in sorted(names):
            yield os.path.relpath(os.path.join(folder, name), ROOT)


def without_comments(text):
    """C text with comments, strings and characters blanked, lines kept."""

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))

    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, blank, text, flags=re.S)


def check_text(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > COLUMNS_MAX and "://" not in line:
            yield number, "%d columns" % len(line)
        if line != line.rstrip():
            yield number, "space at the end of the line"
        if "\t" in line:
            yield number, "a tab"
        if UNFINISHED.search(line):
            yield number, "something unfinished"
    if text.count("\n") > FILE_LINES_MAX:
        yield 1, "%d lines in one file" % text.count("\n")
    if text and not text.endswith("\n"):
        yield text.count("\n") + 1, "no end of line at the end"


def check_functions(path, text):
    lines = without_comments(text).split("\n")
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
            while start > 1 and re.match(r"[^\s#}].*|\s+\S", lines[start - 2]):
                if lines[start - 2].rstrip().endswith((";", "}")):
                    break
                start -= 1
        elif line.startswith("}") and start is not None:
            if number - start + 1 > FUNCTION_LINES_MAX:
                yield start, "a function of %d lines" % (number - start + 1)
            start = None


def check_calls(path, text):
    names = BANNED_IN_TESTS if path.startswith("tests") else BANNED
    pattern = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(names))
    for number, line in enumerate(without_comments(text).split("\n"), 1):
        found = pattern.search(line)
        if found:
            yield number, "%s is banned" % found.group(1)


def check_includes(path, text):
    parts = path.split(os.sep)
    if parts[0] != "src" or parts[1] not in LAYERS:
        return
    allowed = LAYERS[: LAYERS.index(parts[1]) + 1] + ["holdfast"]
    pattern = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
    for number, line in enumerate(text.split("\n"), 1):
        found = pattern.match(line)
        if found and found.group(1).split("/")[0] not in allowed:
            yield number, "%s may not include %s" % (parts[1], found.group(1))


def check_header(path, text):
    name = os.path.basename(path)
    if not text.startswith("/* %s - " % name):
        yield 1, 'does not start with "/* %s - "' % name


def check_links(path, text):
    folder = os.path.dirname(os.path.join(ROOT, path))
    for number, line in enumerate(text.split("\n"), 1):
        for target in LINK.findall(line):
            if "://" in target or target.startswith(("#", "mailto:")):
                continue
            if not os.path.exists(os.path.join(folder, target.split("#")[0])):
                yield number, "no file %s" % target


def check_prose(path, text):
    """Lines of documents that can be wrapped: no tables, links or code."""
    code = False
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("```"):
            code = not code
        free = code or line.startswith(("|", "    ", "#"))
        if len(line) > COLUMNS_MAX and not free and not LINK.search(line):
            yield number, "%d columns" % len(line)


def checks_for(path):
    name = os.path.basename(path)
    if path.endswith((".c", ".h")):
        yield check_functions
        yield check_calls
        yield check_includes
    if path.endswith(".h"):
        yield check_header
    if path.endswith(".md"):
        yield check_links
        yield check_prose
    if path.endswith(TEXT_ENDINGS) or name == "CMakeLists.txt":
        yield check_text


def offences():
    for path in files():
        with open(os.path.join(ROOT, path), "rb") as file:
            text = file.read().decode("utf-8", "replace")
        for check in checks_for(path):
            for number, what in check(path, text):
                yield "%s:%d: %s" % (path, number, what)


SELF_TESTS = [
    (check_text, "a.c", "x" * 81 + "\n"),
    (check_text, "a.c", "x \n"),
    (check_text, "a.c", "/* TO" + "DO: later */\n"),
    (check_text, "a.c", "\n" * 801),
    (check_text, "a.c", "no end"),
    (check_functions, "a.c", "int f(void)\n{\n" + "x;\n" * 68 + "}\n"),
    (check_functions, "a.c", "int f(a,\n    b)\n{\n" + "x;\n" * 67 + "}\n"),
    (check_calls, "a.c", "    n = atoi(text);\n"),
    (check_calls, "a.c", "    strcpy(to, from);\n"),
    (check_calls, "tests/unit/a_test.c", "    usleep(1);\n"),
    (check_includes, "src/core/a.c", '#include "io/clients.h"\n'),
    (check_includes, "src/base/a.c", '#include "core/view.h"\n'),
    (check_header, "src/core/view.h", "/* A header. */\n"),
    (check_links, "README.md", "see [this](no/such/file.md)\n"),
    (check_prose, "README.md", "word " * 16 + "x\n"),
]
SELF_TESTS_CLEAN = [
    (check_functions, "a.c", "int f(void)\n{\n" + "x;\n" * 67 + "}\n"),
    (check_calls, "a.c", "/* atoi(x) */ hf_gets(x); s->system(1);\n"),
    (check_includes, "src/wire/a.c", '#include "core/view.h"\n'),
    (check_header, "src/core/view.h", "/* view.h - Who. */\n"),
    (check_prose, "README.md", "| " + "word " * 16 + "|\n"),
    (check_prose, "README.md", "```\n" + "word " * 17 + "\n```\n"),
]


def self_test():
    for check, path, text in SELF_TESTS:
        if not list(check(path, text)):
            print("rules.py: %s finds nothing" % check.__name__)
            return 1
    for check, path, text in SELF_TESTS_CLEAN:
        if list(check(path, text)):
            print("rules.py: %s finds too much" % check.__name__)
            return 1
    return 0


def main():
    if self_test() != 0:
        return 1
    found = 0
    for line in offences():
        print("tidy: " + line)
        found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
