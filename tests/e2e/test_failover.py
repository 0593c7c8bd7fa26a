"""Nodes are killed and frozen while a checking client keeps working.

The promises: no acknowledged write is lost, no read is stale, and a client
of a surviving node sees no error and no long gap.
"""

import signal
import statistics
import sys
import time

import cluster
from load import Load
from resp import ReplyError

KILL_GAP_MS = 300
FREEZE_S = 3.0


class Failover(cluster.ClusterTest):
    def verify(self, load, nodes):
        for node in nodes:
            load.verify(node.port)

    def kill_under_load(self, c, victim):
        """Kills @victim; returns the longest gap of the others' clients."""
        load = Load([node.port for node in c.nodes], prefix=victim.name)
        load.start().wait_writes(1500)
        load.reset_gap()
        with load.taking_down(victim.port):
            victim.kill()
        load.wait_writes(3000)
        c.wait_settled()
        load.wait_writes(500)
        report = load.stop()
        self.verify(load, c.running())
        self.assert_report(report)
        return report.gap_ms

    def test_nothing_is_lost_when_a_node_is_killed(self):
        c = self.cluster(3)
        gaps = []
        for victim in c.nodes:
            gaps.append(self.kill_under_load(c, victim))
            victim.start()
            c.wait_settled()
        print("    gaps: %s ms" % [round(gap) for gap in gaps], file=sys.stderr)
        self.assertLess(
            statistics.median(gaps), KILL_GAP_MS * cluster.PATIENCE
        )

    def test_three_become_one_and_three_again(self):
        c = self.cluster(3)
        first, second, third = c.nodes
        load = Load([node.port for node in c.nodes]).start()
        load.wait_writes(1500)
        for victim in (third, second):
            with load.taking_down(victim.port):
                victim.kill()
            load.wait_writes(1500)
            c.wait_settled()
        load.wait_writes(500)
        self.assertEqual(first.status()[1]["members"][0]["primaries"], 1024)
        for node in (second, third):
            node.start()
        c.wait_settled(3)
        for node in (second, third):
            load.expect_up(node.port)
        load.wait_writes(500)
        report = load.stop()
        self.verify(load, c.nodes)
        self.assert_report(report)
        self.assert_shared(c, 3)

    def assert_shared(self, c, members):
        """Everybody has about the same part of the primaries."""
        status = c.nodes[0].status()[1]
        for member in status["members"]:
            share = member["primaries"] * members / 1024
            self.assertTrue(0.7 < share < 1.3, status)

    def test_a_frozen_node_is_replaced_and_comes_back(self):
        c = self.cluster(3)
        victim = c.nodes[2]
        survivors = c.nodes[:2]
        load = Load([node.port for node in c.nodes])
        load.start().wait_writes(1500)
        load.reset_gap()
        with load.taking_down(victim.port):
            victim.pause()
            paused = time.monotonic()
        load.wait_writes(3000)
        c.wait_settled(2, survivors)
        load.wait_writes(500)
        report = load.report
        took = max(report.trouble_end - paused, report.gap_ms / 1000)
        print("    replaced after %.2f s" % took, file=sys.stderr)
        victim.resume()
        c.wait_settled(3)
        load.expect_up(victim.port)
        load.wait_writes(1000)
        load.stop()
        self.verify(load, c.nodes)
        # While nobody serves, commands are refused when their hold is over.
        self.assert_report(report, refusals=1000)
        self.assertLess(took, FREEZE_S * cluster.PATIENCE)

    def test_a_resumed_node_serves_nothing_stale(self):
        c = self.cluster(3)
        victim = c.nodes[2]
        writer = c.nodes[0].client()
        keys = ["resumed:%d" % number for number in range(300)]
        for key in keys:
            self.assertEqual(writer.call("SET", key, "old"), b"OK")
        reader = victim.client()
        self.assertEqual(reader.call("GET", keys[0]), b"old")
        victim.pause()
        written = set()

        def all_written():
            missing = [key for key in keys if key not in written]
            replies = writer.pipeline([("SET", k, "new") for k in missing])
            written.update(
                key for key, reply in zip(missing, replies) if reply == b"OK"
            )
            return len(written) == len(keys)

        cluster.until(all_written, 10, "written without the frozen node")
        # The frozen node finds these questions when it wakes up. All writes
        # were acknowledged before the first was asked.
        for key in keys:
            reader.send("GET", key)
        late = [victim.client() for _ in range(3)]
        victim.resume()
        for key in keys:
            self.expect_new_or_refused(reader.read())
        for client in late:
            for reply in client.pipeline([("GET", key) for key in keys]):
                self.expect_new_or_refused(reply)
        c.wait_settled(3)
        for key in keys:
            self.assertEqual(reader.call("GET", key), b"new")
        for client in late + [reader, writer]:
            client.close()

    def expect_new_or_refused(self, reply):
        if isinstance(reply, ReplyError):
            self.assertTrue(reply.text.startswith("CLUSTERDOWN"), reply)
        else:
            self.assertEqual(reply, b"new")

    def test_short_freezes_cost_nothing(self):
        c = self.cluster(3)
        load = Load([node.port for node in c.nodes]).start()
        load.wait_writes(500)
        view = c.nodes[0].status()[1]["view"]
        for turn in range(6):
            node = c.nodes[turn % 3]
            node.pause()
            frozen = time.monotonic()
            cluster.until(
                lambda: time.monotonic() - frozen > 0.2, 1, "a short time"
            )
            node.resume()
            load.wait_writes(200)
        report = load.stop()
        self.verify(load, c.nodes)
        self.assert_report(report)
        self.assertEqual(c.nodes[0].status()[1]["view"], view)

    def test_a_killed_node_restarts_at_once(self):
        c = self.cluster(3)
        load = Load([node.port for node in c.nodes]).start()
        load.wait_writes(1000)
        for victim in (c.nodes[0], c.nodes[2]):
            with load.taking_down(victim.port):
                victim.kill()
                victim.start()
            load.wait_writes(1000)
            c.wait_settled(3)
            load.expect_up(victim.port)
            load.wait_writes(500)
        report = load.stop()
        self.verify(load, c.nodes)
        self.assert_report(report)

    def test_a_node_that_leaves_on_sigterm_costs_nothing(self):
        c = self.cluster(3)
        victim = c.nodes[1]
        load = Load([node.port for node in c.nodes]).start()
        load.wait_writes(1000)
        with load.taking_down(victim.port):
            victim.signal(signal.SIGTERM)
        self.assertEqual(victim.wait_exit(), 0)
        load.wait_writes(1000)
        c.wait_settled(2)
        report = load.stop()
        self.verify(load, c.running())
        self.assert_report(report)

    def test_two_nodes_survive_the_death_of_either(self):
        for number in (0, 1):
            c = self.cluster(2)
            victim = c.nodes[number]
            load = Load([node.port for node in c.nodes]).start()
            load.wait_writes(1000)
            with load.taking_down(victim.port):
                victim.kill()
            load.wait_writes(1000)
            c.wait_settled(1)
            victim.start()
            c.wait_settled(2)
            load.expect_up(victim.port)
            load.wait_writes(500)
            report = load.stop()
            self.verify(load, c.nodes)
            self.assert_report(report)

    def test_five_nodes_with_two_backups_survive_two_kills_at_once(self):
        c = self.cluster(5, backups=2)
        load = Load([node.port for node in c.nodes], 15).start()
        load.wait_writes(1000)
        victims = c.nodes[1], c.nodes[3]
        with load.taking_down(*[victim.port for victim in victims]):
            for victim in victims:
                victim.signal(signal.SIGKILL)
        for victim in victims:
            victim.kill()
        load.wait_writes(1000)
        c.wait_settled(3)
        load.wait_writes(500)
        for victim in victims:
            victim.start()
        c.wait_settled(5)
        report = load.stop()
        self.verify(load, c.nodes)
        self.assert_report(report)
        self.assert_shared(c, 5)
