#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""hostile.py CERTIFICATE KEY FOLDER: a registry that lies, stalls, breaks off and goes round in circles.

The repository's name says how: each method `case_NAME` below is the repository hostile/NAME (with '-' for '_'), unless said
otherwise with one image under the tag `latest`; hostile/push-NAME can be pushed to. Two servers listen on loopback: the
registry, which wants some password, and `elsewhere`, another origin, which must never see it. Ports go to FOLDER/port and FOLDER/elsewhere; every request goes to FOLDER/requests, one
JSON object a line: {"server", "method", "path", "authorization", "range", "content_range"}.
"""
import hashlib
import itertools
import json
import re
import sys
import threading
import time
import urllib.parse

from tls_server import Handler, Server

CERTIFICATE, KEY, FOLDER = sys.argv[1:]
INDEX = "application/vnd.oci.image.index.v1+json"
IMAGE = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
NOBODY = "https://nobody.invalid"
DATA = b"layer" * 100000
MANIFEST_LIMIT = 4 << 20

lock = threading.Lock()
ports = {}
counters = {}
uploads = {}


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(media_type, data, **more):
    return {"mediaType": media_type, "digest": sha(data), "size": len(data), **more}


CONFIG_DATA = b'{"architecture":"amd64","os":"linux"}'


def image(layers=None, **more):
    return json.dumps({"schemaVersion": 2, "mediaType": IMAGE, "config": descriptor(CONFIG, CONFIG_DATA),
                       "layers": [descriptor(LAYER, DATA)] if layers is None else layers, **more}).encode()


def index(children, **more):
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children, **more}).encode()


PLAIN = image()


def count(name):
    with lock:
        counters[name] = counters.get(name, 0) + 1
        return counters[name]


class Hostile(Handler):
    """The parts of a well-behaved registry; the cases override what they do badly."""

    def setup(self):
        super().setup()
        self.who = "registry" if self.server.server_address[1] == ports.get("registry") else "elsewhere"

    # ---- answers

    def manifest(self, data, media_type=IMAGE, digest=None):
        self.answer(200, data, [("Content-Type", media_type), ("Docker-Content-Digest", digest or sha(data))])

    def blob(self, data):
        match = re.match(r"bytes=(\d+)-(\d*)$", self.headers.get("Range") or "")
        if match is None:
            return self.answer(200, data, [("Content-Type", "application/octet-stream")])
        first, last = int(match[1]), int(match[2] or len(data) - 1)
        return self.answer(206, data[first:last + 1], [
            ("Content-Type", "application/octet-stream"),
            ("Content-Range", "bytes %d-%d/%d" % (first, min(last, len(data) - 1), len(data)))])

    def missing(self, code="MANIFEST_UNKNOWN"):
        self.answer(404, {"errors": [{"code": code, "message": "not here"}]})

    def redirect(self, location, status=307):
        self.answer(status, b"", [("Location", location)])

    def begin(self, length=None, media_type="application/octet-stream"):
        """Headers alone; what follows is written by hand."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()

    def endless(self, piece, media_type="application/json", pause=0.0):
        self.begin(None, media_type)
        for _ in itertools.repeat(None):
            self.wfile.write(piece)
            time.sleep(pause)

    def break_off(self, data, after, total=None):
        self.begin(len(data) if total is None else total)
        self.wfile.write(data[:after])
        self.wfile.flush()
        self.connection.close()

    def elsewhere(self, path):
        return "https://localhost:%d%s" % (ports["elsewhere"], path)

    # ---- what a repository holds, unless its case says otherwise

    def default(self, kind, reference, manifests=None, blobs=None, tags=("latest",)):
        """manifests: those of the tag first; blobs: a list of bytes."""
        manifests = [(PLAIN, IMAGE)] if manifests is None else manifests
        blobs = [CONFIG_DATA, DATA] if blobs is None else blobs
        if kind == "tags":
            return self.answer(200, {"name": "x", "tags": list(tags)})
        if kind == "manifests":
            for data, media_type in manifests:
                if reference in (*tags, sha(data)):
                    return self.manifest(data, media_type)
            return self.missing()
        for data in blobs if kind == "blobs" else []:
            if sha(data) == reference:
                return self.blob(data)
        return self.missing("BLOB_UNKNOWN")

    # ---- sizes and digests that lie

    def case_size_short(self, kind, reference):
        lie = image([{**descriptor(LAYER, DATA), "size": len(DATA) + 1000}])
        self.default(kind, reference, [(lie, IMAGE)])

    def case_size_long(self, kind, reference):
        lie = image([{**descriptor(LAYER, DATA), "size": len(DATA) - 1000}])
        self.default(kind, reference, [(lie, IMAGE)])

    def case_size_negative(self, kind, reference):
        self.default(kind, reference, [(image([{**descriptor(LAYER, DATA), "size": -5}]), IMAGE)])

    def case_size_huge(self, kind, reference):
        self.default(kind, reference, [(image([{**descriptor(LAYER, DATA), "size": 2**64 + 7}]), IMAGE)])

    def case_manifest_size(self, kind, reference):
        lie = index([{**descriptor(IMAGE, PLAIN), "size": len(PLAIN) + 1}])
        self.default(kind, reference, [(lie, INDEX), (PLAIN, IMAGE)])

    def case_blob_digest(self, kind, reference):
        if kind == "blobs" and reference == sha(DATA):
            return self.blob(DATA[:-1] + b"!")
        return self.default(kind, reference)

    def case_manifest_digest(self, kind, reference):
        if kind == "manifests" and reference == sha(PLAIN):
            return self.manifest(PLAIN.replace(b"schema", b"scheme"), digest=sha(PLAIN))
        return self.default(kind, reference, [(index([descriptor(IMAGE, PLAIN)]), INDEX)])

    def case_tag_digest(self, kind, reference):
        if kind == "manifests":
            return self.manifest(PLAIN, digest=sha(DATA))
        return self.default(kind, reference)

    def case_digest_path(self, kind, reference):
        lie = image([{**descriptor(LAYER, DATA), "digest": "sha256:../../../../etc/passwd"}])
        self.default(kind, reference, [(lie, IMAGE)])

    # ---- redirects

    def case_redirect_loop(self, kind, reference):
        if kind != "blobs":
            return self.default(kind, reference)
        return self.redirect("/v2/hostile/redirect-loop/blobs/%s?%d" % (reference, count("loop")))

    def case_redirect_other(self, kind, reference):
        if kind != "blobs":
            return self.default(kind, reference)
        return self.redirect(self.elsewhere("/v2/hostile/redirect-other-store/blobs/" + reference))

    def case_redirect_other_store(self, kind, reference):
        return self.default(kind, reference)

    def case_redirect_plain(self, kind, reference):
        return self.redirect("http://nobody.invalid/x") if kind == "blobs" else self.default(kind, reference)

    def case_redirect_file(self, kind, reference):
        return self.redirect("file:///etc/passwd") if kind == "blobs" else self.default(kind, reference)

    def case_redirect_user(self, kind, reference):
        location = "https://user:word@localhost:%d/" % ports["elsewhere"]
        return self.redirect(location) if kind == "blobs" else self.default(kind, reference)

    # ---- too much

    def case_endless_manifest(self, kind, reference):
        return self.endless(b" " * 65536, IMAGE) if kind == "manifests" else self.default(kind, reference)

    def case_endless_blob(self, kind, reference):
        return self.endless(DATA[:65536]) if kind == "blobs" else self.default(kind, reference)

    def case_endless_list(self, kind, reference):
        return self.endless(b" " * 65536) if kind == "tags" else self.default(kind, reference)

    def case_endless_pages(self, kind, reference):
        number = count("pages")
        self.answer(200, {"tags": ["t%d" % number]},
                    [("Link", '</v2/hostile/endless-pages/tags/list?last=%d>; rel="next"' % number)])

    def case_circle_pages(self, kind, reference):
        self.answer(200, {"tags": ["a", "b"]}, [("Link", '</v2/hostile/circle-pages/tags/list?last=b>; rel="next"')])

    def case_pages_elsewhere(self, kind, reference):
        self.answer(200, {"tags": ["a"]}, [("Link", '<%s>; rel="next"' % self.elsewhere("/v2/x/y/tags/list"))])

    def case_bomb_depth(self, kind, reference):
        bomb = b'{"schemaVersion":2,"mediaType":"%s","x":' % IMAGE.encode() + b"[" * 1000000 + b"]" * 1000000 + b"}"
        self.default(kind, reference, [(bomb, IMAGE)])

    def case_bomb_size(self, kind, reference):
        self.default(kind, reference, [(image() + b" " * MANIFEST_LIMIT, IMAGE)])

    def case_bomb_children(self, kind, reference):
        children = [{"mediaType": IMAGE, "digest": sha(b"%d" % n), "size": 9} for n in range(1000)]
        self.default(kind, reference, [(index(children), INDEX)])

    # ---- too slow

    def case_slow_blob(self, kind, reference):
        if kind != "blobs":
            return self.default(kind, reference)
        self.begin(len(DATA))
        for number in range(len(DATA)):
            self.wfile.write(DATA[number:number + 1])
            time.sleep(0.1)

    def case_slow_manifest(self, kind, reference):
        return self.endless(b" ", IMAGE, pause=0.1) if kind == "manifests" else self.default(kind, reference)

    def case_slow_headers(self, kind, reference):
        if kind != "manifests":
            return self.default(kind, reference)
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in itertools.count():
            self.wfile.write(b"X-Slow-%d: x\r\n" % number)
            time.sleep(0.1)

    def case_silent(self, kind, reference):
        return time.sleep(600) if kind == "manifests" else self.default(kind, reference)

    # ---- busy, broken

    def case_busy(self, kind, reference):
        if kind == "manifests" and count("busy") <= 2:
            return self.answer(429, {"errors": [{"code": "TOOMANYREQUESTS"}]}, [("Retry-After", "1")])
        return self.default(kind, reference)

    def case_unavailable(self, kind, reference):
        if kind == "manifests":
            return self.answer(503, {"errors": [{"code": "UNAVAILABLE", "message": "come back never\x1b[31m"}]})
        return self.default(kind, reference)

    def case_broken(self, kind, reference):
        """Breaks three times, and continues where it broke."""
        if kind != "blobs" or reference != sha(DATA) or count("broken") > 3:
            return self.default(kind, reference)
        if self.headers.get("Range", "").count("-") == 1 and not self.headers["Range"].endswith("-"):
            return self.default(kind, reference)
        start = int((re.match(r"bytes=(\d+)", self.headers.get("Range") or "") or [0, 0])[1])
        self.close_connection = True
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", "bytes %d-%d/%d" % (start, len(DATA) - 1, len(DATA)))
        self.send_header("Content-Length", str(len(DATA) - start))
        self.end_headers()
        self.wfile.write(DATA[start:start + 70000])
        self.wfile.flush()
        return self.connection.close()

    def case_broken_no_range(self, kind, reference):
        """Breaks twice, and begins anew whatever range is asked for."""
        if kind != "blobs" or reference != sha(DATA):
            return self.default(kind, reference)
        if self.headers.get("Range") is None and count("broken-no-range") <= 2:
            return self.break_off(DATA, 100000)
        return self.answer(200, DATA)

    def case_broken_always(self, kind, reference):
        if kind != "blobs" or reference != sha(DATA):
            return self.default(kind, reference)
        return self.break_off(DATA, 0)

    def case_broken_wrong_range(self, kind, reference):
        """Continues with other bytes than were asked for."""
        if kind != "blobs" or reference != sha(DATA):
            return self.default(kind, reference)
        match = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if match is None:
            return self.break_off(DATA, 100000)
        last = int(match[2] or len(DATA) - 1)
        data = b"x" * (last + 1 - int(match[1]))
        return self.answer(206, data, [("Content-Range", "bytes %s-%d/%d" % (match[1], last, len(DATA)))])

    # ---- nonsense

    def case_bad_tags(self, kind, reference):
        self.default(kind, reference, tags=("latest", "../../../etc/passwd"))

    def case_both(self, kind, reference):
        both = image(manifests=[descriptor(IMAGE, PLAIN)])
        self.default(kind, reference, [(both, IMAGE)])

    def case_type_confusion(self, kind, reference):
        self.default(kind, reference, [(index([]), IMAGE)])

    def case_schema1(self, kind, reference):
        old = json.dumps({"schemaVersion": 1, "name": "x", "tag": "latest", "fsLayers": [], "history": []}).encode()
        self.default(kind, reference, [(old, SCHEMA1)])

    def case_schema1_beside(self, kind, reference):
        old = json.dumps({"schemaVersion": 1, "name": "x", "tag": "old", "fsLayers": [], "history": []}).encode()
        if kind == "manifests" and reference == "old":
            return self.manifest(old, SCHEMA1)
        return self.default(kind, reference, tags=("latest", "old"))

    def case_not_json(self, kind, reference):
        self.default(kind, reference, [(b"<html>welcome</html>", IMAGE)])

    # ---- holes

    def case_missing_blob(self, kind, reference):
        self.default(kind, reference, blobs=[CONFIG_DATA])

    def case_missing_child(self, kind, reference):
        other = image([])
        self.default(kind, reference, [(index([descriptor(IMAGE, PLAIN), descriptor(IMAGE, other)]), INDEX),
                                       (PLAIN, IMAGE)])

    def case_vanishing_tag(self, kind, reference):
        if kind == "tags":
            return self.answer(200, {"tags": ["gone", "latest"]})
        return self.default(kind, reference)

    def case_referrers(self, kind, reference):
        """Has the referrers service."""
        signature = image([], subject=descriptor(IMAGE, PLAIN), artifactType="application/x-signature")
        if kind == "referrers":
            found = [descriptor(IMAGE, signature)] if reference == sha(PLAIN) else []
            return self.answer(200, index(found), [("Content-Type", INDEX)])
        return self.default(kind, reference, [(PLAIN, IMAGE), (signature, IMAGE)])

    # ---- authorization

    def challenge(self, text):
        self.answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "no"}]}, [("WWW-Authenticate", text)])

    def own(self, path):
        return "https://localhost:%d%s" % (ports["registry"], path)

    def case_auth_loop(self, kind, reference):
        self.challenge('Bearer realm="%s",service="x"' % self.own("/token/good"))

    def case_auth_flip(self, kind, reference):
        """Never content with what it asked for last."""
        sent = self.headers.get("Authorization", "")
        self.challenge('Basic realm="x"' if sent.startswith("Bearer") else
                       'Bearer realm="%s"' % self.own("/token/good"))

    def case_auth_plain_realm(self, kind, reference):
        self.challenge('Bearer realm="http://nobody.invalid/token"')

    def case_auth_file_realm(self, kind, reference):
        self.challenge('Bearer realm="file:///etc/passwd"')

    def case_auth_injection(self, kind, reference):
        self.challenge('Bearer realm="%s"' % self.own("/token/injection"))

    def case_auth_endless(self, kind, reference):
        self.challenge('Bearer realm="%s"' % self.own("/token/endless"))

    def case_auth_elsewhere(self, kind, reference):
        """A token service that redirects to another origin, which must not see the password."""
        if self.headers.get("Authorization") == "Bearer good":
            return self.default(kind, reference)
        return self.challenge('Bearer realm="%s"' % self.own("/token/elsewhere"))

    def token(self, how):
        if how == "endless":
            return self.endless(b" " * 65536)
        if how == "elsewhere":
            return self.redirect(self.elsewhere("/token/good"))
        token = "good\r\nX-Injected: yes" if how == "injection" else "good"
        return self.answer(200, {"token": token, "expires_in": -5})

    # ---- pushing: HEAD says no, POST begins, PATCH takes, PUT ends

    def push(self, name, kind, reference, query):
        handler = getattr(self, name.replace("-", "_"), self.take)
        self.repository = name
        return handler(kind, reference, query, self.read_body())

    def take(self, kind, reference, query, body, location=None):
        if kind == "manifests":
            with lock:
                uploads[self.path.split("?")[0]] = body
            return self.answer(201, b"", [("Docker-Content-Digest", sha(body))])
        if self.command == "POST":
            session = "%d" % count("session")
            return self.answer(202, b"", [("Location", (location or "") + self.path.split("?")[0] + session),
                                          ("Range", "0-0")])
        with lock:
            data = uploads[reference] = uploads.get(reference, b"") + body
        if self.command == "PATCH":
            return self.answer(202, b"", [("Location", self.path), ("Range", "0-%d" % max(0, len(data) - 1))])
        wanted = urllib.parse.parse_qs(query).get("digest", [""])[0]
        if sha(data) != wanted:
            return self.answer(400, {"errors": [{"code": "DIGEST_INVALID", "message": "other bytes"}]})
        with lock:
            uploads[self.repository + wanted] = data
        return self.answer(201, b"", [("Docker-Content-Digest", wanted)])

    def given(self, name, kind, reference):
        """GET and HEAD in a repository that is pushed to."""
        if kind == "uploads":
            data = uploads.get(reference, b"")
            return self.answer(204, b"", [("Location", self.path), ("Range", "0-%d" % max(0, len(data) - 1))])
        data = uploads.get(name + reference if kind == "blobs" else self.path)
        if data is None or (kind == "blobs" and name == "push-forgets"):
            return self.missing()
        if kind == "blobs":
            return self.blob(data[:-1] + b"!" if name == "push-rots" else data)
        if name == "push-alters":
            return self.answer(200, data + b" ", [("Content-Type", json.loads(data)["mediaType"])])
        return self.manifest(data, json.loads(data)["mediaType"])

    def push_lies(self, kind, reference, query, body):
        if self.command == "PUT" and kind == "uploads":
            return self.answer(201, b"", [("Docker-Content-Digest", sha(b"something else"))])
        return self.take(kind, reference, query, body)

    def push_elsewhere(self, kind, reference, query, body):
        """The session is on another origin, which must not see a credential."""
        return self.take(kind, reference, query, body, "https://localhost:%d" % ports["elsewhere"])

    def push_full(self, kind, reference, query, body):
        self.answer(507, {"errors": [{"code": "UNKNOWN", "message": "no space left"}]})

    def push_denied(self, kind, reference, query, body):
        self.answer(403, {"errors": [{"code": "DENIED", "message": "quota"}]})

    def push_nowhere(self, kind, reference, query, body):
        """Begins uploads and does not say where."""
        if self.command == "POST":
            return self.answer(202, b"")
        return self.take(kind, reference, query, body)

    def broken_push(self, reference):
        """Takes a part of what is sent, then hangs up: twice."""
        part = self.rfile.read(50000)
        with lock:
            uploads[reference] = uploads.get(reference, b"") + part
        self.close_connection = True
        self.connection.close()

    # ---- dispatch

    def note(self):
        entry = {"server": self.who, "method": self.command, "path": self.path,
                 "authorization": self.headers.get("Authorization"), "range": self.headers.get("Range"),
                 "content_range": self.headers.get("Content-Range")}
        with lock, open(FOLDER + "/requests", "a") as out:
            out.write(json.dumps(entry) + "\n")

    def handle_request(self):
        self.note()
        parts = urllib.parse.urlparse(self.path)
        if parts.path.startswith("/token/"):
            return self.token(parts.path[7:])
        match = re.match(r"/v2/hostile/([a-z0-9-]+)/(tags|manifests|referrers|blobs/uploads|blobs)/(.*)$", parts.path)
        if match is None:
            return self.missing("NAME_UNKNOWN")
        name, kind, reference = match[1], match[2].split("/")[-1], match[3]
        if self.who == "registry" and not name.startswith("auth-") and self.headers.get("Authorization") is None:
            self.read_body()
            return self.challenge('Basic realm="hostile"')
        if self.command in ("POST", "PUT", "PATCH"):
            if name == "push-broken" and self.command == "PATCH" and count("push-broken") <= 2:
                return self.broken_push(reference)
            return self.push(name, kind, reference, parts.query)
        if name.startswith("push"):
            return self.given(name, kind, reference)
        return getattr(self, "case_" + name.replace("-", "_"))(kind, reference)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = handle_request


def listen(name):
    server = Server(0, Hostile, CERTIFICATE, KEY)
    ports[name] = server.server_address[1]
    return server


registry, other = listen("registry"), listen("elsewhere")
threading.Thread(target=other.serve_forever, daemon=True).start()
for name, file in (("elsewhere", "elsewhere"), ("registry", "port")):
    with open(FOLDER + "/" + file, "w") as out:
        out.write(str(ports[name]))
registry.serve_forever()
