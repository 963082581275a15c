# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Our own peers: scripted servers, raw connections, a counting proxy, TCP sequence numbers."""

import os
import socket
import struct
import threading

from .case import Fail, patience

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
REPAIR_ON, REPAIR_OFF_NO_WP = 1, -1
RECV_QUEUE, SEND_QUEUE = 1, 2


def tcp_seqs(sock):
    """(next to send, next to receive), asked of the kernel itself through TCP_REPAIR."""
    out = []
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, REPAIR_ON)
    try:
        for queue in (SEND_QUEUE, RECV_QUEUE):
            sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)
            out.append(sock.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ) & 0xffffffff)
    finally:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, REPAIR_OFF_NO_WP)
    return tuple(out)


def reset(sock):
    """Closes with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Conn:
    """A client (or accepted) connection with exact reads."""

    def __init__(self, address=None, sock=None, family=None):
        if sock is None:
            if family is None:
                family = (socket.AF_UNIX if isinstance(address, str) else
                          socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.settimeout(patience(20))
            sock.connect(address)
        sock.settimeout(patience(20))
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock

    def send(self, data):
        self.sock.sendall(data)

    def recv(self, n=65536):
        return self.sock.recv(n)

    def exact(self, n):
        parts, left = [], n
        while left:
            data = self.sock.recv(min(left, 1 << 20))
            if not data:
                raise Fail("peer closed %d bytes early" % left)
            parts.append(data)
            left -= len(data)
        return b"".join(parts)

    def until(self, mark):
        """Reads byte by byte up to and with mark."""
        data = b""
        while not data.endswith(mark):
            c = self.sock.recv(1)
            if not c:
                raise Fail("peer closed after %r" % data[-60:])
            data += c
        return data

    def to_end(self):
        n = 0
        while True:
            data = self.sock.recv(1 << 20)
            if not data:
                return n
            n += len(data)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Peer:
    """
    A scripted server in a thread: fn(conn, number) for every accepted connection, one thread
    each. What fn raises is raised again by join().
    """

    def __init__(self, fn, address, backlog=512):
        self.fn = fn
        self.errors = []
        self.threads = []
        self.stopping = False
        if isinstance(address, str):
            self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        elif ":" in address[0]:
            self.listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
            self.listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        else:
            self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(address)
        self.listener.listen(backlog)
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        number = 0
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            if self.stopping:
                sock.close()
                return
            t = threading.Thread(target=self._run, args=(sock, number), daemon=True)
            self.threads.append(t)
            t.start()
            number += 1

    def _run(self, sock, number):
        try:
            with Conn(sock=sock) as c:
                self.fn(c, number)
        except Exception as e:  # handed to join()
            self.errors.append(e)

    def join(self):
        """Waits until every connection's script has ended."""
        for t in self.threads:
            t.join(patience(30))
            if t.is_alive():
                raise Fail("the scripted server hangs")
        if self.errors:
            raise self.errors[0]

    def stop(self):
        self.stopping = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.thread.join(patience(5))

    def __enter__(self):
        return self

    def __exit__(self, exc_type, *exc):
        try:
            if exc_type is None:
                self.join()
        finally:
            self.stop()


def answer(responses):
    """A script: for each pair (request's bytes, response) read exactly the one, send the other."""
    def fn(conn, _number):
        for request, response in responses:
            got = conn.exact(len(request))
            if got != request:
                raise Fail("request on the wire: %r" % got[:80])
            conn.send(response)
    return fn


class CountingProxy(Peer):
    """Forwards each connection to `to` and counts the bytes of both ways: [[up, down], ...]."""

    def __init__(self, address, to):
        self.to = to
        self.counts = []
        super().__init__(self._forward, address)

    def _forward(self, conn, _number):
        count = [0, 0]
        self.counts.append(count)
        with Conn(self.to) as up:
            def pump(src, dst, way):
                while True:
                    try:
                        data = src.sock.recv(1 << 16)
                    except OSError:
                        break
                    if not data:
                        break
                    count[way] += len(data)
                    dst.sock.sendall(data)
                try:
                    dst.sock.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
            t = threading.Thread(target=pump, args=(conn, up, 0), daemon=True)
            t.start()
            pump(up, conn, 1)
            t.join(patience(20))


def http_request(path="/", method="GET", headers=(), body=b"", version="1.1"):
    lines = ["%s %s HTTP/%s" % (method, path, version), "Host: e2e.test"]
    lines += list(headers)
    if body:
        lines.append("Content-Length: %d" % len(body))
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def http_response(body=b"", status="200 OK", headers=(), length=True, version="1.1"):
    lines = ["HTTP/%s %s" % (version, status)] + list(headers)
    if length:
        lines.append("Content-Length: %d" % len(body))
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def resp_array(*args):
    """A Redis command as an array of bulk strings."""
    out = [b"*%d\r\n" % len(args)]
    for a in args:
        a = a if isinstance(a, bytes) else str(a).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(a), a))
    return b"".join(out)


def pid_of_thread():
    return os.getpid(), threading.get_native_id()
