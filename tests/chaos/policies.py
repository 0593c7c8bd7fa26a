#!/usr/bin/env python3
"""policies.py - Who goes on after a cut, and what is left when it is over.

Stories with real processes, each on a machine of its own: under each
--partition-policy a part of the machines is cut off or stopped, both sides are
asked to work, and once all hear each other again there must be one cluster
with everything that it owes its clients. The random runs of run.py cannot tell
this: what happens on two sides has no single history.

All the time sessions that nobody changes are read through every server. The
answer is the session, or CLUSTERDOWN in time, and never nil.

Exits 0 when all held, 1 when not, and 77 where network namespaces cannot be
made. --policy puts another policy in the place of those of the stories, to see
that they fail.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import namespaces

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
POLICIES = ("half", "majority", "available")
KEYS = 60  # Of each kind.
LIFETIME_S = 3600
# With the hash of its id, for who reads logs need not know ids.
CONFLICT_LINE = re.compile("session [0-9a-f]{16} was changed on both sides: ")

FIRST_SERVES_S = 3  # A safe set goes on so long after a cut, at the latest;
FORK_SERVES_S = 6  # a fork so long;
STOPPED_SERVES_S = 5  # the second of two, when the first has stopped.
TAKEOVER_S = 3
SAYS_DOWN_S = 3
STAYS_DOWN_S = 5  # Longer than a fork would take.
DOWN_ANSWER_S = 0.4 + 1.0  # The hold time, and slack.
ONE_AGAIN_S = 20


class Watch(threading.Thread):
    """Reads what nobody changes through one server, until stopped."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server = server
        self.stopping = threading.Event()
        self.may_be_empty = False  # After a takeover.
        self.answers = 0
        self.wrong = []
        self.slowest_down_s = 0

    def run(self):
        while not self.stopping.wait(0.02):
            try:
                with self.server.client(timeout=2) as client:
                    self._read(client)
            except OSError:
                continue

    def _read(self, client):
        i = 0
        while not self.stopping.wait(0.01):
            began = time.monotonic()
            reply = client.call("GET", key("old", i % KEYS))
            took = time.monotonic() - began
            i += 1
            self.answers += 1
            if is_down(reply):
                self.slowest_down_s = max(self.slowest_down_s, took)
            elif reply is None and self.may_be_empty:
                continue
            elif reply != b"before":
                self.wrong.append(reply)

    def stop(self):
        self.stopping.set()
        self.join()


def key(kind, i):
    return "%s:%d" % (kind, i)


def is_down(reply):
    import resp

    return isinstance(reply, resp.ReplyError) and reply.text.startswith(
        "CLUSTERDOWN"
    )


class World:
    """A cluster of @count under @policy, its servers by rank."""

    def __init__(self, network, directory, count, policy):
        import servers

        self.network = network
        machines = network.machines[:count]
        self.cluster = servers.Holdfast(
            directory, machines, partition_policy=policy
        )
        self.servers = []
        self.watches = []
        self.facts = []
        self.cut_at = 0

    # --- What happens.

    def start(self):
        self.cluster.start()
        status = self.cluster.servers[0].status()[1]
        ranks = [member["name"] for member in status["members"]]
        self.servers = sorted(
            self.cluster.servers, key=lambda s: ranks.index(s.name)
        )
        self.write(self.servers[0], "old", "before")
        self.watches = [Watch(server) for server in self.servers]
        for watch in self.watches:
            watch.start()

    def cut_off(self, *servers):
        """Each of @servers hears nobody from now on, and is not heard."""
        for server in servers:
            self.network.isolate(server.machine)
        self.cut_at = time.monotonic()

    def heal(self):
        self.network.heal()
        self.cut_at = time.monotonic()

    def fact(self, text):
        """Notes what took place now, with the time since the last cut."""
        seconds = time.monotonic() - self.cut_at
        self.facts.append("%s after %.1f s" % (text, seconds))

    def takeover(self, server, *more):
        """(exit code, all it printed)"""
        import cluster as e2e

        words = [e2e.HOLDFAST, "takeover", "--host", server.address]
        words += ["--port", str(server.port)] + list(more)
        done = subprocess.run(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=20 * e2e.PATIENCE,
            check=False,
        )
        return done.returncode, done.stdout.decode("utf-8", "replace")

    # --- Commands.

    def ask(self, server, commands):
        with server.client(timeout=5) as client:
            return client.pipeline(commands)

    def change(self, server, kind, expected, command, *more):
        """@command for each of @kind; all must answer @expected."""
        commands = [(command, key(kind, i)) + more for i in range(KEYS)]
        replies = self.ask(server, commands)
        wrong = [reply for reply in replies if reply != expected]
        text = "%s %s by %s: %d of %d answers were wrong: %s"
        check(
            not wrong,
            text % (command, kind, server.name, len(wrong), KEYS, wrong[:2]),
        )

    def write(self, server, kind, value):
        self.change(server, kind, b"OK", "SET", value, "EX", LIFETIME_S)

    def remove(self, server, kind):
        self.change(server, kind, 1, "DEL")

    def touch(self, server, kind):
        self.change(server, kind, 1, "EXPIRE", 2 * LIFETIME_S)

    def values(self, server, kind):
        return self.ask(server, [("GET", key(kind, i)) for i in range(KEYS)])

    def info(self, server):
        with server.client(timeout=5) as client:
            text = client.call("INFO", "holdfast").decode()
        pairs = (line.split(":", 1) for line in text.splitlines())
        return dict(pair for pair in pairs if len(pair) == 2)

    def sum(self, field):
        return sum(int(self.info(server)[field]) for server in self.servers)

    # --- What must be.

    def wait(self, condition, seconds, what):
        """Until @condition, @seconds from the last cut or heal at most."""
        import cluster as e2e

        left = self.cut_at + seconds * e2e.PATIENCE - time.monotonic()
        e2e.until(condition, max(left, 0) / e2e.PATIENCE, what)
        self.fact(what)

    def wait_serves(self, server, seconds):
        """It carries out writes of keys of many partitions."""
        probes = [("SET", key("probe", i), server.name) for i in range(KEYS)]

        def serves():
            return set(self.ask(server, probes)) == {b"OK"}

        self.wait(serves, seconds, "%s serves" % server.name)

    def wait_down(self, server):
        """It refuses all, soon, and for longer than a fork would take."""
        import cluster as e2e

        def down():
            return all(map(is_down, self.values(server, "old")))

        self.wait(down, SAYS_DOWN_S, "%s has stopped" % server.name)
        until = self.cut_at + STAYS_DOWN_S * e2e.PATIENCE
        while time.monotonic() < until:
            check(down(), "%s goes on after all" % server.name)
            writes = [("SET", key("no", i), "no") for i in range(KEYS)]
            replies = self.ask(server, writes)
            check(
                all(map(is_down, replies)), "%s takes writes" % server.name
            )

    def wait_one_again(self):
        """One view, one lineage, and all copies where they should be."""

        def is_one():
            views = set()
            for server in self.servers:
                server.check_running()
                code, status = server.status()
                if code != 0 or len(status["members"]) != len(self.servers):
                    return False
                views.add((status["view"], status["lineage"]))
            return len(views) == 1

        self.wait(is_one, ONE_AGAIN_S, "one view")

    def expect(self, kind, *values):
        """By every server each of @kind is one of @values, and the same."""
        seen = [self.values(server, kind) for server in self.servers]
        for server, found in zip(self.servers, seen):
            wrong = [value for value in found if value not in values]
            text = "%s by %s: %d of %d are wrong: %s instead of %s"
            check(
                not wrong,
                text
                % (kind, server.name, len(wrong), KEYS, wrong[:2], values),
            )
            check(found == seen[0], "%s is not the same everywhere" % kind)

    def end(self):
        """Ends all; what was wrong that nobody asked for."""
        problems = []
        for watch in self.watches:
            watch.stop()
            name = watch.server.name
            if watch.wrong:
                text = "%s answered for an existing session: %d times, as %r"
                sample = (name, len(watch.wrong), watch.wrong[0])
                problems.append(text % sample)
            if watch.answers == 0:
                problems.append("%s was not watched" % name)
        self.network.heal()
        return problems + self.cluster.end() + self.cluster.alarms()


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def expect_down_in_time(world):
    import cluster as e2e

    for watch in world.watches:
        text = "%s said CLUSTERDOWN after %.2f s"
        check(
            watch.slowest_down_s <= DOWN_ANSWER_S * e2e.PATIENCE,
            text % (watch.server.name, watch.slowest_down_s),
        )


# What each side does to sessions of which kind, beside "old", "probe".
def write_before(world):
    server = world.servers[-1]
    for kind in ("changed0", "changed1", "gone0", "both"):
        world.write(server, kind, "before")
    for kind in ("sess:out0", "sess:out1", "sess:touched"):
        world.write(server, kind, "before")


def work_apart(world, one, other):
    """Each side as if it were the only one."""
    world.write(one, "new0", "zero")
    world.write(other, "new1", "one")
    world.write(one, "changed0", "zero")
    world.write(other, "changed1", "one")
    world.remove(one, "gone0")
    world.write(one, "both", "zero")
    world.write(other, "both", "one")
    world.remove(one, "sess:out0")
    world.write(other, "sess:out0", "one")
    world.write(one, "sess:out1", "zero")
    world.remove(other, "sess:out1")
    world.remove(one, "sess:touched")
    world.touch(other, "sess:touched")


def expect_merged(world):
    world.expect("old", b"before")
    world.expect("new0", b"zero")
    world.expect("new1", b"one")
    world.expect("changed0", b"zero")
    world.expect("changed1", b"one")
    world.expect("gone0", None)
    world.expect("both", b"zero", b"one")
    for kind in ("sess:out0", "sess:out1", "sess:touched"):
        world.expect(kind, None)


def two_sides_of_two_go_on_and_become_one(world):
    """Nothing that one side changed is lost, logouts stay, and what both
    changed is counted. What the survivor of a kill -9 has is the same."""
    first, second = world.servers
    write_before(world)
    world.cut_off(second)
    world.wait_serves(first, FIRST_SERVES_S)
    world.wait_serves(second, FORK_SERVES_S)
    work_apart(world, first, second)
    world.heal()
    world.wait_one_again()
    expect_merged(world)
    conflicts = world.sum("merge_conflicts")
    world.facts.append("%d conflicts" % conflicts)
    check(conflicts >= KEYS, "%d conflicts were counted" % conflicts)
    log = "".join(server.log() for server in world.servers)
    check(CONFLICT_LINE.search(log), "no conflict was logged")
    check("both:" not in log, "the id of a session is in a log")
    check(world.sum("forks") == 1, "there was another number of forks")
    world.watches[1].stop()
    world.servers.remove(second)
    second.kill()
    world.cut_at = time.monotonic()
    world.wait_serves(first, FIRST_SERVES_S)
    expect_merged(world)


def with_majority_only_the_first_of_two_serves(world):
    """The other one refuses, and forks by no time."""
    first, second = world.servers
    world.write(first, "changed0", "before")
    world.cut_off(second)
    world.wait_serves(first, FIRST_SERVES_S)
    world.write(first, "changed0", "zero")
    world.wait_down(second)
    expect_down_in_time(world)
    world.heal()
    world.wait_one_again()
    world.expect("changed0", b"zero")
    world.expect("old", b"before")
    world.expect("no", None)
    check(world.sum("forks") == 0, "there was a fork")


def the_second_of_two_serves_when_the_first_hangs(world):
    """And the first follows when it goes on."""
    first, second = world.servers
    world.write(first, "changed1", "before")
    first.pause()
    world.cut_at = time.monotonic()
    world.wait_serves(second, STOPPED_SERVES_S)
    world.write(second, "changed1", "one")
    world.write(second, "new1", "one")
    lineage = world.info(second)["lineage"]
    first.resume()
    world.cut_at = time.monotonic()
    world.wait_one_again()
    check(world.info(first)["lineage"] == lineage, "it did not follow")
    world.expect("changed1", b"one")
    world.expect("new1", b"one")
    world.expect("old", b"before")


def two_of_three_go_on_and_one_stops(world, alone):
    """@alone is the rank of the one."""
    one = world.servers[alone]
    others = [server for server in world.servers if server is not one]
    world.write(one, "changed0", "before")
    world.cut_off(one)
    for server in others:
        world.wait_serves(server, FIRST_SERVES_S)
    world.write(others[0], "changed0", "zero")
    world.write(others[1], "new0", "zero")
    world.wait_down(one)
    expect_down_in_time(world)
    world.heal()
    world.wait_one_again()
    for kind in ("changed0", "new0"):
        world.expect(kind, b"zero")
    world.expect("old", b"before")
    world.expect("no", None)


def with_half_the_first_of_three_stops_alone(world):
    """Though it is the first, it is less than half."""
    two_of_three_go_on_and_one_stops(world, 0)


def with_majority_the_last_of_three_stops_alone(world):
    """It is no majority."""
    two_of_three_go_on_and_one_stops(world, 2)


def when_available_one_of_three_serves_what_it_has(world):
    """And refuses what it has not. All of it is merged."""
    one = world.servers[1]
    others = [world.servers[0], world.servers[2]]
    before = world.info(one)
    copies = int(before["partitions_primary"])
    copies += int(before["partitions_backup"])
    world.cut_off(one)
    for server in others:
        world.wait_serves(server, FIRST_SERVES_S)

    def serves_its_copies():
        return int(world.info(one)["partitions_primary"]) == copies

    what = "%s serves its %d partitions" % (one.name, copies)
    world.wait(serves_its_copies, FORK_SERVES_S, what)
    found = world.values(one, "old")
    served = found.count(b"before")
    down = sum(map(is_down, found))
    world.facts.append("%d of %d sessions" % (served, KEYS))
    check(served > 0 and down > 0, "it serves all, or nothing: %s" % found[:3])
    check(served + down == KEYS, "it answers otherwise: %s" % found[:3])
    world.write(others[0], "new0", "zero")
    commands = [("SET", key("new1", i), "one") for i in range(KEYS)]
    written = [reply == b"OK" for reply in world.ask(one, commands)]
    check(any(written), "it takes no writes")
    world.heal()
    world.wait_one_again()
    world.expect("old", b"before")
    world.expect("new0", b"zero")
    world.expect("new1", b"one", None)
    kept = world.values(world.servers[0], "new1")
    lost = [i for i in range(KEYS) if written[i] and kept[i] is None]
    check(not lost, "%d acknowledged writes of the one are lost" % len(lost))


def order_takeover(world, last):
    """Of @last, which has stopped."""
    code, text = world.takeover(last)
    check(code == 1, "without --yes it ends with %d" % code)
    check("lost" in text and "--yes" in text, "it does not warn: %s" % text)
    check(is_down(world.values(last, "old")[0]), "without --yes it was done")
    world.watches[2].may_be_empty = True
    world.cut_at = time.monotonic()
    code, text = world.takeover(last, "--yes")
    check(code == 0, "takeover was refused: %s" % text)
    world.wait_serves(last, TAKEOVER_S)


def a_takeover_is_refused_on_a_healthy_cluster(world):
    """By each, with a reason, and nothing happens."""
    for server in world.servers:
        code, text = world.takeover(server, "--yes")
        refused = code == 1 and "no takeover: " in text
        check(refused, "it is not refused: %d, %s" % (code, text))
    world.cut_at = time.monotonic()
    world.wait_one_again()
    check(world.sum("forks") == 0, "there was a fork")


def a_takeover_after_two_hosts_were_lost(world):
    """Silently, and not for good: they follow when they are back."""
    a_takeover_is_refused_on_a_healthy_cluster(world)
    last = world.servers[2]
    world.cut_off(*world.servers)
    for server in world.servers:
        world.wait_down(server)
    order_takeover(world, last)
    world.write(last, "new1", "one")
    for watch in world.watches:
        watch.may_be_empty = True  # Until the others have filled it again.
    world.heal()
    world.wait_one_again()
    world.expect("new1", b"one")
    world.expect("old", b"before")


def a_takeover_beside_two_that_went_on(world):
    """The order was wrong, and both sides worked: they are merged."""
    last = world.servers[2]
    write_before(world)
    world.cut_off(last)
    world.wait_serves(world.servers[0], FIRST_SERVES_S)
    world.wait_down(last)
    order_takeover(world, last)
    world.write(world.servers[0], "new0", "zero")
    world.write(last, "new1", "one")
    world.write(world.servers[1], "changed0", "zero")
    world.write(last, "changed1", "one")
    world.heal()
    world.wait_one_again()
    for kind, value in (("old", b"before"), ("changed0", b"zero")):
        world.expect(kind, value)
    world.expect("changed1", b"one")
    world.expect("new0", b"zero")
    world.expect("new1", b"one")


STORIES = (
    (two_sides_of_two_go_on_and_become_one, 2, "half"),
    (with_majority_only_the_first_of_two_serves, 2, "majority"),
    (the_second_of_two_serves_when_the_first_hangs, 2, "half"),
    (with_half_the_first_of_three_stops_alone, 3, "half"),
    (with_majority_the_last_of_three_stops_alone, 3, "majority"),
    (when_available_one_of_three_serves_what_it_has, 3, "available"),
    (a_takeover_after_two_hosts_were_lost, 3, "majority"),
    (a_takeover_beside_two_that_went_on, 3, "majority"),
)


def tell(story, count, policy, network):
    """Whether @story holds."""
    directory = tempfile.mkdtemp(prefix="holdfast-chaos-")
    began = time.monotonic()
    world = World(network, directory, count, policy)
    problems = []
    try:
        world.start()
        story(world)
    except (AssertionError, OSError) as error:
        problems.append("%s: %s" % (type(error).__name__, error))
    problems += world.end()
    took = time.monotonic() - began
    word = "FAILED" if problems else "ok"
    print(
        "%-6s %s (%s, %.1f s): %s"
        % (word, story.__name__, policy, took, ", ".join(world.facts)),
        flush=True,
    )
    for problem in problems:
        print("       %s" % problem)
    if problems:
        print("       logs: %s" % directory, flush=True)
    else:
        shutil.rmtree(directory, ignore_errors=True)
    return not problems


def parse(words):
    parser = argparse.ArgumentParser(
        description="Stories of partition policies; see the file."
    )
    parser.add_argument("--policy", choices=POLICIES)
    parser.add_argument(
        "--build",
        default=os.environ.get("HOLDFAST_BUILD", os.path.join(ROOT, "build")),
    )
    parser.add_argument("stories", nargs="*", help="parts of their names")
    return parser.parse_args(words)


def main():
    options = parse(sys.argv[1:])
    namespaces.enter()
    os.environ["HOLDFAST_BUILD"] = os.path.abspath(options.build)
    sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
    network = namespaces.Network(3)
    chosen = [
        row
        for row in STORIES
        if not options.stories
        or any(part in row[0].__name__ for part in options.stories)
    ]
    if not chosen:
        print("policies.py: no such story")
        return 2
    results = [
        tell(story, count, options.policy or policy, network)
        for story, count, policy in chosen
    ]
    print("counted %d %d" % (results.count(True), results.count(False)))
    return 0 if all(results) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted")
        sys.exit(130)
