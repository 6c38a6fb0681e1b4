#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small S3 client, independent of Firn's: what tests do to a bucket behind its back.

usage: client.py make BUCKET | version BUCKET | put BUCKET/KEY FILE | get BUCKET/KEY | list BUCKET/PREFIX | fill BUCKET/PREFIX COUNT
"""
import datetime
import hashlib
import hmac
import http.client
import os
import ssl
import sys
import urllib.parse
import xml.etree.ElementTree as tree

HOST = os.environ["LAB_S3"]
KEY = os.environ["AWS_ACCESS_KEY_ID"]
SECRET = os.environ["AWS_SECRET_ACCESS_KEY"]
CONNECTION = http.client.HTTPSConnection(HOST, context=ssl.create_default_context(cafile=os.environ["LAB_S3_CA"]), timeout=60)


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def request(method, path, query=(), body=b"", headers=()):
    """One signed exchange; the body of its answer. Ends the program unless the answer is a success."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    path = urllib.parse.quote("/" + path, safe="/-._~")
    text = "&".join(sorted(f"{urllib.parse.quote(n, safe='-._~')}={urllib.parse.quote(v, safe='-._~')}" for n, v in query))
    fields = {"host": HOST, "x-amz-content-sha256": digest, "x-amz-date": now, **dict(headers)}
    names = ";".join(sorted(fields))
    canonical = "\n".join([method, path, text, "".join(f"{n}:{fields[n]}\n" for n in sorted(fields)), names, digest])
    scope = f"{now[:8]}/us-east-1/s3/aws4_request"
    key = ("AWS4" + SECRET).encode()
    for part in scope.split("/"):
        key = mac(key, part)
    signature = mac(key, "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])).hex()
    fields["authorization"] = f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, Signature={signature}"
    CONNECTION.request(method, path + ("?" + text if text else ""), body, fields)
    answer = CONNECTION.getresponse()
    content = answer.read()
    if answer.status >= 300:
        sys.exit(f"{method} {path}: {answer.status} {content.decode(errors='replace')}")
    return content


def keys(place):
    bucket, _, prefix = place.partition("/")
    token = ()
    while True:
        page = tree.fromstring(request("GET", bucket, (("list-type", "2"), ("prefix", prefix), *token)))
        space = page.tag.partition("}")[0] + "}" if page.tag.startswith("{") else ""
        for entry in page.iter(space + "Contents"):
            yield entry.findtext(space + "Key"), int(entry.findtext(space + "Size"))
        if page.findtext(space + "IsTruncated") != "true":
            return
        token = (("continuation-token", page.findtext(space + "NextContinuationToken")),)


def main(command, place, *rest):
    if command == "make":
        request("PUT", place)
    elif command == "version":
        body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        request("PUT", place, (("versioning", ""),), body)
    elif command == "put":
        with open(rest[0], "rb") as file:
            request("PUT", place, body=file.read())
    elif command == "get":
        sys.stdout.buffer.write(request("GET", place))
    elif command == "list":
        for key, size in keys(place):
            print(size, key)
    elif command == "fill":
        for number in range(int(rest[0])):
            request("PUT", f"{place}{number:06d}")
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
