"""flask_sessions.py PORT TTL - A Flask application with Flask-Session. An id
is its cookie."""

import datetime
import json

import flask
import flask_session
import redis

import line

PORT, TTL = line.arguments()

app = flask.Flask("shop")
app.config.update(
    SESSION_TYPE="redis",
    SESSION_REDIS=redis.Redis(host="127.0.0.1", port=PORT),
    SESSION_PERMANENT=True,
    PERMANENT_SESSION_LIFETIME=datetime.timedelta(seconds=TTL),
)
flask_session.Session(app)


@app.post("/")
def step():
    asked = flask.request.get_json()
    if asked["op"] in ("create", "change"):
        flask.session["value"] = asked["value"]
    elif asked["op"] == "destroy":
        flask.session.clear()
    return flask.jsonify(flask.session.get("value"))


class Sessions:
    def ask(self, op, sid, value):
        client = app.test_client(use_cookies=False)
        headers = {"Cookie": sid} if sid else {}
        answer = client.post(
            "/", json={"op": op, "value": value}, headers=headers
        )
        if answer.status_code != 200:
            raise RuntimeError("%s: %s" % (answer.status, answer.data))
        cookie = answer.headers.get("Set-Cookie", "").split(";")[0]
        return cookie, json.loads(answer.data)

    def create(self, sid, value):
        return self.ask("create", None, value)[0]

    def read(self, sid, _value):
        return self.ask("read", sid, None)[1]

    def touch(self, sid, _value):
        self.ask("touch", sid, None)

    def change(self, sid, value):
        self.ask("change", sid, value)

    def destroy(self, sid, _value):
        self.ask("destroy", sid, None)


line.serve(Sessions())
