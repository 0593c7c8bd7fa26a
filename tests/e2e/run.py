#!/usr/bin/env python3
"""run.py [NAME]... - Runs the end-to-end tests, all or those of test_NAME.py.

Prints a line per test with the seconds it took, and for check.sh a last line
"counted PASSED FAILED".
"""

import os
import sys
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
        return "%s.%s" % (type(test).__name__, test._testMethodName)


def main():
    if not os.access(cluster.HOLDFASTD, os.X_OK):
        print("run.py: no %s; HOLDFAST_BUILD?" % cluster.HOLDFASTD)
        return 2
    loader = unittest.TestLoader()
    suite = unittest.TestSuite()
    if len(sys.argv) > 1:
        for name in sys.argv[1:]:
            suite.addTests(loader.loadTestsFromName("test_" + name))
    else:
        here = os.path.dirname(os.path.abspath(__file__))
        suite.addTests(loader.discover(here))
    runner = unittest.TextTestRunner(verbosity=2, resultclass=Result)
    result = runner.run(suite)
    failed = len(result.failures) + len(result.errors)
    print("counted %d %d" % (max(result.testsRun - failed, 0), failed))
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
