"""cluster.py - Real holdfastd processes on loopback, for tests.

A Cluster owns a directory for logs and files, and the processes that it
started; it ends those, by their process ids, and nothing else. When a test
fails, the ends of the logs are printed and the directory is kept.

Environment: HOLDFAST_BUILD, the directory of the binaries (default: build
beside tests); HOLDFAST_PATIENCE, a factor for all deadlines (sanitizers);
HOLDFAST_PORTS, the first and the last port to use ("20000-31999").
"""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import resp

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(
    os.environ.get("HOLDFAST_BUILD", os.path.join(ROOT, "build"))
)
HOLDFASTD = os.path.join(BUILD, "holdfastd")
HOLDFAST = os.path.join(BUILD, "holdfast")
PATIENCE = float(os.environ.get("HOLDFAST_PATIENCE", "1"))

# Below the range that the kernel hands out for outgoing connections.
_first, _last = os.environ.get("HOLDFAST_PORTS", "20000-31999").split("-")
PORTS = range(int(_first), int(_last) + 1)

# What a log must never contain, whatever the test does.
ALARMS = re.compile(
    r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:"
    r"|Assertion|assertion failed",
)

_ports_given = set()


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(count=1):
    """A port of PORTS that nobody listens on, and not given before by this
    process; the first of @count such ports."""
    for _ in range(2000):
        at = random.SystemRandom().randrange(len(PORTS) - count + 1)
        first = PORTS[at]
        ports = range(first, first + count)
        if _ports_given.isdisjoint(ports) and all(map(_is_free, ports)):
            _ports_given.update(ports)
            return first
    raise AssertionError("no free port")


def connect(port, timeout=10):
    """A bare connection to one of a node's ports."""
    return socket.create_connection(("127.0.0.1", port), timeout * PATIENCE)


def until(condition, timeout, what):
    """Polls @condition until it is true and returns its value."""
    deadline = time.monotonic() + timeout * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("%s: not within %g s" % (what, timeout))
        time.sleep(0.03)


def status_of(port, *more):
    """`holdfast status --json` of a node: (exit code, object or None)."""
    done = subprocess.run(
        [HOLDFAST, "status", "--json", "--host", "127.0.0.1"]
        + ["--port", str(port)]
        + list(more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=20 * PATIENCE,
        check=False,
    )
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError:
        return done.returncode, None


class Node:
    """One holdfastd: its address stays, its process may come and go."""

    def __init__(self, directory, name, seeds=(), **settings):
        self.name = name
        self.port = settings.pop("port", None) or free_port()
        self.peer_port = settings.pop("peer_port", None) or free_port(
            settings.get("nodes", 1)
        )
        self.seeds = list(seeds)  # Nodes; read when it starts.
        self.settings = settings
        self.log_path = os.path.join(directory, name + ".log")
        self.process = None

    def command(self):
        words = [HOLDFASTD, "--name", self.name]
        words += ["--port", str(self.port)]
        words += ["--peer-port", str(self.peer_port)]
        if self.seeds:
            seeds = ["127.0.0.1:%d" % seed.peer_port for seed in self.seeds]
            words += ["--seeds", ",".join(seeds)]
        for setting, value in self.settings.items():
            words += ["--" + setting.replace("_", "-"), str(value)]
        return words

    def start(self, **options):
        """Starts the process and does not wait for it to answer."""
        assert self.process is None, "already running"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                **options
            )
        return self

    def answers(self):
        """Whether it answers a PING now."""
        try:
            with self.client(timeout=2) as client:
                return client.call("PING") == b"PONG"
        except OSError:
            return False

    def wait_answers(self, timeout=10):
        def ready():
            self.check_running()
            return self.answers()

        until(ready, timeout, "%s answers" % self.name)
        return self

    def check_running(self):
        if self.process is None or self.process.poll() is not None:
            raise AssertionError("%s ended by itself" % self.name)

    def client(self, timeout=10.0, **options):
        return resp.Client(self.port, timeout=timeout * PATIENCE, **options)

    def call(self, *arguments):
        with self.client() as client:
            return client.call(*arguments)

    def status(self, *more):
        return status_of(self.port, *more)

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """kill -9, and the process is gone when this returns."""
        self.process.kill()
        self.process.wait(20)
        self.process = None

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def terminate(self, timeout=15):
        """SIGTERM; the exit code."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        return self.wait_exit(timeout)

    def wait_exit(self, timeout=15):
        """Waits for the end that a signal asked for; the exit code."""
        try:
            code = self.process.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait(20)
            code = "did not end within %g s of SIGTERM" % timeout
        self.process = None
        return code

    def processes(self):
        """The ids of its process and, with --nodes, of those it started."""
        first = self.process.pid
        path = "/proc/%d/task/%d/children" % (first, first)
        with open(path, encoding="ascii") as f:
            return [first] + [int(word) for word in f.read().split()]

    def processor_seconds(self):
        """User and system time used since its start, by all of them."""
        ticks = 0
        for pid in self.processes():
            with open("/proc/%d/stat" % pid, encoding="ascii") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self):
        pages = 0
        for pid in self.processes():
            with open("/proc/%d/statm" % pid, encoding="ascii") as f:
                pages += int(f.read().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


class Cluster:
    """A number of nodes; every node has all of them as seeds."""

    def __init__(self, count=3, start=True, **settings):
        self.directory = tempfile.mkdtemp(prefix="holdfast-e2e-")
        self.settings = settings
        self.nodes = []
        for _ in range(count):
            self.add()
        for node in self.nodes:
            node.seeds = list(self.nodes)
        if start:
            self.start()

    def add(self, **settings):
        """One more node, not started, with the present ones as seeds."""
        merged = dict(self.settings)
        merged.update(settings)
        name = merged.pop("name", "node%d" % (len(self.nodes) + 1))
        node = Node(self.directory, name, self.nodes, **merged)
        self.nodes.append(node)
        return node

    def start(self, **options):
        for node in self.nodes:
            node.start(**options)
        self.wait_settled()

    def running(self):
        return [node for node in self.nodes if node.process is not None]

    def wait_settled(self, members=None, nodes=None, timeout=30):
        """Waits until every running node reports, by its exit code, that all
        copies are where they should be, with @members members alive."""
        nodes = nodes or self.running()
        members = members or len(nodes)
        last = {}

        def settled():
            for node in nodes:
                node.check_running()
                code, status = node.status()
                last["said"] = (node.name, code, status)
                if code != 0 or status is None:
                    return False
                if len(status["members"]) != members:
                    return False
            return True

        try:
            until(settled, timeout, "settled with %d members" % members)
        except AssertionError as error:
            raise AssertionError("%s; %s" % (error, last)) from None

    def tails(self, lines=25):
        for node in self.nodes:
            log = node.log().splitlines()[-lines:]
            print("--- end of %s" % node.log_path, file=sys.stderr)
            print("\n".join(log), file=sys.stderr)

    def close(self, failed=False):
        """Ends all processes. Complains about any that ended by itself, that
        does not end well on SIGTERM, or whose log shows an alarm."""
        wrong = []
        for node in self.nodes:
            if node.process is None:
                continue
            if node.process.poll() is not None:
                code = node.process.returncode
                wrong.append("%s ended by itself: %s" % (node.name, code))
                node.process = None
                continue
            code = node.terminate()
            if code != 0:
                wrong.append("%s on SIGTERM: %s" % (node.name, code))
        for node in self.nodes:
            alarm = ALARMS.search(node.log())
            if alarm:
                wrong.append("%s logged %s" % (node.name, alarm.group(0)))
        if failed or wrong:
            self.tails()
        else:
            shutil.rmtree(self.directory, ignore_errors=True)
        if wrong:
            raise AssertionError("; ".join(wrong))


class ClusterTest(unittest.TestCase):
    """A test that starts clusters with self.cluster(), closed at its end."""

    def cluster(self, count=3, start=True, **settings):
        cluster = Cluster(count, start=False, **settings)
        self._clusters().append(cluster)
        if start:
            cluster.start()
        return cluster

    def _clusters(self):
        if not hasattr(self, "_open"):
            self._open = []
        return self._open

    def run(self, result=None):
        """As unittest does; then closes what was opened, knowing whether the
        test failed."""
        method = getattr(self, self._testMethodName)

        def guarded():
            failed = True
            try:
                method()
                failed = False
            finally:
                self._close_all(failed)

        setattr(self, self._testMethodName, guarded)
        return super().run(result)

    def _close_all(self, failed):
        wrong = []
        for cluster in self._clusters():
            try:
                cluster.close(failed)
            except AssertionError as error:
                wrong.append(str(error))
        self._clusters().clear()
        if wrong and not failed:
            raise AssertionError("; ".join(wrong))
        for text in wrong:
            print(text, file=sys.stderr)

    def assert_report(self, report, refusals=0):
        print("    %s" % report.text(), file=sys.stderr)
        self.assertEqual(report.problems(refusals), [])


class SharedClusterTest(unittest.TestCase):
    """Tests that only talk to one cluster: it is started once for all."""

    SIZE = 3
    SETTINGS = {}

    @classmethod
    def setUpClass(cls):
        cls.shared = Cluster(cls.SIZE, start=False, **cls.SETTINGS)
        try:
            cls.shared.start()
        except BaseException:
            cls.shared.close(failed=True)
            raise

    @classmethod
    def tearDownClass(cls):
        cls.shared.close()

    @property
    def nodes(self):
        return self.shared.nodes


@contextlib.contextmanager
def deadline(seconds, what):
    """Fails the test when its block takes longer than @seconds."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    if took > seconds * PATIENCE:
        raise AssertionError("%s took %.2f s of %g" % (what, took, seconds))


def in_threads(functions):
    """Runs all at the same time; the first exception is raised again."""
    errors = []

    def guard(function):
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [
        threading.Thread(target=guard, args=(f,), daemon=True)
        for f in functions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60 * PATIENCE)
        if thread.is_alive():
            raise AssertionError("a thread did not end")
    if errors:
        raise errors[0]
