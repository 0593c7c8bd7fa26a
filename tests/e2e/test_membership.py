"""Clusters form, grow and stay apart, however their nodes are started."""

import itertools
import subprocess

import cluster
from load import Load


class Membership(cluster.ClusterTest):
    def check_one_cluster(self, c):
        for number, node in enumerate(c.nodes):
            key = "form:%d" % number
            self.assertEqual(node.call("SET", key, node.name), b"OK")
            for other in c.nodes:
                self.assertEqual(other.call("GET", key), node.name.encode())

    def test_all_at_once(self):
        for count in (2, 5):
            c = self.cluster(count)
            self.check_one_cluster(c)

    def test_every_order_of_starting(self):
        for order in itertools.permutations(range(3)):
            c = self.cluster(3, start=False)
            for number in order:
                c.nodes[number].start().wait_answers()
            c.wait_settled(3)
            self.check_one_cluster(c)
            c.close()

    def test_the_only_seed_comes_last(self):
        c = self.cluster(3, start=False)
        first, second, third = c.nodes
        for node in c.nodes:
            node.seeds = [first]
        for node in (second, third):
            node.start().wait_answers()
        first.start()
        c.wait_settled(3)
        self.check_one_cluster(c)

    def test_a_chain_of_seeds(self):
        c = self.cluster(4, start=False)
        for node, seed in zip(c.nodes[1:], c.nodes):
            node.seeds = [seed]
        c.nodes[0].seeds = []
        for node in reversed(c.nodes):
            node.start()
        c.wait_settled(4)
        self.check_one_cluster(c)

    def test_seeds_that_do_not_exist_do_no_harm(self):
        c = self.cluster(2, start=False)
        absent = cluster.Node(c.directory, "absent")
        for node in c.nodes:
            node.seeds = [absent] + c.nodes
        c.start()
        self.check_one_cluster(c)

    def test_a_name_that_is_in_use_is_not_taken_over(self):
        c = self.cluster(3)
        c.nodes[0].call("SET", "k", "v")
        view = c.nodes[0].status()[1]["view"]
        # Knows all of them as seeds, or only the one whose name it has; or is
        # a seed itself, and might start a cluster of its own.
        for seeds in (c.nodes[:3], [c.nodes[1]], None):
            second = cluster.Node(c.directory, "node2-again")
            second.name = "node2"
            second.seeds = seeds or [second, c.nodes[0]]
            second.start()
            self.assertEqual(second.wait_exit(20), 1)
            self.assertIn("alive under the name 'node2'", second.log())
            c.wait_settled(3)
        self.assertEqual(c.nodes[0].status()[1]["view"], view)
        self.assertEqual(c.nodes[1].call("GET", "k"), b"v")
        # It is free once that node is dead, even at another address.
        c.nodes[1].kill()
        c.wait_settled(2)
        third = cluster.Node(c.directory, "node2-elsewhere")
        third.name = "node2"
        third.seeds = [c.nodes[0], c.nodes[2]]
        c.nodes.append(third)
        third.start()
        c.wait_settled(3)
        self.assertEqual(third.call("GET", "k"), b"v")

    def test_a_seed_whose_name_does_not_resolve_is_named(self):
        c = self.cluster(1, start=False)
        node = c.nodes[0]
        node.seeds = []
        node.settings["seeds"] = "no-such-host.invalid:7380"
        node.start().wait_answers()

        def lines():
            return [
                line
                for line in node.log().splitlines()
                if "no-such-host.invalid:7380 cannot be resolved: " in line
            ]

        cluster.until(lines, 20, "the seed is named")
        self.assertIn("warning", lines()[0])
        # Both channels dial, again and again; it is said once.
        cluster.until(
            lambda: b"uptime_in_seconds:0" not in node.call("INFO", "server"),
            20,
            "it looked several times",
        )
        self.assertEqual(len(lines()), 1)

    def test_one_node_alone(self):
        c = self.cluster(1)
        self.check_one_cluster(c)
        status = c.nodes[0].status()[1]
        self.assertEqual(len(status["members"]), 1)
        self.assertEqual(status["members"][0]["primaries"], 1024)

    def test_nodes_join_under_load_and_take_their_share(self):
        c = self.cluster(2)
        load = Load([node.port for node in c.nodes]).start()
        load.wait_writes(1000)
        for _ in range(2):
            c.add().start()
            load.wait_writes(500)
            c.wait_settled()
        load.wait_writes(500)
        report = load.stop()
        for node in c.nodes:
            load.verify(node.port)
        self.assert_report(report)
        self.check_one_cluster(c)
        for member in c.nodes[3].status()[1]["members"]:
            self.assertTrue(180 < member["primaries"] < 330, member)

    def test_backups_zero_and_three(self):
        c = self.cluster(4, backups=3)
        self.check_one_cluster(c)
        status = c.nodes[0].status()[1]
        copies = sum(member["backups"] for member in status["members"])
        self.assertEqual(copies, 3 * 1024)
        c = self.cluster(2, backups=0)
        self.check_one_cluster(c)
        status = c.nodes[0].status()[1]
        self.assertEqual(sum(m["backups"] for m in status["members"]), 0)

    def test_copies_go_to_different_hosts(self):
        c = self.cluster(4, start=False)
        for number, node in enumerate(c.nodes):
            node.settings["host_label"] = "host%d" % (number // 2)
        c.start()
        for number in range(300):
            key = "host:%d" % number
            self.assertEqual(c.nodes[0].call("SET", key, "v"), b"OK")
        # Two nodes of one host die at the same time: nothing may be lost.
        for node in c.nodes[2:]:
            node.process.kill()
        for node in c.nodes[2:]:
            node.kill()
        c.wait_settled(2)
        for number in range(300):
            key = "host:%d" % number
            self.assertEqual(c.nodes[1].call("GET", key), b"v")

    def test_another_cluster_is_refused_on_both_sides(self):
        c = self.cluster(2)
        stranger = c.add(name="stranger", cluster_name="another")
        stranger.start().wait_answers()

        def both_said_so():
            return all(
                any(
                    "another" in line and "holdfast" in line
                    for line in node.log().splitlines()
                    if "refuse" in line.lower()
                )
                for node in (c.nodes[0], stranger)
            )

        cluster.until(both_said_so, 10, "a log line on both sides")
        stranger.call("SET", "k", "theirs")
        for node in c.nodes[:2]:
            self.assertIsNone(node.call("GET", "k"))
            self.assertEqual(node.call("SET", "ours", "v"), b"OK")
        self.assertNotEqual(stranger.call("GET", "ours"), b"v")
        c.wait_settled(2, c.nodes[:2])

    def test_status_says_what_there_is(self):
        c = self.cluster(3)
        client = c.nodes[0].client()
        for number in range(300):
            client.call("SET", "status:%d" % number, "v" * 100)
        client.close()

        def counted():
            return c.nodes[1].status()[1]["sessions"] == 300

        cluster.until(counted, 5, "the sessions are counted")
        code, status = c.nodes[1].status()
        self.assertEqual(code, 0)
        self.assertEqual(status["under_replicated"], 0)
        self.assertGreater(status["view"], 0)
        names = sorted(member["name"] for member in status["members"])
        self.assertEqual(names, ["node1", "node2", "node3"])
        for member in status["members"]:
            self.assertIsInstance(member["state"], str)
            self.assertIsInstance(member["address"], str)
            self.assertGreater(member["bytes"], 0)
        self.assertEqual(sum(m["primaries"] for m in status["members"]), 1024)
        self.assertEqual(sum(m["backups"] for m in status["members"]), 1024)
        self.assertEqual(sum(m["sessions"] for m in status["members"]), 300)

    def test_status_says_why_nothing_is_served(self):
        c = self.cluster(3)
        asked, others = c.nodes[0], c.nodes[1:]
        where = ["--host", "127.0.0.1", "--port", str(asked.port)]

        def holdfast(*words):
            done = subprocess.run(
                [cluster.HOLDFAST] + list(words) + where,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=20 * cluster.PATIENCE,
                check=False,
            )
            return done.returncode, done.stdout.decode()

        self.assertIn("3 members, 0 sessions", holdfast("status")[1])
        self.assertNotIn("not serving", holdfast("status")[1])
        self.assertIn("no takeover: ", holdfast("takeover")[1])
        status = asked.status()[1]
        self.assertEqual((status["serving"], status["reason"]), (True, ""))
        self.assertIn("it is not needed", status["no_takeover"])
        for node in others:
            node.pause()
        cluster.until(
            lambda: not asked.status()[1]["serving"]
            and asked.status()[1]["unsafe_ms"] > 1500,
            10,
            "it serves nothing",
        )
        code, out = holdfast("status")
        self.assertEqual(code, 1)
        self.assertIn("not serving: 1 of 3 members is heard", out)
        self.assertIn("with partition-policy half they do not go on", out)
        self.assertRegex(out, r"\nfor \d+\.\d s\nheard: node1\nnot heard: node")
        self.assertIn("holdfast takeover", out)
        status = asked.status()[1]
        self.assertFalse(status["serving"])
        self.assertIn("1 of 3 members is heard", status["reason"])
        self.assertEqual(status["no_takeover"], "")
        code, out = holdfast("takeover")
        self.assertEqual(code, 1)
        self.assertIn("Node 'node1' would go on with: node1.", out)
        missing = status["partitions_unavailable"]
        self.assertTrue(0 < missing < 1024, missing)
        self.assertIn("%d of 1024 partitions" % missing, out)
        self.assertFalse(asked.status()[1]["serving"], "it did not wait")
        for node in others:
            node.resume()
        c.wait_settled(3)
        status = asked.status()[1]
        self.assertEqual(
            (status["serving"], status["unsafe_ms"], status["merging_all"]),
            (True, 0, 0),
        )
        alone = self.cluster(1).nodes[0]
        where[-1] = str(alone.port)
        self.assertIn("1 member, 0 sessions", holdfast("status")[1])

    def test_status_of_a_node_that_finds_no_seed(self):
        c = self.cluster(1, start=False)
        node = c.nodes[0]
        node.seeds = [cluster.Node(c.directory, "absent")]
        node.start().wait_answers()
        done = subprocess.run(
            [cluster.HOLDFAST, "status", "--port", str(node.port)],
            stdout=subprocess.PIPE,
            timeout=20 * cluster.PATIENCE,
            check=False,
        )
        self.assertEqual(done.returncode, 1)
        self.assertRegex(
            done.stdout.decode(),
            r"\nnot serving: it has not found [^\n]+\nto do: [^\n]*seeds",
        )

    def test_status_exit_codes(self):
        c = self.cluster(1)
        self.assertEqual(c.nodes[0].status()[0], 0)
        self.assertEqual(cluster.status_of(cluster.free_port())[0], 2)

    def test_whether_a_node_may_stop(self):
        def safe(asked, name):
            words = ["--host", "127.0.0.1", "--port", str(asked.port)]
            return subprocess.run(
                [cluster.HOLDFAST, "status", "--safe-to-stop", name] + words,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=20 * cluster.PATIENCE,
                check=False,
            ).returncode

        c = self.cluster(3)
        for node in c.nodes:
            self.assertEqual(safe(node, "node2"), 0)
        self.assertEqual(safe(c.nodes[0], "nobody"), 2)
        c.nodes[1].pause()
        cluster.until(
            lambda: safe(c.nodes[0], "node3") == 1, 5, "a silent member counts"
        )
        c.nodes[1].resume()
        cluster.until(
            lambda: safe(c.nodes[0], "node3") == 0, 10, "it may stop again"
        )
        alone = self.cluster(1)
        self.assertEqual(safe(alone.nodes[0], "node1"), 1)
        bare = self.cluster(2, backups=0)
        self.assertEqual(safe(bare.nodes[0], "node2"), 1)
        gone = cluster.Node(c.directory, "gone")
        self.assertEqual(safe(gone, "node1"), 2)
