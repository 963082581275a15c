# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The real servers: nginx, redis-server, Python's http.server."""

import os
import socket
import subprocess
import sys
import time

from .case import Fail, patience, scale, tool

PYTHON = sys.executable or "/usr/bin/python3"

BIG = scale(1 << 30, 64 << 20)  # the big file, bytes; sparse
HUGE = (1 << 32) + (100 << 20)  # stream offsets pass 32 bits
PAGE = b"hello from nginx\n"    # /page
SSI = b"before <!--# echo var='nothing' --> after\n"

NGINX_CONF = """
daemon off;
user root;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
worker_processes 1;
worker_rlimit_nofile 20000;
events {{ worker_connections 12000; }}
http {{
    access_log off;
    default_type text/plain;
    sendfile on;
    tcp_nodelay on;
    keepalive_requests 1000000;
    keepalive_timeout 600;
    client_max_body_size 0;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=8192;
        listen unix:{dir}/nginx.sock;
        root {dir}/root;
        location /post {{ proxy_pass_request_body on; return 200 "posted\\n"; }}
        location /moved {{ return 301 /page; }}
        location /nothing {{ return 204; }}
        location /fail {{ return 503 "no\\n"; }}
        location /ssi {{ ssi on; ssi_types text/plain; }}
        location /dav {{ dav_methods PUT DELETE; }}
    }}
}}
"""


def wait_listening(address, proc, log, seconds=20):
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    end = time.monotonic() + patience(seconds)
    while time.monotonic() < end:
        if proc.poll() is not None:
            break
        with socket.socket(family) as s:
            s.settimeout(1)
            try:
                s.connect(address)
                return
            except OSError:
                time.sleep(0.05)
    try:
        with open(log, encoding="utf-8", errors="replace") as f:
            text = f.read()[-400:]
    except OSError:
        text = ""
    raise Fail("server at %r does not start: %s" % (address, text))


class Server:
    def __init__(self, args, folder, port, address=None, **kw):
        self.folder = folder
        self.port = port
        log = os.path.join(folder, "server.log")
        with open(log, "ab") as out:
            self.proc = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                         cwd=folder, **kw)
        try:
            wait_listening(address or ("127.0.0.1", port), self.proc, log)
        except Fail:
            self.stop()
            raise

    @property
    def pid(self):
        return self.proc.pid

    def stop(self):
        if self.proc.poll() is None:
            self.proc.terminate()
            try:
                self.proc.wait(patience(5))
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()


def nginx(folder, port):
    path = tool("nginx")
    root = os.path.join(folder, "root")
    os.makedirs(os.path.join(root, "dav"))
    for name, data in (("page", PAGE), ("ssi", SSI), ("empty", b"")):
        with open(os.path.join(root, name), "wb") as f:
            f.write(data)
    for name, size in (("big", BIG), ("mid", 3 << 20), ("huge", HUGE)):
        with open(os.path.join(root, name), "wb") as f:
            f.truncate(size)
    conf = os.path.join(folder, "nginx.conf")
    with open(conf, "w", encoding="utf-8") as f:
        f.write(NGINX_CONF.format(dir=folder, port=port))
    srv = Server([path, "-e", os.path.join(folder, "error.log"), "-p", folder, "-c", conf],
                 folder, port)
    srv.unix = os.path.join(folder, "nginx.sock")
    return srv


def redis(folder, port):
    path = tool("redis-server")
    unix = os.path.join(folder, "redis.sock")
    srv = Server([path, "--port", str(port), "--bind", "127.0.0.1", "--unixsocket", unix,
                  "--dir", folder, "--save", "", "--appendonly", "no", "--maxclients", "8000"],
                 folder, port)
    srv.unix = unix
    return srv


def http_server(folder, port, bind="127.0.0.1"):
    with open(os.path.join(folder, "file.txt"), "wb") as f:
        f.write(b"x" * 10000)
    return Server([PYTHON, "-m", "http.server", str(port), "--bind", bind], folder, port)
