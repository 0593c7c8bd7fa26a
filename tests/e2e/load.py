"""load.py - A checking client: load that remembers every promise it was given.

Many connections, one command in flight on each, one thread and one epoll for
all. Every key has one connection that writes it, with numbers that only rise,
and is read by all. So each answer can be judged at once:

    a write answered       the number becomes the least that reads may show
    a read answered        less than what was acknowledged before it began:
                           stale; less than what an earlier read showed:
                           gone backwards; more than was ever sent: invented

Three kinds of keys: strings (SET, GET), hashes (HSET, HGET) and counters
(INCR, GET). A counter's answer must be exactly one more than the last, so a
command carried out twice is noticed too.

A write that was refused or whose connection broke may or may not have
happened. Its key is only read from then on, and another takes its place.
"""

import contextlib
import errno
import os
import random
import select
import socket
import threading
import time

import resp

KINDS = ("string", "hash", "counter")
LATE_MS = 100


class Key:
    """What is known about one key."""

    def __init__(self, name, kind, padding):
        self.name = name
        self.kind = kind
        self.padding = padding
        self.sent = 0  # The highest number that was ever sent.
        self.acknowledged = 0
        self.seen = 0  # The highest number that a read showed.

    def write_command(self):
        self.sent += 1
        if self.kind == "counter":
            return resp.encode("INCR", self.name)
        value = b"%d|%s|%s" % (self.sent, self.name, self.padding)
        if self.kind == "hash":
            return resp.encode("HSET", self.name, "v", value)
        return resp.encode("SET", self.name, value, "EX", 3600)

    def read_command(self):
        if self.kind == "hash":
            return resp.encode("HGET", self.name, "v")
        return resp.encode("GET", self.name)

    def number_of(self, value):
        """The number in a value read; 0 for none, -1 for a foreign one."""
        if value is None:
            return 0
        try:
            if self.kind == "counter":
                return int(value)
            number, name, padding = value.split(b"|", 2)
            if name != self.name or padding != self.padding:
                return -1
            return int(number)
        except ValueError:
            return -1


class Report:
    """What a run found. `text` for people, `problems` for assertions."""

    def __init__(self):
        self.writes = 0  # Acknowledged.
        self.reads = 0
        self.lost = []
        self.stale = []
        self.backwards = []
        self.invented = []
        self.repeated = []
        self.errors = []
        self.refused = 0  # Answered with CLUSTERDOWN.
        self.dropped = 0  # Commands on connections to a node that went down.
        self.gap_ms = 0.0  # The longest wait for an answer.
        self.gap_what = ""
        self.trouble_end = 0.0  # When the last late or refused answer came.
        self.started = 0.0
        self.keys_checked = 0

    def problems(self, refusals=0):
        """What must not happen, as texts; up to @refusals are allowed."""
        found = []
        if self.refused > refusals:
            found.append("%d refused" % self.refused)
        for name in (
            "lost",
            "stale",
            "backwards",
            "invented",
            "repeated",
            "errors",
        ):
            items = getattr(self, name)
            if items:
                found.append("%d %s: %s" % (len(items), name, items[:5]))
        return found

    def text(self):
        return (
            "%d writes acknowledged, %d reads, %d keys checked at the end, "
            "%d lost, %d stale, %d errors, %d refused, "
            "longest gap %.0f ms (%s)"
            % (
                self.writes,
                self.reads,
                self.keys_checked,
                len(self.lost),
                len(self.stale) + len(self.backwards),
                len(self.errors),
                self.refused,
                self.gap_ms,
                self.gap_what,
            )
        )


class _Connection:
    def __init__(self, keys):
        self.keys = keys  # Those that it writes.
        self.address = None
        self.socket = None
        self.buffer = bytearray()
        self.key = None  # Of the command in flight.
        self.writing = False
        self.floor = 0
        self.began = 0.0


class Load:
    """Runs from start() to stop(); see the top of the file."""

    def __init__(self, ports, connections=16, keys=20, **options):
        """@connections spread over @ports in turn, @keys for each one.

        Options: value_bytes (200), seed, prefix, writes (share, 0.5),
        pause_s (think time between the rounds of the loop, 0)."""
        self.ports = list(ports)
        self.random = random.Random(options.get("seed", 1))
        self.write_share = options.get("writes", 0.5)
        self.pause_s = options.get("pause_s", 0.0)
        self.report = Report()
        self.keys = []
        self.down = set()
        self.lock = threading.Lock()
        self.stopping = False
        self.crash = None
        self.prefix = options.get("prefix", "load:%d:" % os.getpid())
        self.padding = b"x" * options.get("value_bytes", 200)
        self.connections = []
        for index in range(connections):
            own = [self._new_key(KINDS[n % len(KINDS)]) for n in range(keys)]
            connection = _Connection(own)
            connection.address = self.ports[index % len(self.ports)]
            self.connections.append(connection)
        self.epoll = select.epoll()
        self.by_number = {}
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _new_key(self, kind):
        name = "%s%d" % (self.prefix, len(self.keys))
        key = Key(name.encode(), kind, self.padding)
        self.keys.append(key)
        return key

    # For the test's own thread.

    def start(self):
        self.report.started = time.monotonic()
        for connection in self.connections:
            self._connect(connection)
        self.thread.start()
        return self

    @contextlib.contextmanager
    def taking_down(self, *ports):
        """Around the act that takes the nodes at @ports away: connections to
        them may break from here on, and nothing is asked of them after it."""
        with self.lock:
            self.down.update(ports)
            yield

    def expect_up(self, port):
        with self.lock:
            self.down.discard(port)

    def wait_writes(self, more, timeout=30.0):
        """Waits until @more writes were acknowledged after this call."""
        wanted = self.report.writes + more
        deadline = time.monotonic() + timeout
        while self.report.writes < wanted:
            if self.crash:
                raise self.crash
            if time.monotonic() > deadline:
                raise AssertionError(
                    "no progress under load: %s; %s"
                    % (self.report.text(), self.report.problems())
                )
            time.sleep(0.01)

    def reset_gap(self):
        self.report.gap_ms, self.report.gap_what = 0.0, ""

    def stop(self):
        self.stopping = True
        self.thread.join(30)
        if self.thread.is_alive():
            raise AssertionError("the load did not stop")
        self.epoll.close()
        for connection in self.connections:
            if connection.socket:
                connection.socket.close()
        if self.crash:
            raise self.crash
        return self.report

    def verify(self, port, timeout=10.0):
        """Reads every key at @port: the last acknowledged value or a later
        attempt must be there."""
        with resp.Client(port, timeout=timeout) as client:
            for start in range(0, len(self.keys), 100):
                part = self.keys[start : start + 100]
                client.send_raw(b"".join(k.read_command() for k in part))
                for key in part:
                    self._verify_one(key, client.read(), port)
        return self.report

    def _verify_one(self, key, value, port):
        self.report.keys_checked += 1
        if isinstance(value, resp.ReplyError):
            self.report.errors.append("%s: %s" % (key.name, value))
            return
        number = key.number_of(value)
        if number < 0 or number > key.sent:
            self.report.invented.append((key.name, value[:60], port))
        elif number < key.acknowledged:
            self.report.lost.append((key.name, number, key.acknowledged, port))
        elif number < key.seen:
            self.report.backwards.append((key.name, number, key.seen, port))

    # The load's thread.

    def _run(self):
        try:
            while not self.stopping:
                self._turn()
                if self.pause_s:
                    time.sleep(self.pause_s)
            self._drain()
        except Exception as error:  # Shown by the test's thread.
            self.crash = error

    def _drain(self):
        """Lets what is in flight be answered, for at most five seconds."""
        deadline = time.monotonic() + 5
        while any(c.key for c in self.connections):
            if time.monotonic() > deadline:
                for connection in self.connections:
                    if connection.key:
                        self.report.errors.append("never answered")
                        self._lose(connection)
                return
            self._turn(ask=False)

    def _turn(self, ask=True):
        for number, events in self.epoll.poll(0.02):
            connection = self.by_number.get(number)
            if connection:
                self._receive(connection)
        with self.lock:
            down = set(self.down)
        for connection in self.connections:
            if connection.socket is not None and connection.address in down:
                self.report.dropped += connection.key is not None
                self._lose(connection)
            if connection.socket is None and not self._move(connection, down):
                continue
            if connection.key is None and ask:
                self._ask(connection)

    def _move(self, connection, down):
        """Connects a lost connection to a node that should be up."""
        up = [port for port in self.ports if port not in down]
        if not up:
            return False
        if connection.address in down:
            connection.address = self.random.choice(up)
        return self._connect(connection)

    def _connect(self, connection):
        try:
            connection.socket = socket.create_connection(
                ("127.0.0.1", connection.address), 2
            )
        except OSError as error:
            self.report.errors.append("connect: %s" % error)
            return False
        connection.socket.setblocking(False)
        connection.socket.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )
        connection.buffer = bytearray()
        self.by_number[connection.socket.fileno()] = connection
        self.epoll.register(connection.socket, select.EPOLLIN)
        return True

    def _retire(self, connection, key):
        """Nobody knows whether the last write of @key happened."""
        fresh = self._new_key(key.kind)
        connection.keys[connection.keys.index(key)] = fresh

    def _lose(self, connection):
        if connection.key is not None and connection.writing:
            self._retire(connection, connection.key)
        connection.key = None
        if connection.socket is not None:
            del self.by_number[connection.socket.fileno()]
            self.epoll.unregister(connection.socket)
            connection.socket.close()
            connection.socket = None

    def _broken(self, connection, reason):
        with self.lock:  # So that a kill and its mark are one act.
            expected = connection.address in self.down
        if expected:
            self.report.dropped += connection.key is not None
        else:
            self.report.errors.append(
                "connection to %d: %s" % (connection.address, reason)
            )
        self._lose(connection)

    def _ask(self, connection):
        writing = self.random.random() < self.write_share
        key = self.random.choice(connection.keys if writing else self.keys)
        connection.key = key
        connection.writing = writing
        connection.floor = max(key.acknowledged, key.seen)
        data = key.write_command() if writing else key.read_command()
        connection.began = time.monotonic()
        try:
            sent = connection.socket.send(data)
            if sent < len(data):
                raise OSError(errno.ENOBUFS, "a short command did not fit")
        except OSError as error:
            self._broken(connection, error)

    def _receive(self, connection):
        try:
            data = connection.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            self._broken(connection, error)
            return
        if not data:
            self._broken(connection, "closed")
            return
        connection.buffer += data
        try:
            value, after = resp.parse(connection.buffer)
        except resp.Incomplete:
            return
        if after != len(connection.buffer) or connection.key is None:
            self.report.errors.append("an answer to nothing")
        connection.buffer = bytearray()
        self._answered(connection, value)

    def _answered(self, connection, value):
        now = time.monotonic()
        key, report = connection.key, self.report
        connection.key = None
        gap_ms = (now - connection.began) * 1000
        if gap_ms > report.gap_ms:
            report.gap_ms = gap_ms
            report.gap_what = "%s of a %s at port %d, began at %.2f s" % (
                "write" if connection.writing else "read",
                key.kind,
                connection.address,
                connection.began - report.started,
            )
        if gap_ms > LATE_MS:
            report.trouble_end = now
        if isinstance(value, resp.ReplyError):
            if str(value).startswith("CLUSTERDOWN"):
                report.refused += 1
                report.trouble_end = now
            else:
                report.errors.append(str(value))
            if connection.writing:
                self._retire(connection, key)
        elif connection.writing:
            self._write_answered(key, value)
        else:
            self._read_answered(connection, key, value)

    def _write_answered(self, key, value):
        if key.kind == "counter" and value != key.sent:
            self.report.repeated.append((key.name, key.sent, value))
            key.sent = max(key.sent, int(value))
        key.acknowledged = key.sent
        self.report.writes += 1

    def _read_answered(self, connection, key, value):
        report = self.report
        report.reads += 1
        number = key.number_of(value)
        if number < 0 or number > key.sent:
            report.invented.append((key.name, value[:60]))
            return
        if number < connection.floor:
            kind = report.stale if number < key.acknowledged else None
            entry = (key.name, number, connection.floor, connection.address)
            (report.backwards if kind is None else kind).append(entry)
        key.seen = max(key.seen, number)
