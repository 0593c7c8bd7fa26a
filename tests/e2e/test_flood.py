"""Clients that ask for much at once. Peers and other clients come first."""

import socket
import threading
import time

import cluster

# Half of the silence that makes a node suspect. The flooding clients and the
# one that measures share the processors with the nodes.
PING_SECONDS = 0.4


class Flooders:
    """Connections that send @data as fast as the node takes it, and read
    what it answers, until they are closed."""

    def __init__(self, port, count, data):
        self.sockets = [cluster.connect(port) for _ in range(count)]
        self.answered = 0
        self.wanted = True
        self.threads = [
            threading.Thread(target=run, args=arguments, daemon=True)
            for run, arguments in [(self._write, (data,)), (self._read, ())]
        ]
        for each in self.sockets:
            each.setblocking(False)
        for thread in self.threads:
            thread.start()

    def _write(self, data):
        sent = {each: 0 for each in self.sockets}
        while self.wanted:
            busy = False
            for each in self.sockets:
                try:
                    sent[each] += each.send(data[sent[each] % len(data) :])
                    busy = True
                except BlockingIOError:
                    pass
                except OSError:
                    return
            if not busy:
                time.sleep(0.005)

    def _read(self):
        while self.wanted:
            busy = False
            for each in self.sockets:
                try:
                    self.answered += len(each.recv(1 << 18))
                    busy = True
                except BlockingIOError:
                    pass
                except OSError:
                    return
            if not busy:
                time.sleep(0.002)

    def close(self):
        self.wanted = False
        for thread in self.threads:
            thread.join(20 * cluster.PATIENCE)
        for each in self.sockets:
            each.close()


class Flood(cluster.ClusterTest):
    def check_others_are_served(self, data):
        """50 clients send @data all the time, for 5 s."""
        c = self.cluster(3)
        node = c.nodes[0]
        view = node.status()[1]["view"]
        bystander = node.client()
        flooders = Flooders(node.port, 50, data)
        slowest = 0.0
        began = time.monotonic()
        try:
            cluster.until(
                lambda: flooders.answered > 1 << 20, 10, "they are answered"
            )
            while time.monotonic() - began < 5:
                asked = time.monotonic()
                self.assertEqual(bystander.call("PING"), b"PONG")
                self.assertEqual(bystander.call("SET", "k", "v"), b"OK")
                slowest = max(slowest, time.monotonic() - asked)
                cluster.until(
                    lambda: time.monotonic() > asked + 0.02, 1, "a pause"
                )
        finally:
            flooders.close()
        bystander.close()
        print("    slowest %.0f ms" % (slowest * 1000), end=" ")
        print("answered %d MiB" % (flooders.answered >> 20))
        self.assertLess(slowest, PING_SECONDS * cluster.PATIENCE)
        self.assertEqual(node.status()[1]["view"], view)
        c.wait_settled(3)

    def test_info_from_fifty_clients(self):
        self.check_others_are_served(b"INFO\r\n" * 10000)

    def test_command_from_fifty_clients(self):
        self.check_others_are_served(b"COMMAND\r\n" * 10000)

    def test_cheap_commands_from_fifty_clients(self):
        self.check_others_are_served(b"PING\r\n" * 10000)

    def test_a_burst_that_is_read_only_later(self):
        """Clients send 64 KiB each and take nothing until the view has had
        time to change; then every command is answered, in order."""
        c = self.cluster(3)
        node = c.nodes[0]
        view = node.status()[1]["view"]
        burst = b"COMMAND\r\n" * 7000 + b"ECHO end\r\n"
        crowd = [cluster.connect(node.port, 60) for _ in range(12)]
        for each in crowd:
            each.sendall(burst)
        for _ in range(20):
            with cluster.deadline(PING_SECONDS, "a PING"):
                self.assertEqual(node.call("PING"), b"PONG")
        with crowd[0] as first:
            tail = b""
            while not tail.endswith(b"$3\r\nend\r\n"):
                data = first.recv(1 << 18)
                self.assertTrue(data, "closed early")
                tail = (tail + data)[-100:]
        for each in crowd[1:]:
            each.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\x01" + b"\x00" * 7
            )
            each.close()
        c.wait_settled(3)
        self.assertEqual(node.status()[1]["view"], view)
