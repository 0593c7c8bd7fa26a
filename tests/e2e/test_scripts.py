"""Scripts answer as those of redis-server do, on whatever node, and no script
holds up the others.

Where a client library is installed (redis-py), its own scripts are run through
it. The other scripts are of the kind that known clients send, in words of this
test: the same commands, the same functions of Lua.
"""

import hashlib
import shutil
import subprocess
import threading
import time
import unittest

import cluster
from resp import Client, ReplyError

try:
    import redis
    import redis.lock
except ImportError:  # Of Debian's python3-redis.
    redis = None

# One unlocks, the other prolongs: sent by many, among them phpredis, Laravel.
UNLOCK = (
    'if redis.call("get",KEYS[1]) == ARGV[1] then '
    'return redis.call("del",KEYS[1]) else return 0 end'
)
PROLONG = (
    'if redis.call("get",KEYS[1]) == ARGV[1] then '
    'if tonumber(ARGV[2]) > 0 then return redis.call("expire",KEYS[1],ARGV[2]) '
    'else return redis.call("persist",KEYS[1]) end else return 0 end'
)
# A cache adds what is not there (Laravel), and counts what is (django-redis).
ADD = (
    "return redis.call('exists',KEYS[1])<1 and "
    "redis.call('setex',KEYS[1],ARGV[2],ARGV[1])"
)
COUNT = """
    if redis.call('EXISTS', KEYS[1]) == 1 then
        return redis.call('INCRBY', KEYS[1], ARGV[1])
    else return false end
"""
# A loop over keys, with an option that may be empty (Redisson).
EXPIRE_ALL = (
    "local changed = 0; for i = 1, #KEYS, 1 do local set; "
    "if ARGV[2] ~= '' then set = redis.call('%s', KEYS[i], ARGV[1], ARGV[2]); "
    "else set = redis.call('%s', KEYS[i], ARGV[1]); end; "
    "if set == 1 then changed = set; end; end; return changed; "
)
PERSIST_ALL = (
    "local changed = 0; for i = 1, #KEYS, 1 do "
    "local set = redis.call('persist', KEYS[i]); "
    "if set == 1 then changed = set; end; end; return changed; "
)
# Locks on several keys at once (redislock).
OBTAIN = """
local function holds()
    local size = tonumber(ARGV[2])
    for _, key in ipairs(KEYS) do
        if redis.call("getrange", key, 0, size - 1) ~=
            string.sub(ARGV[1], 1, size) then
            return false
        end
    end
    return true
end
local pairs_ = {}
for _, key in ipairs(KEYS) do
    table.insert(pairs_, key)
    table.insert(pairs_, ARGV[1])
end
if redis.call("msetnx", unpack(pairs_)) ~= 1 then
    if holds() == false then return false end
    redis.call("mset", unpack(pairs_))
end
for _, key in ipairs(KEYS) do redis.call("pexpire", key, ARGV[3]) end
return redis.status_reply("OK")
"""
HELD = """
local values = redis.call("mget", unpack(KEYS))
for i, _ in ipairs(KEYS) do
    if values[i] ~= ARGV[1] then return false end
end
"""
RELEASE = (
    HELD + 'for _, key in ipairs(KEYS) do if redis.call("del", key) ~= 1 then '
    'return redis.error_reply("cannot delete " .. key) end end '
    'return redis.status_reply("OK")'
)
REFRESH = (
    HELD + 'for _, key in ipairs(KEYS) do redis.call("pexpire", key, ARGV[2]) '
    'end return redis.status_reply("OK")'
)
HELD_FOR = HELD + 'return redis.call("pttl", KEYS[1]) > 99000 and 1 or 0'
# A cache entry as a hash (.NET), with CRLF as it is sent from there.
SET_ENTRY = (
    "\r\n  redis.call('%s', KEYS[1], 'absexp', ARGV[1], 'sldexp', ARGV[2], "
    "'data', ARGV[4])\r\n  if ARGV[3] ~= '-1' then\r\n"
    "    redis.call('EXPIRE', KEYS[1], ARGV[3])\r\n  end\r\n  return 1"
)
# Read and renew (Litestar).
GET_AND_RENEW = """
    local data = redis.call('GET', KEYS[1])
    if redis.call('TTL', KEYS[1]) > 0 then
        redis.call('EXPIRE', KEYS[1], tonumber(ARGV[1]))
    end
    return data
"""
# A session with its lock and its time to live, over three keys (ASP.NET).
SET_SESSION = """
    redis.call('HMSET', KEYS[1], unpack(ARGV, 3, ARGV[1]))
    redis.call('EXPIRE', KEYS[1], ARGV[2])
    redis.call('HMSET', KEYS[2], 'SessionTimeout', ARGV[2])
    redis.call('EXPIRE', KEYS[2], ARGV[2])
    return 1
"""
LOCK_SESSION = """
    local answer, locked = {ARGV[1]}, true
    if redis.call('SETNX', KEYS[1], ARGV[1]) == 0 then
        answer[1] = redis.call('GET', KEYS[1])
    else
        redis.call('EXPIRE', KEYS[1], ARGV[2])
        locked = false
    end
    if answer[1] == ARGV[1] then answer[2] = redis.call('HGETALL', KEYS[2])
    else answer[2] = '' end
    local timeout = redis.call('HGET', KEYS[3], 'SessionTimeout')
    answer[3] = timeout ~= false and timeout or '-1'
    answer[4] = locked
    return answer
"""
READ_SESSION = """
    local lock = redis.call('GET', KEYS[1])
    if lock ~= false then return {lock, '', '-1'} end
    local timeout = redis.call('HGET', KEYS[3], 'SessionTimeout')
    if timeout == false then timeout = '-1' end
    return {'', redis.call('HGETALL', KEYS[2]), timeout}
"""
UNLOCK_SESSION = """
    local lock = redis.call('GET', KEYS[1])
    if lock == ARGV[1] then
        redis.call('DEL', KEYS[1])
    end return 1
"""
UPDATE_SESSION = """
    if redis.call('GET', KEYS[1]) == ARGV[1] then
        if tonumber(ARGV[3]) ~= 0 then
            redis.call('HDEL', KEYS[2], unpack(ARGV, ARGV[4], ARGV[5])) end
        if tonumber(ARGV[6]) ~= 0 then
            redis.call('HMSET', KEYS[2], unpack(ARGV, ARGV[7], ARGV[8])) end
        redis.call('EXPIRE', KEYS[2], ARGV[2])
    end return 1
"""
TOUCH_SESSION = """
    if redis.call('EXISTS', KEYS[1]) ~= 1 then return 1; end
    local timeout = redis.call('HGET', KEYS[2], 'SessionTimeout')
    if timeout ~= false then
        redis.call('EXPIRE', KEYS[1], timeout)
        redis.call('EXPIRE', KEYS[2], timeout)
    else redis.call('HMSET', KEYS[2], 'SessionTimeout', ARGV[1]) end
    return 1
"""
REMOVE_SESSION = """
    if redis.call('GET', KEYS[1]) == ARGV[1] then
        redis.call('DEL', KEYS[2])
        redis.call('DEL', KEYS[3])
        redis.call('DEL', KEYS[1])
    end return 1
"""

RETURN_7 = hashlib.sha1(b"return 7").hexdigest().upper()
FAR_MS = str(2000000000000)
SESSION = ["{app_1}_Lock", "{app_1}_Data", "{app_1}_Internal"]


def evaluate(script, keys, *arguments):
    return ["EVAL", script, len(keys)] + list(keys) + list(arguments)


# Commands, of which each of a list is sent to another node.
DIALOGUES = [
    [
        ["SET", "lock", "me", "PX", "100000"],
        evaluate(UNLOCK, ["lock"], "you"),
        evaluate(PROLONG, ["lock"], "me", "50"),
        ["TTL", "lock"],
        evaluate(PROLONG, ["lock"], "me", "0"),
        ["TTL", "lock"],
        evaluate(PROLONG, ["lock"], "you", "0"),
        evaluate(UNLOCK, ["lock"], "me"),
        evaluate(UNLOCK, ["lock"], "me"),
        ["EXISTS", "lock"],
    ],
    [
        evaluate(ADD, ["entry"], "v1", "100"),
        evaluate(ADD, ["entry"], "v2", "200"),
        ["GET", "entry"],
        ["TTL", "entry"],
        evaluate(COUNT, ["number"], "5"),
        ["SET", "number", "10"],
        evaluate(COUNT, ["number"], "5"),
        evaluate(COUNT, ["number"], "-20"),
        evaluate(COUNT, ["entry"], "1"),
        evaluate(COUNT, ["number"], "9223372036854775807"),
    ],
    [
        ["HSET", "{r}1", "f", "v"],
        ["SET", "{r}2", "v"],
        evaluate(EXPIRE_ALL % (("pexpire",) * 2), ["{r}1"], "100000", ""),
        ["TTL", "{r}1"],
        evaluate(
            EXPIRE_ALL % (("pexpire",) * 2), ["{r}1", "{r}2"], "200000", "NX"
        ),
        ["TTL", "{r}1"],
        ["TTL", "{r}2"],
        evaluate(EXPIRE_ALL % (("pexpireat",) * 2), ["{r}1"], FAR_MS, "GT"),
        ["PEXPIRETIME", "{r}1"],
        evaluate(PERSIST_ALL, ["{r}1", "{r}2", "{r}3"]),
        evaluate(PERSIST_ALL, ["{r}1"]),
        ["TTL", "{r}1"],
    ],
    [
        evaluate(OBTAIN, ["{l}a", "{l}b"], "token:1", "5", "100000"),
        evaluate(OBTAIN, ["{l}a", "{l}b"], "token:2", "5", "200000"),
        evaluate(OBTAIN, ["{l}a", "{l}b"], "other:1", "5", "100000"),
        ["MGET", "{l}a", "{l}b"],
        evaluate(HELD_FOR, ["{l}a", "{l}b"], "token:2"),
        evaluate(HELD_FOR, ["{l}a", "{l}b"], "token:1"),
        evaluate(REFRESH, ["{l}a", "{l}b"], "token:2", "300000"),
        ["TTL", "{l}b"],
        evaluate(RELEASE, ["{l}a", "{l}b"], "token:1"),
        evaluate(RELEASE, ["{l}a", "{l}b"], "token:2"),
        evaluate(RELEASE, ["{l}a", "{l}b"], "token:2"),
    ],
    [
        evaluate(SET_ENTRY % "HMSET", ["net"], "-1", "6000", "60", b"\x00\xff"),
        ["HGETALL", "net"],
        ["TTL", "net"],
        evaluate(SET_ENTRY % "HSET", ["net2"], "-1", "-1", "-1", "data"),
        ["TTL", "net2"],
        evaluate(GET_AND_RENEW, ["net3"], "50"),
        ["SETEX", "net3", "100", "v"],
        evaluate(GET_AND_RENEW, ["net3"], "50"),
        ["TTL", "net3"],
    ],
    [
        evaluate(READ_SESSION, SESSION),
        evaluate(SET_SESSION, SESSION[1:], "6", "100", "a", "1", "b", "2"),
        evaluate(LOCK_SESSION, SESSION, "77", "100"),
        evaluate(LOCK_SESSION, SESSION, "78", "100"),
        evaluate(READ_SESSION, SESSION),
        evaluate(UNLOCK_SESSION, SESSION[:1], "78"),
        evaluate(READ_SESSION, SESSION),
        evaluate(UNLOCK_SESSION, SESSION[:1], "77"),
        evaluate(READ_SESSION, SESSION),
        evaluate(LOCK_SESSION, SESSION, "77", "100"),
        evaluate(
            UPDATE_SESSION, SESSION,
            "77", "200", "1", "9", "9", "1", "10", "11", "a", "c", "3",
        ),
        ["HGETALL", SESSION[1]],
        ["TTL", SESSION[1]],
        evaluate(TOUCH_SESSION, SESSION[1:], "50"),
        ["TTL", SESSION[1]],
        evaluate(REMOVE_SESSION, SESSION, "78"),
        ["EXISTS", SESSION[1]],
        evaluate(REMOVE_SESSION, SESSION, "77"),
        ["EXISTS", SESSION[1]],
    ],
]

# Scripts of no use but for what they answer; each with one key.
SCRIPTS = [
    "return {1, 2, 3.7, 'x', false, true, {4, {5}}, nil, 6}",
    "return {ok='fine'}",
    "return {err='SOME error'}",
    "return {err='error'}",
    "return redis.error_reply('error')",
    "return redis.status_reply('a b')",
    "return redis.call('get', KEYS[1])",
    "return redis.call('set', KEYS[1], 'v', 'ex', 100)",
    "return redis.call('set', KEYS[1], 'v', 'nx')",
    "return redis.call('mget', KEYS[1], KEYS[1])",
    "return redis.call('exists', KEYS[1], KEYS[1])",
    "return redis.call('incr', KEYS[1])",
    "return redis.pcall('incr', KEYS[1])",
    "return {pcall(redis.call, 'incr', KEYS[1])}",
    "local e = redis.pcall('nosuch') return e.err",
    "return redis.call('nosuch')",
    "return redis.call('get')",
    "return redis.call()",
    "return redis.call('get', {})",
    "return redis.call('eval', 'return 1', 0)",
    "return redis.call('multi')",
    "return redis.call('client', 'id')",
    "return redis.call('ping')",
    "return redis.call('echo', 'x')",
    "return #redis.call('time')",
    "return {redis.call('time', 'x')}",
    "return redis.sha1hex(KEYS[1])",
    "x = 1",
    "return x",
    "error('text')",
    "error({err='CODE text'})",
    "error(nil)",
    "return nothing.here",
    "return 1 +",
    "\n\nreturn redis.call('hget', KEYS[1], 'f')",
    "local function f() return 1 + f() end return f()",
    "return tostring(redis.call('hgetall', KEYS[1] .. '{k}')[1])",
    "return string.format('%5.2f|%s|%d', 1/3, 'x', 42)",
    "return table.concat({1, 2, 'x'}, ',')",
    "return {tonumber('0x10'), tonumber('z', 36), tonumber('x')}",
    "local t = {5, 3, 9} table.sort(t) return t",
    "return {string.find('hello world', 'o w')}",
    "return {math.floor(-3.5), math.max(1, 7), 7 % 3, 2^10}",
    "return redis.call('set', KEYS[1], 3.25) and redis.call('get', KEYS[1])",
    "return #KEYS .. ' ' .. #ARGV",
    "redis.log(redis.LOG_WARNING, 'text')",
    "redis.call('hset', 'h{k}', 'f', 'v') return 1",
    "return redis.replicate_commands()",
    "return select(2, 'a', 'b', 'c')",
    "local a <const> = 1",
    "return {xpcall(function() error('e', 0) end, function(e) return e end)}",
]


class Redis:
    """A redis-server without persistence."""

    def __init__(self):
        self.port = cluster.free_port()
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--save", ""]
            + ["--bind", "127.0.0.1", "--dir", "/tmp", "--appendonly", "no"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        cluster.until(self.answers, 10, "redis-server answers")

    def answers(self):
        try:
            with Client(self.port) as client:
                return client.call("PING") == b"PONG"
        except OSError:
            return False

    def close(self):
        self.process.terminate()
        self.process.wait(20)


class Scripts(cluster.ClusterTest):
    def compare(self, nodes, commands):
        """Sends each command to redis-server and to one node after the
        other."""
        server = Redis()
        try:
            with Client(server.port) as client:
                wanted = [client.call(*command) for command in commands]
        finally:
            server.close()
        clients = [node.client() for node in nodes]
        for i, command in enumerate(commands):
            answer = clients[i % len(clients)].call(*command)
            if command[0] == "PEXPIRETIME":
                # What is kept is time left: of two clocks, whose milliseconds
                # do not begin together.
                self.assertAlmostEqual(answer, wanted[i], None, command, 1)
            else:
                self.assertEqual(answer, wanted[i], command)
        for client in clients:
            client.close()

    @unittest.skipUnless(shutil.which("redis-server"), "no redis-server")
    def test_scripts_of_clients_answer_as_those_of_redis(self):
        c = self.cluster(3)
        self.compare(c.nodes, [step for talk in DIALOGUES for step in talk])

    @unittest.skipUnless(shutil.which("redis-server"), "no redis-server")
    def test_errors_and_values_are_those_of_redis(self):
        c = self.cluster(2)
        commands = [
            ["EVAL", script, 1, "k"] for script in SCRIPTS
        ] + [
            ["EVAL_RO", "return redis.call('get', KEYS[1])", 1, "k"],
            ["EVAL_RO", "return redis.call('del', KEYS[1])", 1, "k"],
            ["EVAL"],
            ["EVAL", "return 1"],
            ["EVAL", "return 1", "x"],
            ["EVAL", "return 1", "-1"],
            ["EVAL", "return 1", "2", "k"],
            ["EVALSHA", "0" * 40, "x"],
            ["EVALSHA", "0" * 40, "0"],
            ["EVALSHA", "short", "0"],
            ["EVALSHA_RO", "0" * 40, "1", "k"],
            ["SCRIPT", "LOAD", "return 7"],
            ["SCRIPT", "LOAD", "return ="],
            ["SCRIPT", "LOAD"],
            ["SCRIPT", "EXISTS", "0" * 40],
            ["SCRIPT", "EXISTS", RETURN_7.lower(), RETURN_7, "short"],
            ["EVALSHA", RETURN_7, 1, "k"],
            ["SCRIPT", "EXISTS"],
            ["SCRIPT", "KILL"],
            ["SCRIPT", "FLUSH", "x"],
            ["SCRIPT", "FLUSH", "ASYNC"],
            ["SCRIPT", "nosuch"],
            ["SCRIPT"],
        ]
        self.compare(c.nodes, commands)

    @unittest.skipIf(redis is None, "python3-redis is not installed")
    def test_locks_and_registered_scripts_of_redis_py(self):
        c = self.cluster(3)
        clients = [redis.Redis(port=node.port) for node in c.nodes]
        lock = redis.lock.Lock(clients[0], "a-lock", timeout=50)
        self.assertTrue(lock.acquire(blocking=False))
        other = redis.lock.Lock(clients[1], "a-lock", timeout=50)
        self.assertFalse(other.acquire(blocking=False))
        self.assertTrue(lock.extend(1000))
        self.assertGreater(clients[2].ttl("a-lock"), 1000)
        self.assertTrue(lock.reacquire())
        self.assertLessEqual(clients[2].ttl("a-lock"), 50)
        lock.release()
        self.assertTrue(other.acquire(blocking=False))
        with self.assertRaises(redis.lock.LockNotOwnedError):
            lock.local.token = b"no longer"
            lock.release()
        script = clients[0].register_script("return ARGV[1] .. KEYS[1]")
        for client in clients:
            self.assertEqual(
                script(keys=["k"], args=["a"], client=client), b"ak"
            )
        for client in clients:
            client.close()

    def knows(self, node, sha1):
        answer = node.call("EVALSHA", sha1, 1, "k")
        if answer == ReplyError(
            "NOSCRIPT No matching script. Please use EVAL."
        ):
            return False
        self.assertEqual(answer, b"k")
        return True

    def test_all_nodes_know_a_script_through_failover_and_join(self):
        c = self.cluster(3)
        loaded = c.nodes[0].call("SCRIPT", "LOAD", "return KEYS[1]").decode()
        for node in c.nodes:
            self.assertTrue(self.knows(node, loaded))
        seen = "return  KEYS[1]"
        c.nodes[1].call("EVAL", seen, 1, "k")
        seen = c.nodes[0].call(
            "EVAL", "return redis.sha1hex(ARGV[1])", 0, seen
        ).decode()
        for node in c.nodes:
            cluster.until(
                lambda at=node: self.knows(at, seen), 5, "all know it"
            )
        for victim in c.nodes:
            victim.kill()
            for node in c.running():
                cluster.until(
                    lambda at=node: not isinstance(
                        at.call("SCRIPT", "EXISTS", loaded), ReplyError
                    ),
                    10,
                    "its scripts are served",
                )
                self.assertTrue(self.knows(node, loaded))
            c.wait_settled()
            victim.start()
            c.wait_settled()
            self.assertTrue(self.knows(victim, loaded.upper()))
            self.assertTrue(self.knows(victim, seen))
        self.assertEqual(c.nodes[1].call("DBSIZE"), 0)
        self.assertEqual(
            c.nodes[1].call("SCRIPT", "EXISTS", loaded, "x", seen), [1, 0, 1]
        )
        self.assertEqual(c.nodes[2].call("SCRIPT", "FLUSH"), b"OK")
        time.sleep(1.1)
        for node in c.nodes:
            self.assertFalse(self.knows(node, loaded))
            self.assertFalse(self.knows(node, seen))

    def test_nobody_serves_the_scripts(self):
        c = self.cluster(3, partition_policy="majority", hold=100)
        first, second, third = c.nodes
        loaded = first.call("SCRIPT", "LOAD", "return KEYS[1]").decode()
        self.assertTrue(self.knows(first, loaded))
        second.pause()
        third.pause()
        cluster.until(
            lambda: isinstance(first.call("GET", "k"), ReplyError),
            10,
            "nobody serves",
        )
        answer = first.call("EVALSHA", "0" * 40, 1, "k")
        self.assertRegex(answer.text, "^CLUSTERDOWN ")
        answer = first.call("EVALSHA", loaded, 1, "k")
        self.assertRegex(answer.text, "^CLUSTERDOWN ")
        answer = first.call("SCRIPT", "LOAD", "return 2")
        self.assertRegex(answer.text, "^CLUSTERDOWN ")
        second.resume()
        third.resume()
        c.wait_settled()
        self.assertTrue(self.knows(first, loaded))

    def test_a_pipeline_keeps_its_order(self):
        c = self.cluster(2)
        sha1 = c.nodes[0].call(
            "SCRIPT", "LOAD", "return redis.call('incr', KEYS[1])"
        )
        for node in c.nodes:
            with node.client() as client:
                client.call("DEL", "n")
                steps = [("EVALSHA", sha1, 1, "n"), ("GET", "n")] * 50
                wanted = [
                    n if i == 0 else b"%d" % n
                    for n in range(1, 51)
                    for i in range(2)
                ]
                self.assertEqual(client.pipeline(steps), wanted)

    def test_keys_are_of_the_selected_database_and_one_partition(self):
        c = self.cluster(2)
        probe = (
            "redis.call('get', KEYS[1]) redis.call('get', KEYS[2])",
            2, "test1", "test2",
        )
        for node in c.nodes:
            with node.client() as client:
                client.call("SELECT", 3)
                self.assertEqual(
                    client.call(
                        "EVAL",
                        "redis.call('set', KEYS[1], 'v') "
                        "return KEYS[1] .. redis.call('get', KEYS[1])",
                        1, "k" + node.name,
                    ),
                    b"k" + node.name.encode() + b"v",
                )
                self.assertEqual(client.call("GET", "k" + node.name), b"v")
                client.call("SELECT", 0)
                self.assertIsNone(client.call("GET", "k" + node.name))
                self.assertRegex(
                    client.call("EVAL", *probe).text,
                    "^CROSSSLOT Keys in request don't hash to the same slot",
                )

    def test_a_script_that_does_not_end_holds_nobody_up(self):
        c = self.cluster(3)
        scripts = [
            "redis.call('set', KEYS[1], 'no') while true do end",
            "redis.call('set', KEYS[1], 'no') "
            "while true do pcall(string.rep, 'x', 1e6) end",
            "redis.call('set', KEYS[1], 'no') local t = {} "
            "while true do t[#t + 1] = {} end",
        ]
        c.nodes[0].call("SET", "k", "v")
        views = [node.status()[1]["view"] for node in c.nodes]
        done = threading.Event()
        answers = []

        def run_away():
            with c.nodes[0].client(timeout=30) as client:
                while not done.is_set():
                    for script in scripts:
                        answers.append(client.call("EVAL", script, 1, "k"))

        thread = threading.Thread(target=run_away)
        thread.start()
        longest = 0
        try:
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:
                for i, node in enumerate(c.nodes):
                    began = time.monotonic()
                    self.assertEqual(node.call("GET", "k"), b"v")
                    self.assertEqual(node.call("SET", "o%d" % i, "x"), b"OK")
                    longest = max(longest, time.monotonic() - began)
        finally:
            done.set()
            thread.join()
        self.assertGreater(len(answers), 3)
        for answer in answers:
            self.assertRegex(
                answer.text, "^ERR the script was stopped .* nothing of it"
            )
        print("    longest: %d ms" % (longest * 1000))
        self.assertLess(longest, 1.5 * cluster.PATIENCE)
        for node, view in zip(c.nodes, views):
            info = node.call("INFO", "Holdfast").decode()
            self.assertIn("suspicions:0\r\n", info)
            self.assertEqual(node.status()[1]["view"], view)


if __name__ == "__main__":
    cluster.unittest.main()
