"""Clients and peers that misbehave. The node must keep serving the others."""

import contextlib
import os
import random
import resource
import socket
import sys
import time

import cluster
from resp import ReplyError, encode

KEY_BYTES_MAX = 8192
VALUE_BYTES_MAX = 16 << 20


class Bystanders(cluster.SharedClusterTest):
    """Checks after each test that the others were not disturbed."""

    SIZE = 2

    def setUp(self):
        self.node, self.other = self.nodes
        self.client = self.node.client()
        self.assertEqual(self.client.call("SET", "kept", "value"), b"OK")
        self.view = self.node.status()[1]["view"]

    def tearDown(self):
        """Whatever happened, everybody else is served, by the same view."""
        self.assertEqual(self.client.call("GET", "kept"), b"value")
        self.client.close()
        for node in self.nodes:
            node.check_running()
            with node.client() as client:
                self.assertEqual(client.call("GET", "kept"), b"value")
                self.assertEqual(client.call("SET", "kept", "value"), b"OK")
        self.shared.wait_settled(2, timeout=10)
        self.assertEqual(self.node.status()[1]["view"], self.view)


class BadClients(Bystanders):
    def expect_error_and_end(self, data, text):
        """@data is answered with an error that has @text, and a close."""
        with self.node.client() as client:
            client.send_raw(data)
            reply = client.read()
            self.assertIsInstance(reply, ReplyError, data[:40])
            self.assertIn(text, str(reply))
            self.assertTrue(client.at_end(), data[:40])

    def test_what_is_not_resp_ends_the_connection(self):
        for data in (
            b"*abc\r\n",
            b"*1\r\n$-5\r\n",
            b"*1\r\n$word\r\n",
            b"*2\r\n$3\r\nGET\r\nword\r\n",
            b"*1\r\n:5\r\n",
        ):
            self.expect_error_and_end(data, "Protocol error")

    def test_an_unbalanced_quote(self):
        self.expect_error_and_end(b'SET k "open\r\n', "Protocol error")

    def test_too_many_arguments(self):
        self.expect_error_and_end(b"*2000000000\r\n", "Protocol error")
        self.expect_error_and_end(b"*70000\r\n", "Protocol error")

    def test_an_inline_command_without_end(self):
        with self.node.client() as client:
            try:
                client.send_raw(b"x" * (1 << 20))
                self.assertIsInstance(client.read(), ReplyError)
                self.assertTrue(client.at_end())
            except (ConnectionError, BrokenPipeError):
                pass  # Closed before all of it was sent: as good.

    def test_random_bytes(self):
        chance = random.Random(7)
        for _ in range(200):
            probe = cluster.connect(self.node.port)
            size = chance.randrange(1, 3000)
            try:
                probe.sendall(chance.randbytes(size))
                probe.shutdown(socket.SHUT_WR)
                while probe.recv(65536):
                    pass
            except ConnectionError:
                pass
            probe.close()

    def test_broken_off_commands(self):
        data = encode("SET", "half", "v" * 50)
        for size in range(1, len(data)):
            probe = cluster.connect(self.node.port)
            probe.sendall(data[:size])
            probe.close()
        self.assertIsNone(self.client.call("GET", "half"))

    def test_a_key_that_is_too_long_leaves_the_connection_alone(self):
        longest = b"k" * KEY_BYTES_MAX
        for words in (
            ("SET", longest + b"k", "v"),
            ("GET", longest + b"k"),
            ("HSET", longest + b"k", "f", "v"),
            ("DEL", "a", longest + b"k"),
        ):
            reply = self.client.call(*words)
            self.assertIsInstance(reply, ReplyError)
            self.assertIn("key", str(reply))
        self.assertEqual(self.client.call("SET", longest, "v"), b"OK")
        self.assertEqual(self.client.call("GET", longest), b"v")
        self.assertEqual(self.client.call("DEL", longest), 1)

    def test_the_largest_value_and_one_more(self):
        largest = os.urandom(1 << 16) * (VALUE_BYTES_MAX >> 16)
        self.assertEqual(self.client.call("SET", "large", largest), b"OK")
        with self.other.client() as client:
            self.assertEqual(client.call("GET", "large"), largest)
        with self.node.client() as client:
            try:
                client.send("SET", "large", largest + b"x")
                reply = client.read()
            except ConnectionError:
                reply = None  # Closed while we were still sending.
            if reply is not None:
                self.assertIsInstance(reply, ReplyError)
        self.assertEqual(self.client.call("STRLEN", "large"), VALUE_BYTES_MAX)
        reply = self.client.call("APPEND", "large", "x")
        self.assertIsInstance(reply, ReplyError)
        self.assertEqual(self.client.call("STRLEN", "large"), VALUE_BYTES_MAX)
        self.assertEqual(self.client.call("DEL", "large"), 1)

    def test_a_client_that_never_reads_costs_bounded_memory(self):
        value = b"v" * (1 << 20)
        self.assertEqual(self.client.call("SET", "heavy", value), b"OK")
        before = self.node.resident_bytes()
        deaf = self.node.client(receive_bytes=4096)
        deaf.socket.setblocking(False)
        asked = 0
        try:
            for _ in range(1000):
                deaf.socket.send(encode("GET", "heavy"))
                asked += 1
        except (BlockingIOError, ConnectionError):
            pass
        self.assertGreater(asked, 100)
        for _ in range(50):
            self.assertEqual(self.client.call("GET", "kept"), b"value")
        grown = self.node.resident_bytes() - before
        print("    grew by %d MiB" % (grown >> 20), file=sys.stderr)
        self.assertLess(grown, 200 << 20)
        deaf.close()
        self.client.call("DEL", "heavy")

    def test_a_slow_reader_gets_everything(self):
        value = os.urandom(1 << 20)
        self.client.call("SET", "heavy", value)
        with self.node.client(receive_bytes=65536) as client:
            for _ in range(40):
                client.send("GET", "heavy")
            for _ in range(40):
                self.assertEqual(client.read(), value)
        self.client.call("DEL", "heavy")

    def test_many_clients_that_say_nothing(self):
        silent = [cluster.connect(self.node.port) for _ in range(300)]
        self.assertEqual(self.client.call("PING"), b"PONG")
        for probe in silent:
            probe.close()

    def test_clients_that_vanish_in_the_middle(self):
        for number in range(100):
            client = self.node.client()
            for _ in range(20):
                client.send("SET", "vanish", "v" * 1000)
            if number % 2:
                client.socket.setsockopt(
                    socket.SOL_SOCKET,
                    socket.SO_LINGER,
                    b"\x01\x00\x00\x00\x00\x00\x00\x00",
                )
            client.close()


class BadPeers(Bystanders):
    def test_other_protocols_and_noise(self):
        chance = random.Random(11)
        texts = [
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            encode("PING"),
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
            b"\x00SP\x00\x00\x10\x00\x00",
            b"\xff" * 4096,
            b"\x00" * 4096,
        ]
        texts += [chance.randbytes(1 << (n % 14)) for n in range(60)]
        for text in texts:
            probe = cluster.connect(self.node.peer_port)
            try:
                probe.sendall(text)
            except ConnectionError:
                pass
            probe.close()

    def test_it_is_hung_up_on(self):
        probe = cluster.connect(self.node.peer_port)
        probe.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10)
        try:
            while probe.recv(4096):
                pass
        except ConnectionError:
            pass
        probe.close()

    def test_silent_connections(self):
        silent = [cluster.connect(self.node.peer_port) for _ in range(100)]
        for number in range(100):
            key = "silent:%d" % number
            self.assertEqual(self.client.call("SET", key, "v"), b"OK")
        for probe in silent:
            probe.close()


class FewDescriptors(cluster.ClusterTest):
    def crowd_at(self, port_of, said=b""):
        """A node that may open 64 files meets 200 connections."""
        c = self.cluster(2, start=False)
        node, other = c.nodes

        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

        node.start(preexec_fn=limit)
        other.start()
        c.wait_settled(2)
        first = node.client()
        self.assertEqual(first.call("SET", "kept", "value"), b"OK")
        crowd = [cluster.connect(port_of(node)) for _ in range(200)]
        for probe in crowd[:50] if said else []:
            with contextlib.suppress(ConnectionError):
                probe.sendall(said)
        for _ in range(100):
            self.assertEqual(first.call("GET", "kept"), b"value")
        spent, began = node.processor_seconds(), time.monotonic()
        cluster.until(
            lambda: time.monotonic() - began > 0.5
            and other.call("GET", "kept") == b"value",
            3,
            "the other node serves",
        )
        took = time.monotonic() - began
        self.assertLess(node.processor_seconds() - spent, 0.5 * took)
        for probe in crowd:
            probe.close()
        node.wait_answers(10)
        self.assertEqual(node.call("GET", "kept"), b"value")
        c.wait_settled(2)
        first.close()

    def test_a_crowd_of_clients_is_survived(self):
        self.crowd_at(lambda node: node.port)

    def test_a_crowd_at_the_port_for_peers_is_survived(self):
        self.crowd_at(lambda node: node.peer_port)

    def test_noise_at_the_port_for_peers_is_survived(self):
        self.crowd_at(lambda node: node.peer_port, b"\x00\x01noise" * 100)
