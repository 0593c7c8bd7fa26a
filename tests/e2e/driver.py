"""driver.py KIND PORT... - A client library at work, for tests that run it in
a process of its own: it may want another Python than the tests.

KIND: cluster (redis-py's RedisCluster) or sentinel (its Sentinel). Writes
rising numbers to a few hundred keys and reads them back until its standard
input ends, then reads all of them once more and prints what it saw, as JSON.
"""

import json
import select
import sys
import time

import redis
from redis.cluster import ClusterNode, RedisCluster
from redis.sentinel import Sentinel

KEYS = 300


def connect(kind, ports):
    if kind == "cluster":
        nodes = [ClusterNode("127.0.0.1", port) for port in ports]
        return RedisCluster(startup_nodes=nodes, socket_timeout=5)
    sentinel = Sentinel([("127.0.0.1", port) for port in ports])
    return sentinel.master_for("mymaster", socket_timeout=5)


def main():
    client = connect(sys.argv[1], [int(word) for word in sys.argv[2:]])
    maybe, errors, wrong, done, number, longest = {}, {}, [], 0, 0, 0
    client.publish("channel", "sent by what COMMAND says of PUBLISH")
    client.eval("return KEYS[1]", 1, "k1")
    print("ready", flush=True)
    ended = False
    while not ended:
        ended = bool(select.select([sys.stdin], [], [], 0)[0])
        number += 1
        key = "k%d" % (number % KEYS)
        began = time.monotonic()
        try:
            seen = client.get(key)
            if int(seen or 0) not in maybe.get(key, {0}):
                wrong.append("%s: %r, not %r" % (key, seen, maybe.get(key)))
            maybe[key] = maybe.get(key, {0}) | {number}
            client.set(key, number, ex=1000)
            maybe[key] = {number}
            done += 1
        except redis.RedisError as error:
            text = "%s: %s" % (type(error).__name__, error)
            errors[text] = errors.get(text, 0) + 1
            time.sleep(0.02)
        longest = max(longest, time.monotonic() - began)
        last = time.monotonic() - began
    for key, values in maybe.items():
        seen = client.get(key)
        if int(seen or 0) not in values:
            wrong.append("%s: %r at the end, not %r" % (key, seen, values))
    summary = {"done": done, "errors": errors, "wrong": wrong}
    summary.update({"longest": longest, "last": last})
    print(json.dumps(summary), flush=True)


main()
