#!/usr/bin/env python3
"""count_ctest.py LOG - Counts the tests in ctest's LastTest.log.

A cmocka program counts as the tests it ran, any other program as one. Prints
"counted PASSED FAILED".
"""

import re
import sys

PASSED = re.compile(r"^\[  PASSED  \] (\d+) test", re.M)
FAILED = re.compile(r"^\[  FAILED  \] (\d+) test", re.M)


def main():
    with open(sys.argv[1], encoding="utf-8", errors="replace") as file:
        text = file.read()
    passed = failed = 0
    for part in re.split(r"^\d+/\d+ Testing: ", text, flags=re.M)[1:]:
        good = sum(int(n) for n in PASSED.findall(part))
        bad = sum(int(n) for n in FAILED.findall(part))
        if re.search(r"^Test Passed\.$", part, re.M):
            passed += max(good, 1)
        else:  # A crash has no summary of its own.
            passed += good
            failed += max(bad, 1)
    print("counted %d %d" % (passed, failed))


if __name__ == "__main__":
    main()
