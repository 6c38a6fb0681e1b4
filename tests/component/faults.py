# SPDX-License-Identifier: Apache-2.0
"""Shared by the tests of faults: a repository in the test's own directory, and ways to say what is expected."""

import atexit
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time

FIRN = os.environ["FIRN"]
TMP = os.environ["TEST_TMP"]
SEED = int(os.environ.get("SEED", "20261122"))
BLOCK = 65536
SLOW = 10 if os.environ.get("TEST_SLOW") else 1  # under valgrind

rng = random.Random(SEED)
REPOSITORY = os.path.join(TMP, "repository")
KEY = os.path.join(TMP, "key")
environment = {name: value for name, value in os.environ.items() if not name.startswith("FIRN_") or name == "FIRN_PLUGIN_PATH"}
environment.update(FIRN_REPOSITORY=REPOSITORY, FIRN_KEY_FILE=KEY, HOME=TMP, LC_ALL="C.UTF-8",
                   XDG_CACHE_HOME=os.path.join(TMP, "cache"), XDG_CONFIG_HOME=os.path.join(TMP, "config"))


def path(name):
    return os.path.join(TMP, name)


def start(*arguments, env=None):
    return subprocess.Popen([FIRN, *arguments], env=env or environment, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")


def end(process, status, *says, within=120 * SLOW):
    """Waits for firn to end with the status, and its standard error to have each text. Returns both outputs."""
    try:
        out, err = process.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        process.kill()
        sys.exit(f"{process.args}: still runs after {within} s\n{process.communicate()[1]}")
    allowed = status if isinstance(status, tuple) else (status,)
    if process.returncode not in allowed:
        sys.exit(f"{process.args}: exit {process.returncode}, expected {status}\n{out}{err}")
    for text in says:
        if text not in out + err:
            sys.exit(f"{process.args}: does not say \"{text}\":\n{out}{err}")
    return out, err


def firn(*arguments, status=0, says=(), env=None):
    """Runs firn; its standard output."""
    return end(start(*arguments, env=env), status, *says)[0]


def snapshots():
    return [entry["id"] for entry in json.loads(firn("snapshots", "-o", "json"))]


def digest(file):
    with open(file, "rb") as opened:
        return hashlib.sha256(opened.read()).hexdigest()


def make_image(name, blocks):
    """An image in which a quarter of the blocks are holes, and the others compress to a half."""
    image = path(name)
    with open(image, "wb") as file:
        for number in range(blocks):
            if number % 4 == 3:
                file.seek(BLOCK, os.SEEK_CUR)
            else:
                file.write(rng.randbytes(BLOCK // 2) * 2)
        file.truncate(blocks * BLOCK)
    return image


def change_image(image, blocks):
    with open(image, "r+b") as file:
        count = os.path.getsize(image) // BLOCK
        for _ in range(blocks):
            file.seek(rng.randrange(count) * BLOCK)
            file.write(rng.randbytes(BLOCK))


def expect_restore(snapshot, expected, repository=None):
    """The snapshot restores to what it was taken from."""
    target = path("proof.img")
    options = ["-r", repository] if repository else []
    firn(*options, "restore", snapshot, "--target", target, "--overwrite")
    if digest(target) != expected:
        sys.exit(f"snapshot {snapshot} does not restore to what it was taken from")
    os.unlink(target)


def serve(where, *arguments):
    """nbdkit on the socket `where`; a process that the caller ends."""
    if os.path.exists(where):
        os.unlink(where)
    server = subprocess.Popen(["nbdkit", "-f", "-U", where, *arguments], stderr=subprocess.DEVNULL)
    atexit.register(server.kill)
    for _ in range(200):
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(where) == 0:
                return server
        time.sleep(0.05)
    sys.exit("nbdkit does not come up")


def stop(process, number=signal.SIGTERM):
    process.send_signal(number)
    process.wait()


def objects(folder):
    """The objects of the repository below folder, as names of the store."""
    return sorted(os.path.relpath(os.path.join(where, name), REPOSITORY)
                  for where, _, names in os.walk(os.path.join(REPOSITORY, folder)) for name in names)


def step(text):
    print(f"-- {text}", flush=True)
