"""commands.py - Random commands for run.py, and which replies may differ."""

# Few of each, so that commands meet what others did.
KEYS = [b"k%d" % i for i in range(12)]
# Of one slot: what is about both of them is one write.
TAGGED = [b"{t0}a", b"{t0}b"]
# A sorted set whose members have one score: ranges of members want that.
EVEN = b"even"
FIELDS = [b"f%d" % i for i in range(8)] + [b"", b"\x00\xff"]
VALUES = [
    b"",
    b"0",
    b"1",
    b"-1",
    b"10",
    b"3.25",
    b"-0.5",
    b"1e3",
    b"abc",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b" 1",
    b"01",
    b"+1",
    b"\x00\x01\xff",
    b"hello world",
    b"x" * 100,
]
INTEGERS = [b"0", b"1", b"-1", b"2", b"5", b"100", b"-7", VALUES[9]]
FLOATS = [b"0", b"1", b"-1.5", b"3.0", b"1e2", b"0.1", b"inf", b"-inf", b"nan"]
BAD = [b"", b"x", b"1.5", b"1x", b" 1", b"9223372036854775808"]
LONG = [b"1000", b"5000", b"100000"]  # Seconds that do not end meanwhile.
INDEXES = [b"0", b"1", b"-1", b"2", b"-2", b"5", b"-100", b"100"]
SCORES = [b"0", b"1", b"-1", b"1.5", b"2", b"1e10", b"inf", b"-inf"]
SCORES += [b"(1", b"(2"]
LEX = [b"-", b"+", b"[f1", b"(f1", b"[f5", b"(f5", b"f3", b"[", b"("]
GLOBS = [b"*", b"k*", b"k1*", b"f?", b"[fk]1", b"[^f]*", b"nothing", b"\\k1"]

# Replies whose order is not promised.
UNORDERED = {
    b"HGETALL",
    b"HKEYS",
    b"HVALS",
    b"SMEMBERS",
    b"KEYS",
    b"SINTER",
    b"SUNION",
    b"SDIFF",
}
TIMES = {b"TTL", b"PTTL", b"EXPIRETIME", b"PEXPIRETIME"}


class Maker:
    """Makes commands from @rng. Each method named like a group is one kind."""

    def __init__(self, rng):
        self.rng = rng
        self.kinds = [
            (self.string, 30),
            (self.number, 10),
            (self.hash, 18),
            (self.keyspace, 18),
            (self.set, 12),
            (self.sorted_set, 18),
            (self.list, 12),
            (self.many, 8),
            (self.script, 4),
            (self.wrong, 3),
            (self.connection, 2),
        ]
        self.weights = [weight for _, weight in self.kinds]

    def batch(self, count):
        """About @count commands: lists of words."""
        # Of each connection its own, so each batch says which database.
        made = [[b"SELECT", self.one(b"0", b"0", b"0", b"1", b"15")]]
        while len(made) < count:
            if self.rng.random() < 0.03:
                made.extend(self.transaction())
            else:
                made.append(self.command())
        return made

    def command(self):
        kind = self.rng.choices(self.kinds, self.weights)[0][0]
        words = list(kind())
        if self.rng.random() < 0.1:
            words[0] = words[0].lower()
        return words

    def transaction(self):
        yield [b"MULTI"]
        for _ in range(self.rng.randrange(6)):
            words = self.command()
            if words[0].upper() not in (b"SELECT", b"KEYS"):
                yield words
        yield [b"EXEC" if self.rng.random() < 0.9 else b"DISCARD"]

    # Parts.

    def one(self, *choices):
        return self.rng.choice(choices)

    def key(self):
        return self.rng.choice(KEYS + TAGGED)

    def value(self):
        return self.rng.choice(VALUES)

    def field(self):
        return self.rng.choice(FIELDS)

    def some(self, make, least=1, most=4):
        return [make() for _ in range(self.rng.randint(least, most))]

    def pairs(self, first, second, most=4):
        words = []
        for _ in range(self.rng.randint(1, most)):
            words += [first(), second()]
        return words

    def maybe(self, chance, *words):
        return list(words) if self.rng.random() < chance else []

    def integer(self):
        return self.rng.choice(INTEGERS if self.rng.random() < 0.9 else BAD)

    def score(self):
        return self.rng.choice(FLOATS if self.rng.random() < 0.95 else BAD)

    def ttl(self):
        good = self.rng.random() < 0.9
        return self.rng.choice(LONG if good else BAD + [b"0"])

    def index(self):
        return self.rng.choice(INDEXES if self.rng.random() < 0.97 else BAD)

    # Kinds.

    def string(self):
        one, key, value = self.one, self.key, self.value
        kind = self.rng.randrange(14)
        if kind < 3:
            return [b"GET", key()]
        if kind < 6:
            return [b"SET", key(), value()] + self.set_options()
        if kind == 6:
            return [one(b"SETEX", b"PSETEX"), key(), self.ttl(), value()]
        if kind == 7:
            return [one(b"SETNX", b"GETSET", b"APPEND"), key(), value()]
        if kind == 8:
            return [one(b"GETDEL", b"STRLEN"), key()]
        if kind == 9:
            return [b"GETEX", key()] + one(
                [], [b"PERSIST"], [b"EX", self.ttl()], [b"PX", self.ttl()]
            )
        if kind == 10:
            return [b"GETRANGE", key(), self.index(), self.index()]
        if kind == 11:
            offset = one(b"0", b"3", b"20", b"-1", b"x")
            return [b"SETRANGE", key(), offset, value()]
        if kind == 12:
            bit = one(b"0", b"1", b"2")
            return [b"SETBIT", key(), self.place(), bit]
        return [b"GETBIT", key(), self.place()]

    def place(self):
        """Of a bit."""
        return self.one(b"0", b"7", b"100", b"-1")

    def set_options(self):
        words = [
            self.maybe(0.2, self.one(b"NX", b"XX", b"nx")),
            self.maybe(0.2, b"GET"),
            self.maybe(0.3, self.one(b"EX", b"PX"), self.ttl()),
            self.maybe(0.1, b"KEEPTTL"),
            self.maybe(0.02, b"EXAT", self.one(b"0", b"x")),
            self.maybe(0.02, b"PXAT", self.one(b"0", b"x")),
            self.maybe(0.02, b"BAD"),
        ]
        self.rng.shuffle(words)
        return [word for group in words for word in group]

    def number(self):
        kind = self.rng.randrange(4)
        if kind == 0:
            return [self.one(b"INCR", b"DECR"), self.key()]
        if kind == 1:
            return [self.one(b"INCRBY", b"DECRBY"), self.key(), self.integer()]
        if kind == 2:
            return [b"INCRBYFLOAT", self.key(), self.score()]
        return [
            self.one(b"HINCRBY", b"HINCRBYFLOAT"),
            self.key(),
            self.field(),
            self.integer(),
        ]

    def hash(self):
        key, field, value = self.key, self.field, self.value
        kind = self.rng.randrange(10)
        if kind < 3:
            name = self.one(b"HSET", b"HMSET")
            return [name, key()] + self.pairs(field, value)
        if kind == 3:
            return [self.one(b"HGETALL", b"HKEYS", b"HVALS", b"HLEN"), key()]
        if kind == 4:
            return [self.one(b"HGET", b"HEXISTS", b"HSTRLEN"), key(), field()]
        if kind == 5:
            return [self.one(b"HMGET", b"HDEL"), key()] + self.some(field)
        if kind == 6:
            return [b"HSETNX", key(), field(), value()]
        if kind == 7:
            return [b"HDEL", key()] + self.some(field, 1, 10)
        if kind == 8:
            return [b"HGETALL", key()]
        return [b"HGET", key(), field()]

    def keyspace(self):
        key = self.key
        kind = self.rng.randrange(12)
        if kind == 0:
            name = self.one(b"EXPIRE", b"PEXPIRE")
            when = self.one(b"NX", b"XX", b"GT", b"LT", b"BAD")
            option = self.maybe(0.4, when)
            return [name, key(), self.ttl()] + option
        if kind == 1:
            name = self.one(b"EXPIREAT", b"PEXPIREAT")
            far = b"9999999999" if name == b"EXPIREAT" else b"9999999999999"
            at = self.one(b"1", far, b"x")
            return [name, key(), at] + self.maybe(0.2, b"NX")
        if kind == 2:
            return [self.one(*sorted(TIMES)), key()]
        if kind == 3:
            return [self.one(b"TYPE", b"PERSIST"), key()]
        if kind < 6:
            return [self.one(b"DEL", b"UNLINK")] + self.some(key, 1, 3)
        if kind == 6:
            return [self.one(b"EXISTS", b"TOUCH")] + self.some(key, 1, 3)
        if kind == 7:
            return [b"DBSIZE"]
        if kind == 8:
            return [b"KEYS", self.rng.choice(GLOBS)]
        if kind == 9:
            return [self.one(b"RENAME", b"RENAMENX"), key(), key()]
        if kind == 10:
            words = [b"COPY", key(), key()]
            return words + self.maybe(0.5, b"REPLACE")
        return [b"SELECT", self.one(b"0", b"1", b"15", b"16", b"x", b"-1")]

    def set(self):
        key, field = self.key, self.field
        kind = self.rng.randrange(7)
        if kind < 2:
            return [b"SADD", key()] + self.some(field)
        if kind == 2:
            return [b"SREM", key()] + self.some(field)
        if kind == 3:
            return [self.one(b"SMEMBERS", b"SCARD"), key()]
        if kind == 4:
            return [b"SISMEMBER", key(), field()]
        if kind == 5:
            return [b"SMISMEMBER", key()] + self.some(field)
        return [b"SADD", key()] + self.some(self.value)

    def range_of_scores(self):
        return [self.rng.choice(SCORES), self.rng.choice(SCORES)]

    def range_of_members(self):
        return [self.rng.choice(LEX), self.rng.choice(LEX)]

    def sorted_set(self):
        key, field = self.key, self.field
        one, maybe = self.one, self.maybe
        kind = self.rng.randrange(16)
        if kind == 0:
            return [b"ZADD", EVEN] + self.pairs(lambda: b"0", field)
        if kind < 4:
            options = (
                maybe(0.2, one(b"NX", b"XX"))
                + maybe(0.2, one(b"GT", b"LT"))
                + maybe(0.2, b"CH")
                + maybe(0.1, b"INCR")
            )
            return [b"ZADD", key()] + options + self.pairs(self.score, field)
        if kind == 4:
            return [b"ZREM", key()] + self.some(field)
        if kind == 5:
            return [b"ZCARD", key()]
        if kind == 6:
            return [one(b"ZSCORE", b"ZRANK", b"ZREVRANK"), key(), field()]
        if kind == 7:
            return [b"ZMSCORE", key()] + self.some(field)
        if kind == 8:
            return [b"ZINCRBY", key(), self.score(), field()]
        if kind == 9:
            return [b"ZCOUNT", key()] + self.range_of_scores()
        if kind == 10:
            name = one(b"ZRANGEBYSCORE", b"ZREVRANGEBYSCORE")
            return (
                [name, key()]
                + self.range_of_scores()
                + maybe(0.4, b"WITHSCORES")
                + maybe(0.3, b"LIMIT", self.index(), self.index())
            )
        if kind == 11:
            name = one(b"ZRANGE", b"ZREVRANGE")
            return [name, key(), self.index(), self.index()] + maybe(
                0.4, b"WITHSCORES"
            )
        if kind == 12:
            by, key, ends = one(
                ([], self.key(), [self.index(), self.index()]),
                ([b"BYSCORE"], self.key(), self.range_of_scores()),
                ([b"BYLEX"], EVEN, self.range_of_members()),
            )
            return (
                [b"ZRANGE", key]
                + ends
                + by
                + maybe(0.3, b"REV")
                + maybe(0.2, b"LIMIT", b"0", self.index())
                + maybe(0.3, b"WITHSCORES")
            )
        if kind == 13:
            return [b"ZREMRANGEBYSCORE", key()] + self.range_of_scores()
        if kind == 14 and self.rng.random() < 0.5:
            name = one(
                b"ZREMRANGEBYLEX",
                b"ZLEXCOUNT",
                b"ZRANGEBYLEX",
                b"ZREVRANGEBYLEX",
            )
            return [name, EVEN] + self.range_of_members()
        if kind == 14:
            return [b"ZREMRANGEBYRANK", key(), self.index(), self.index()]
        return [one(b"ZPOPMIN", b"ZPOPMAX"), key()] + maybe(0.3, self.integer())

    def list(self):
        key, value = self.key, self.value
        kind = self.rng.randrange(9)
        if kind < 3:
            name = self.one(b"LPUSH", b"RPUSH", b"LPUSHX", b"RPUSHX")
            return [name, key()] + self.some(value)
        if kind == 3:
            count = self.maybe(0.3, self.one(b"1", b"2", b"0", b"-1"))
            return [self.one(b"LPOP", b"RPOP"), key()] + count
        if kind == 4:
            return [b"LRANGE", key(), self.index(), self.index()]
        if kind == 5:
            return [b"LLEN", key()]
        if kind == 6:
            return [b"LREM", key(), self.one(b"0", b"1", b"-1", b"-2"), value()]
        if kind == 7:
            name = self.one(b"LINDEX", b"LPOS", b"LSET")
            return {
                b"LINDEX": [name, key(), self.index()],
                b"LPOS": [name, key(), value()]
                + self.maybe(0.3, b"RANK", self.index())
                + self.maybe(0.3, b"COUNT", self.one(b"0", b"1", b"-1")),
                b"LSET": [name, key(), self.index(), value()],
            }[name]
        return [b"LTRIM", key(), self.index(), self.index()]

    def many(self):
        kind = self.rng.randrange(3)
        if kind == 0:
            return [b"MGET"] + self.some(self.key, 1, 5)
        if kind == 1:
            return [b"MSET"] + self.pairs(self.key, self.value)
        return [b"MSETNX"] + self.pairs(self.key, self.value)

    def script(self):
        """What session stores send, and errors from inside."""
        text = self.one(
            b"return redis.call('get', KEYS[1])",
            b"if redis.call('get', KEYS[1]) == ARGV[1] then"
            b" return redis.call('del', KEYS[1]) else return 0 end",
            b"redis.call('set', KEYS[1], ARGV[1])"
            b" return redis.call('incrby', KEYS[1], 1)",
            b"return redis.call('hset', KEYS[1], ARGV[1], ARGV[1])",
            b"return redis.pcall('lpush', KEYS[1], ARGV[1])",
            b"return {1, 2.7, ARGV[1], {KEYS[1], false}, true, nil, 5}",
            b"return redis.error_reply('MY failure')",
            b"return redis.status_reply('FINE')",
            b"return nosuch",
            b"return 1 +",
        )
        count = self.one(b"1", b"1", b"1", b"1", b"9", b"-1", b"x")
        if text == b"return 1 +":
            count = b"1"
        return [b"EVAL", text, count, self.key(), self.value()]

    def wrong(self):
        """Names and arities that are not right."""
        kind = self.rng.randrange(3)
        if kind == 0:
            return [b"NOSUCH"] + self.some(self.value, 0, 3)
        if kind == 1:
            names = [b"GET", b"SET", b"HSET", b"EXPIRE", b"ZADD", b"LPUSH"]
            return [self.rng.choice(names)]
        return [self.one(b"GET", b"TTL", b"INCR")] + self.some(self.key, 2, 3)

    def connection(self):
        return self.one(
            [b"PING"],
            [b"PING", b"text"],
            [b"ECHO", b"text"],
            [b"ECHO"],
            [b"PING", b"a", b"b"],
        )


def is_error(reply):
    return reply[0] == b"-"


def flat_pairs(reply, version):
    if reply[0] == b"%" or version == 2:
        parts = reply[1]
        return sorted(zip(parts[::2], parts[1::2]))
    return None


def times_agree(name, wanted, found):
    if wanted[0] != b":" or found[0] != b":":
        return False
    first, second = int(wanted[1]), int(found[1])
    if first < 0 or second < 0:
        return False
    in_seconds = name in (b"TTL", b"EXPIRETIME")
    return abs(first - second) <= (2 if in_seconds else 2000)


def may_differ(words, wanted, found, version):
    """Whether docs/COMMANDS.md allows that these replies are not equal."""
    name = words[0].upper()
    if name == b"EXEC":
        return exec_may_differ(wanted, found, version)
    if name in TIMES:
        return times_agree(name, wanted, found)
    if name in (b"EXPIRE", b"PEXPIRE") and words[-1] in (b"GT", b"LT"):
        return wanted[0] == found[0] == b":"  # Equal but for a millisecond?
    if wanted[0] != found[0] or is_error(wanted):
        return False
    if name == b"HGETALL":
        return flat_pairs(wanted, version) == flat_pairs(found, version)
    if name in UNORDERED and wanted[1] is not None:
        return sorted(wanted[1]) == sorted(found[1])
    return False


def exec_may_differ(wanted, found, version):
    """The replies of a transaction, without the names: by their shapes."""
    if wanted[0] != b"*" or found[0] != b"*":
        return False
    if wanted[1] is None or found[1] is None:
        return False
    if len(wanted[1]) != len(found[1]):
        return False
    for first, second in zip(wanted[1], found[1]):
        if first == second:
            continue
        if first[0] != second[0]:
            return False
        if first[0] == b":":
            if not times_agree(b"PTTL", first, second):
                return False
        elif first[0] in b"*%~":
            pairs = flat_pairs(first, version)
            if pairs != flat_pairs(second, version) and sorted(
                map(repr, first[1])
            ) != sorted(map(repr, second[1])):
                return False
        else:
            return False
    return True
