#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a cloud gives to its instances (IMDSv2) and containers: credentials of a role, here real ones of the lab's S3.

usage: metadata.py PORT_FILE ROLE_ARN TOKEN_FILE

    PUT /latest/api/token, GET /latest/meta-data/iam/security-credentials/[ROLE]    the instance's
    GET /container                                  the container's, to who sends what TOKEN_FILE holds
    PUT /.lifetime SECONDS                          from now on it says that they end so soon
    GET /.counts                                    how often credentials were given, since the last time
"""
import datetime
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as tree
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROLE_ARN, TOKEN_FILE = sys.argv[2:]
ROLES = "/latest/meta-data/iam/security-credentials/"
CLIENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "client.py")
STATE = {"lifetime": None, "given": 0}


def credentials():
    answer = subprocess.run([sys.executable, CLIENT, "call", "sts", "Action=AssumeRole", "Version=2011-06-15", "RoleArn=" + ROLE_ARN,
                             "RoleSessionName=metadata", "DurationSeconds=900"], check=True, stdout=subprocess.PIPE).stdout
    found = {node.tag.rpartition("}")[2]: node.text for node in tree.fromstring(answer).iter()}
    expires = found["Expiration"]
    if STATE["lifetime"]:
        expires = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=STATE["lifetime"])).isoformat()
    STATE["given"] += 1
    return json.dumps({"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": found["AccessKeyId"],
                       "SecretAccessKey": found["SecretAccessKey"], "Token": found["SessionToken"], "Expiration": expires})


class Handler(BaseHTTPRequestHandler):
    def answer(self, status, text=""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self):
        if self.path == "/.lifetime":
            STATE["lifetime"] = int(self.rfile.read(int(self.headers["Content-Length"]))) or None
            return self.answer(200)
        known = self.path == "/latest/api/token" and self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
        return self.answer(200, "session") if known else self.answer(400)

    def do_GET(self):
        if self.path == "/.counts":
            given, STATE["given"] = STATE["given"], 0
            return self.answer(200, json.dumps({"given": given}))
        if self.path == "/container":
            with open(TOKEN_FILE, encoding="ascii") as file:
                allowed = self.headers.get("Authorization") == file.read().strip()
            return self.answer(200, credentials()) if allowed else self.answer(403)
        if self.headers.get("X-aws-ec2-metadata-token") != "session":
            return self.answer(401)
        if self.path == ROLES:
            return self.answer(200, ROLE_ARN.rpartition("/")[2] + "\n")
        if self.path == ROLES + ROLE_ARN.rpartition("/")[2]:
            return self.answer(200, credentials())
        return self.answer(404)


def main(port_file):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with open(port_file + ".part", "w", encoding="ascii") as file:
        file.write(str(server.server_address[1]))
    os.rename(port_file + ".part", port_file)
    server.serve_forever()


main(sys.argv[1])
