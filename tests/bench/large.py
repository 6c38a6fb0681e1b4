# SPDX-License-Identifier: Apache-2.0
"""A repository of BENCH_LARGE=10 TiB, made by generate.c (which states what it fakes), and what runs over it."""
import json
import os
import shutil

import bars
import measure
import tools

# One block in so many is changed; the last is the 1 % that a bar speaks of.
ONE_IN = (10000, 1000, 100)
# Metadata of an incremental, at most: 0.25 % of the bytes changed, whatever the size of the volume and of the change.
METADATA_SHARE = 0.0025


class Large(tools.Firn):
    name = "large"

    def __init__(self, work, output, results):
        super().__init__(work, output)
        self.results = results
        self.programs = os.path.join(output, "tests", "bench")
        self.volume = os.path.join(self.folder, "volume.img")
        self.key = self.environment["FIRN_KEY_FILE"]

    def measured(self, name, *words, expected=(0,)):
        sample = measure.run([str(word) for word in words], self.environment, self.log, expected)
        self.results.add(name, "firn", sample)
        return sample

    def generate(self, tebibytes):
        self.begin()
        words = [os.path.join(self.programs, "generate"), self.repository, self.key, f"image:{self.volume}", tebibytes]
        made = json.loads(self.run(*words).output)
        with open(self.volume, "wb") as file:
            file.truncate(made["bytes"])
        print(f"  generated {made['bytes'] / 2**40:.0f} TiB: {made['packs']} packs, {made['extents']} extents, "
              f"a map of {made['map_bytes'] / 2**20:.1f} MiB", flush=True)

    def scatter(self, one_in):
        before = self.size()
        sample = self.measured(f"large: 1 in {one_in}", os.path.join(self.programs, "scatter"), self.repository, self.key,
                               self.environment["FIRN_CACHE_DIR"], one_in)
        taken = json.loads(sample.output)
        added = self.size() - before
        return bars.Row(f"large: metadata of a change of 1 block in {one_in}", added / taken["bytes_read"] * 100,
                        METADATA_SHARE * 100, "%",
                        f"{added / 2**20:.2f} MiB for {taken['blocks']} blocks, {taken['runs']} runs")

    def back_up_by_map(self):
        """The program itself, as a user runs it: a dirty map of a thousand blocks, of a file that is one hole."""
        block = 65536
        step = os.path.getsize(self.volume) // 1000 // block * block
        changed = os.path.join(self.folder, "changed.json")
        with open(self.volume, "r+b") as file, open(changed, "w", encoding="ascii") as extents:
            for number in range(1000):
                file.seek(number * step)
                file.write(os.urandom(block))
            json.dump([{"offset": number * step, "length": block} for number in range(1000)], extents)
        self.measured("large: backup", self.program, "-q", "backup", f"image:{self.volume}", "--changed", changed)


def measure_all(output, work, results):
    tebibytes = int(os.environ.get("BENCH_LARGE", "10"))
    large = Large(work, output, results)
    large.generate(tebibytes)
    # The first one finds no cache: it reads every trailer.
    rows = [large.scatter(one_in) for one_in in ONE_IN]
    large.back_up_by_map()
    for name, words in {"snapshots": ["snapshots"], "show": ["show", "latest"], "stats": ["stats"],
                        "check": ["check"], "diff": ["diff", *large.generations()]}.items():
        large.measured(f"large: {name}", large.program, "-q", *words)
    # The frames are holes: a restore resolves the map, begins to read, and refuses what it finds (exit code 13).
    first, _ = large.generations()
    target = os.path.join(large.folder, "restored")
    large.measured("large: restore", large.program, "-q", "restore", first, "--target", target, expected=(13,))
    large.measured("large: forget", large.program, "-q", "forget", "--keep-last", 1)
    shutil.rmtree(large.folder)
    return rows
