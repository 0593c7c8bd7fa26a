"""--nodes: several nodes of one host, started by one command, behind one port.
What happens to the others, and to whoever is logged in, when one of them ends,
or all of them do."""

import os
import re
import signal
import socket
import stat
import subprocess

import cluster
import resp

SESSIONS = 1000


def is_alive(pid):
    """Whether the process is there and not only waits to be reaped. Its first
    thread may end before others, which keep its sockets for so long."""
    try:
        states = []
        for thread in os.listdir("/proc/%d/task" % pid):
            path = "/proc/%d/task/%s/stat" % (pid, thread)
            with open(path, encoding="ascii") as f:
                states.append(f.read().rsplit(")", 1)[1].split()[0])
        return any(state not in "ZX" for state in states)
    except FileNotFoundError:
        return os.path.exists("/proc/%d/task/%d/stat" % (pid, pid))
    except OSError:
        return False


class Hosts(cluster.ClusterTest):
    """What one process with several nodes is called here: a host."""

    def hosts(self, *counts, start=True, **settings):
        c = self.cluster(0)
        for number, count in enumerate(counts, 1):
            host = c.add(
                name="app%d" % number,
                nodes=count,
                host_label="label%d" % number,
                **settings
            )
            if count == 1:
                del host.settings["nodes"]
        for host in c.nodes:
            host.seeds = list(c.nodes)
        if start:
            for host in c.nodes:
                host.start()
            c.wait_settled(sum(counts))
        return c

    def processes(self, host):
        """The processes of the nodes: {name: id}, as the log tells them."""
        found = re.findall(r"node '([^']*)' is process (\d+)", host.log())
        return {name: int(pid) for name, pid in found}

    def fill(self, host):
        with host.client() as client:
            answers = client.pipeline(
                [("SET", "s:%d" % n, "v%d" % n) for n in range(SESSIONS)]
            )
        self.assertEqual(set(answers), {b"OK"})

    def check_filled(self, host):
        with host.client() as client:
            answers = client.pipeline(
                [("GET", "s:%d" % n) for n in range(SESSIONS)]
            )
        wanted = [b"v%d" % n for n in range(SESSIONS)]
        wrong = [pair for pair in zip(answers, wanted) if pair[0] != pair[1]]
        self.assertEqual(wrong, [])

    def who_answers(self, host):
        with host.client() as client:
            text = client.call("INFO", "holdfast").decode()
        return re.search(r"^name:(\S+)", text, re.M).group(1)

    def run_to_end(self, *words):
        done = subprocess.run(
            [cluster.HOLDFASTD, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=20 * cluster.PATIENCE,
            check=False,
        )
        return done.returncode, done.stderr

    def drain(self, *words, port):
        done = subprocess.run(
            [cluster.HOLDFAST, "drain", *words, "--port", str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=60 * cluster.PATIENCE,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr


class Starting(Hosts):
    def test_one_command_starts_nodes_that_share_a_port(self):
        host = self.hosts(3).nodes[0]
        seen = set()
        cluster.until(
            lambda: seen.add(self.who_answers(host)) or len(seen) == 3,
            30,
            "all three take clients",
        )
        self.assertEqual(seen, {"app1-1", "app1-2", "app1-3"})
        self.assertEqual(set(self.processes(host)), seen)
        status = host.status()[1]
        self.assertEqual(
            {member["address"] for member in status["members"]},
            {"127.0.0.1:%d" % host.port},
        )
        self.fill(host)
        for _ in range(10):
            self.check_filled(host)
        # Whose line it is can be seen.
        for name in seen:
            self.assertIn("[%s] ready: clients on " % name, host.log())

    def test_a_port_in_use_is_refused_as_by_one_node(self):
        shared = self.hosts(2).nodes[0]
        alone = self.cluster(1).nodes[0]
        for port in (shared.port, alone.port):
            for nodes in (1, 2):
                peer_port = cluster.free_port(nodes)
                code, error = self.run_to_end(
                    *("--port", str(port), "--nodes", str(nodes)),
                    *("--peer-port", str(peer_port)),
                )
                self.assertEqual(code, 1, error)
                self.assertIn("port %d is in use (setting port)" % port, error)
                self.assertEqual(len(error.splitlines()), 1, error)
        self.assertTrue(shared.answers() and alone.answers())

    def test_when_one_cannot_start_none_stays(self):
        host = self.hosts(3, start=False).nodes[0]
        with socket.socket() as other:
            other.bind(("127.0.0.1", host.peer_port + 1))
            other.listen(1)
            host.start()
            self.assertEqual(host.wait_exit(20), 1)
        log = host.log()
        self.assertIn(
            "port %d is in use (setting peer-port)" % (host.peer_port + 1), log
        )
        self.assertIn("node 'app1-2' could not start: stopping all", log)
        self.assertEqual(len(self.processes(host)), 3)
        for pid in self.processes(host).values():
            self.assertFalse(is_alive(pid))

    def test_settings_that_do_not_fit_are_refused(self):
        for words, text in (
            (("--nodes", "0"), "'0' is not allowed: a number from 1 to 16"),
            (("--nodes", "17"), "'17' is not allowed: a number from 1 to 16"),
            (("--nodes", "2", "--port", "0"), "setting port: '0'"),
            (("--nodes", "2", "--peer-port", "65535"), "at most 65535"),
            (
                ("--nodes", "2", "--cluster-port", "17380"),
                "setting cluster-port: '17380' is not allowed with nodes 2",
            ),
            (("--nodes", "2", "--name", "n" * 63), "setting name: 'nnn"),
        ):
            code, error = self.run_to_end(*words)
            self.assertEqual(code, 2, error)
            self.assertIn(text, error)
            self.assertEqual(len(error.splitlines()), 1, error)
        code, error = self.run_to_end("--nodes", "2", "--bind", "203.0.113.1")
        self.assertEqual(code, 1, error)
        self.assertIn("no such address on this machine", error)

    def test_any_free_port_is_one_that_all_have(self):
        c = self.cluster(0)
        host = c.add(nodes=2)
        chosen, host.port = host.port, 0
        host.start()

        def ready():
            host.check_running()
            return re.findall(r"ready: clients on 127.0.0.1:(\d+)", host.log())

        ports = cluster.until(
            lambda: ready() if len(ready()) == 2 else None, 20, "both ready"
        )
        self.assertEqual(ports[0], ports[1])
        self.assertNotEqual(int(ports[0]), chosen)
        host.port = int(ports[0])
        c.wait_settled(2)

    def test_each_node_has_its_own_cluster_port_and_socket(self):
        directory = self.cluster(0).directory
        path = os.path.join(directory, "way-in")
        first = cluster.free_port(2)
        c = self.hosts(2, cluster_port=first, unix_socket=path)
        host = c.nodes[0]
        names = []
        for number in (1, 2):
            own = "%s-%d" % (path, number)
            self.assertEqual(stat.S_IMODE(os.stat(own).st_mode), 0o600)
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(10 * cluster.PATIENCE)
                client.connect(own)
                client.sendall(b"INFO holdfast\r\n")
                names.append(client.recv(65536).split(b"name:app1-")[1][:1])
        self.assertEqual(names, [b"1", b"2"])
        for port in (first, first + 1):
            with resp.Client(port, timeout=10) as client:
                slots = client.call("CLUSTER", "SLOTS")
            told = {row[2][1] for row in slots}
            self.assertEqual(told, {first, first + 1})
        self.assertEqual(host.terminate(), 0)
        self.assertEqual(os.listdir(directory), [])


class OneEnds(Hosts):
    def test_a_killed_node_logs_nobody_out_and_comes_back(self):
        # The only host there is: the copies are with the other nodes on it.
        c = self.hosts(3)
        host = c.nodes[0]
        self.fill(host)
        before = self.processes(host)
        os.kill(before["app1-2"], signal.SIGKILL)
        said = "node 'app1-2' ended by signal 9: it is started again in 1 s"
        cluster.until(lambda: said in host.log(), 10, said)
        self.check_filled(host)
        cluster.until(
            lambda: self.processes(host)["app1-2"] != before["app1-2"],
            20,
            "app1-2 is started again",
        )
        c.wait_settled(3)
        self.check_filled(host)
        after = self.processes(host)
        self.assertEqual(after["app1-1"], before["app1-1"])
        self.assertEqual(after["app1-3"], before["app1-3"])
        self.assertEqual(host.status()[1]["partitions_lost"], 0)

    def test_a_node_that_cannot_come_back_is_tried_less_and_less_often(self):
        c = self.hosts(2)
        host = c.nodes[0]
        self.fill(host)
        os.kill(self.processes(host)["app1-2"], signal.SIGKILL)
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

            def taken():
                try:
                    other.bind(("127.0.0.1", host.peer_port + 1))
                except OSError:
                    return False
                return True

            cluster.until(taken, 10, "its peer port is free")
            other.listen(1)
            for text in (
                "ended by signal 9: it is started again in 1 s",
                "ended by exit code 1: it is started again in 2 s",
                "ended by exit code 1: it is started again in 4 s",
            ):
                text = "node 'app1-2' " + text
                cluster.until(lambda: text in host.log(), 20, text)
            self.check_filled(host)
        c.wait_settled(2)
        self.check_filled(host)

    def test_a_drained_node_is_not_started_again(self):
        c = self.hosts(3)
        host = c.nodes[0]
        self.fill(host)
        # Which one of them is not left to chance.
        code, out, err = self.drain(port=host.port)
        self.assertEqual((code, out), (2, ""))
        self.assertIn("name the one to drain", err)
        for number, name in enumerate(("app1-3", "app1-1"), 1):
            code, out, err = self.drain(name, port=host.port)
            self.assertEqual((code, err), (0, ""), out)
            gone = self.processes(host)[name]
            cluster.until(lambda: not is_alive(gone), 10, name + " has ended")
            c.wait_settled(3 - number)
            self.check_filled(host)
            text = "node '%s' has left, and is not started again" % name
            cluster.until(lambda: text in host.log(), 10, text)
        # With the last one, all of it ends.
        code, out, err = self.drain("app1-2", port=host.port)
        self.assertEqual(code, 1)
        self.assertIn("%d sessions end with this one" % SESSIONS, err)
        self.assertEqual(host.wait_exit(10), 0)
        self.assertEqual(len(re.findall("is process", host.log())), 3)


class AllEnd(Hosts):
    def test_copies_are_on_other_hosts(self):
        c = self.hosts(2, 2)
        first, second = c.nodes
        self.fill(first)
        first.kill()
        c.wait_settled(2, nodes=[second])
        self.check_filled(second)
        self.assertEqual(second.status()[1]["partitions_lost"], 0)
        first.start()
        c.wait_settled(4)
        self.check_filled(first)

    def test_a_host_that_stops_hands_over_to_the_others(self):
        # Without copies, so that all there is has to be moved; and by a signal
        # to each process, as systemd and a terminal send it.
        c = self.hosts(2, 1, backups=0)
        first, second = c.nodes
        self.fill(first)
        everybody = [first.process.pid, *self.processes(first).values()]
        for number in (signal.SIGTERM, signal.SIGINT):
            for pid in everybody[1:]:
                os.kill(pid, number)
        first.signal(signal.SIGTERM)
        self.assertEqual(first.wait_exit(60), 0)
        for pid in everybody[1:]:
            self.assertFalse(is_alive(pid))
        self.check_filled(second)
        self.assertEqual(second.status()[1]["partitions_lost"], 0)
        for name in ("app1-1", "app1-2"):
            self.assertIn("[%s] drained: " % name, first.log())

    def test_a_second_signal_stops_all_at_once(self):
        c = self.hosts(2, 1)
        first, second = c.nodes
        self.fill(first)
        second.pause()  # So that nobody can take what there is.
        try:
            first.signal(signal.SIGTERM)
            for name in ("app1-1", "app1-2"):
                text = "[%s] draining: " % name
                cluster.until(lambda: text in first.log(), 20, text)
            first.signal(signal.SIGINT)
            with cluster.deadline(10, "stopping at once"):
                self.assertEqual(first.wait_exit(20), 0)
        finally:
            second.resume()
        self.assertNotIn("drained", first.log())  # Nor "not drained".

    def test_a_third_signal_does_not_wait(self):
        c = self.hosts(2)
        host = c.nodes[0]
        for pid in self.processes(host).values():
            os.kill(pid, signal.SIGSTOP)
        for _ in range(2):
            host.signal(signal.SIGTERM)
            # Each is taken before the next: two at once would count as one.
            cluster.until(
                lambda: self.pending(host) == 0, 10, "the signal was taken"
            )
            self.assertIsNone(host.process.poll())
        host.signal(signal.SIGTERM)
        self.assertEqual(host.wait_exit(10), 1)
        for pid in self.processes(host).values():
            cluster.until(lambda: not is_alive(pid), 10, "%d ends" % pid)

    def pending(self, host):
        with open("/proc/%d/status" % host.process.pid, encoding="ascii") as f:
            text = f.read()
        return int(re.search(r"^ShdPnd:\s*(\w+)", text, re.M).group(1), 16)

    def test_no_node_outlives_the_process_that_started_it(self):
        host = self.hosts(3).nodes[0]
        pids = self.processes(host)
        os.kill(pids["app1-3"], signal.SIGSTOP)  # Not even a hanging one.
        host.kill()
        for name, pid in pids.items():
            cluster.until(lambda: not is_alive(pid), 10, name + " ends")
        # Nothing is in the way of the next one.
        host.start()
        cluster.until(
            lambda: host.status()[1] is not None
            and len(host.status()[1]["members"]) == 3,
            30,
            "three nodes again",
        )
