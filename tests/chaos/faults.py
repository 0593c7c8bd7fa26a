"""faults.py - What happens to the machines, drawn from a seed.

Every kind once, in random order, then again. One fault at a time, as Holdfast
promises to survive them with one backup: the next one comes when the cluster
has settled since the last.

    kill     kill -9; started again after 5 s, with nothing
    stop     SIGSTOP for 0.5 to 30 s, then SIGCONT; stop5: for 5 s
    cut      a machine and the others do not hear each other
    oneway   a machine does not hear the others, or they do not hear it
    pair     two machines do not hear each other, or one not the other
    rolling  each server gets SIGTERM and is started again, one by one
    mix      all of these; after kill -9 the restart may come at once

Clients reach all machines all the time.
"""

import re
import time

SINGLE = ("kill", "stop", "cut", "oneway", "pair", "rolling")
STOPS_S = (0.5, 1, 2, 5, 15, 30)
CUTS_S = (2, 8)
RESTART_S = 5
RESTARTS_S = (0, 0.3, 1, 5)
QUIET_S = 1


class Faults:
    """Does the faults of @names to the cluster under @workload until @until,
    a time."""

    def __init__(self, workload, network, names, rng, until):
        self.workload = workload
        self.cluster = workload.cluster
        self.network = network
        self.rng = rng
        self.until = until
        self.began = time.monotonic()
        self.done = 0
        self.mixed = names == ["mix"]
        self.names = list(SINGLE) if self.mixed else names
        self.deck = []

    def say(self, text):
        seconds = time.monotonic() - self.began
        print("[%7.2f] %s" % (seconds, text), flush=True)

    def run(self):
        while True:
            self._sleep(QUIET_S)
            if time.monotonic() >= self.until:
                return
            if not self.deck:
                self.deck = self.rng.sample(self.names, len(self.names))
            self._one(self.deck.pop())
            self.done += 1
            self.cluster.wait_settled()
            self.say("settled")

    def _one(self, name):
        stop = re.fullmatch(r"stop([0-9.]*)", name)
        if stop:
            self._stop(float(stop.group(1) or 0))
        else:
            getattr(self, "_" + name)()

    @staticmethod
    def _sleep(seconds):
        time.sleep(seconds)

    def _left(self):
        return self.until - time.monotonic()

    def _victim(self):
        return self.rng.choice(self.cluster.victims())

    def _kill(self):
        victim = self._victim()
        self.say("kill -9 %s" % victim.name)
        victim.kill()
        pause = self.rng.choice(RESTARTS_S) if self.mixed else RESTART_S
        self._sleep(pause)
        self.say("start %s again" % victim.name)
        victim.start()

    def _stop(self, seconds):
        if seconds == 0:
            # A long one only if at least two more would fit.
            fitting = [s for s in STOPS_S if 3 * s < self._left()]
            seconds = self.rng.choice(fitting or STOPS_S[:1])
        victim = self._victim()
        self.say("SIGSTOP %s for %g s" % (victim.name, seconds))
        victim.pause()
        self._sleep(seconds)
        self.workload.probe(victim)
        victim.resume()
        self.say("SIGCONT %s" % victim.name)

    def _while_cut(self, text):
        seconds = self.rng.uniform(*CUTS_S)
        self.say("%s for %.1f s" % (text, seconds))
        self._sleep(seconds)
        self.network.heal()
        self.say("healed")

    def _cut(self):
        victim = self._victim()
        self.network.isolate(victim.machine)
        self._while_cut("cut off %s" % victim.name)

    def _oneway(self):
        victim = self._victim()
        if self.rng.random() < 0.5:
            self.network.deafen(victim.machine)
            self._while_cut("%s hears nobody" % victim.name)
        else:
            self.network.mute(victim.machine)
            self._while_cut("nobody hears %s" % victim.name)

    def _pair(self):
        victim = self._victim()
        others = [s for s in self.cluster.servers if s is not victim]
        other = self.rng.choice(others)
        victim.machine.drop_from(other.machine)
        text = "%s does not hear %s" % (victim.name, other.name)
        if self.rng.random() < 0.5:
            other.machine.drop_from(victim.machine)
            text = "cut between %s and %s" % (victim.name, other.name)
        self._while_cut(text)

    def _rolling(self):
        servers = list(self.cluster.servers)
        if self.mixed:
            servers = self.rng.sample(servers, self.rng.randint(1, 2))
        for server in servers:
            self.cluster.prepare_stop(server)
            self.say("SIGTERM %s" % server.name)
            code = server.terminate(90)
            if code != 0:
                raise AssertionError("%s ended: %s" % (server.name, code))
            self.say("start %s again" % server.name)
            server.start()
            self.cluster.wait_settled()


def known(name):
    return name in SINGLE + ("mix",) or re.fullmatch(
        r"stop[0-9]+(\.[0-9]+)?", name
    )
