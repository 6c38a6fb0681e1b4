# SPDX-License-Identifier: Apache-2.0
"""The programs that are compared: each makes a repository in a folder of its own, backs up, restores and verifies.

All run as a user would run them after reading the first page of their manual: defaults, encryption on, a cache of their own.
"""
import json
import os
import shutil

import measure


class Tool:
    def __init__(self, work):
        self.folder = os.path.join(work, self.name)
        self.repository = os.path.join(self.folder, "repository")
        self.log = os.path.join(work, self.name + ".log")
        self.environment = {"PATH": os.environ["PATH"], "HOME": self.folder, "LC_ALL": "C.UTF-8",
                            **self.variables()}

    def variables(self):
        return {}

    def run(self, *words):
        return measure.run([str(word) for word in words], self.environment, self.log)

    def begin(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.initialize()

    def initialize(self):
        pass

    def size(self):
        return measure.bytes_of_files(self.repository)

    def target(self):
        """Where a restore goes: nothing is there when it begins."""
        path = os.path.join(self.folder, "restored")
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path


class Zstd(Tool):
    name = "zstd"

    def version(self):
        return self.run("zstd", "--version").output.decode().strip()

    def backup(self, image, generation, changed=None):
        return self.run("zstd", "-1", "-T2", "-q", "-f", image, "-o", os.path.join(self.folder, "image.zst"))


class Restic(Tool):
    name = "restic"

    def variables(self):
        return {"RESTIC_REPOSITORY": self.repository, "RESTIC_PASSWORD": "bench",
                "RESTIC_CACHE_DIR": os.path.join(self.folder, "cache")}

    def version(self):
        return self.run("restic", "version").output.decode().strip()

    def initialize(self):
        self.run("restic", "-q", "init")

    def backup(self, image, generation, changed=None):
        return self.run("restic", "-q", "backup", image)

    def restore(self, image, generation):
        target = self.target()
        sample = self.run("restic", "-q", "restore", "latest", "--path", image, "--target", target)
        return sample, target + image

    def verify(self):
        return self.run("restic", "-q", "check", "--read-data")


class Borg(Tool):
    name = "borg"

    def variables(self):
        return {"BORG_REPO": self.repository, "BORG_PASSPHRASE": "bench",
                "BORG_BASE_DIR": os.path.join(self.folder, "base")}

    def version(self):
        return self.run("borg", "--version").output.decode().strip()

    def initialize(self):
        self.run("borg", "init", "--encryption=repokey")

    def backup(self, image, generation, changed=None):
        return self.run("borg", "create", f"::{generation}", image)

    def restore(self, image, generation):
        target = self.target()
        environment = dict(self.environment)
        sample = measure.run(["env", "-C", target, "borg", "extract", "--sparse", f"::{generation}"], environment,
                             self.log)
        return sample, target + image

    def verify(self):
        return self.run("borg", "check", "--verify-data")


class Firn(Tool):
    name = "firn"

    def __init__(self, work, output):
        self.program = os.path.join(output, "firn")
        self.plugins = os.path.join(output, "plugins")
        super().__init__(work)

    def variables(self):
        key = os.path.join(self.folder, "key")
        return {"FIRN_REPOSITORY": self.repository, "FIRN_KEY_FILE": key, "FIRN_PLUGIN_PATH": self.plugins,
                "FIRN_CACHE_DIR": os.path.join(self.folder, "cache")}

    def version(self):
        return self.run(self.program, "version").output.decode().splitlines()[0]

    def initialize(self):
        os.makedirs(self.folder, exist_ok=True)
        self.run(self.program, "-q", "init", "--new-key", self.environment["FIRN_KEY_FILE"])

    def backup(self, image, generation, changed=None):
        words = ["--changed", changed] if changed else []
        return self.run(self.program, "-q", "-o", "json", "backup", f"image:{image}", "--tag", generation, *words)

    def restore(self, image, generation):
        target = os.path.join(self.target(), "disk.img")
        return self.run(self.program, "-q", "restore", f"latest:image:{image}", "--target", target), target

    def verify(self):
        return self.run(self.program, "-q", "check", "--read-data")

    def generations(self):
        """The ids of the first and the last snapshot of this repository."""
        rows = json.loads(self.run(self.program, "-o", "json", "snapshots").output)
        return [rows[0]["id"], rows[-1]["id"]]

    def show(self, snapshot="latest"):
        return json.loads(self.run(self.program, "-o", "json", "show", snapshot).output)
