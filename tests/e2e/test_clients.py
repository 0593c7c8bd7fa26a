"""Stock clients against a cluster whose nodes die."""

import json
import os
import subprocess
import sys

import cluster

DEMO = os.path.join(cluster.ROOT, "deploy", "express-demo")
SCRIPTS = os.path.join(cluster.ROOT, "tests", "clients", "connect_redis")
VISITORS = os.path.join(SCRIPTS, "visitors.js")
LOGOUT = os.path.join(SCRIPTS, "logout.js")


def install_demo():
    """The packages of the demo, as its lock file has them."""
    if not os.path.isdir(os.path.join(DEMO, "node_modules", "connect-redis")):
        subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"],
            cwd=DEMO,
            timeout=300,
            check=True,
        )


class ConnectRedis(cluster.ClusterTest):
    """express-session, connect-redis and node-redis, unmodified."""

    @classmethod
    def setUpClass(cls):
        install_demo()

    def visit_and_kill(self, version):
        c = self.cluster(3)
        ports = [str(node.port) for node in c.nodes[:2]]
        visitors = subprocess.Popen(
            ["node", VISITORS] + ports + [str(version)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            self.assertEqual(visitors.stdout.readline(), b"ready\n")
            c.nodes[2].kill()
            c.wait_settled(2)
            c.nodes[2].start()
            c.wait_settled(3)
            out, _ = visitors.communicate(timeout=60 * cluster.PATIENCE)
        finally:
            if visitors.poll() is None:
                visitors.kill()
            visitors.wait(10)
        self.assertEqual(visitors.returncode, 0)
        result = json.loads(out)
        print("    %s" % result, file=sys.stderr)
        self.assertEqual(result["errors"], [])
        self.assertGreater(result["requests"], 400)

    def test_nobody_is_logged_out_with_resp2(self):
        self.visit_and_kill(2)

    def test_nobody_is_logged_out_with_resp3(self):
        self.visit_and_kill(3)

    def log_out(self, version):
        c = self.cluster(3)
        ports = [str(node.port) for node in c.nodes[:2]]
        done = subprocess.run(
            ["node", LOGOUT] + ports + [str(version)],
            stdout=subprocess.PIPE,
            timeout=60 * cluster.PATIENCE,
            check=True,
        )
        self.assertEqual(json.loads(done.stdout), {"logouts": 20, "errors": []})
        cluster.until(
            lambda: c.nodes[2].status()[1]["fences"] == 20,
            5,
            "20 fences in the status",
        )
        self.assertEqual(c.nodes[2].status()[1]["fences_lifted_early"], 0)

    def test_a_late_save_after_a_logout_stores_nothing_with_resp2(self):
        self.log_out(2)

    def test_a_late_save_after_a_logout_stores_nothing_with_resp3(self):
        self.log_out(3)


class RedisBenchmark(cluster.ClusterTest):
    def test_redis_benchmark_runs(self):
        c = self.cluster(2)
        done = subprocess.run(
            ["redis-benchmark", "-h", "127.0.0.1", "-q", "-c", "20"]
            + ["-p", str(c.nodes[0].port), "-n", "5000", "-r", "1000"]
            + ["-P", "4", "-t", "ping,set,get,incr,hset,mset"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60 * cluster.PATIENCE,
            check=False,
        )
        text = done.stdout.decode().replace("\r", "\n")
        self.assertEqual(done.returncode, 0, text)
        self.assertNotIn("rror", text)
        for name in ("PING", "SET", "GET", "INCR", "HSET", "MSET"):
            self.assertIn(name, text)
