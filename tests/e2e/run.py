#!/usr/bin/env python3
"""run.py [--jobs N] [NAME]... - Runs the end-to-end tests, all or those of
test_NAME.py.

Prints a line per test with the seconds it took, and for check.sh a last line
"counted PASSED FAILED". With --jobs, N files run at a time, as most tests
mostly wait; what each printed comes when it is done. Those in ALONE measure
times or load the machine: they run after all others, one by one.
"""

import argparse
import glob
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
import cluster


class Result(unittest.TextTestResult):
    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.stream.writeln("    %.1f s" % (time.monotonic() - self.began))

    def getDescription(self, test):
        if not isinstance(test, unittest.TestCase):
            return str(test)  # A class that could not be set up.
        return "%s.%s" % (type(test).__name__, test._testMethodName)


ALONE = ("failover", "flood", "leave", "load", "smoke")
LONGEST = ("surface", "membership")  # First, so as not to be awaited.


def run_here(names):
    """Runs the tests of these in this process: (passed, failed)."""
    loader = unittest.TestLoader()
    suite = loader.loadTestsFromNames("test_" + name for name in names)
    runner = unittest.TextTestRunner(verbosity=2, resultclass=Result)
    result = runner.run(suite)
    failed = len(result.failures) + len(result.errors)
    if result.testsRun == 0 and failed == 0:
        failed = 1  # Nothing is no success.
    return max(result.testsRun - failed, 0), failed


class File:
    """The tests of a file, in a process of their own."""

    def __init__(self, name, ports):
        self.name = name
        self.began = time.monotonic()
        self.said = tempfile.TemporaryFile("w+", errors="replace")
        self.process = subprocess.Popen(
            [sys.executable, "-B", os.path.abspath(__file__), name],
            stdout=self.said,
            stderr=subprocess.STDOUT,
            env=dict(os.environ, HOLDFAST_PORTS=ports),
        )

    def finish(self):
        """Prints what it said, as it has ended: (passed, failed)."""
        took = time.monotonic() - self.began
        return self.show("%.0f s" % took, self.process.returncode)

    def show(self, how, code=1):
        self.said.seek(0)
        lines = self.said.read().splitlines()
        counts = [0, 1]
        if lines and lines[-1].startswith("counted "):
            counts = [int(word) for word in lines.pop().split()[1:]]
        if code != 0:
            counts[1] = max(counts[1], 1)
            how += ", FAILED"
        text = "\n".join(["", "test_%s.py: %s" % (self.name, how)] + lines)
        print(text, flush=True)
        return counts


def ports_of(job, jobs):
    """A part of the ports: while a node is restarted, nobody else may be given
    its port."""
    share = len(cluster.PORTS) // jobs
    mine = cluster.PORTS[job * share : (job + 1) * share]
    return "%d-%d" % (mine[0], mine[-1])


def run_files(names, jobs):
    """Runs each file in a process, @jobs at a time: (passed, failed)."""
    waiting = sorted(names, key=lambda name: name not in LONGEST)
    running = {}  # By job.
    counts = []

    def stop(*_):
        for file in running.values():
            file.show("not done")
        sys.exit(1)

    signal.signal(signal.SIGTERM, stop)
    while waiting or running:
        for job in range(jobs):
            if job in running and running[job].process.poll() is not None:
                counts.append(running.pop(job).finish())
            if job not in running and waiting:
                running[job] = File(waiting.pop(0), ports_of(job, jobs))
        time.sleep(0.05)
    return [sum(column) for column in zip((0, 0), *counts)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("names", metavar="NAME", nargs="*")
    options = parser.parse_args()
    if not os.access(cluster.HOLDFASTD, os.X_OK):
        print("run.py: no %s; HOLDFAST_BUILD?" % cluster.HOLDFASTD)
        return 2
    here = os.path.dirname(os.path.abspath(__file__))
    files = sorted(glob.glob(os.path.join(here, "test_*.py")))
    names = options.names or [
        os.path.basename(path)[len("test_") : -len(".py")] for path in files
    ]
    if options.jobs > 1:
        alone = [name for name in names if name.split(".")[0] in ALONE]
        together = [name for name in names if name not in alone]
        counts = run_files(together, options.jobs), run_files(alone, 1)
        passed, failed = [sum(column) for column in zip(*counts)]
    else:
        passed, failed = run_here(names)
    print("counted %d %d" % (passed, failed))
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
