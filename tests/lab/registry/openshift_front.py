#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""openshift_front.py STATE PORT BACKEND: a stand-in for the auth layer of OpenShift's integrated registry, before a plain
docker-registry. What it does as the real one does (image-registry's sources):

 - no credentials: 401 with `Bearer realm="https://HOST/openshift/token"`; GET there with Basic hands the password back as the
   token; Basic with the token as password works directly, too
 - a bad token, or a right that is missing, is a 401 with a Basic challenge, never a 403
 - repositories are NAMESPACE/NAME and nothing else; the catalog and deletion need rights of their own
"""
import base64
import http.client
import re
import sys
import urllib.parse

from tls_server import Handler, Server

STATE, PORT, BACKEND = sys.argv[1], int(sys.argv[2]), sys.argv[3]
USERS = {
    "sha256~lab": {"namespaces": {"*": {"get", "update"}}, "catalog": True},
    "sha256~reader": {"namespaces": {"ns1": {"get"}}, "catalog": False},
    "anonymous": {"namespaces": {}, "catalog": False},
}
HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "host", "te", "upgrade", "authorization", "expect"}
UNAUTHORIZED = {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required", "detail": None}]}


class Front(Handler):
    def challenge(self, basic):
        realm = 'Basic realm=openshift,error="access denied"' if basic else \
            'Bearer realm="https://%s/openshift/token"' % self.headers.get("Host")
        self.close_connection = True
        self.answer(401, UNAUTHORIZED, [("WWW-Authenticate", realm), ("Connection", "close")])

    def token(self):
        """The token of the request; None: none was sent; "": nonsense was."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return value
        if scheme.lower() != "basic":
            return None
        try:
            return base64.b64decode(value).decode().partition(":")[2]
        except ValueError:
            return ""

    def give_token(self):
        token = self.token()
        if token is None:
            return self.answer(200, {"token": "anonymous", "access_token": "anonymous"})
        if token not in USERS:
            return self.answer(401, {})
        return self.answer(200, {"token": token, "access_token": token})

    def allowed(self, user, path, query):
        """Whether the user may do this; also drops a mount from where the user may not read."""
        if path == "/v2/_catalog":
            return user["catalog"]
        match = re.match(r"/v2/(.+?)/(manifests|blobs|tags|referrers)/", path)
        if match is None:
            return True
        rights = self.rights(user, match[1])
        reading = self.command in ("GET", "HEAD") and "/uploads/" not in path
        source = urllib.parse.parse_qs(query).get("from", [None])[0]
        if source is not None and "get" not in self.rights(user, source):
            self.path = path
        return ("get" if reading else "update") in rights

    @staticmethod
    def rights(user, repository):
        namespaces = user["namespaces"]
        return namespaces.get(repository.split("/")[0], namespaces.get("*", set()))

    def forward(self):
        host, _, port = BACKEND.partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=120)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", self.headers.get("Host"))
        connection.putheader("X-Forwarded-Proto", "https")
        for name, value in self.headers.items():
            if name.lower() not in HOP_BY_HOP:
                connection.putheader(name, value)
        connection.endheaders()
        left = int(self.headers.get("Content-Length") or 0)
        while left > 0:
            piece = self.rfile.read(min(left, 1 << 18))
            if not piece:
                break
            left -= len(piece)
            connection.send(piece)
        self.pass_back(connection.getresponse())
        connection.close()

    def pass_back(self, response):
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        if response.getheader("Content-Length") is None and response.status not in (204, 304) and self.command != "HEAD":
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD":
            return
        for piece in iter(lambda: response.read(1 << 18), b""):
            self.wfile.write(piece)

    def handle_request(self):
        parts = urllib.parse.urlparse(self.path)
        if parts.path == "/openshift/token":
            return self.give_token()
        token = self.token()
        if token is None:
            return self.challenge(basic=False)
        if token not in USERS:
            return self.challenge(basic=True)
        match = re.match(r"/v2/(.+?)/(manifests|blobs|tags|referrers)/", parts.path)
        if match is not None and match[1].count("/") != 1:
            return self.answer(400, {"errors": [{"code": "UNKNOWN", "message": "repository namespace required"}]})
        if not self.allowed(USERS[token], parts.path, parts.query):
            return self.challenge(basic=True)
        return self.forward()

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_request


Server(PORT, Front, STATE + "/tls/server.crt", STATE + "/tls/server.key").serve_forever()
