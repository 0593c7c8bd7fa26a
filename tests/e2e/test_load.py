"""The load program of the benchmarks: does it do what it is asked to, and
does it notice wrong answers?"""

import json
import os
import subprocess

from cluster import BUILD, SharedClusterTest, until

LOAD = os.path.join(BUILD, "tests", "load")


class LoadProgram(SharedClusterTest):
    SIZE = 2

    def load(self, *options):
        ports = ",".join(str(node.port) for node in self.nodes)
        done = subprocess.run(
            [LOAD, "--port", ports] + list(options),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
            check=False,
        )
        self.assertEqual(done.stderr, b"")
        self.assertEqual(done.returncode, 0)
        return json.loads(done.stdout)

    def assert_wrong(self, result, missing=0, errors=0, wrong=0):
        found = (result["missing"], result["errors"], result["wrong"])
        self.assertEqual(found, (missing, errors, wrong))

    def setUp(self):
        self.nodes[0].call("FLUSHALL")

    def test_all_that_it_wrote_is_there_and_right(self):
        result = self.load("--fill", "--sessions", "500", "--requests", "3000",
                           "--pipeline", "16", "--get", "60", "--touch", "20")
        self.assert_wrong(result)
        self.assertEqual(result["ops"], 3000)
        counts = [result[kind]["count"] for kind in ("get", "set", "touch")]
        self.assertEqual(sum(counts), 3000)
        for count, percent in zip(counts, (60, 20, 20)):
            self.assertAlmostEqual(count / 30, percent, delta=5)
        self.assertEqual(self.nodes[0].call("DBSIZE"), 500)
        value = self.nodes[1].call("GET", "sess:00000499")
        self.assertEqual(value, b"00000499" + b"v" * 1016)
        self.assertGreater(self.nodes[1].call("TTL", "sess:00000499"), 3000)

    def test_what_is_not_there_is_missing(self):
        result = self.load("--requests", "200", "--get", "100", "--set", "0")
        self.assert_wrong(result, missing=200)

    def test_a_value_of_another_length_is_wrong(self):
        self.load("--fill", "--sessions", "10", "--requests", "0")
        result = self.load("--sessions", "10", "--requests", "200", "--get",
                           "100", "--set", "0", "--value", "1000")
        self.assert_wrong(result, wrong=200)

    def test_a_value_of_another_session_is_wrong(self):
        self.nodes[0].call("SET", "sess:00000000", b"00000001" + b"v" * 1016)
        result = self.load("--sessions", "1", "--requests", "200", "--get",
                           "100", "--set", "0")
        self.assert_wrong(result, wrong=200)

    def test_an_error_is_an_error(self):
        self.nodes[0].call("HSET", "sess:00000000", "field", "value")
        result = self.load("--sessions", "1", "--requests", "200", "--get",
                           "100", "--set", "0")
        self.assert_wrong(result, errors=200)

    def test_the_rate_is_kept_and_a_stall_is_not_forgiven(self):
        result = self.load("--fill", "--sessions", "100", "--rate", "1000",
                           "--requests", "1000")
        self.assert_wrong(result)
        self.assertGreater(result["seconds"], 0.99)
        # A node stands still from before the first operation is due to its
        # end: what was due meanwhile counts from then.
        ports = ["--port", str(self.nodes[0].port)]
        load = subprocess.Popen(
            [LOAD] + ports + ["--rate", "100", "--requests", "100"]
            + ["--sessions", "100", "--get", "100", "--set", "0"],
            stdout=subprocess.PIPE,
        )
        try:
            with self.nodes[0].client() as client:
                until(
                    lambda: b"connected_clients:51"
                    in client.call("INFO", "clients"),
                    10, "the load is connected",
                )
            self.nodes[0].pause()
            load.wait(2)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.nodes[0].resume()
            out = load.communicate(timeout=30)[0]
        result = json.loads(out)
        self.assertGreater(result["get"]["max"], 1e6)
        self.assertGreater(result["get"]["p50"], 0.5e6)

    def test_wrong_options_are_told(self):
        for options, word in (
            ([], b"--port"),
            (["--port", "0"], b"--port"),
            (["--port", "1", "--get", "90"], b"100"),
            (["--port", "1", "--what", "1"], b"--what"),
            (["--port", "1", "--pipeline"], b"--pipeline"),
            (["--port", "1", "--value", "7"], b"8 to"),
        ):
            done = subprocess.run([LOAD] + options, stderr=subprocess.PIPE,
                                  check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn(word, done.stderr)
