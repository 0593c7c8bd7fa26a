#!/usr/bin/env python3
"""run.py - Real processes on machines of their own, faults, and a judge.

Starts a cluster, one server per network namespace, lets clients work and write
down all they see, does the faults drawn from --seed for --seconds, heals
everything, waits until the cluster has settled, reads every key through every
server, and has the history judged (check_history). Prints the counts.

Exits 0 when all held, 1 when a promise was broken or the cluster did not
settle, and 77 where network namespaces cannot be made. With --server redis a
history that could not be is a result, not a failure.

The seed decides which faults and which commands are drawn. When they happen is
real time, and is not the same again: a replay is a similar run, not the same.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time

import namespaces

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
DEFAULT_FAULTS = "mix"
TABLE = ("kill", "stop0.5", "stop5", "stop15", "cut", "oneway", "rolling")
TABLE += ("mix",)


def parse(words):
    parser = argparse.ArgumentParser(
        description="Faults for real processes, and a judge; see the file."
    )
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--nodes", type=int, default=3, choices=(3, 4, 5))
    parser.add_argument("--faults", default=DEFAULT_FAULTS)
    parser.add_argument(
        "--server", choices=("holdfast", "redis", "both"), default="holdfast"
    )
    parser.add_argument(
        "--build",
        default=os.environ.get("HOLDFAST_BUILD", os.path.join(ROOT, "build")),
    )
    parser.add_argument(
        "--table",
        action="store_true",
        help="a run for each kind of fault, and a table of them",
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep the history and the logs"
    )
    options = parser.parse_args(words)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1, 10**6)
    return options


class Result:
    """What one run found."""

    def __init__(self, server, faults):
        self.server = server
        self.faults = faults
        self.problems = []
        self.counts = {}
        self.report = ""
        self.done = 0
        self.gap_client_ms = 0
        self.gap_all_ms = 0
        self.stall_ms = 0
        self.refused = 0
        self.silent = 0

    def text(self):
        counts = self.counts
        return (
            "%s, %s: %d faults, %d acknowledged writes and %d reads checked, "
            "%d lost (%d of them deletions), %d stale reads, %d expired early,"
            " %d late, %d other; longest gap of a client %.0f ms, of all "
            "%.0f ms (this machine stood still for up to %.0f ms); %d refused, "
            "%d without answer"
            % (
                *(self.server, self.faults, self.done),
                *(counts.get("acknowledged", 0), counts.get("reads", 0)),
                *(counts.get("lost", 0), counts.get("resurrected", 0)),
                *(counts.get("stale", 0), counts.get("early", 0)),
                *(counts.get("late", 0), counts.get("other", 0)),
                *(self.gap_client_ms, self.gap_all_ms, self.stall_ms),
                *(self.refused, self.silent),
            )
        )

    def row(self):
        counts = self.counts
        row = "| %s | %s | %d | %s | %d | %d | %d | %.2f s | %.2f s | %.2f s |"
        row += " %d |%s"
        return row % (
            *(self.faults, self.server, self.done),
            "{:,}".format(counts.get("acknowledged", 0)),
            *(counts.get("lost", 0), counts.get("stale", 0)),
            counts.get("late", 0) + counts.get("other", 0),
            *(self.gap_client_ms / 1000, self.gap_all_ms / 1000),
            self.stall_ms / 1000,
            self.refused + self.silent,
            " %s" % self.problems if self.problems else "",
        )


TABLE_HEAD = (
    "| fault | server | times | acknowledged writes checked | lost | "
    "stale reads | other | longest gap of a client | of all | of this "
    "machine | not answered |\n|---|---|---|---|---|---|---|---|---|---|---|"
)


class Run:
    """One cluster, its faults, and the judgement."""

    def __init__(self, options, server, faults, network):
        # Imported here: they look for the binaries when they are loaded.
        import servers

        self.options = options
        self.faults = faults
        self.network = network
        self.directory = tempfile.mkdtemp(prefix="holdfast-chaos-")
        kind = servers.KINDS[server]
        machines = network.machines[: kind.machines_for(options.nodes)]
        self.cluster = kind(self.directory, machines, **kind.ONE_HISTORY)
        self.result = Result(server, faults)
        self.workload = None

    def replay(self):
        return (
            "%s --seed %d --seconds %g --nodes %d --faults %s --server %s "
            "--build %s"
            % (
                *(sys.argv[0], self.options.seed, self.options.seconds),
                *(self.options.nodes, self.faults, self.cluster.name),
                self.options.build,
            )
        )

    def run(self):
        keep = True
        try:
            self._run()
            keep = self.options.keep
        except AssertionError as error:
            self.result.problems.append(str(error))
        except KeyboardInterrupt:
            keep = self.options.keep
            raise
        finally:
            self._end()
            if keep or self.result.problems:
                print("history and logs: %s" % self.directory)
            else:
                shutil.rmtree(self.directory, ignore_errors=True)
        if self.result.problems:
            print("FAILED: %s" % "; ".join(self.result.problems))
            print("replay, as far as time can be: %s" % self.replay())
        return self.result

    def _run(self):
        import faults
        import workload

        result = self.result
        rng = random.Random(self.options.seed)
        self.cluster.start()
        self.workload = workload.Workload(self.cluster, self.options.seed)
        self.workload.start()
        until = time.monotonic() + self.options.seconds
        names = self.faults.split(",")
        story = faults.Faults(self.workload, self.network, names, rng, until)
        try:
            story.run()
        except AssertionError as error:
            result.problems.append(str(error))
        self.workload.stop()
        result.done = story.done
        result.problems += self.workload.errors()
        if not result.problems:
            result.problems += self.workload.read_all()
        self._judge()

    def _judge(self):
        import workload

        result = self.result
        path = os.path.join(self.directory, "history.txt")
        self.workload.write(path, [self.replay()])
        result.gap_client_ms, result.gap_all_ms = self.workload.gaps_ms()
        result.stall_ms = self.workload.stalls.longest_ms
        result.refused = self.workload.count("refused")
        result.silent = self.workload.count("silence")
        program = os.path.join(self.options.build, "tests", "check_history")
        code, result.counts, result.report = workload.judge(program, path)
        if result.report:
            print(result.report)
        if code == 1 and self.cluster.name == "holdfast":
            result.problems.append("the history could not be")
        elif code not in (0, 1):
            result.problems.append("the checker ended: %d" % code)
        print(result.text(), flush=True)

    def _end(self):
        """Ends the servers, and says who ended by itself."""
        if self.workload is not None:
            self.workload.stopping.set()
        self.network.heal()
        self.result.problems += self.cluster.end()
        self.result.problems += self.cluster.alarms()


def interrupted(*_):
    raise KeyboardInterrupt


def main():
    options = parse(sys.argv[1:])
    namespaces.enter()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupted)
    os.environ["HOLDFAST_BUILD"] = os.path.abspath(options.build)
    sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
    import faults

    for name in options.faults.split(","):
        if not faults.known(name):
            print("run.py: no fault %s; %s" % (name, faults.__doc__))
            return 2
    servers = [options.server]
    if options.server == "both":
        servers = ["holdfast", "redis"]
    network = namespaces.Network(6 if "redis" in servers else options.nodes)
    print(
        "chaos: --seed %d --seconds %g --nodes %d --faults %s --server %s"
        % (
            *(options.seed, options.seconds, options.nodes),
            "each in turn" if options.table else options.faults,
            options.server,
        ),
        flush=True,
    )
    results = []
    for names in TABLE if options.table else (options.faults,):
        for server in servers:
            results.append(Run(options, server, names, network).run())
    if options.table:
        print(TABLE_HEAD)
        for result in results:
            print(result.row())
    failed = sum(bool(result.problems) for result in results)
    print("counted %d %d" % (len(results) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted")
        sys.exit(130)
