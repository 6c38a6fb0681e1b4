#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An OpenID Connect provider for the lab's STS: what a cluster's is for the tokens of its service accounts.

usage: oidc.py serve FOLDER PORT_FILE    serves the keys that are in FOLDER (made there if it is empty) on loopback
       oidc.py thumbprint FOLDER         of its certificate, as STS wants to know it
       oidc.py token FOLDER ISSUER AUDIENCE SECONDS   prints a token that ends in so many seconds
"""
import base64
import hashlib
import json
import os
import ssl
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make_key(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost",
                    "-keyout", folder + "/key.pem", "-out", folder + "/certificate.pem"], check=True, stderr=subprocess.DEVNULL)


def certificate(folder):
    with open(folder + "/certificate.pem", encoding="ascii") as file:
        return ssl.PEM_cert_to_DER_cert(file.read())


def modulus(folder):
    text = subprocess.run(["openssl", "x509", "-noout", "-modulus", "-in", folder + "/certificate.pem"], check=True,
                          stdout=subprocess.PIPE).stdout.decode()
    return bytes.fromhex(text.partition("=")[2].strip())


def serve(folder, port_file):
    if not os.path.exists(folder + "/key.pem"):
        os.makedirs(folder, exist_ok=True)
        make_key(folder)
    keys = {"keys": [{"kid": "lab", "kty": "RSA", "alg": "RS256", "use": "sig", "n": encode(modulus(folder)), "e": "AQAB",
                      "x5c": [base64.b64encode(certificate(folder)).decode()]}]}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            issuer = f"http://localhost:{self.server.server_address[1]}"
            pages = {"/.well-known/openid-configuration": {"issuer": issuer, "jwks_uri": issuer + "/keys"}, "/keys": keys}
            body = json.dumps(pages.get(self.path, {})).encode()
            self.send_response(200 if self.path in pages else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with open(port_file + ".part", "w", encoding="ascii") as file:
        file.write(str(server.server_address[1]))
    os.rename(port_file + ".part", port_file)
    server.serve_forever()


def token(folder, issuer, audience, seconds):
    now = int(time.time())
    claims = {"iss": issuer, "aud": audience, "sub": "system:serviceaccount:firn:agent", "iat": now, "nbf": now - 60,
              "exp": now + int(seconds)}
    text = ".".join(encode(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT", "kid": "lab"}, claims))
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", folder + "/key.pem"], input=text.encode(), check=True,
                               stdout=subprocess.PIPE).stdout
    print(text + "." + encode(signature))


def main(command, folder, *rest):
    if command == "serve":
        serve(folder, *rest)
    elif command == "thumbprint":
        print(hashlib.sha1(certificate(folder)).hexdigest().upper())
    elif command == "token":
        token(folder, *rest)
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
