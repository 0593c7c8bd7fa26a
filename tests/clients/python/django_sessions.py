"""django_sessions.py cache|redis_sessions PORT TTL - Django's sessions in its
cache with django-redis, or by django-redis-sessions."""

import importlib
import sys

import django
from django.conf import settings

import line

PORT, TTL = line.arguments()
ENGINES = {
    "cache": "django.contrib.sessions.backends.cache",
    "redis_sessions": "redis_sessions.session",
}

settings.configure(
    CACHES={
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": "redis://127.0.0.1:%d/1" % PORT,
        }
    },
    SESSION_REDIS={"host": "127.0.0.1", "port": PORT, "prefix": "dj"},
    SESSION_ENGINE=ENGINES[sys.argv[1]],
    SESSION_COOKIE_AGE=TTL,
    SECRET_KEY="of no importance",
    USE_TZ=True,
)
django.setup()

SessionStore = importlib.import_module(settings.SESSION_ENGINE).SessionStore


class Sessions:
    def create(self, _id, value):
        session = SessionStore()
        session["value"] = value
        session.create()
        session.save()
        return session.session_key

    def read(self, key, _value):
        return SessionStore(key).get("value")

    def touch(self, key, _value):
        session = SessionStore(key)
        session.get("value")
        session.save()

    def change(self, key, value):
        session = SessionStore(key)
        session["value"] = value
        session.save()

    def regenerate(self, key, _value):
        session = SessionStore(key)
        session.get("value")
        session.cycle_key()
        session.save()
        return session.session_key

    def destroy(self, key, _value):
        SessionStore(key).delete()


line.serve(Sessions())
