"""The same commands, word for word, to Redis and to every node: the same
replies. What differs on purpose is in docs/COMMANDS.md, and not here."""

import shutil
import subprocess
import tempfile
import unittest

import cluster
from resp import Client

STRING_PARTS = """
GETRANGE none 0 -1
SET s Hello
GETRANGE s 0 3
GETRANGE s -3 -1
GETRANGE s 0 -1
GETRANGE s -1 -3
GETRANGE s 3 1
GETRANGE s -100 100
GETRANGE s 5 9
GETRANGE s a 1
GETRANGE s 0 9223372036854775808
GETRANGE s 0
SETRANGE s 1 ipp
GET s
SETRANGE s 8 x
GETRANGE s 0 -1
SETRANGE s -1 x
SETRANGE s a x
SETRANGE s 0 ""
SETRANGE none 0 ""
EXISTS none
SETRANGE none 2 x
GET none
SETRANGE t 0
SET ttl abc EX 100
SETRANGE ttl 0 x
TTL ttl
HSET h f v
GETRANGE h 0 1
SETRANGE h 0 x
SETRANGE h 0 ""
SETBIT h 0 1
GETBIT h 0
SETBIT b 7 1
GETBIT b 7
GETBIT b 100
SETBIT b 7 1
SETBIT b 7 0
GET b
SETBIT b 12 1
GET b
SETBIT b -1 1
SETBIT b 4294967296 1
SETBIT b x 1
SETBIT b 0 2
SETBIT b 0 x
GETBIT b -1
GETBIT b 4294967295
STRLEN b
SETBIT c 20 0
STRLEN c
"""

FLOATS = """
INCRBYFLOAT n 10.5
INCRBYFLOAT n 0.1
INCRBYFLOAT n -5
INCRBYFLOAT n 5.0e3
INCRBYFLOAT n 1e-17
INCRBYFLOAT n 0.00000000000000001
GET n
SET n 3.0
INCRBYFLOAT n 1.0
SET n 5.0e3
INCRBYFLOAT n 200
INCRBYFLOAT n -5200
INCRBYFLOAT n -0
INCRBYFLOAT n abc
INCRBYFLOAT n ""
INCRBYFLOAT n nan
INCRBYFLOAT n inf
INCRBYFLOAT n 0x10
INCRBYFLOAT n 1e400
SET n 1e4000
INCRBYFLOAT n 1
SET big 1e4932
INCRBYFLOAT big 1e4932
SET n word
INCRBYFLOAT n 1
INCRBYFLOAT new 3
HSET h f v
INCRBYFLOAT h 1
SET ttl 1 EX 100
INCRBYFLOAT ttl 1.25
TTL ttl
INCRBYFLOAT n
SET third 0.1
INCRBYFLOAT third 0.2
SET large 123456789012345678
INCRBYFLOAT large 0.5
"""

OBJECTS = """
OBJECT ENCODING none
OBJECT REFCOUNT none
OBJECT IDLETIME none
OBJECT FREQ none
SET i 123
OBJECT ENCODING i
SET i 0123
OBJECT ENCODING i
SET i 12345678901234567890
OBJECT ENCODING i
SET e aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeee
OBJECT ENCODING e
SET r aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeef
OBJECT ENCODING r
OBJECT REFCOUNT r
OBJECT IDLETIME r
OBJECT FREQ r
HSET h f v
OBJECT ENCODING h
HSET h g 1234567890123456789012345678901234567890123456789012345678901234
OBJECT ENCODING h
HSET h g 12345678901234567890123456789012345678901234567890123456789012345
OBJECT ENCODING h
OBJECT
OBJECT NOPE x
OBJECT ENCODING
OBJECT ENCODING a b
OBJECT FREQ
MEMORY USAGE none
MEMORY USAGE
MEMORY NOPE
MEMORY USAGE none SAMPLES
MEMORY USAGE none SAMPLES x
MEMORY USAGE none SAMPLES 5
"""

RENAMES = """
RENAME old new
RENAMENX old new
RENAME old old
RENAMENX old old
COPY old new
COPY old new REPLACE
COPY old new NEVER
COPY old old
RENAME old
RENAME old new more
RENAMENX old
COPY old
SET old 1 EX 1000
RENAME old old
RENAMENX old old
RENAME old new
TTL new
GET old
GET new
RPUSH old a b c
RENAMENX old new
TYPE new
RENAME old new
LRANGE new 0 -1
TTL new
COPY new other
COPY new other
COPY new other REPLACE
LRANGE other 0 -1
HSET h f 1 g 2
EXPIRE h 500
RENAMENX h h2
HGETALL h2
TTL h2
SADD s a
COPY s s2
SMEMBERS s2
ZADD z 1.5 a 2 b
RENAME z z2
ZRANGE z2 0 -1 WITHSCORES
MSETNX a 1 b 2 c 3
MSETNX c 4 d 5
MSETNX d 4 d 5
MSETNX e
MSETNX e 1 f
MGET a b c d e
MULTI
SET tx 1
RENAME tx ty
RENAME tx ty
GET ty
MSETNX tu 1 tv 2 tw 3
EXEC
"""

SERVER = """
SELECT 15
DBSIZE
SELECT 16
SELECT -1
SELECT x
SELECT 0
CONFIG GET nosuch
CONFIG GET databases
CONFIG GET appendon*
CONFIG GET timeout
CONFIG GET maxmemory
CONFIG GET replica-read-only
CONFIG GET
CONFIG
CONFIG NOPE
CONFIG SET nosuch 1
CONFIG SET timeout
CONFIG SET timeout 0 maxmemory
CONFIG SET databases 17
CONFIG SET save ""
CONFIG RESETSTAT
CONFIG RESETSTAT x
CONFIG REWRITE
DEBUG JMAP
DEBUG
FUNCTION FLUSH
FUNCTION FLUSH ASYNC
FUNCTION FLUSH now
FUNCTION LIST
CLIENT TRACKING OFF
CLIENT NO-EVICT ON
CLIENT NO-EVICT x
WAIT x 0
WAIT 0 x
WAIT 0 -1
WAIT 0
TIME x
ROLE x
RESTORE k 0 ""
RESTORE k 0 garbagegarbage
RESTORE k x garbagegarbage
RESTORE k -1 garbagegarbage
RESTORE k 0 garbagegarbage NOPE
RESTORE k 0 garbagegarbage IDLETIME -1
RESTORE k 0 garbagegarbage FREQ 256
SET k v
RESTORE k x garbagegarbage
RESTORE k -1 garbagegarbage REPLACE
DUMP none
DUMP
KEYS
KEYS a b
KEYS nothing
RANDOMKEY x
GET k
SET k w IFEX 1
FLUSHDB x
"""


def words_of(line):
    return [b"" if word == '""' else word.encode() for word in line.split()]


@unittest.skipUnless(shutil.which("redis-server"), "no redis-server")
class LikeRedis(cluster.SharedClusterTest):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        port = cluster.free_port()
        self.process = subprocess.Popen(
            [
                "redis-server", "--port", str(port), "--bind", "127.0.0.1",
                "--save", "", "--appendonly", "no",
                "--dir", self.directory.name,
            ],
            stdout=subprocess.DEVNULL,
        )
        self.redis = cluster.until(
            lambda: self.connect(port), 10, "redis-server answers"
        )
        self.clients = [node.client() for node in self.nodes]

    @staticmethod
    def connect(port):
        try:
            return Client(port)
        except OSError:
            return None

    def tearDown(self):
        self.redis.close()
        self.process.terminate()
        self.process.wait(10)
        self.directory.cleanup()
        for client in self.clients:
            client.close()

    def compare(self, script):
        lines = [words_of(line) for line in script.strip().split("\n")]
        for version in (2, 3):
            self.redis.call("FLUSHALL")
            self.redis.call("HELLO", str(version))
            wanted = [self.redis.call(*words) for words in lines]
            for number, client in enumerate(self.clients):
                self.assertEqual(client.call("FLUSHALL"), b"OK")
                client.call("HELLO", str(version))
                got = [client.call(*words) for words in lines]
                differing = [
                    "node %d, %s: %r, Redis %r" % (number + 1, words, a, b)
                    for words, a, b in zip(lines, got, wanted)
                    if a != b
                ]
                self.assertEqual(differing, [], "\n".join(differing))

    def test_parts_of_strings(self):
        self.compare(STRING_PARTS)

    def test_floats(self):
        self.compare(FLOATS)

    def test_objects(self):
        self.compare(OBJECTS)

    def test_renames(self):
        self.compare(RENAMES)

    def test_server(self):
        self.compare(SERVER)
