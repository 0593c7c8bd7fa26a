"""line.py - Runs a store for tests/clients/run.py: one JSON object a line in,
one out. See there for what each operation means."""

import json
import sys
import traceback


def arguments():
    """(port, seconds to live), which come last."""
    return int(sys.argv[-2]), int(sys.argv[-1])


def say(answer):
    print(json.dumps(answer), flush=True)


def serve(store):
    """Calls the method of @store that a line names, with id and value."""
    say({"ready": True})
    for line in sys.stdin:
        step = json.loads(line)
        try:
            call = getattr(store, step["op"])
            result = call(step.get("id"), step.get("value"))
            say({"result": result})
        except Exception:
            say({"error": traceback.format_exc()})
