# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The worked example of README, "Add a protocol", on a kernel: RFC 1413."""

from lib.case import BOTH, case, check, equal
from lib.http_cases import curl, exchange, sizes, verdict
from lib.wire import Conn, Peer, answer

USERID = (b"6193, 23\r\n", b"6193, 23 : USERID : UNIX : stjohns\r\n")
ERROR = (b"6195, 23\r\n", b"6195, 23 : ERROR : NO-USER\r\n")
SPACED = (b" 6191 ,\t0025\r\n", b"6191,0025:USERID:OTHER, UTF-8: \xc3\xa9v e \r\n")
LONG = (b"1,65535\r\n", b"1, 65535 : USERID : UNIX : " + b"x" * 512 + b"\r\n")
DIALOG = [USERID, ERROR, SPACED, LONG]
NAMES = ["23", "23", "25", "65535"]
STATUS = ["ok", "error", "ok", "ok"]


def check_dialog(t, port, rounds=1):
    pairs = t.pairs(rounds * len(DIALOG), port)
    for i, pair in enumerate(pairs):
        n = i % len(DIALOG)
        verdict(pair, NAMES[n], 0, STATUS[n], "ident")
        sizes(pair, len(DIALOG[n][0]), len(DIALOG[n][1]))
        for span in pair:
            equal(span["attributes"].get("ident.port_on_client"), int(NAMES[n]), "attribute")
    t.nothing_lost()
    return pairs


@case(hooks=BOTH)
def test_queries(t):
    """One connection, a query at a time; the API shows what the sender was given."""
    port = exchange(t, DIALOG)
    pairs = check_dialog(t, port)
    ids = {s["span_id"] for pair in pairs for s in pair}
    spans = t.spand.get("/api/spans?limit=1000&protocol=ident")["spans"]
    found = [s for s in spans if s["span_id"] in ids]
    equal(len(found), 2 * len(DIALOG), "spans at the API")
    equal({s["dst_port"] for s in found}, {port}, "their server's port")
    for s in spans:
        check("stjohns" not in str(s), "a user's name in %s", s)


@case(hooks=BOTH)
def test_one_query_each(t):
    """A connection for each query, which the server closes: how ident is mostly used."""
    port = t.port()
    for request, response in DIALOG:
        with Peer(answer([(request, response)]), ("127.0.0.1", port)):
            with Conn(("127.0.0.1", port)) as c:
                c.send(request)
                equal(c.to_end(), len(response), "bytes to the client")
    check_dialog(t, port)


@case(hooks=BOTH)
def test_pipelined(t):
    """All queries in one write, all answers in another."""
    port = t.port()
    queries = b"".join(q for q, _ in DIALOG)
    answers = b"".join(a for _, a in DIALOG)
    with Peer(answer([(queries, answers)]), ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            c.send(queries)
            equal(c.exact(len(answers)), answers, "what the client got")
    check_dialog(t, port)


@case(hooks=BOTH)
def test_bytes(t):
    """A byte in each write and read, from the connection's first one on."""
    port = t.port()

    def fn(conn, _number):
        for request, response in DIALOG:
            equal(conn.until(b"\r\n"), request, "query on the wire")
            for i in range(len(response)):
                conn.send(response[i:i + 1])
    with Peer(fn, ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            for request, response in DIALOG:
                for i in range(len(request)):
                    c.send(request[i:i + 1])
                equal(c.until(b"\r\n"), response, "answer")
    check_dialog(t, port)


@case()
def test_no_answer(t):
    """RFC 1413, 4: a server may drop the connection without a response."""
    port = t.port()
    with Peer(answer([(USERID[0], b"")]), ("127.0.0.1", port)):
        with Conn(("127.0.0.1", port)) as c:
            c.send(USERID[0])
            equal(c.to_end(), 0, "bytes to the client")
    # Nothing has come back: nobody has confirmed what the protocol is, the query stands.
    for kind in ("client", "server"):
        span = t.exactly(1, port, kind=kind)[0]
        equal((span["protocol"], span["name"], span["status"]), ("ident", "23", "no_response"),
              "span of the " + kind)


@case(hooks=BOTH)
def test_others_as_before(t):
    """HTTP beside it is still HTTP; lines of numbers are nobody's."""
    url = "http://127.0.0.1:%d/file.txt" % t.http_server.port
    sent = curl(url, "-H", "X-Ports: 6193, 23")
    pair = t.one(t.http_server.port)
    verdict(pair, "GET /file.txt", 200)
    sizes(pair, sent["request"], sent["response"])
    port = exchange(t, [(b"1,2,3\r\n", b"6\r\n"), (b"123456, 7\r\n", b"8\r\n"),
                        (b"9\r\n", b"9\r\n")])
    t.spand.settle()
    equal(t.spans(port), [], "spans of what is no protocol")
    equal(t.delta()["desync"], 0, "places lost")
    check(t.delta()["bytes_unclassified"] > 0, "bytes of what is no protocol are not counted")
    t.nothing_lost()
