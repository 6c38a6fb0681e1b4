#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a bucket's policy from those that a document shows: policy.py DOCUMENT BUCKET KIND=USER[,without=ACTION...] ...

A policy of the document is a block that begins with ```json policy=KIND. Each USER gets the rights of the KIND, less the ACTIONs.
"""
import json
import re
import sys


def main(document, bucket, *grants):
    with open(document, encoding="utf-8") as file:
        blocks = dict(re.findall(r"^```json policy=(\w+)\n(.*?)^```", file.read(), re.M | re.S))
    statements = []
    for grant in grants:
        kind, _, rest = grant.partition("=")
        user, *without = rest.split(",without=")
        for statement in json.loads(blocks[kind])["Statement"]:
            statement["Principal"] = {"AWS": [f"arn:aws:iam:::user/{user}"]}
            statement["Action"] = [action for action in statement["Action"] if action not in without]
            statement["Resource"] = statement["Resource"].replace("BUCKET", bucket)
            statements.append(statement)
    json.dump({"Version": "2012-10-17", "Statement": statements}, sys.stdout)


main(*sys.argv[1:])
