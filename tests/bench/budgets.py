#!/usr/bin/env python3
"""budgets.py [--renew] - Whether operations cost more instructions than they
used to.

Builds tests/bench/micro.c as released, in build-bench, runs it under callgrind
and compares instructions per operation with budgets.txt. Over 5 % above its
budget fails: find out why, or, if it is worth it, renew the budgets and say so
in the commit. Instructions are counted, not timed: the same program gives the
same numbers however busy the machine is. --renew writes what was counted to
budgets.txt.

Exit code: 0, 1 over budget, 77 where budgets do not apply (another processor).
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, "build-bench")
BUDGETS = os.path.join(HERE, "budgets.txt")
TOLERANCE = 0.05
HEAD = """\
# Instructions per operation of tests/bench/micro.c on x86-64, built by gcc of
# Debian 12 as released. Written by: tests/bench/budgets.py --renew
"""
# What the C library picks by processor must not depend on the machine.
TUNABLES = (
    "glibc.cpu.hwcaps=-AVX_Fast_Unaligned_Load,-AVX2,-AVX512F,-AVX512VL,"
    "-ERMS,-FSRM"
)


def build():
    commands = (
        ["cmake", "-S", ROOT, "-B", BUILD, "-G", "Ninja"]
        + ["-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_C_COMPILER=gcc"],
        ["ninja", "-C", BUILD, "-j", "2", "micro"],
    )
    for command in commands:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode != 0:
            sys.exit(done.stdout.decode())
    # CMake forgets what it was told when the compiler is another than before.
    with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as file:
        if not re.search("^CMAKE_BUILD_TYPE:.*=Release$", file.read(), re.M):
            sys.exit("budgets.py: build-bench is no release: remove it")


def run(directory):
    """Runs micro: {name: operations}, and the text that callgrind wrote."""
    out = os.path.join(directory, "callgrind.out")
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out]
    command += ["--toggle-collect=bench_*", "--compress-strings=no"]
    command += ["--compress-pos=no", os.path.join(BUILD, "tests", "micro")]
    plainly = ["setarch", platform.machine(), "-R"]
    if subprocess.run(plainly + ["true"], check=False).returncode == 0:
        command = plainly + command
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "GLIBC_TUNABLES": TUNABLES},
        check=False,
    )
    if done.returncode != 0:
        sys.exit(done.stderr.decode())
    operations = {}
    for line in done.stdout.decode().splitlines():
        name, count = line.split()
        operations[name] = int(count)
    with open(out, encoding="utf-8") as file:
        return operations, file.read()


def count(operations, text):
    """{name: instructions per operation}. The line after "calls=" has the
    cost of the call with all that was called from there."""
    calls = re.findall(
        r"^cfn=bench_(\w+)\ncalls=.*\n\S+ (\d+)$", text, re.M
    )
    counted = {}
    for name, cost in calls:
        counted[name] = counted.get(name, 0) + int(cost)
    if sorted(counted) != sorted(operations):
        sys.exit("budgets.py: callgrind did not see all of %s but %s" % (
            sorted(operations), sorted(counted)))
    return {name: counted[name] / operations[name] for name in operations}


def read_budgets():
    budgets = {}
    with open(BUDGETS, encoding="ascii") as file:
        for line in file:
            if not line.startswith("#"):
                name, budget = line.split()
                budgets[name] = int(budget)
    return budgets


def write_budgets(counted):
    with open(BUDGETS, "w", encoding="ascii") as file:
        file.write(HEAD)
        for name, cost in counted.items():
            file.write("%-20s %8.0f\n" % (name, cost))


def compare(counted, budgets):
    """Prints a line for each; the number of those that fail."""
    failed = 0
    for name in dict.fromkeys(list(counted) + list(budgets)):
        if name not in counted or name not in budgets:
            where = "micro" if name in budgets else "budgets.txt"
            print("%-20s is not in %s" % (name, where))
            failed += 1
            continue
        change = counted[name] / budgets[name] - 1
        verdict = ""
        if change > TOLERANCE:
            verdict = "  OVER BUDGET"
            failed += 1
        elif change < -TOLERANCE:
            verdict = "  cheaper: renew"
        print("%-20s %8.0f of %8d  %+6.1f %%%s" % (
            name, counted[name], budgets[name], 100 * change, verdict))
    return failed


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--renew", action="store_true",
                        help="write what was counted to budgets.txt")
    options = parser.parse_args()
    if platform.machine() != "x86_64":
        print("budgets.py: the budgets are of x86-64")
        return 77
    build()
    with tempfile.TemporaryDirectory() as directory:
        counted = count(*run(directory))
    if options.renew:
        write_budgets(counted)
    budgets = read_budgets()
    failed = compare(counted, budgets)
    if failed:
        print("%d of %d over budget or without one. When that is as it should "
              "be: tests/bench/budgets.py --renew" % (failed, len(counted)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
