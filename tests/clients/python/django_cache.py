"""django_cache.py PORT... - Django's cache with django-redis, and its locks,
with the scripts of django-redis and redis-py: what is begun at one node goes
on at the next."""

import sys

import django
from django.conf import settings

ALIASES = ["default", "second", "third"]

settings.configure(
    CACHES={
        alias: {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": "redis://127.0.0.1:%s/1" % port,
        }
        for alias, port in zip(ALIASES, sys.argv[1:])
    },
    SECRET_KEY="of no importance",
)
django.setup()

# pylint: disable=wrong-import-position
from django.core.cache import caches


def expect(got, wanted, what):
    if got != wanted:
        sys.exit("%s: %r, not %r" % (what, got, wanted))


def raises(error, function, what):
    try:
        function()
    except error:
        return
    sys.exit("%s: no %s" % (what, error.__name__))


def values(one, two, three):
    expect(one.add("added", {"v": 1}, 100), True, "add of what is not there")
    expect(two.add("added", {"v": 2}, 100), False, "add of what is there")
    expect(three.get("added"), {"v": 1}, "what was added")
    one.set_many({"a": 1, "b": 2}, 100)
    expect(two.get_many(["a", "b", "none"]), {"a": 1, "b": 2}, "get_many")
    expect(three.incr("a", 5), 6, "incr")
    expect(one.decr("a"), 5, "decr")
    expect(two.ttl("a"), 100, "the time that incr left")
    raises(ValueError, lambda: three.incr("none"), "incr of nothing")
    expect(one.incr("big", 7, ignore_key_check=True), 7, "incr of anything")
    one.set("big", 2**63 - 1)
    expect(two.incr("big", 2), 2**63 + 1, "incr past 64 bits")


def times(one, two, three):
    expect(one.expire("a", 50), True, "expire")
    expect(two.ttl("a"), 50, "ttl")
    expect(three.persist("a"), True, "persist")
    expect(one.ttl("a"), None, "ttl of what does not end")
    expect(two.touch("a", 70), True, "touch")
    expect(three.ttl("a"), 70, "ttl after touch")
    expect(one.ttl("none"), 0, "ttl of nothing")


def listing(one, two, three):
    names = {"listed:%d" % i for i in range(50)}
    one.set_many({name: 1 for name in names}, 100)
    expect(set(two.keys("listed:*")), names, "keys")
    expect(set(three.iter_keys("listed:*", itersize=7)), names, "iter_keys")
    expect(one.delete_many(list(names)[:10]), 10, "delete_many")
    expect(two.delete_pattern("listed:*"), 40, "delete_pattern")


def locks(one, two, three):
    lock = one.lock("job", timeout=100)
    expect(lock.acquire(blocking=False), True, "the lock")
    other = two.lock("job", timeout=100)
    expect(other.acquire(blocking=False), False, "the lock again")
    lock.extend(1000)
    lock.reacquire()
    lock.release()
    expect(other.acquire(blocking=False), True, "the lock afterwards")
    with three.lock("another", timeout=100, thread_local=False):
        expect(one.lock("another").locked(), True, "whether it is held")
    expect(one.lock("another").locked(), False, "whether it is still held")


for part in (values, times, listing, locks):
    part(*(caches[alias] for alias in ALIASES))
