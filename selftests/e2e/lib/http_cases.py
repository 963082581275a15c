# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What several HTTP test files share."""

import subprocess

from .case import Fail, equal, patience, tool
from .wire import Conn, Peer, answer


def curl(url, *args, expect=0):
    """Runs curl quietly; {"request": bytes sent, "response": bytes got, "body", "code"}."""
    fmt = "%{size_request} %{size_header} %{size_download} %{http_code}\\n"
    res = subprocess.run([tool("curl"), "-q", "-sS", "-o", "/dev/null", "-w", fmt,
                          "--noproxy", "*", *args, url], capture_output=True, text=True,
                         timeout=patience(60), check=False)
    if res.returncode != expect:
        raise Fail("curl %s: exit %d: %s" % (url, res.returncode, res.stderr[-300:]))
    n = [int(x) for x in res.stdout.split("\n")[0].split()]
    # size_request has the body if curl sent it along with the header, else not.
    return {"request": n[0], "response": n[1] + n[2], "body": n[2], "code": n[3]}


def exchange(t, dialog, host="127.0.0.1", port=None, close=True):
    """
    One connection to a scripted server; dialog is [(request, response)]. The client sends a
    request when it has the answer before. Returns the port.
    """
    port = port or t.port()
    with Peer(answer(dialog), (host, port)):
        conn = Conn((host, port))
        for request, response in dialog:
            conn.send(request)
            equal(conn.exact(len(response)), response, "what the scripted client got")
        if close:
            conn.close()
        else:
            t.defer(conn.close)
    return port


def sizes(pair, request, response):
    for span in pair:
        equal(span["req_size"], request, "req_size of the %s span of %s" %
              (span["kind"], span["name"]))
        equal(span["resp_size"], response, "resp_size of the %s span of %s" %
              (span["kind"], span["name"]))


def verdict(pair, name, code, status="ok", protocol="http"):
    for span in pair:
        equal(span["protocol"].lower(), protocol, "protocol")
        equal(span["name"], name, "name")
        equal(span["status_code"], code, "status_code of " + name)
        equal(span["status"], status, "status of " + name)
