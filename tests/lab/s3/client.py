#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small S3 client, independent of Firn's: what tests do to a bucket behind its back.

usage: client.py date: the server's time
       client.py make BUCKET | make-locked BUCKET [MODE DAYS] | version BUCKET | policy BUCKET FILE
       client.py put BUCKET/KEY FILE | get BUCKET/KEY [VERSION] | remove BUCKET/KEY [VERSION]
       client.py list BUCKET/PREFIX | fill BUCKET/PREFIX COUNT | overwrite BUCKET/KEY COUNT
       client.py versions BUCKET/PREFIX     a line each, the latest first: KEY VERSION SIZE|marker current|old
       client.py lock BUCKET/KEY [VERSION]  MODE UNTIL HOLD, "-" for what there is not
       client.py locks BUCKET/PREFIX        a line each: KEY MODE UNTIL HOLD
       client.py relock BUCKET/KEY MODE UNTIL | bypass BUCKET/KEY VERSION: locks for shorter, or removes, if governance lets it
       client.py call SERVICE NAME=VALUE...   a call to IAM or STS, whose answer is printed
"""
import datetime
import email.utils
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
AHEAD = datetime.timedelta()  # that the server's clock is ahead of ours


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def request(method, path, query=(), body=b"", headers=(), service="s3"):
    """One signed exchange; the body of its answer. Ends the program unless the answer is a success."""
    return exchange(method, path, query, body, headers, service)[0]


def exchange(method, path, query=(), body=b"", headers=(), service="s3"):
    """The same; also the headers of the answer."""
    global AHEAD
    now = (datetime.datetime.now(datetime.timezone.utc) + AHEAD).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    plain = path
    path = urllib.parse.quote("/" + path, safe="/-._~")
    text = "&".join(sorted(f"{urllib.parse.quote(n, safe='-._~')}={urllib.parse.quote(v, safe='-._~')}" for n, v in query))
    fields = {"host": HOST, "x-amz-content-sha256": digest, "x-amz-date": now, **dict(headers)}
    names = ";".join(sorted(fields))
    canonical = "\n".join([method, path, text, "".join(f"{n}:{fields[n]}\n" for n in sorted(fields)), names, digest])
    scope = f"{now[:8]}/us-east-1/{service}/aws4_request"
    key = ("AWS4" + SECRET).encode()
    for part in scope.split("/"):
        key = mac(key, part)
    signature = mac(key, "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])).hex()
    fields["authorization"] = f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, Signature={signature}"
    CONNECTION.request(method, path + ("?" + text if text else ""), body, fields)
    answer = CONNECTION.getresponse()
    content = answer.read()
    if answer.status == 403 and not AHEAD:
        off = email.utils.parsedate_to_datetime(answer.headers["Date"]) - datetime.datetime.now(datetime.timezone.utc)
        if abs(off) > datetime.timedelta(minutes=5):
            AHEAD = off
            return exchange(method, plain, query, body, headers, service)
    if answer.status >= 300:
        sys.exit(f"{method} {path}: {answer.status} {content.decode(errors='replace')}")
    return content, answer.headers


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


def versions(place):
    bucket, _, prefix = place.partition("/")
    marker = ()
    while True:
        page = tree.fromstring(request("GET", bucket, (("versions", ""), ("prefix", prefix), *marker)))
        space = page.tag.partition("}")[0] + "}" if page.tag.startswith("{") else ""
        for entry in page:
            if entry.tag in (space + "Version", space + "DeleteMarker"):
                size = entry.findtext(space + "Size") if entry.tag == space + "Version" else "marker"
                current = "current" if entry.findtext(space + "IsLatest") == "true" else "old"
                yield entry.findtext(space + "Key"), entry.findtext(space + "VersionId"), size, current
        if page.findtext(space + "IsTruncated") != "true":
            return
        marker = (("key-marker", page.findtext(space + "NextKeyMarker")),
                  ("version-id-marker", page.findtext(space + "NextVersionIdMarker")))


def make_locked(bucket, mode="", days=""):
    request("PUT", bucket, headers=(("x-amz-bucket-object-lock-enabled", "true"),))
    if mode:
        body = (f"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>{mode}</Mode>"
                f"<Days>{days}</Days></DefaultRetention></Rule></ObjectLockConfiguration>")
        request("PUT", bucket, (("object-lock", ""),), body.encode())


def lock(place, version=()):
    headers = exchange("HEAD", place, version)[1]
    return (headers.get("x-amz-object-lock-" + name, "-") for name in ("mode", "retain-until-date", "legal-hold"))


def main(command, place="", *rest):
    version = (("versionId", rest[0]),) if rest else ()
    if command == "date":
        print(exchange("GET", "")[1]["Date"])
    elif command == "make":
        request("PUT", place)
    elif command == "make-locked":
        make_locked(place, *rest)
    elif command == "policy":
        with open(rest[0], "rb") as file:
            request("PUT", place, (("policy", ""),), file.read())
    elif command == "remove":
        request("DELETE", place, version)
    elif command == "versions":
        for entry in versions(place):
            print(*entry)
    elif command == "bypass":
        request("DELETE", place, version, headers=(("x-amz-bypass-governance-retention", "true"),))
    elif command == "relock":
        body = f"<Retention><Mode>{rest[0]}</Mode><RetainUntilDate>{rest[1]}</RetainUntilDate></Retention>"
        request("PUT", place, (("retention", ""),), body.encode(), (("x-amz-bypass-governance-retention", "true"),))
    elif command == "lock":
        print(*lock(place, version))
    elif command == "locks":
        for key, _ in keys(place):
            print(key, *lock(place.partition("/")[0] + "/" + key))
    elif command == "version":
        body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        request("PUT", place, (("versioning", ""),), body)
    elif command == "put":
        with open(rest[0], "rb") as file:
            request("PUT", place, body=file.read())
    elif command == "get":
        sys.stdout.buffer.write(request("GET", place, version))
    elif command == "list":
        for key, size in keys(place):
            print(size, key)
    elif command == "fill":
        for number in range(int(rest[0])):
            request("PUT", f"{place}{number:06d}")
    elif command == "overwrite":
        for number in range(int(rest[0])):
            request("PUT", place, body=b"version %d" % number)
    elif command == "call":
        body = urllib.parse.urlencode([tuple(field.split("=", 1)) for field in rest]).encode()
        form = (("content-type", "application/x-www-form-urlencoded"),)
        sys.stdout.buffer.write(request("POST", "", body=body, headers=form, service=place))
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
