"""Builds and removes a grid with Mininet: hosts with a link each, spread over Linux bridges. Prints two times, milliseconds.

Run by `make bench`; by hand: sudo /usr/bin/python3 tests/bench/mininet_grid.py HOSTS BRIDGES
"""

import sys
import time

from mininet.net import Mininet
from mininet.nodelib import LinuxBridge
from mininet.topo import Topo


class Grid(Topo):
    def build(self, hosts, bridges):
        switches = [self.addSwitch(f"s{number}") for number in range(bridges)]
        for number in range(hosts):
            # Addresses aren't part of the comparison, but Mininet always gives them.
            self.addLink(self.addHost(f"h{number}"), switches[number % bridges])


def main():
    hosts, bridges = int(sys.argv[1]), int(sys.argv[2])
    topology = Grid(hosts=hosts, bridges=bridges)
    started = time.monotonic()
    net = Mininet(topo=topology, switch=LinuxBridge, controller=None, waitConnected=False)
    net.start()
    created = time.monotonic()
    net.stop()
    removed = time.monotonic()
    print(f"{(created - started) * 1e3:.1f} {(removed - created) * 1e3:.1f}")


main()
