# SPDX-License-Identifier: Apache-2.0
"""Runs programs and measures each as a whole: the process and all children that it waited for."""
import errno
import os
import statistics
import subprocess
import time


class Sample:
    """One run: seconds of CPU (user and system), seconds of wall clock, peak resident bytes, standard output."""

    def __init__(self, cpu, wall, memory, output):
        self.cpu = cpu
        self.wall = wall
        self.memory = memory
        self.output = output


def run(words, environment, log, expected=(0,)):
    """Runs a program, with its standard error in the file `log`; an exit code that is not expected ends the bench."""
    with open(log, "ab") as errors:
        start = time.monotonic()
        process = subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=errors)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in expected:
        raise RuntimeError(f"{' '.join(words)}: exit code {process.returncode}; see {log}")
    return Sample(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * 1024, output)


class Results:
    """Samples by measurement and tool, over the rounds."""

    def __init__(self):
        self.samples = {}

    def add(self, name, tool, sample):
        self.samples.setdefault(name, {}).setdefault(tool, []).append(sample)
        print(f"  {name:18} {tool:8} cpu {sample.cpu:7.2f} s  wall {sample.wall:7.2f} s  "
              f"peak {sample.memory / 2**20:6.1f} MiB", flush=True)

    def has(self, name, tool):
        return tool in self.samples.get(name, {})

    def median(self, name, tool, figure):
        return statistics.median(getattr(sample, figure) for sample in self.samples[name][tool])

    def largest(self, name, tool, figure):
        return max(getattr(sample, figure) for sample in self.samples[name][tool])

    def as_dict(self):
        return {name: {tool: [{"cpu_s": s.cpu, "wall_s": s.wall, "peak_bytes": s.memory} for s in samples]
                       for tool, samples in tools.items()} for name, tools in self.samples.items()}


def settle(paths):
    """The state in which every measurement begins: nothing to be written back, the input in the page cache."""
    os.sync()
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 22):
                pass


def bytes_of_data(path):
    """What of a sparse file is allocated, without the file system's own tree of its extents."""
    total = end = 0
    length = os.path.getsize(path)
    with open(path, "rb") as file:
        while end < length:
            try:
                start = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    break
                raise
            end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            total += end - start
    return total


def bytes_of_files(folder):
    total = 0
    for place, _, names in os.walk(folder):
        total += sum(os.lstat(os.path.join(place, name)).st_size for name in names)
    return total
