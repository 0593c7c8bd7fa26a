"""namespaces.py - A network of its own for each run.

The run moves into new namespaces of network, mounts and processes. In there it
is alone: every machine is a network namespace with one address, all are
plugged into one bridge, and the run itself has an address on that bridge, too.
When the run ends, however it ends, the kernel ends every process in there and
removes every namespace, interface and rule. Nothing has to be cleaned up, and
nothing outside can be hit by mistake.
"""

import os
import subprocess
import sys

SKIPPED = 77  # The exit code of a run that could not be made.
INSIDE = "HOLDFAST_CHAOS_INSIDE"
OWN_ADDRESS = "10.77.0.254"


def _run(*words):
    done = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode != 0:
        text = done.stdout.decode("utf-8", "replace").strip()
        raise OSError("%s: %s" % (" ".join(words), text))


def _unshare():
    words = ["unshare", "--net", "--mount", "--pid", "--fork"]
    words += ["--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        words.append("--map-root-user")
    return words


def _skip(why):
    print("chaos: SKIPPED, network namespaces cannot be made here: %s" % why)
    sys.exit(SKIPPED)


def enter():
    """Starts the program again inside of new namespaces, unless it is there
    already. Ends the program with SKIPPED where that is not permitted."""
    if os.environ.get(INSIDE) == "yes":
        return
    try:
        _run(*_unshare(), "true")
    except OSError as error:
        _skip(error)
    os.environ[INSIDE] = "yes"
    words = _unshare() + [sys.executable, "-B"] + sys.argv
    sys.stdout.flush()
    os.execvp(words[0], words)


class Machine:
    """One network namespace with one address."""

    def __init__(self, number):
        self.number = number  # From 1.
        self.name = "machine%d" % number
        self.address = "10.77.0.%d" % number

    def command(self, words):
        """@words, to be run on this machine; its process id is theirs."""
        return ["ip", "netns", "exec", self.name] + list(words)

    def drop_from(self, other):
        """From now on nothing arrives here from @other."""
        rule = ["INPUT", "-s", other.address, "-j", "DROP"]
        _run(*self.command(["iptables", "-w", "-A"] + rule))

    def drop_nothing(self):
        _run(*self.command(["iptables", "-w", "-F", "INPUT"]))


class Network:
    """The bridge and its machines."""

    def __init__(self, count):
        try:
            self._make_bridge()
            self.machines = [self._make(i + 1) for i in range(count)]
            first = self.machines[0]
            first.drop_from(first)
            first.drop_nothing()
        except OSError as error:
            _skip(error)

    def _make_bridge(self):
        # A /run of its own: names of namespaces and locks are kept there.
        _run("mount", "-t", "tmpfs", "none", "/run")
        _run("ip", "link", "set", "lo", "up")
        _run("ip", "link", "add", "bridge0", "type", "bridge")
        _run("ip", "addr", "add", OWN_ADDRESS + "/24", "dev", "bridge0")
        _run("ip", "link", "set", "bridge0", "up")

    def _make(self, number):
        machine = Machine(number)
        port = "port%d" % number
        inside = ["ip", "-n", machine.name]
        _run("ip", "netns", "add", machine.name)
        pair = ["peer", "name", "eth0", "netns", machine.name]
        _run("ip", "link", "add", port, "type", "veth", *pair)
        _run("ip", "link", "set", port, "master", "bridge0", "up")
        address = machine.address + "/24"
        _run(*inside, "addr", "add", address, "dev", "eth0")
        _run(*inside, "link", "set", "lo", "up")
        _run(*inside, "link", "set", "eth0", "up")
        return machine

    def heal(self):
        for machine in self.machines:
            machine.drop_nothing()

    def isolate(self, machine):
        """Cuts @machine off from all others, both ways; clients reach it."""
        for other in self.machines:
            if other is not machine:
                machine.drop_from(other)
                other.drop_from(machine)

    def deafen(self, machine):
        """Nothing from the others arrives at @machine."""
        for other in self.machines:
            if other is not machine:
                machine.drop_from(other)

    def mute(self, machine):
        """Nothing from @machine arrives at the others."""
        for other in self.machines:
            if other is not machine:
                other.drop_from(machine)
