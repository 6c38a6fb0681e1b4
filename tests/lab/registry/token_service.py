#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""token_service.py STATE PORT: Docker's token service (JWT, RS256), for docker-registry's auth.token.

LAB_REGISTRY_TOKEN_TTL is how long (s) the registry takes a token; docker-registry allows a minute of skew, which is
subtracted here. LAB_REGISTRY_TOKEN_CLAIM is the expires_in that the client is told. GET with Basic, POST as OAuth2 with a
password or with the refresh token "identity-lab"."""
import base64
import fnmatch
import json
import os
import subprocess
import sys
import time
import urllib.parse

from tls_server import Handler, Server

STATE, PORT = sys.argv[1], int(sys.argv[2])
TTL = int(os.environ.get("LAB_REGISTRY_TOKEN_TTL", "300"))
CLAIM = int(os.environ.get("LAB_REGISTRY_TOKEN_CLAIM", str(TTL)))
SKEW = 60
ALL = ["pull", "push", "delete"]
USERS = {
    "": (None, []),
    "lab": ("labpass", [("repository", "*", ALL), ("registry", "catalog", ["*"])]),
    "reader": ("readpass", [("repository", "ns1/*", ["pull"])]),
}


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


with open(STATE + "/tls/jwt.der", "rb") as file:
    CERTIFICATE = base64.b64encode(file.read()).decode()


def sign(user, service, access):
    now = int(time.time())
    header = {"typ": "JWT", "alg": "RS256", "x5c": [CERTIFICATE]}
    claims = {"iss": "lab-issuer", "sub": user, "aud": service, "exp": now + TTL - SKEW, "nbf": now - 600, "iat": now,
              "jti": os.urandom(8).hex(), "access": access}
    text = encoded(json.dumps(header).encode()) + "." + encoded(json.dumps(claims).encode())
    done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", STATE + "/tls/jwt.key"], input=text.encode(),
                          stdout=subprocess.PIPE, check=True)
    return text + "." + encoded(done.stdout)


def granted(user, scopes):
    access = []
    for scope in " ".join(scopes).split():
        kind, rest = scope.split(":", 1)
        name, actions = rest.rsplit(":", 1)
        allowed = set()
        for right, pattern, verbs in USERS[user][1]:
            if right == kind and fnmatch.fnmatch(name, pattern):
                allowed |= set(actions.split(",")) & set(verbs)
        if allowed:
            access.append({"type": kind, "name": name, "actions": sorted(allowed)})
    return access


class TokenService(Handler):
    def issue(self, user, password, query):
        if user not in USERS or USERS[user][0] != password:
            return self.answer(401, {"details": "incorrect username or password"})
        token = sign(user, query.get("service", [""])[0], granted(user, query.get("scope", [])))
        return self.answer(200, {"token": token, "access_token": token, "expires_in": CLAIM})

    def do_GET(self):
        parts = urllib.parse.urlparse(self.path)
        user, password = "", None
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            user, _, password = base64.b64decode(value).decode().partition(":")
        self.issue(user, password, urllib.parse.parse_qs(parts.query))

    def do_POST(self):
        form = urllib.parse.parse_qs(self.read_body().decode())
        if form.get("grant_type") == ["refresh_token"]:
            known = form.get("refresh_token") == ["identity-lab"]
            return self.issue("lab" if known else "nobody", "labpass", form)
        return self.issue(form.get("username", [""])[0], form.get("password", [None])[0], form)


Server(PORT, TokenService, STATE + "/tls/server.crt", STATE + "/tls/server.key").serve_forever()
