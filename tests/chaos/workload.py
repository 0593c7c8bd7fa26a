"""workload.py - Clients that write down all they do.

Every client has one command under way at a time and notes it with the times it
began and ended, as tests/chaos/check_history.c reads them. Three kinds of keys:

    r  strings: SET of values that are never repeated, DEL, GET
    c  counters: INCR, GET
    x  strings that expire: one client writes each, SET and then PEXPIRE

The first clients are sticky: two for each server, which stay with it and mostly
read, so that a server that is cut off is asked all the time. They look for
stale answers. A stopped server that is about to go on gets more questions,
which it finds in its sockets when it wakes up (Probe). The other clients go
elsewhere after any trouble, and insist: they stay with the key until it is
answered, as somebody would whose session it is. Only of these are gaps
measured. (With Redis all clients know all servers.)

A key on which too much is unknown is left alone, and another takes its place;
otherwise the checker would have to try too many orders.
"""

import random
import subprocess
import threading
import time

import cluster as e2e
from resp import ReplyError, encode

STRINGS = 16
COUNTERS = 8
EXPIRING = 2  # For each client.
UNKNOWN_MAX = 3
THINK_S = 0.004
BACK_OFF_S = 0.02
STICKY = 2  # For each server.
ROAMING = 5
PROBES = 4  # Connections to a server that is about to wake up.
PROBE_S = 5.0
FINAL_S = 30  # In which every key must be answered at the end.


def now_us():
    return time.monotonic_ns() // 1000


class Key:
    """A place for keys of one kind, one after the other."""

    def __init__(self, kind, number, workload):
        self.kind = kind
        self.number = number
        self.workload = workload
        self.lock = threading.Lock()
        self.generation = 0
        self._renew()

    def _renew(self):
        self.unknown = 0
        self.generation += 1
        # All in one slot, or a client that insists would get elsewhere.
        self.name = "{%s:%d}%d" % (self.kind, self.number, self.generation)
        self.id = self.workload.name_key(self.name)

    def current(self):
        with self.lock:
            return self.id, self.name

    def note_unknown(self, key_id):
        with self.lock:
            if key_id == self.id:
                self.unknown += 1
                if self.kind == "x" or self.unknown >= UNKNOWN_MAX:
                    self._renew()


class Operation:
    """One line of the history."""

    __slots__ = (
        *("key", "kind", "value", "started", "ended"),
        *("outcome", "client", "node", "lifetime"),
    )

    def line(self, began):
        value = "nil" if self.value is None else self.value
        return "%d %s %s %d %d %s %d %d %d\n" % (
            *(self.key, self.kind, value),
            *(self.started - began, self.ended - began),
            *(self.outcome, self.client, self.node, self.lifetime),
        )


def take(operation, reply):
    """Notes the answer, which is not an error."""
    o = operation
    if o.kind == "get":
        o.value = None if reply is None else int(reply)
    elif o.kind == "incr":
        o.value = int(reply)
    elif o.kind == "expire" and reply == 0:
        # Says that there is no such session: a read of nothing.
        o.kind, o.value, o.lifetime = "get", None, 0
    elif o.kind == "set" and reply != b"OK":
        raise ValueError("SET answered %r" % reply)


class Probe(threading.Thread):
    """A GET or a SET of every string, sent at once to one server, which may
    answer when it can. Each command is an operation of its own."""

    def __init__(self, workload, number, server):
        super().__init__(daemon=True)
        self.workload = workload
        self.operations = []
        self.errors = []
        kind = "set" if number % 2 else "get"
        commands = []
        try:
            self.client = server.client(timeout=PROBE_S)
        except OSError:
            return
        for written, key in enumerate(workload.strings):
            o = Operation()
            o.key, name = key.current()
            o.kind, o.lifetime, o.value = kind, 0, None
            o.client, o.node, o.outcome = number, server.number, "silence"
            commands.append(["GET", name])
            if kind == "set":
                o.value = (number + 1) * 10**9 + written
                commands[-1] = ["SET", name, o.value]
            self.operations.append(o)
        for o in self.operations:
            o.started = o.ended = now_us()
        try:
            self.client.send_raw(b"".join(encode(*c) for c in commands))
        except OSError:
            self.client.close()
            return
        self.start()

    def run(self):
        try:
            for o in self.operations:
                reply = self.client.read()
                o.ended = now_us()
                o.outcome = "refused"
                if not isinstance(reply, ReplyError):
                    o.outcome = "ok"
                    take(o, reply)
        except OSError:
            pass  # The rest remains unanswered.
        except ValueError as error:
            self.errors.append("probe: %r" % error)
        finally:
            self.client.close()


class Client(threading.Thread):
    """One client. `operations` is its part of the history."""

    def __init__(self, workload, number, connection, sticky, seed):
        super().__init__(daemon=True)
        self.workload = workload
        self.number = number
        self.connection = connection
        self.sticky = sticky
        self.rng = random.Random(seed)
        self.operations = []
        self.errors = []
        self.written = 0
        self.insists = None
        self.reads = 0.8 if sticky else 0.5
        self.own = [
            Key("x", number * EXPIRING + i, workload) for i in range(EXPIRING)
        ]

    def run(self):
        try:
            while not self.workload.stopping.is_set():
                self._turn()
                time.sleep(self.rng.uniform(0, 2 * THINK_S))
        except Exception as error:  # A reply that makes no sense.
            self.errors.append("client %d: %r" % (self.number, error))
        finally:
            self.connection.close()

    def _turn(self):
        key = self.insists or self._pick()
        if key.kind == "c":
            answered = self._count(key)
        elif key.kind == "x":
            answered = self._expiring(key)
        else:
            answered = self._string(key)
        if not answered:
            self.insists = None if self.sticky else key
            time.sleep(BACK_OFF_S)
        else:
            self.insists = None

    def _pick(self):
        workload = self.workload
        draw = self.rng.random()
        if draw < 0.2:
            return self.rng.choice(workload.counters)
        if draw < 0.3:
            return self.rng.choice(self.own)
        if draw < 0.4:
            return self.rng.choice(self.rng.choice(workload.clients).own)
        # Some are asked for often, so that commands meet.
        return workload.strings[
            min(int(self.rng.expovariate(0.3)), len(workload.strings) - 1)
        ]

    def _new_value(self):
        self.written += 1
        return (self.number + 1) * 10**9 + self.written

    def _count(self, key):
        if self.rng.random() < self.reads:
            return self.do(key, "get") is not None
        return self.do(key, "incr") is not None

    def _string(self, key):
        if self.rng.random() < self.reads:
            return self.do(key, "get") is not None
        if self.rng.random() < 0.8:
            return self.do(key, "set", self._new_value()) is not None
        return self.do(key, "del") is not None

    def _expiring(self, key):
        if key not in self.own or self.rng.random() < 0.4:
            return self.do(key, "get") is not None
        value = self._new_value()
        before = key.id
        if self.do(key, "set", value) is None:
            return False
        if key.id != before or self.rng.random() < 0.1:
            return True
        lifetime = self.rng.choice((100, 500, 1500, 4000))
        return self.do(key, "expire", value, lifetime) is not None

    def do(self, key, kind, value=None, lifetime=0):
        """Returns the operation if it was answered, otherwise None."""
        key_id, name = key.current()
        words = {
            "get": ("GET", name),
            "set": ("SET", name, value),
            "del": ("DEL", name),
            "incr": ("INCR", name),
            "expire": ("PEXPIRE", name, lifetime),
        }[kind]
        o = Operation()
        o.key, o.kind, o.value, o.lifetime = key_id, kind, value, lifetime
        o.client, o.outcome = self.number, "ok"
        o.started = now_us()
        try:
            reply, o.node = self.connection.call(*words)
        except OSError:
            reply, o.node, o.outcome = None, self.connection.node(), "silence"
        o.ended = now_us()
        if isinstance(reply, ReplyError):
            o.outcome = "refused"
            self._take_error(reply)
        elif o.outcome == "ok":
            take(o, reply)
        self.operations.append(o)
        if o.outcome == "ok":
            return o
        if kind != "get":
            key.note_unknown(key_id)
        return None

    def _take_error(self, reply):
        first = reply.text.split(" ")[0]
        if first not in self.workload.refusals:
            raise ValueError("unexpected error %s" % reply.text)


REFUSALS = {
    "holdfast": ("CLUSTERDOWN",),
    "redis": tuple(
        "CLUSTERDOWN TRYAGAIN LOADING MASTERDOWN READONLY MOVED ASK".split()
    ),
}


class StallMeter(threading.Thread):
    """The longest time that this machine did not let a thread run that wanted
    to. No gap that is not longer says anything about the servers."""

    STEP_S = 0.01

    def __init__(self, stopping):
        super().__init__(daemon=True)
        self.stopping = stopping
        self.longest_ms = 0

    def run(self):
        while not self.stopping.is_set():
            began = now_us()
            time.sleep(self.STEP_S)
            late_ms = (now_us() - began) / 1000 - self.STEP_S * 1000
            self.longest_ms = max(self.longest_ms, late_ms)


class Workload:
    """All clients of a run, and what they saw."""

    def __init__(self, cluster, seed):
        self.cluster = cluster
        self.refusals = REFUSALS[cluster.name]
        self.stopping = threading.Event()
        self.names = []
        self.lock = threading.Lock()
        self.strings = [Key("r", i, self) for i in range(STRINGS)]
        self.counters = [Key("c", i, self) for i in range(COUNTERS)]
        self.clients = []
        count = len(cluster.servers)
        for number in range(STICKY * count + ROAMING):
            sticky = number < STICKY * count
            rng = random.Random("%s %d" % (seed, number))
            connection = cluster.connection(number, sticky, rng)
            self.clients.append(
                Client(self, number, connection, sticky, rng.random())
            )
        self.probes = []
        self.stalls = StallMeter(self.stopping)
        self.started = 0
        self.ended = 0

    def probe(self, server):
        """Puts questions into the sockets of a stopped server."""
        for _ in range(PROBES):
            # Their numbers follow those of the clients.
            number = len(self.clients) + len(self.probes)
            self.probes.append(Probe(self, number, server))

    def name_key(self, name):
        with self.lock:
            self.names.append(name)
            return len(self.names) - 1

    def start(self):
        self.started = now_us()
        self.stalls.start()
        for client in self.clients:
            client.start()

    def stop(self):
        self.ended = now_us()
        self.stopping.set()
        for client in self.clients + self.probes:
            if client.ident is not None:  # It was started.
                client.join(30)

    def errors(self):
        everybody = self.clients + self.probes
        return [error for client in everybody for error in client.errors]

    def read_all(self):
        """At the end, when all is in place: every key is read through every
        server. Returns what went wrong."""
        for number, server in enumerate(self.cluster.servers):
            reader = self.clients[0]
            rng = random.Random(number)
            reader.connection = self.cluster.connection(number, True, rng)
            for key_id, name in enumerate(list(self.names)):
                key = _Fixed(key_id, name)
                deadline = time.monotonic() + FINAL_S * e2e.PATIENCE
                while reader.do(key, "get") is None:
                    if time.monotonic() > deadline:
                        text = "%s does not answer for %s"
                        return [text % (server.name, name)]
                    time.sleep(BACK_OFF_S)
            reader.connection.close()
        return []

    def operations(self):
        everything = []
        for client in self.clients + self.probes:
            everything += client.operations
        everything.sort(key=lambda o: o.started)
        return everything

    def write(self, path, remarks):
        with open(path, "w", encoding="ascii") as file:
            for remark in remarks:
                file.write("# %s\n" % remark)
            for key_id, name in enumerate(self.names):
                file.write("# key %d is %s\n" % (key_id, name))
            for operation in self.operations():
                file.write(operation.line(self.started))

    def gaps_ms(self):
        """The longest times without an answer: of one client that goes
        elsewhere, and of all clients together."""
        everybody = []
        worst = 0
        for client in self.clients:
            ends = [o.ended for o in client.operations if o.outcome == "ok"]
            ends = [end for end in ends if end <= self.ended]
            everybody += ends
            if not client.sticky:
                worst = max(worst, self._gap(ends))
        return worst / 1000, self._gap(sorted(everybody)) / 1000

    def _gap(self, ends):
        times = [self.started] + ends + [self.ended]
        return max(b - a for a, b in zip(times, times[1:]))

    def count(self, outcome):
        """Of the clients that go elsewhere: the others ask in vain for as
        long as their server is away."""
        return sum(
            o.outcome == outcome
            for client in self.clients
            if not client.sticky
            for o in client.operations
        )


class _Fixed:
    """A key that was used, as it was then."""

    kind = "r"

    def __init__(self, key_id, name):
        self.id = key_id
        self.name = name

    def current(self):
        return self.id, self.name

    def note_unknown(self, key_id):
        pass


def judge(program, path):
    """Runs the checker: (exit code, counts, report)."""
    done = subprocess.run(
        [program, path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    counts, report = {}, []
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        words = line.split()
        if len(words) == 2 and words[1].isdigit():
            counts[words[0]] = int(words[1])
        else:
            report.append(line)
    return done.returncode, counts, "\n".join(report)
