"""clients.py - Ways into a cluster, for clients that must not be fooled.

A connection's call() returns the reply and the number of the server that gave
it. It raises OSError when there was none, and then nobody knows whether the
command took effect. It never sends a command twice: that is for the caller to
decide, who would have to note two commands.
"""

import binascii

import resp

TIMEOUT_S = 1.0
REDIRECTIONS_MAX = 5
SLOTS = 16384


class NodeConnection:
    """To Holdfast, where any node takes any command. A sticky one stays with
    its node whatever happens; others go to the next after any trouble."""

    def __init__(self, servers, number, sticky, rng):
        self.servers = servers
        self.at = number % len(servers)
        self.sticky = sticky
        self.rng = rng
        self.client = None

    def _drop(self):
        if self.client is not None:
            self.client.close()
            self.client = None
        if not self.sticky:
            self.at = (self.at + 1) % len(self.servers)

    def node(self):
        return self.servers[self.at].number

    def call(self, *words):
        # A sticky one waits not always equally long, so that its questions
        # are at all ages when a stopped server goes on.
        wait = self.rng.uniform(0.2, 1.5) if self.sticky else TIMEOUT_S
        number = self.node()
        try:
            if self.client is None:
                self.client = self.servers[self.at].client(timeout=wait)
            self.client.socket.settimeout(wait)
            reply = self.client.call(*words)
        except OSError:
            self._drop()
            raise
        if isinstance(reply, resp.ReplyError):
            self._drop()
        return reply, number

    def close(self):
        self.sticky = True
        self._drop()


class SlotConnection:
    """To Redis Cluster: remembers who has which slot, follows MOVED and ASK,
    and asks around after trouble, like any client library."""

    def __init__(self, servers, of_address, rng):
        self.servers = servers
        self.of_address = of_address
        self.rng = rng
        self.owners = {}
        self.clients = {}
        self.last = servers[0].number

    def node(self):
        return self.last

    def _client(self, server):
        if server not in self.clients:
            self.clients[server] = server.client(timeout=TIMEOUT_S)
        return self.clients[server]

    def _ask(self, server, *words):
        self.last = server.number
        try:
            return self._client(server).call(*words)
        except OSError:
            client = self.clients.pop(server, None)
            if client is not None:
                client.close()
            raise

    def _refresh(self):
        """Takes the map of the first that answers."""
        servers = list(self.servers)
        self.rng.shuffle(servers)
        for server in servers:
            try:
                ranges = self._ask(server, "CLUSTER", "SLOTS")
            except OSError:
                continue
            if isinstance(ranges, list) and ranges:
                self._learn(ranges)
                return

    def _learn(self, ranges):
        for item in ranges:
            server = self.of_address.get(item[2][0].decode())
            for slot in range(item[0], item[1] + 1):
                self.owners[slot] = server

    def call(self, *words):
        slot = binascii.crc_hqx(words[1].encode(), 0) % SLOTS
        if self.owners.get(slot) is None:
            self._refresh()
        server = self.owners.get(slot) or self.rng.choice(self.servers)
        asking = False
        for _ in range(REDIRECTIONS_MAX):
            try:
                if asking:
                    self._ask(server, "ASKING")
                reply = self._ask(server, *words)
            except OSError:
                self.owners.clear()
                raise
            number = server.number
            text = reply.text if isinstance(reply, resp.ReplyError) else ""
            if not text.startswith(("MOVED ", "ASK ")):
                break
            asking = text.startswith("ASK ")
            address = text.split()[2].rsplit(":", 1)[0]
            server = self.of_address[address]
            if not asking:
                self.owners[slot] = server
        if text:
            self.owners.clear()
        return reply, number

    def close(self):
        for client in self.clients.values():
            client.close()
        self.clients.clear()
