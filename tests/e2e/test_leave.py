"""Nodes leave in good order: by SIGTERM and by `holdfast drain`. What was
promised with too few copies, or lost, is said."""

import select
import signal
import socket
import subprocess
import threading

import cluster
import resp
from load import Load


def holdfast(*words, port, timeout=90):
    """Runs the program `holdfast`: (exit code, stdout, stderr)."""
    done = subprocess.run(
        [cluster.HOLDFAST, *words, "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=timeout * cluster.PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


class Counting(threading.Thread):
    """A client that counts up, a few commands at a time, until it is closed,
    and remembers how many answers it got."""

    def __init__(self, port, key, depth):
        super().__init__(daemon=True)
        self.key, self.depth = key, depth
        self.client = resp.Client(port, timeout=30 * cluster.PATIENCE)
        self.answered = 0
        self.wrong = []
        self.reset = False
        self.start()

    def run(self):
        try:
            while not self._is_closed():
                commands = [("INCR", self.key)] * self.depth
                data = b"".join(resp.encode(*c) for c in commands)
                self.client.send_raw(data)
                for _ in commands:
                    value = self.client.read()
                    if isinstance(value, resp.ReplyError):
                        self.wrong.append(str(value))
                    else:
                        self.answered += 1
        except ConnectionResetError:
            self.reset = True
        except ConnectionError:
            pass
        finally:
            self.client.close()

    def _is_closed(self):
        sock = self.client.socket
        if not select.select([sock], [], [], 0.001)[0]:
            return False
        return sock.recv(1, socket.MSG_PEEK) == b""


class Leave(cluster.ClusterTest):
    def fill(self, node, count):
        with node.client() as client:
            commands = [
                ("SET", "idle:%d" % n, "value %d" % n, "EX", 3600)
                for n in range(count)
            ]
            self.assertEqual(set(client.pipeline(commands)), {b"OK"})

    def check_filled(self, node, count):
        with node.client() as client:
            values = client.pipeline(
                [("GET", "idle:%d" % n) for n in range(count)]
            )
        self.assertEqual(values, [b"value %d" % n for n in range(count)])

    def rolling_restart(self, count):
        # A starved machine is late: then give it PATIENCE, as all deadlines.
        c = self.cluster(count, hold=int(400 * cluster.PATIENCE))
        self.fill(c.nodes[0], 2000)
        load = Load([n.port for n in c.nodes], 3 * count, pause_s=0.002)
        load.start()
        load.wait_writes(500)
        for number, node in enumerate(c.nodes):
            asked = c.nodes[(number + 1) % count]
            cluster.until(
                lambda: holdfast(
                    "status", "--safe-to-stop", node.name, port=asked.port
                )[0]
                == 0,
                30,
                "safe to stop %s" % node.name,
            )
            with load.taking_down(node.port):
                node.signal(signal.SIGTERM)
            self.assertEqual(node.wait_exit(60), 0)
            self.assertIn("drained: the cluster goes on", node.log())
            load.wait_writes(300)
            node.start()
            c.wait_settled(count)
            load.expect_up(node.port)
            load.wait_writes(300)
        report = load.stop()
        for node in c.nodes:
            load.verify(node.port)
            self.check_filled(node, 2000)
        self.assert_report(report)

    def test_a_rolling_restart_of_three_loses_nothing(self):
        self.rolling_restart(3)

    def test_a_rolling_restart_of_five_loses_nothing(self):
        self.rolling_restart(5)

    def test_clients_of_a_leaving_node_get_what_was_carried_out(self):
        c = self.cluster(3)
        victim = c.nodes[1]
        clients = [
            Counting(victim.port, "count:%d" % n, 1 + n % 2 * 20)
            for n in range(12)
        ]
        idle = victim.client()
        self.assertEqual(idle.call("PING"), b"PONG")
        cluster.until(
            lambda: all(client.answered > 40 for client in clients),
            20,
            "all count",
        )
        victim.signal(signal.SIGTERM)
        self.assertEqual(victim.wait_exit(60), 0)
        self.assertTrue(idle.at_end())
        idle.close()
        for client in clients:
            client.join(20 * cluster.PATIENCE)
            self.assertEqual(client.wrong, [])
            self.assertFalse(client.reset)
            value = c.nodes[0].call("GET", client.key)
            self.assertEqual(int(value), client.answered)

    def test_who_was_left_out_with_last_copies_hands_them_over(self):
        # Two of five fall silent: nobody else has what these two share.
        c = self.cluster(5)
        others, silent = c.nodes[:3], c.nodes[3:]
        self.fill(others[0], 2000)
        view = others[0].status()[1]["view"]
        for node in silent:
            node.pause()
        cluster.until(
            lambda: all(n.status()[1]["view"] > view for n in others),
            30,
            "the others go on",
        )
        for node in silent:
            node.resume()
        for node in silent:
            cluster.until(
                lambda: "goes on without this node" in node.log(),
                30,
                "%s hears of it" % node.name,
            )
            node.signal(signal.SIGTERM)
        for node in silent:
            self.assertEqual(node.wait_exit(60), 0)
        c.wait_settled(3, nodes=others)
        self.check_filled(others[0], 2000)

    def test_drain_waits_until_the_node_has_left(self):
        c = self.cluster(3)
        self.fill(c.nodes[0], 500)
        first, second, third = c.nodes
        # Asked of another node: this one is told by name.
        code, out, err = holdfast("drain", "node2", port=first.port)
        self.assertEqual((code, err), (0, ""), out)
        self.assertIn("'node2' has left", out)
        self.assertEqual(second.wait_exit(10), 0)
        c.wait_settled(2)
        self.check_filled(third, 500)
        # The node that is asked, without a name.
        code, out, err = holdfast("drain", port=third.port)
        self.assertEqual((code, err), (0, ""), out)
        self.assertEqual(third.wait_exit(10), 0)
        c.wait_settled(1)
        self.check_filled(first, 500)
        # The last one has nobody to hand over to, says so, and stops.
        code, out, err = holdfast("drain", port=first.port)
        self.assertEqual(code, 1)
        self.assertIn("500 sessions end with this one", err)
        self.assertEqual(first.wait_exit(10), 0)

    def test_drain_of_who_is_not_there(self):
        c = self.cluster(2)
        code, _, err = holdfast("drain", "nobody", port=c.nodes[0].port)
        self.assertEqual(code, 2)
        self.assertIn("no member 'nobody'", err)
        gone = cluster.Node(c.directory, "gone")
        self.assertEqual(holdfast("drain", port=gone.port)[0], 2)
        self.assertEqual(
            holdfast("drain", "--json", port=c.nodes[0].port)[0], 2
        )
        # Over the wire, another node is only told of.
        answer = c.nodes[0].call("HOLDFAST", "DRAIN", "node2")
        self.assertIn("127.0.0.1:%d" % c.nodes[1].port, str(answer))
        answer = c.nodes[0].call("HOLDFAST", "DRAIN", "nobody")
        self.assertIn("no member", str(answer))
        c.wait_settled(2)

    def test_past_the_drain_timeout_it_says_what_is_missing(self):
        c = self.cluster(3, drain_timeout=1)
        self.fill(c.nodes[0], 500)
        c.nodes[1].pause()
        try:
            code, _, err = holdfast("drain", port=c.nodes[0].port)
            self.assertEqual(c.nodes[0].wait_exit(20), 0)
        finally:
            c.nodes[1].resume()
        self.assertEqual(code, 1)
        for text in (err, c.nodes[0].log()):
            self.assertIn("not drained within 1 s", text)
            self.assertIn("are not handed over", text)
            self.assertIn("silent members: node2", text)
        c.wait_settled(2)

    def test_status_shows_who_is_leaving(self):
        c = self.cluster(2, drain_timeout=5)
        self.fill(c.nodes[0], 500)
        third = c.add().start()
        c.wait_settled(3)
        seen = []

        def leaving():
            status = c.nodes[0].status()[1]
            states = {m["name"]: m["state"] for m in status["members"]}
            seen.append(states)
            return states.get("node3") == "leaving"

        third.signal(signal.SIGTERM)
        cluster.until(
            lambda: leaving() or third.process.poll() is not None,
            20,
            "node3 is leaving",
        )
        self.assertEqual(third.wait_exit(20), 0)
        self.assertIn("leaving", [s.get("node3") for s in seen])


class Honesty(cluster.ClusterTest):
    def info(self, node):
        lines = node.call("INFO", "holdfast").decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def test_writes_of_the_last_node_are_counted_and_shown(self):
        c = self.cluster(2)
        left = c.nodes[0]
        with left.client() as client:
            for number in range(50):
                client.call("SET", "both:%d" % number, "v")
            before = int(self.info(left)["writes_degraded"])
            self.assertNotIn("degraded:", holdfast("status", port=left.port)[1])
            c.nodes[1].kill()
            c.wait_settled(1)
            for number in range(50):
                client.call("SET", "alone:%d" % number, "v")
        info = self.info(left)
        self.assertEqual(int(info["writes_degraded"]), before + 50)
        self.assertEqual(int(info["writes_alone"]), before + 50)
        self.assertEqual(int(info["partitions_lost"]), 0)
        self.assertEqual(left.status()[1]["writes_degraded"], before + 50)
        out = holdfast("status", port=left.port)[1]
        self.assertIn("degraded: 1 member cannot hold the 2 copies", out)
        self.assertIn("degraded: %d writes were" % (before + 50), out)
        self.assertNotIn("lost:", out)
        self.assertIn("acknowledged a write with 1 of 2 copies", left.log())

    def test_sessions_lost_by_two_kills_at_once_are_counted_and_logged(self):
        c = self.cluster(3)
        with c.nodes[0].client() as client:
            client.pipeline([("SET", "s:%d" % n, "v") for n in range(3000)])
        cluster.until(
            lambda: c.nodes[0].status()[1]["sessions"] == 3000, 10, "counted"
        )
        for node in c.nodes[1:]:
            node.pause()  # So that neither repairs the loss of the other.
        for node in c.nodes[1:]:
            node.kill()
        c.wait_settled(1)
        left = c.nodes[0]
        with left.client() as client:
            values = client.pipeline([("GET", "s:%d" % n) for n in range(3000)])
        lost = values.count(None)
        info = self.info(left)
        self.assertGreater(lost, 500)
        self.assertGreater(int(info["partitions_lost"]), 200)
        self.assertAlmostEqual(int(info["sessions_lost"]), lost, delta=150)
        out = holdfast("status", port=left.port)[1]
        self.assertIn("lost: about %s sessions" % info["sessions_lost"], out)
        self.assertIn("lost the last copy", left.log())
        self.assertEqual(
            left.status()[1]["sessions_lost"], int(info["sessions_lost"])
        )
