#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""images.py DIRECTORY: makes the images of the lab, the same bytes every time.

DIRECTORY/blobs/sha256/HEX   every blob and manifest
DIRECTORY/plan.json          what goes where: {"repositories": {NAME: {"tags": {TAG: DIGEST}, "untagged": [DIGEST],
                             "manifests": [[DIGEST, MEDIA TYPE], ...] (children first), "blobs": [DIGEST, ...]}}}
"""
import gzip
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tarfile

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker."
INDEX, IMAGE, CONFIG = OCI + "index.v1+json", OCI + "manifest.v1+json", OCI + "config.v1+json"
TAR, GZIP, ZSTD = OCI + "layer.v1.tar", OCI + "layer.v1.tar+gzip", OCI + "layer.v1.tar+zstd"
LIST, IMAGE2 = DOCKER + "distribution.manifest.list.v2+json", DOCKER + "distribution.manifest.v2+json"
CONFIG2, GZIP2 = DOCKER + "container.image.v1+json", DOCKER + "image.rootfs.diff.tar.gzip"
FOREIGN2 = DOCKER + "image.rootfs.foreign.diff.tar.gzip"
EMPTY = "application/vnd.oci.empty.v1+json"
BIG_SIZE = 192 << 20

root = sys.argv[1]
sizes = {}
types = {}
plan = {}


def put(data):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    with open(os.path.join(root, "blobs/sha256", digest[7:]), "wb") as out:
        out.write(data)
    sizes[digest] = len(data)
    return digest


def tar(seed, files, size):
    """A layer: some text and some noise, in a fixed order with fixed times."""
    noise = random.Random(seed)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for number in range(files):
            data = noise.randbytes(size // 2) + (b"line of %d\n" % number) * (size // 20)
            info = tarfile.TarInfo("opt/%s/file-%d-\u00e9" % (seed, number))
            info.size, info.mtime, info.mode = len(data), 1700000000, 0o644
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zipped(data):
    return gzip.compress(data, mtime=0)


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


def descriptor(media_type, digest, **more):
    return {"mediaType": media_type, "digest": digest, "size": sizes[digest], **more}


def manifest(content, media_type, pretty=False):
    """Manifests differ in how they are spelt: only who keeps the very bytes keeps the digest."""
    text = json.dumps(content, indent=3 if pretty else None) + ("\n" if pretty else "")
    digest = put(text.encode())
    types[digest] = media_type
    return digest


def image(name, layers, architecture="amd64", docker=False, **more):
    config = put(json.dumps({"architecture": architecture, "os": "linux", "name": name,
                             "config": {"Cmd": ["/bin/sh"]}, "rootfs": {"type": "layers", "diff_ids": []}}).encode())
    media_type = IMAGE2 if docker else IMAGE
    return manifest({"schemaVersion": 2, "mediaType": media_type,
                     "config": descriptor(CONFIG2 if docker else CONFIG, config), "layers": layers, **more},
                    media_type, pretty=docker)


def index(children, docker=False):
    media_type = LIST if docker else INDEX
    return manifest({"schemaVersion": 2, "mediaType": media_type,
                     "manifests": [descriptor(types[digest], digest, **more) for digest, more in children]},
                    media_type, pretty=docker)


def platform(architecture, **more):
    return {"platform": {"architecture": architecture, "os": "linux", **more}}


def references(digest):
    with open(os.path.join(root, "blobs/sha256", digest[7:]), "rb") as file:
        content = json.load(file)
    children = [entry["digest"] for entry in content.get("manifests", [])]
    blobs = [entry["digest"] for entry in content.get("layers", []) if "urls" not in entry]
    return children, blobs + ([content["config"]["digest"]] if "config" in content else [])


def repository(name, tags, untagged=()):
    manifests, blobs = [], []

    def visit(digest):
        if digest in manifests:
            return
        children, below = references(digest)
        for child in children:
            visit(child)
        blobs.extend(blob for blob in below if blob not in blobs)
        manifests.append(digest)

    for digest in list(tags.values()) + list(untagged):
        visit(digest)
    plan[name] = {"tags": tags, "untagged": list(untagged), "blobs": blobs,
                  "manifests": [[digest, types[digest]] for digest in manifests]}


def big_layer():
    """Mostly nothing (holes), with noise here and there; written piece by piece."""
    noise = random.Random("big")
    path = os.path.join(root, "blobs/sha256/big.part")
    state = hashlib.sha256()
    with open(path, "wb") as out:
        for _ in range(BIG_SIZE >> 20):
            piece = noise.randbytes(65536)
            out.write(piece)
            out.seek((1 << 20) - len(piece), os.SEEK_CUR)
            state.update(piece + bytes((1 << 20) - len(piece)))
        out.truncate(BIG_SIZE)
    digest = "sha256:" + state.hexdigest()
    os.rename(path, os.path.join(root, "blobs/sha256", digest[7:]))
    sizes[digest] = BIG_SIZE
    return digest


def main():
    os.makedirs(os.path.join(root, "blobs/sha256"), exist_ok=True)
    base = descriptor(GZIP, put(zipped(tar("base", 20, 40000))))
    arm = descriptor(GZIP, put(zipped(tar("arm", 20, 40000))))
    app = descriptor(GZIP, put(zipped(tar("app", 5, 200000))))
    plain = descriptor(TAR, put(tar("plain", 8, 60000)))
    packed = descriptor(ZSTD, put(zstd(tar("packed", 8, 60000))))
    base2 = dict(base, mediaType=GZIP2)

    amd64 = image("app", [base, app])
    arm64 = image("app", [arm, app], "arm64")
    statement = put(b'{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://slsa.dev/provenance/v0.2"}')
    attestation = image("attestation", [descriptor("application/vnd.in-toto+json", statement)], "unknown")
    inner = index([(image("app", [base, app, packed], "riscv64"), platform("riscv64"))])
    multi = index([(amd64, platform("amd64")), (arm64, platform("arm64", variant="v8")), (inner, {}),
                   (attestation, {**platform("unknown"), "annotations": {
                       "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": amd64}})])
    signature = image("signature", [descriptor("application/vnd.dev.cosign.simplesigning.v1+json",
                                               put(json.dumps({"critical": {"image": {"docker-manifest-digest": multi}}}).encode()),
                                               annotations={"dev.cosignproject.cosign/signature": "bm90IG9uZQ=="})])
    empty = descriptor(EMPTY, put(b"{}"))
    sbom = manifest({"schemaVersion": 2, "mediaType": IMAGE, "artifactType": "application/spdx+json", "config": empty,
                     "layers": [descriptor("application/spdx+json", put(b'{"spdxVersion":"SPDX-2.3"}'))],
                     "subject": descriptor(INDEX, multi)}, IMAGE)
    about = manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        descriptor(IMAGE, sbom, artifactType="application/spdx+json")]}, INDEX)
    repository("ns1/app", {"latest": multi, "v1": multi, "v1-amd64": amd64,
                           multi.replace(":", "-") + ".sig": signature, multi.replace(":", "-"): about})

    legacy = index([(image("legacy", [base2], docker=True), platform("amd64")),
                    (image("legacy", [dict(arm, mediaType=GZIP2)], "ppc64le", docker=True), platform("ppc64le"))],
                   docker=True)
    foreign = image("windows", [{"mediaType": FOREIGN2, "size": 10000000, "digest": "sha256:" + "ab" * 32,
                                 "urls": ["https://layers.invalid/one"]}, base2], docker=True)
    repository("ns1/legacy", {"list": legacy, "windows": foreign})

    pinned = image("pinned", [base, packed])
    repository("ns1/pinned", {"current": image("pinned-2", [base, plain])}, [pinned])
    repository("ns2/app", {"latest": image("other", [base, app, plain, packed])})
    repository("ns2/big", {"latest": image("big", [base, descriptor(TAR, big_layer())])})
    with open(os.path.join(root, "plan.json"), "w") as out:
        json.dump({"repositories": plan, "pinned": pinned, "multi": multi, "signature": signature, "sbom": sbom,
                   "foreign": "sha256:" + "ab" * 32}, out, indent=1)


main()
