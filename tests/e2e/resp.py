"""resp.py - A small RESP2 and RESP3 client for the tests.

Replies become Python values: status and bulk strings are bytes, integers are
int, nil is None, arrays are lists, maps are dicts, errors are ReplyError
values (returned, not raised, so that tests can look at them).
"""

import socket


class ReplyError(Exception):
    """An error reply. Compares by its text."""

    @property
    def text(self):
        return self.args[0]

    def __str__(self):
        return self.text

    def __repr__(self):
        return "ReplyError(%r)" % self.text

    def __eq__(self, other):
        return isinstance(other, ReplyError) and self.text == other.text

    def __hash__(self):
        return hash(self.text)


class Push(list):
    """An out-of-band message of RESP3."""


class Incomplete(Exception):
    """More bytes are needed."""


def encode(*arguments):
    """One command as RESP bytes."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        if isinstance(argument, int):
            argument = b"%d" % argument
        elif isinstance(argument, str):
            argument = argument.encode()
        parts.append(b"$%d\r\n" % len(argument))
        parts.append(argument)
        parts.append(b"\r\n")
    return b"".join(parts)


def _line(buffer, at):
    end = buffer.find(b"\r\n", at)
    if end < 0:
        raise Incomplete
    return bytes(buffer[at:end]), end + 2


def _bulk(buffer, at, size):
    if len(buffer) < at + size + 2:
        raise Incomplete
    if buffer[at + size : at + size + 2] != b"\r\n":
        raise ValueError("bulk string without its end")
    return bytes(buffer[at : at + size]), at + size + 2


def _many(buffer, at, count):
    items = []
    for _ in range(count):
        item, at = parse(buffer, at)
        items.append(item)
    return items, at


def _key(value):
    return tuple(value) if isinstance(value, list) else value


def parse(buffer, at=0):
    """Parses one reply at @at: (value, index after it), or Incomplete."""
    line, after = _line(buffer, at)
    kind, rest = line[:1], line[1:]
    if kind == b"+":
        return rest, after
    if kind == b"-":
        return ReplyError(rest.decode("utf-8", "replace")), after
    if kind in b":(":
        return int(rest), after
    if kind == b"$" or kind == b"=":
        if int(rest) < 0:
            return None, after
        text, after = _bulk(buffer, after, int(rest))
        return (text[4:] if kind == b"=" else text), after
    if kind == b"*" or kind == b"~" or kind == b">":
        if int(rest) < 0:
            return None, after
        items, after = _many(buffer, after, int(rest))
        return (Push(items) if kind == b">" else items), after
    if kind == b"%":
        items, after = _many(buffer, after, 2 * int(rest))
        pairs = zip(items[0::2], items[1::2])
        return {_key(key): value for key, value in pairs}, after
    if kind == b"_":
        return None, after
    if kind == b"#":
        return rest == b"t", after
    if kind == b",":
        return float(rest), after
    raise ValueError("not a reply: %r" % line[:80])


class Client:
    """One blocking connection with a deadline for each reply."""

    def __init__(self, port, host="127.0.0.1", timeout=10.0, **options):
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        receive_bytes = options.get("receive_bytes")
        if receive_bytes:
            self.socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes
            )
        self.buffer = bytearray()
        self.at = 0

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, *arguments):
        self.socket.sendall(encode(*arguments))

    def send_raw(self, data):
        self.socket.sendall(data)

    def read(self):
        """The next reply. ConnectionError when the server closed."""
        while True:
            try:
                value, self.at = parse(self.buffer, self.at)
                if self.at == len(self.buffer):
                    self.buffer, self.at = bytearray(), 0
                return value
            except Incomplete:
                data = self.socket.recv(1 << 18)
                if not data:
                    raise ConnectionError("closed by the server") from None
                self.buffer += data

    def call(self, *arguments):
        self.send(*arguments)
        return self.read()

    def pipeline(self, commands):
        """Sends all @commands at once and returns their replies in order."""
        data = b"".join(encode(*command) for command in commands)
        self.socket.sendall(data)
        return [self.read() for _ in commands]

    def at_end(self):
        """Whether the server closes the connection, with nothing more."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True
