#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""proxy.py URL CA-FILE PORT-FILE: stands between a client and the API server, and misbehaves as it is told. Plain HTTP on this side.

PUT /.faults takes lines "METHOD TEXT COUNT ACTION [ARGUMENT...]": the next COUNT requests of that method (or *) whose path has
TEXT in it get
    status CODE [SECONDS]   that answer, with a Status and Retry-After: requests like it that come sooner are counted as "early"
    page CODE               that answer, with a page that is no Status
    cut                     no answer: the connection is closed
    lose                    the request is carried out, its answer lost
    half                    half of the answer
    garbage                 an answer that is not JSON
    wait                    an answer once GET /.go was asked for
GET /.drop breaks the answers off that are on their way, such as those of watches. GET /.counts tells how many requests came, by
method, "early", and how many answers are on their way ("streams").
"""
import collections
import http.client
import http.server
import json
import os
import socket
import ssl
import sys
import threading
import time
import urllib.parse

UPSTREAM, CA, PORT_FILE = urllib.parse.urlsplit(sys.argv[1]), sys.argv[2], sys.argv[3]
LOCK = threading.Lock()
GO = threading.Event()
faults = []
counts = collections.Counter()
not_before = {}
streams = set()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        pass

    def answer(self, status, body, content_type="application/json", **headers):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def control(self, body):
        global faults
        with LOCK:
            if self.path == "/.go":
                GO.set()
            elif self.path == "/.drop":
                for stream in streams:
                    stream.shutdown(socket.SHUT_RDWR)
            elif self.path == "/.faults":
                faults = [line.split() for line in body.decode().splitlines() if line.strip()]
                counts.clear()
                not_before.clear()
                GO.clear()
            self.answer(200, json.dumps({**counts, "streams": len(streams)}).encode())

    def choose(self):
        with LOCK:
            counts[self.command] += 1
            key = self.command + self.path.split("?")[0]
            if time.monotonic() < not_before.pop(key, 0):
                counts["early"] += 1
            for fault in faults:
                method, text, count = fault[0], fault[1], int(fault[2])
                if method in ("*", self.command) and text in self.path and count > 0:
                    fault[2] = str(count - 1)
                    if fault[3] == "status" and len(fault) > 5:
                        not_before[key] = time.monotonic() + int(fault[5])
                    return fault[3:]
        return [None]

    def forward(self, body, action):
        upstream = http.client.HTTPSConnection(UPSTREAM.netloc, context=ssl.create_default_context(cafile=CA), timeout=600)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection", "content-length")}
        upstream.request(self.command, self.path, body, headers)
        answer = upstream.getresponse()
        if action == "lose":
            answer.read()
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        if answer.length is not None:
            text = answer.read()
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text[:len(text) // 2] if action == "half" else text)
            self.close_connection = action == "half"
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with LOCK:
            streams.add(self.connection)
        try:
            while piece := answer.read1(65536):
                if action == "half":
                    self.wfile.write(b"%x\r\n%s" % (len(piece), piece[:len(piece) // 2]))
                    self.close_connection = True
                    return
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        finally:
            with LOCK:
                streams.discard(self.connection)
            upstream.sock.close()

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/."):
            return self.control(body)
        action, *arguments = self.choose()
        if action == "status":
            status = json.dumps({"kind": "Status", "code": int(arguments[0]), "reason": "Told", "message": "as it was told"})
            retry = {"Retry_After": arguments[1]} if len(arguments) > 1 else {}
            return self.answer(int(arguments[0]), status.encode(), **retry)
        if action == "page":
            return self.answer(int(arguments[0]), b"<html>\n <b>no API</b>\n</html>", "text/html")
        if action == "garbage":
            return self.answer(200, b'{"kind": "ConfigMap", ')
        if action == "cut":
            self.close_connection = True
            return None
        if action == "wait":
            GO.wait(600)
        return self.forward(body, action)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = serve


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # clients go when they like


server = Server(("127.0.0.1", 0), Handler)
with open(PORT_FILE + ".new", "w") as out:
    out.write(str(server.server_address[1]))
os.rename(PORT_FILE + ".new", PORT_FILE)
server.serve_forever()
