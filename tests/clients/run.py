#!/usr/bin/env python3
"""run.py [STACK]... - Runs stock session stores against a cluster of three.

Each stack is a program of this directory that does with its sessions what it
is told, a line at a time, through the unchanged libraries that applications
use. Two of them run at different nodes, one with a short time to live. What
they are told, and answer:

    create   value      the id of a new session
    read     id         the value, null if there is no such session
    touch    id         as a request does that changes nothing
    change   id value
    regenerate  id      the new id; the old one is gone
    destroy  id
    list, length, clear   of all sessions of this stack, if it can

Others of this directory are no session stores, but send the scripts of those
and of caches and locks beside them, or keep what they read. They are given the
ports of all nodes, and end with 0 when all answers were right.

Environment: as tests/e2e/cluster.py, whose clusters these are. A stack whose
interpreter is too old is skipped, and that is said.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

# pylint: disable=wrong-import-position
import cluster
from run import Result  # tests/e2e/run.py

TTL = 600
SHORT_TTL = 3
SESSIONS = 20
LISTED = 30
ANSWER_SECONDS = 20

# Debian's, for which its packages are.
PYTHON = "/usr/bin/python3"


def node(script, *more):
    return ["node", os.path.join("node", script)] + list(more)


def express(store, driver):
    return node("connect_redis.mjs", "connect-redis-%d" % store, driver)


def php(script, *more):
    return ["php", os.path.join("php", script)] + list(more)


def python(script, *more):
    return [PYTHON, os.path.join("python", script)] + list(more)


def ruby(script, *more):
    return ["ruby", os.path.join("ruby", script)] + list(more)


# Name: command, what it takes, what it cannot do.
STACKS = {
    "connect_redis_on_node_redis_3": express(6, "redis-3"),
    "connect_redis_on_node_redis_4": express(8, "redis-4"),
    "connect_redis_on_node_redis_5": express(9, "redis-5"),
    "connect_redis_on_node_redis_6": express(9, "redis-6"),
    "connect_redis_on_ioredis_4": express(6, "ioredis-4"),
    "connect_redis_on_ioredis_5": express(8, "ioredis-5"),
    "connect_redis_on_ioredis_6": express(8, "ioredis-6"),
    "connect_redis_7": express(7, "redis-4"),
    "connect_valkey_on_glide": node(
        "connect_redis.mjs", "connect-valkey", "@valkey/valkey-glide"
    ),
    "koa_session": node("koa.mjs"),
    "fastify_session": node("fastify.mjs"),
    "keyv": node("keyv.mjs"),
    "phpredis": php("phpredis.php", "plain"),
    "phpredis_with_locks": php("phpredis.php", "locking"),
    "phpredis_lazy_write": php("phpredis.php", "lazy"),
    "symfony_on_phpredis": php("symfony.php", "phpredis"),
    "symfony_on_predis": php("symfony.php", "predis"),
    "laravel_on_phpredis": php("laravel.php", "phpredis"),
    "laravel_on_predis": php("laravel.php", "predis"),
    "django_redis": python("django_sessions.py", "cache"),
    "django_redis_sessions": python("django_sessions.py", "redis_sessions"),
    "flask_session": python("flask_sessions.py"),
    "rack_session": ruby("rack_sessions.rb", "redis_rack"),
    "rails_cache_store": ruby("rack_sessions.rb", "rails"),
    "hiredis": [os.path.join(cluster.BUILD, "tests", "hiredis_store")],
}
OTHERS = {
    "laravel_cache_on_phpredis": php("laravel_cache.php", "phpredis"),
    "laravel_cache_on_predis": php("laravel_cache.php", "predis"),
    "django_cache": python("django_cache.py"),
    "scripts_on_ioredis_5": node("scripts.mjs", "ioredis-5"),
    "scripts_on_ioredis_6": node("scripts.mjs", "ioredis-6"),
    "scripts_on_node_redis_4": node("scripts.mjs", "redis-4"),
    "scripts_on_node_redis_5": node("scripts.mjs", "redis-5"),
    "scripts_on_node_redis_6": node("scripts.mjs", "redis-6"),
    "client_cache_of_node_redis_5": node("client_cache.mjs", "redis-5"),
    "client_cache_of_node_redis_6": node("client_cache.mjs", "redis-6"),
}
OTHERS_SECONDS = 30
LISTING = re.compile("connect_|keyv")
# Those whose reading touches what it reads, with the time to live of who reads.
ROLLING = re.compile("fastify|phpredis|laravel|flask|rack|rails")
NOT_REGENERATING = {"koa_session", "flask_session", "hiredis"}
NODE_20 = re.compile("redis_6$|glide$")


class Stack:
    """One process of a stack, connected to one node."""

    def __init__(self, name, port, ttl):
        self.name = name
        self.tabs = name == "hiredis"
        self.process = subprocess.Popen(
            STACKS[name] + [str(port), str(ttl)],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.lock = threading.Lock()

    def _line(self):
        """One line of it, or an error in time."""
        late = threading.Timer(
            ANSWER_SECONDS * cluster.PATIENCE, self.process.kill
        )
        late.start()
        try:
            line = self.process.stdout.readline().decode().rstrip("\n")
        finally:
            late.cancel()
        if not line:
            raise AssertionError(
                "%s ended, or said nothing for %d s"
                % (self.name, ANSWER_SECONDS)
            )
        return line

    def wait_ready(self):
        assert "ready" in self._line()
        return self

    def call(self, op, sid=None, value=None):
        with self.lock:
            if self.tabs:
                text = "" if value is None else json.dumps(value)
                asked = "%s\t%s\t%s\n" % (op, sid or "", text)
            else:
                step = {"op": op, "id": sid, "value": value}
                asked = json.dumps(step) + "\n"
            self.process.stdin.write(asked.encode())
            self.process.stdin.flush()
            line = self._line()
        if self.tabs:
            kind, text = line.split("\t", 1)
            result = text if op == "create" else json.loads(text or "null")
            answer = {kind: text if kind == "error" else result}
        else:
            answer = json.loads(line)
        if "error" in answer:
            raise AssertionError(
                "%s: %s: %s" % (self.name, op, answer["error"])
            )
        return answer["result"]

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10 * cluster.PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.process.stdout.close()


def node_major():
    done = subprocess.run(
        ["node", "--version"], stdout=subprocess.PIPE, check=True
    )
    return int(re.match(r"v(\d+)", done.stdout.decode()).group(1))


def chosen():
    """Names of the stacks to run, and why others are not."""
    asked = sys.argv[1:] or list(STACKS) + list(OTHERS)
    skipped = {}
    if node_major() < 20:
        why = "node %d is installed, its driver needs 20" % node_major()
        skipped = {name: why for name in asked if NODE_20.search(name)}
    return [name for name in asked if name not in skipped], skipped


class Stacks(unittest.TestCase):
    """Each stack through its whole life; then all while a node dies."""

    names = []

    @classmethod
    def setUpClass(cls):
        # What was started is ended also when the rest of this fails.
        cls.cluster = cluster.Cluster(3, start=False)
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()
        ports = [node.port for node in cls.cluster.nodes]
        cls.here = cls.stacks(ports[0], TTL)
        cls.there = cls.stacks(ports[1], TTL)
        cls.short = cls.stacks(ports[0], SHORT_TTL)
        for group in (cls.here, cls.there, cls.short):
            for stack in group.values():
                stack.wait_ready()

    @classmethod
    def stacks(cls, port, ttl):
        """A process of each, at the node with that port."""
        found = {}
        for name in cls.names:
            found[name] = Stack(name, port, ttl)
            cls.addClassCleanup(found[name].close)
        return found

    def live(self, name):
        here, there = self.here[name], self.there[name]
        first = {"user": "ann", "cart": [1, 2, 3]}
        second = {"user": "ann", "cart": [], "name": "\u00e4 \u20ac"}
        sid = here.call("create", value=first)
        self.assertEqual(here.call("read", sid), first)
        self.assertEqual(there.call("read", sid), first)
        there.call("touch", sid)
        self.assertEqual(here.call("read", sid), first)
        there.call("change", sid, second)
        self.assertEqual(here.call("read", sid), second)
        if name not in NOT_REGENERATING:
            old, sid = sid, there.call("regenerate", sid)
            self.assertNotEqual(old, sid)
            self.assertEqual(here.call("read", sid), second)
            self.assertIsNone(here.call("read", old))
        here.call("destroy", sid)
        self.assertIsNone(there.call("read", sid))
        self.assertIsNone(here.call("read", sid))

    def answer(self, name):
        ports = [str(node.port) for node in self.cluster.nodes]
        done = subprocess.run(
            OTHERS[name] + ports,
            cwd=HERE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=OTHERS_SECONDS * cluster.PATIENCE,
            check=False,
        )
        self.assertEqual((done.returncode, done.stdout.decode()), (0, ""))

    def expire(self, name):
        short, there = self.short[name], self.there[name]
        sid = short.call("create", value="short")
        time.sleep(2)
        began = time.monotonic()
        short.call("touch", sid)
        time.sleep(1.8)
        found = there.call("read", sid) if not ROLLING.search(name) else "short"
        if time.monotonic() - began < SHORT_TTL - 0.2:
            self.assertEqual(found, "short", name)
        time.sleep(SHORT_TTL + 1)
        self.assertIsNone(there.call("read", sid), name)

    def test_sessions_expire(self):
        cluster.in_threads(
            [lambda name=name: self.expire(name) for name in self.names]
        )

    def list_all(self, name):
        here, there = self.here[name], self.there[name]
        ids = {here.call("create", value=i) for i in range(LISTED)}
        listed = there.call("list")
        self.assertEqual(len(listed), len(set(listed)), "twice in a listing")
        self.assertLessEqual(ids, set(listed))
        if name != "keyv":
            self.assertEqual(there.call("length"), len(listed))
        there.call("clear")
        self.assertEqual(here.call("list"), [])
        self.assertIsNone(here.call("read", ids.pop()))

    def survive(self, name, killed, ended):
        """Sessions are read and changed at two nodes; nothing may go wrong
        while the third dies."""
        both = (self.here[name], self.there[name])
        values = {}
        for i in range(SESSIONS):
            value = {"visits": 0}
            values[both[i % 2].call("create", value=value)] = value
        ended["ready"].release()
        rounds_after = 0
        while rounds_after < 2:
            rounds_after += 1 if killed.is_set() else 0
            for i, sid in enumerate(values):
                found = both[i % 2].call("read", sid)
                self.assertEqual(found, values[sid], "%s: %s" % (name, sid))
                values[sid]["visits"] += 1
                both[(i + 1) % 2].call("change", sid, values[sid])
        for sid in values:
            both[0].call("destroy", sid)
            self.assertIsNone(both[1].call("read", sid))

    def test_z_a_node_is_killed_under_all_of_them(self):
        killed = threading.Event()
        ended = {"ready": threading.Semaphore(0)}
        tasks = [
            lambda name=name: self.survive(name, killed, ended)
            for name in self.names
        ]

        def kill():
            for _ in self.names:
                if not ended["ready"].acquire(timeout=30 * cluster.PATIENCE):
                    break
            self.cluster.nodes[2].kill()
            killed.set()

        cluster.in_threads(tasks + [kill])
        self.cluster.nodes[2].start()
        self.cluster.wait_settled(3)


def add_tests(names, skipped):
    """A test for each stack and part of its life."""

    def add(part, name, method):
        def test(self):
            method(self, name)

        setattr(Stacks, "test_%s_%s" % (name, part), test)

    for name in names:
        if name in OTHERS:
            add("answers", name, Stacks.answer)
            continue
        add("lives", name, Stacks.live)
        if LISTING.search(name):
            add("lists", name, Stacks.list_all)
    for name, why in skipped.items():
        add("lives", name, unittest.skip(why)(Stacks.live))
    Stacks.names = [name for name in names if name in STACKS]


def install():
    """The packages of the lock file."""
    folder = os.path.join(HERE, "node")
    lock = os.path.join(folder, "package-lock.json")
    there = os.path.join(folder, "node_modules", ".package-lock.json")
    if os.path.exists(there) and os.path.getmtime(there) >= os.path.getmtime(
        lock
    ):
        return
    subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--legacy-peer-deps"],
        cwd=folder,
        timeout=300,
        check=True,
    )


def main():
    known = list(STACKS) + list(OTHERS)
    unknown = [name for name in sys.argv[1:] if name not in known]
    if unknown:
        print("run.py: no stack '%s'; there are:" % unknown[0])
        print("\n".join(known))
        return 2
    install()
    names, skipped = chosen()
    add_tests(names, skipped)
    suite = unittest.TestLoader().loadTestsFromTestCase(Stacks)
    runner = unittest.TextTestRunner(verbosity=2, resultclass=Result)
    result = runner.run(suite)
    failed = len(result.failures) + len(result.errors)
    print("counted %d %d" % (max(result.testsRun - failed, 0), failed))
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
