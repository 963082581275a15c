# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The ten data syscalls by name, each on one descriptor: send_with[name](fd, parts), and
recv_with[name](fd, sizes) which returns the bytes."""

import ctypes
import os
import socket

libc = ctypes.CDLL(None, use_errno=True)


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


class Msghdr(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint),
                ("iov", ctypes.POINTER(Iovec)), ("iovlen", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_int)]


class Mmsghdr(ctypes.Structure):
    _fields_ = [("hdr", Msghdr), ("len", ctypes.c_uint)]


def _done(ret):
    if ret < 0:
        err = ctypes.get_errno()
        raise OSError(err, os.strerror(err))
    return ret


def _iovecs(bufs):
    arr = (Iovec * len(bufs))()
    for i, b in enumerate(bufs):
        arr[i].base = ctypes.cast(b, ctypes.c_void_p)
        arr[i].len = ctypes.sizeof(b)
    return arr


def _buffers(parts):
    return [(ctypes.c_char * len(p)).from_buffer_copy(p) for p in parts]


def _messages(bufs, per_message):
    """One mmsghdr for each group of per_message buffers."""
    groups = [bufs[i:i + per_message] for i in range(0, len(bufs), per_message)]
    msgs = (Mmsghdr * len(groups))()
    keep = []
    for m, group in zip(msgs, groups):
        iov = _iovecs(group)
        keep.append(iov)
        m.hdr.iov = iov
        m.hdr.iovlen = len(group)
    return msgs, keep


def _sock(fd):
    return socket.socket(fileno=os.dup(fd))


def _write(fd, parts):
    for p in parts:
        _done(os.write(fd, p) - len(p))


def _writev(fd, parts):
    _done(os.writev(fd, parts) - sum(map(len, parts)))


def _sendto(fd, parts):
    for p in parts:
        _done(libc.sendto(fd, p, len(p), 0, None, 0) - len(p))


def _sendmsg(fd, parts):
    with _sock(fd) as s:
        _done(s.sendmsg(parts) - sum(map(len, parts)))


def _sendmmsg(fd, parts):
    bufs = _buffers(parts)
    msgs, _keep = _messages(bufs, 2)
    n = _done(libc.sendmmsg(fd, msgs, len(msgs), 0))
    if n != len(msgs):
        raise OSError("sendmmsg sent %d of %d" % (n, len(msgs)))


def _read(fd, sizes):
    return os.read(fd, sum(sizes))


def _scatter(sizes, fn):
    bufs = [bytearray(n) for n in sizes]
    n = fn(bufs)
    return b"".join(bufs)[:n]


def _readv(fd, sizes):
    return _scatter(sizes, lambda bufs: os.readv(fd, bufs))


def _recvfrom(fd, sizes):
    buf = ctypes.create_string_buffer(sum(sizes))
    n = _done(libc.recvfrom(fd, buf, len(buf), 0, None, None))
    return buf.raw[:n]


def _recvmsg(fd, sizes):
    with _sock(fd) as s:
        return _scatter(sizes, lambda bufs: s.recvmsg_into(bufs)[0])


def _recvmmsg(fd, sizes):
    bufs = [ctypes.create_string_buffer(n) for n in sizes]
    msgs, _keep = _messages(bufs, 2)
    msg_waitforone = 0x10000
    n = _done(libc.recvmmsg(fd, msgs, len(msgs), msg_waitforone, None))
    out = b""
    for i in range(n):
        left = msgs[i].len
        for b in bufs[2 * i:2 * i + 2]:
            take = min(left, len(b))
            out += b.raw[:take]
            left -= take
    return out


send_with = {"write": _write, "writev": _writev, "sendto": _sendto, "sendmsg": _sendmsg,
             "sendmmsg": _sendmmsg}
recv_with = {"read": _read, "readv": _readv, "recvfrom": _recvfrom, "recvmsg": _recvmsg,
             "recvmmsg": _recvmmsg}


def recv_all(name, fd, n, sizes=(7, 40, 13, 400)):
    """Reads n bytes with one kind of call, scattered."""
    data = b""
    while len(data) < n:
        left, want = n - len(data), []
        for s in sizes:
            if left > 0:
                want.append(min(s, left))
                left -= want[-1]
        got = recv_with[name](fd, want)
        if not got:
            raise OSError("end of stream after %d of %d bytes" % (len(data), n))
        data += got
    return data


def cut(data, *lengths):
    """data in pieces of the given lengths and the rest."""
    out, at = [], 0
    for n in lengths:
        if at + n < len(data):
            out.append(data[at:at + n])
            at += n
    return out + [data[at:]]
