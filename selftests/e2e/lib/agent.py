# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Talks to spand's API on behalf of the tests, from a process of its own whose name the tests
exclude from tracing: asking for the ledger must not move it. One JSON object a line on stdin,
one on stdout.
"""

import ctypes
import http.client
import json
import sys

PR_SET_NAME = 15
AGENT_COMM = "e2e-api"


def ask(req):
    conn = http.client.HTTPConnection(req.get("host", "127.0.0.1"), req["port"],
                                      timeout=req.get("timeout", 10))
    try:
        body = req.get("body")
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        headers = {"Connection": "close"}
        if req.get("token"):
            headers["Authorization"] = "Bearer " + req["token"]
        conn.request(req.get("method", "GET"), req["path"], body=body, headers=headers)
        res = conn.getresponse()
        return {"status": res.status, "type": res.getheader("Content-Type") or "",
                "body": res.read().decode("utf-8", "replace")}
    except (OSError, http.client.HTTPException) as e:
        return {"status": 0, "type": "", "body": "%s: %s" % (type(e).__name__, e)}
    finally:
        conn.close()


def main():
    ctypes.CDLL(None).prctl(PR_SET_NAME, AGENT_COMM.encode(), 0, 0, 0)
    for line in sys.stdin:
        print(json.dumps(ask(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
