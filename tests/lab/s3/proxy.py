#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A TLS proxy in front of the lab's S3 that breaks things: proxy.py PORT_FILE

PUT /.faults takes lines "METHOD COUNT FAULT [ARGUMENT]": the next COUNT requests of that METHOD suffer it. "*" is any, "READ" a
GET of a range of a megabyte and more.

    status CODE    answered CODE without asking the server; 503 says SlowDown
    status-after   asked for 429 with Retry-After: 1
    cut BYTES      the connection is cut after so many bytes of the answer's body
    reset BYTES    the connection is reset after so many bytes of the request's body
    lose           the server is asked, and its answer thrown away
    slow RATE      bytes a second of request and answer
    longer         an answer longer than it should be
    wait MS        the server is asked that much later
    region         refused until it is signed for the region "elsewhere"
    unconditional  a PUT whose condition does not hold is answered as if there had been none
    pass           nothing: for counting up to the one that suffers
    together N     held until N of them are here at once, for 60 seconds at most; else refused
    deny           refused as 403 AccessDenied

GET /.form gives the body of the last POST. GET /.counts tells what was asked since the last time, as JSON: {"PUT": 3, "PUT bytes": 100, "PUT at once": 2, …}.
"""
import http.client
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BACKEND = os.environ["LAB_S3"]
TRUST = ssl.create_default_context(cafile=os.environ["LAB_S3_CA"])
LOCK = threading.Lock()
FAULTS = []
COUNTS = {}
FORM = [b""]
RUNNING = {}
GATHERED = threading.Condition(LOCK)


def kinds(method, headers):
    begin, _, end = headers.get("Range", "bytes=0-0").partition("=")[2].partition("-")
    return [method, "READ"] if method == "GET" and end and int(end) - int(begin) >= 999999 else [method]


def next_fault(names):
    with LOCK:
        for name in names:
            COUNTS[name] = COUNTS.get(name, 0) + 1
        for fault in FAULTS:
            if fault[0] in names + ["*"] and fault[1] > 0:
                fault[1] -= 1
                return fault[2], int(fault[3]) if len(fault) > 3 else 0
    return "", 0


def count_bytes(method, number):
    with LOCK:
        COUNTS[method + " bytes"] = COUNTS.get(method + " bytes", 0) + number


def running(names, change):
    """One more of them is here, or one less."""
    with LOCK:
        for name in names:
            RUNNING[name] = RUNNING.get(name, 0) + change
            COUNTS[name + " at once"] = max(COUNTS.get(name + " at once", 0), RUNNING[name])


class Together:
    """Those that are held until there are enough of them."""
    here = 0
    opened = 0

    @classmethod
    def wait(cls, wanted):
        with GATHERED:
            cls.here += 1
            turn = cls.opened
            if cls.here == wanted:
                cls.here = 0
                cls.opened += 1
                GATHERED.notify_all()
            if GATHERED.wait_for(lambda: cls.opened > turn, 60):
                return True
            cls.here -= 1
            return False


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, text, *arguments):
        sys.stderr.write(text % arguments + "\n")
        sys.stderr.flush()

    def answer(self, status, body, *headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def control(self):
        global FAULTS, COUNTS
        if self.command == "PUT":
            lines = self.rfile.read(int(self.headers["Content-Length"])).decode().splitlines()
            with LOCK:
                FAULTS = [[method, int(count), *rest] for method, count, *rest in map(str.split, filter(None, lines))]
            return self.answer(200, b"")
        if self.path == "/.form":
            return self.answer(200, FORM[0])
        with LOCK:
            body, COUNTS = json.dumps(COUNTS).encode(), {}
        return self.answer(200, body)

    def reset(self):
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.socket.close(self.connection)

    def read_body(self, fault, argument):
        left = int(self.headers.get("Content-Length", 0))
        body = bytearray()
        while left:
            piece = self.rfile.read(min(left, 1 << 16))
            if not piece:
                return None
            body += piece
            left -= len(piece)
            if fault == "reset" and len(body) >= argument:
                return None
            if fault == "slow":
                time.sleep(len(piece) / argument)
        return bytes(body)

    def forward(self, body):
        backend = http.client.HTTPSConnection(BACKEND, context=TRUST, timeout=60)
        backend.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            backend.putheader(name, value)
        backend.endheaders(body or None)
        return backend.getresponse()

    def relay(self, reply, fault, argument):
        content = reply.read()
        length = reply.getheader("Content-Length", str(len(content)))
        self.log_request(reply.status)
        self.send_response_only(reply.status)
        for name, value in reply.getheaders(): # the server's Date is the server's clock
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        if fault == "longer":
            content += b"more"
            length = str(len(content))
        self.send_header("Content-Length", length)
        self.end_headers()
        if fault == "cut":
            content = content[:argument]
            self.close_connection = True
        count_bytes(self.command, len(content))
        step = 1 << 16
        for begin in range(0, len(content), step):
            self.wfile.write(content[begin:begin + step])
            if fault == "slow":
                time.sleep(step / argument)

    def handle_one(self):
        if self.path.startswith("/."):
            return self.control()
        names = kinds(self.command, self.headers)
        running(names, 1)
        try:
            self.handle_request(names)
        finally:
            running(names, -1)

    def handle_request(self, names):
        fault, argument = next_fault(names)
        body = self.read_body(fault, argument)
        if body is None:
            return self.reset()
        if self.command == "POST":
            FORM[0] = body
        count_bytes(self.command, len(body))
        if fault == "status":
            code = {500: "InternalError", 501: "NotImplemented", 503: "SlowDown"}.get(argument, "Lab")
            return self.answer(argument, f"<Error><Code>{code}</Code><Message>as told</Message></Error>".encode())
        if fault == "status-after":
            return self.answer(429, b"", ("Retry-After", "1"))
        if fault == "region" and "/elsewhere/s3/" not in self.headers["Authorization"]:
            return self.answer(400, b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>elsewhere</Region></Error>")
        if fault == "deny" or (fault == "together" and not Together.wait(argument)):
            return self.answer(403, b"<Error><Code>AccessDenied</Code><Message>as told</Message></Error>")
        if fault == "wait":
            time.sleep(argument / 1000)
        try:
            reply = self.forward(body)
        except OSError:
            return self.reset()
        if fault == "unconditional" and reply.status == 412:
            reply.read()
            return self.answer(200, b"")
        if fault == "lose":
            reply.read()
            return self.reset()
        return self.relay(reply, fault, argument)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_one


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def finish_request(self, request, client_address):
        request.settimeout(120)
        request.do_handshake()
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        sys.stderr.write(f"{sys.exc_info()[1]!r}\n")


def main(port_file):
    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["LAB_S3_CERTIFICATE"], os.environ["LAB_S3_CERTIFICATE_KEY"])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with open(port_file + ".part", "w") as file:
        file.write(str(server.server_address[1]))
    os.rename(port_file + ".part", port_file)
    server.serve_forever()


main(sys.argv[1])
