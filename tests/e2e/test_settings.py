"""Settings, start-up errors, help and logs of holdfastd and holdfast."""

import json
import os
import re
import socket
import subprocess
import time

import cluster

NAMES = (
    "port peer-port bind advertise seeds name host-label backups "
    "cluster-name log-level log-format hold partition-policy"
).split()


def run(*words, **options):
    """Runs a program to its end: (exit code, standard output, error)."""
    done = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=20 * cluster.PATIENCE,
        check=False,
        **options
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Settings(cluster.ClusterTest):
    def directory(self):
        return self.cluster(1, start=False).directory

    def write(self, text):
        path = os.path.join(self.directory(), "holdfast.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def expect_refused(self, words, *named):
        """Exit 2 and one line that has all of @named."""
        code, out, error = run(cluster.HOLDFASTD, *words)
        self.assertEqual(code, 2, (words, out, error))
        self.assertEqual(len(error.strip().splitlines()), 1, error)
        for text in named:
            self.assertIn(text, error, words)

    def test_help_and_version(self):
        for program in (cluster.HOLDFASTD, cluster.HOLDFAST):
            code, out, error = run(program, "--help")
            self.assertEqual((code, error), (0, ""))
            self.assertTrue(out.lower().startswith("usage:"), out[:80])
            self.assertLessEqual(max(map(len, out.splitlines())), 80, out)
            code, out, error = run(program, "--version")
            self.assertEqual((code, error), (0, ""))
            self.assertRegex(out, r"\d+\.\d+\.\d+")
        out = run(cluster.HOLDFASTD, "--help")[1]
        for name in NAMES:
            self.assertIn("--" + name, out)

    def test_takeover_warns_and_is_refused_where_there_is_no_need(self):
        nobody = str(cluster.free_port())
        code, out, error = run(cluster.HOLDFAST, "takeover", "--port", nobody)
        self.assertEqual((code, out), (2, ""))
        self.assertRegex(error, r"^holdfast: cannot reach [^\n]+\n$")
        node = self.cluster(1).nodes[0]
        where = ("--port", str(node.port))
        code, out, error = run(cluster.HOLDFAST, "takeover", "--yes", *where)
        self.assertEqual((code, out), (1, ""))
        self.assertIn("no takeover", error)
        code = run(cluster.HOLDFAST, "status", "--yes", *where)[0]
        self.assertEqual(code, 2)

    def test_bad_values_name_the_setting_and_the_value(self):
        for setting, value in (
            ("port", "word"),
            ("port", "70000"),
            ("port", "-1"),
            ("port", "7379x"),
            ("peer-port", "99999"),
            ("backups", "4"),
            ("backups", "-1"),
            ("log-level", "loud"),
            ("log-format", "xml"),
            ("partition-policy", "quorum"),
            ("seeds", "nonsense"),
            ("seeds", "127.0.0.1:70000"),
            ("hold", "word"),
            ("hold", "-5"),
            ("name", "n" * 200),
            ("cluster-name", "c" * 200),
        ):
            self.expect_refused(
                ["--" + setting, value], setting, value[:20]
            )

    def test_unknown_settings_and_missing_values(self):
        self.expect_refused(["--no-such", "1"], "no-such")
        self.expect_refused(["--port"], "port")
        self.expect_refused([self.write("no-such 1\n")], "no-such")
        self.expect_refused([self.write("port word\n")], "port", "word")

    def test_a_line_that_is_there_twice_is_refused(self):
        path = self.write("backups 2\n\nbackups 1\n")
        self.expect_refused([path], path + ":3: setting backups: line 1")

    def test_several_nodes_on_any_port_need_a_peer_port(self):
        self.expect_refused(
            ["--nodes", "2", "--port", "0"],
            "setting port: '0'",
            "nodes 2",
            "unless peer-port is given",
        )

    def test_a_config_file_that_cannot_be_read(self):
        path = os.path.join(self.directory(), "absent.conf")
        code, _, error = run(cluster.HOLDFASTD, path)
        self.assertNotEqual(code, 0)
        self.assertIn(path, error)
        self.assertEqual(len(error.strip().splitlines()), 1, error)
        code, _, error = run(cluster.HOLDFASTD, self.directory())
        self.assertNotEqual(code, 0)
        self.assertEqual(len(error.strip().splitlines()), 1, error)

    def test_flags_win_over_the_file(self):
        c = self.cluster(1, start=False)
        node = c.nodes[0]
        other = cluster.free_port()
        path = os.path.join(c.directory, "holdfast.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write("# A comment\n\nport %d\n" % other)
            file.write("name from-the-file\n")
            file.write("cluster-name  from-the-file\n")
        command = node.command()
        at = command.index("--name")
        command[at : at + 2] = [path]
        node.command = lambda: command
        c.start()
        status = node.status()[1]
        self.assertEqual(status["members"][0]["name"], "from-the-file")
        with self.assertRaises(OSError):
            cluster.connect(other)

    def test_a_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            free = str(cluster.free_port())
            for words in (
                ["--port", port, "--peer-port", free],
                ["--port", free, "--peer-port", port],
            ):
                code, out, error = run(cluster.HOLDFASTD, *words)
                self.assertIn(code, (1, 2))
                lines = [
                    line
                    for line in (out + error).splitlines()
                    if port in line and "in use" in line
                ]
                self.assertEqual(len(lines), 1, out + error)

    def test_json_logs_are_json(self):
        c = self.cluster(2, log_format="json", log_level="debug")
        c.nodes[0].kill()
        c.wait_settled(1)
        with c.nodes[1].client() as client:
            client.send_raw(b"*\xff\xfe\"\\\r\n")
        for node in c.nodes:
            lines = node.log().splitlines()
            self.assertGreater(len(lines), 1)
            for line in lines:
                self.assertIsInstance(json.loads(line), dict, line)

    def test_text_logs_are_lines_with_a_level(self):
        c = self.cluster(1)
        lines = c.nodes[0].log().splitlines()
        self.assertGreater(len(lines), 0)
        for line in lines:
            self.assertRegex(line, re.compile("info|warning|error", re.I))

    def test_a_quiet_level_is_quiet(self):
        c = self.cluster(1, log_level="error")
        self.assertEqual(c.nodes[0].log(), "")

    def test_a_node_beyond_loopback_says_so(self):
        c = self.cluster(1, bind="0.0.0.0", advertise="127.0.0.1")
        self.assertRegex(
            c.nodes[0].log(), re.compile("warning.*0\\.0\\.0\\.0", re.I)
        )
        c = self.cluster(1)
        self.assertNotRegex(c.nodes[0].log(), re.compile("warning", re.I))

    def freeze_all_but_one(self, c, seconds):
        """Freezes the others, asks the first node for keys of all, and after
        @seconds lets the others go on; the replies."""
        keys = ["hold:%d" % number for number in range(60)]
        with c.nodes[0].client() as client:
            for node in c.nodes[1:]:
                node.pause()
            frozen = time.monotonic()
            for key in keys:
                client.send("SET", key, "v")
            cluster.until(
                lambda: time.monotonic() - frozen > seconds, 5, "the freeze"
            )
            for node in c.nodes[1:]:
                node.resume()
            return [client.read() for _ in keys]

    def test_hold_is_how_long_a_command_waits(self):
        c = self.cluster(3, hold=3000)
        replies = self.freeze_all_but_one(c, 0.6)
        self.assertEqual(set(replies), {b"OK"})
        c.close()
        c = self.cluster(3, hold=50)
        replies = set(self.freeze_all_but_one(c, 0.6)) - {b"OK"}
        self.assertEqual(len(replies), 1)
        self.assertTrue(str(replies.pop()).startswith("CLUSTERDOWN "))

    def test_sigterm_and_sigint_end_it_well(self):
        for number in (15, 2):
            c = self.cluster(1)
            node = c.nodes[0]
            node.signal(number)
            self.assertEqual(node.wait_exit(), 0)


class StatusCommand(cluster.ClusterTest):
    def test_the_table_is_for_people(self):
        c = self.cluster(2)
        code, out, error = run(
            cluster.HOLDFAST, "status", "--port", str(c.nodes[0].port)
        )
        self.assertEqual((code, error), (0, ""))
        for text in ("node1", "node2", "sessions"):
            self.assertIn(text, out.lower())

    def test_bad_arguments_are_refused(self):
        for words in (
            [],
            ["nonsense"],
            ["status", "--port", "word"],
            ["status", "--nonsense"],
        ):
            code, _, error = run(cluster.HOLDFAST, *words)
            self.assertEqual(code, 2, words)
            self.assertNotEqual(error, "")
