# SPDX-License-Identifier: Apache-2.0
"""Backup and restore through S3: the lab's gateway on loopback, over TLS for everybody, made anew for each program.

Requests are counted in the gateway's own log, and the CPU of gateway and object server is taken beside that of the program,
because they share its cores. rclone copies the image as it is: it neither compresses, encrypts nor leaves out holes.
"""
import json
import os
import re
import shlex
import subprocess

import bars
import measure
import tools

LAB = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lab")
BUCKET = "bench"
REQUEST = re.compile(rb' beast: .*\] "([A-Z]+) /' + BUCKET.encode() + rb'[/? ]')


class Server:
    """The S3 of the lab, from `with` to its end; nothing of it stays."""

    def __init__(self, work, size):
        self.state = os.path.join(work, "lab")
        self.environment = {**os.environ, "LAB_STATE": self.state, "LAB_S3_BYTES": str(size)}
        self.log = os.path.join(work, "lab.log")

    def lab(self, *words):
        with open(self.log, "ab") as log:
            return subprocess.run([os.path.join(LAB, "lab"), *words], env=self.environment, check=True, stderr=log,
                                  stdout=subprocess.PIPE).stdout.decode()

    def __enter__(self):
        self.lab("up", "s3")
        lines = (shlex.split(line)[1].partition("=") for line in self.lab("env", "s3").splitlines())
        self.place = {name: value for name, _, value in lines}
        with open(self.place["LAB_S3_SECRET_FILE"], encoding="ascii") as file:
            self.credentials = {"AWS_ACCESS_KEY_ID": self.place["LAB_S3_KEY"], "AWS_SECRET_ACCESS_KEY": file.read()}
        self.client("make", BUCKET)
        return self

    def __exit__(self, *_):
        self.lab("down")

    def client(self, *words):
        return subprocess.run([os.path.join(LAB, "s3", "client.py"), *words], check=True, stdout=subprocess.PIPE,
                              env={**os.environ, **self.place, **self.credentials}).stdout

    def stored(self):
        return sum(int(line.split()[0]) for line in self.client("list", BUCKET).splitlines())

    def requests(self):
        """How many there were so far, by method."""
        counts = {}
        with open(os.path.join(self.state, "s3", "client.rgw.ceph-log"), "rb") as log:
            for line in log:
                found = REQUEST.search(line)
                if found:
                    method = found.group(1).decode()
                    counts[method] = counts.get(method, 0) + 1
        return counts

    def cpu(self):
        """Seconds of user and system time that its processes took so far."""
        ticks = 0
        with open(os.path.join(self.state, "s3", "pids"), encoding="ascii") as pids:
            for line in pids:
                with open(f"/proc/{line.split()[0]}/stat", encoding="ascii") as stat:
                    fields = stat.read().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


class InS3:
    """What makes a program use the server instead of a folder."""

    def __init__(self, work, server, *rest):
        self.server = server
        super().__init__(os.path.join(work, "s3"), *rest)


class Restic(InS3, tools.Restic):
    def variables(self):
        repository = f"s3:https://{self.server.place['LAB_S3']}/{BUCKET}"
        return {**super().variables(), **self.server.credentials, "RESTIC_REPOSITORY": repository}

    def run(self, program, *words):
        return super().run(program, "--cacert", self.server.place["LAB_S3_CA"], *words)


class Rclone(InS3, tools.Tool):
    name = "rclone"

    def variables(self):
        prefix = "RCLONE_CONFIG_LAB_"
        return {**self.server.credentials, prefix + "TYPE": "s3", prefix + "PROVIDER": "Ceph", prefix + "ENV_AUTH": "true",
                prefix + "ENDPOINT": "https://" + self.server.place["LAB_S3"]}

    def run(self, *words):
        return super().run("rclone", "--ca-cert", self.server.place["LAB_S3_CA"], *words)

    def backup(self, image, generation):
        return self.run("copyto", image, f"lab:{BUCKET}/disk.img")

    def restore(self, image, generation):
        target = os.path.join(self.target(), "disk.img")
        return self.run("copyto", f"lab:{BUCKET}/disk.img", target), target


class Firn(InS3, tools.Firn):
    def variables(self):
        return {**super().variables(), **self.server.credentials, "AWS_CA_BUNDLE": self.server.place["LAB_S3_CA"],
                "FIRN_REPOSITORY": f"s3://{self.server.place['LAB_S3']}/{BUCKET}"}


def version():
    return subprocess.run(["rclone", "version"], check=True, stdout=subprocess.PIPE).stdout.decode().splitlines()[0]


def measure_one(bench, tool, image):
    """One program: backup and restore."""
    server, rows, path = tool.server, [], None
    tool.begin()
    for name, step in (("s3 backup", tool.backup), ("s3 restore", tool.restore)):
        measure.settle([image])
        before, busy = server.requests(), server.cpu()
        result = step(image, "1")
        sample, path = result if isinstance(result, tuple) else (result, None)
        counts = {method: count - before.get(method, 0) for method, count in server.requests().items()}
        counts = {method: count for method, count in counts.items() if count > 0}
        stored = server.stored()
        bench.results.add(name, tool.name, sample)
        note = f"{json.dumps(counts)}, {stored / bars.MIB:.0f} MiB stored, the server's CPU {server.cpu() - busy:.2f} s"
        rows.append(bars.Row(f"{name}: requests of {tool.name} per GiB", sum(counts.values()) * 2**30 / stored, None, "", note))
    return rows, path


def measure_all(bench, image):
    """One round: rows that are judged or reported."""
    rows = []
    for make, rest in ((Restic, ()), (Rclone, ()), (Firn, (bench.output,))):
        with Server(bench.work, 2 * os.path.getsize(image) + 2**30) as server:
            tool = make(bench.work, server, *rest)
            more, path = measure_one(bench, tool, image)
            rows += more
            same = subprocess.run(["cmp", image, path], check=False).returncode
            rows.append(bars.Row(f"s3 restore: {tool.name} gives back what was there", same, 0, ""))
            os.unlink(path)
    return rows
