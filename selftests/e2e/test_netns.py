# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Client and server in network namespaces of their own, with NAT between them."""

import os
import subprocess
import sys

from lib.case import BOTH, Skip, case, check, equal, patience, tool
from lib.http_cases import sizes, verdict
from lib.wire import http_request, http_response

PYTHON = sys.executable or "/usr/bin/python3"

SERVER = """
import socket, sys
fam = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
l = socket.socket(fam); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind((sys.argv[1], int(sys.argv[2]))); l.listen(5); print('ready', flush=True)
c, a = l.accept(); print(a[0], a[1], flush=True)
n = int(sys.argv[3])
while True:
    left = n
    while left:
        d = c.recv(left)
        if not d: sys.exit(0 if left == n else 1)
        left -= len(d)
    c.sendall(sys.argv[4].encode())
"""

CLIENT = """
import socket, sys
c = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[6]))
for i in range(int(sys.argv[5])):
    c.sendall(sys.argv[3].encode()); left = int(sys.argv[4])
    while left:
        d = c.recv(left)
        if not d: sys.exit(1)
        left -= len(d)
print(*c.getsockname()[:2])
"""


class Net:
    """client -- router -- server, three namespaces; removed by close()."""

    def __init__(self):
        self.ip = tool("ip")
        tag = "e2e%d" % (os.getpid() % 100000)
        self.cli, self.mid, self.srv = (tag + x for x in "crs")
        self.made = []
        try:
            for ns in (self.cli, self.mid, self.srv):
                self.run("netns", "add", ns)
                self.made.append(ns)
                self.run("-n", ns, "link", "set", "lo", "up")
            for ns, near, far, net in ((self.cli, tag + "a", tag + "b", "10.81.1"),
                                       (self.srv, tag + "y", tag + "z", "10.81.2")):
                self.run("-n", ns, "link", "add", near, "type", "veth", "peer", "name", far,
                         "netns", self.mid)
                self.run("-n", ns, "addr", "add", net + ".2/24", "dev", near)
                self.run("-n", self.mid, "addr", "add", net + ".1/24", "dev", far)
                self.run("-n", ns, "link", "set", near, "up")
                self.run("-n", self.mid, "link", "set", far, "up")
                self.run("-n", ns, "route", "add", "default", "via", net + ".1")
            self.inside(self.mid, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        except Skip:
            self.close()
            raise

    def run(self, *args):
        self.call([self.ip, *args])

    @staticmethod
    def call(args):
        res = subprocess.run(args, capture_output=True, text=True, timeout=patience(20),
                             check=False)
        if res.returncode:
            raise Skip("%s: %s" % (" ".join(args[:8]), (res.stderr or res.stdout).strip()[:150]))

    def command(self, ns, *args):
        return [self.ip, "netns", "exec", ns, *args]

    def inside(self, ns, *args):
        self.call(self.command(ns, *args))

    def close(self):
        for ns in self.made:
            subprocess.run([self.ip, "netns", "del", ns], check=False,
                           stderr=subprocess.DEVNULL)


def talk(t, net, target, port, server_port, n):
    """n exchanges across the namespaces; (client's own address, what the server saw)."""
    req, res = http_request("/nat"), http_response(b"n" * 10)
    srv = subprocess.Popen(net.command(net.srv, PYTHON, "-c", SERVER, "10.81.2.2",
                                       str(server_port), str(len(req)), res.decode()),
                           stdout=subprocess.PIPE, text=True)
    try:
        equal(srv.stdout.readline().strip(), "ready", "the server")
        cli = subprocess.run(net.command(net.cli, PYTHON, "-c", CLIENT, target, str(port),
                                         req.decode(), str(len(res)), str(n),
                                         str(patience(10))),
                             capture_output=True, text=True, timeout=patience(30), check=False)
        equal(cli.returncode, 0, "the client: " + cli.stderr[-300:])
        seen = srv.stdout.readline().split()
        equal(srv.wait(patience(20)), 0, "the server's end")
    finally:
        if srv.poll() is None:
            srv.kill()
            srv.wait()
        srv.stdout.close()
    return cli.stdout.split(), seen, len(req), len(res)


def across(t, n, client_port, server_port):
    """n pairs although the ends know different addresses."""
    clients = t.exactly(n, client_port, kind="client", name="GET /nat")
    servers = t.exactly(n, server_port, kind="server", name="GET /nat")
    by_parent = {s["parent_span_id"]: s for s in servers}
    equal(sorted(by_parent), sorted(c["span_id"] for c in clients),
          "parents of the server's spans")
    return [(c, by_parent[c["span_id"]]) for c in clients]


@case(hooks=BOTH)
def test_veth(t):
    net = Net()
    t.defer(net.close)
    port = t.port()
    _, _, up, down = talk(t, net, "10.81.2.2", port, port, 4)
    for pair in across(t, 4, port, port):
        verdict(pair, "GET /nat", 200)
        sizes(pair, up, down)
        equal((pair[0]["src_ip"], pair[0]["dst_ip"]), ("10.81.1.2", "10.81.2.2"), "addresses")
    t.nothing_lost()


@case(hooks=BOTH)
def test_nat(t):
    """DNAT to another address and port, and MASQUERADE, on the router between."""
    tables = tool("iptables")
    net = Net()
    t.defer(net.close)
    front, back = t.port(), t.port()
    net.inside(net.mid, tables, "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "-d", "10.81.1.1",
               "--dport", str(front), "-j", "DNAT", "--to-destination", "10.81.2.2:%d" % back)
    net.inside(net.mid, tables, "-t", "nat", "-A", "POSTROUTING", "-p", "tcp", "-d", "10.81.2.2",
               "-j", "MASQUERADE", "--to-ports", "45000-45100")
    own, seen, up, down = talk(t, net, "10.81.1.1", front, back, 4)
    check(own[1] != seen[1] and seen[0] == "10.81.2.1", "no NAT: %s and %s", own, seen)
    for client, server in across(t, 4, front, back):
        verdict((client, server), "GET /nat", 200)
        sizes((client, server), up, down)
        equal(client["req_tcp_seq"], server["req_tcp_seq"], "req_tcp_seq across NAT")
        equal(client["resp_tcp_seq"], server["resp_tcp_seq"], "resp_tcp_seq across NAT")
        equal((client["src_ip"], client["src_port"], client["dst_ip"], client["dst_port"]),
              ("10.81.1.2", int(own[1]), "10.81.1.1", front), "addresses at the client")
        equal((server["src_ip"], server["src_port"], server["dst_ip"], server["dst_port"]),
              ("10.81.2.1", int(seen[1]), "10.81.2.2", back), "addresses at the server")
    t.nothing_lost()
