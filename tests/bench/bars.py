# SPDX-License-Identifier: Apache-2.0
"""What Firn must reach, and how far it is: the one place that holds the bars."""

MIB = 2**20

# measurement, figure, whose, at most so many times of it
RATIOS = [
    ("full", "cpu", "restic", 0.25),
    ("full", "cpu", "borg", 0.55),
    ("full", "cpu", "zstd", 0.80),
    ("full", "wall", "restic", 0.20),
    ("second", "cpu", "restic", 0.22),
    ("third", "cpu", "restic", 0.05),
    ("restore", "wall", "restic", 0.20),
    ("restore", "cpu", "restic", 0.30),
    ("verify", "cpu", "restic", 0.45),
    ("s3 backup", "wall", "restic", 0.50),
    ("s3 restore", "wall", "restic", 0.50),
]
SIZES = [
    ("third", "restic", 0.87),
    ("third", "borg", 0.65),
    ("clone", "restic", 0.87),
    ("clone", "borg", 0.65),
]
MEMORY = 128 * MIB
MEMORY_OF = {"s3 backup": 256 * MIB}  # packs are gathered before they are sent


class Row:
    """One bar. unit: "x" (a ratio), "%", "MiB", "bytes" or "" (yes or no); bar None: reported, not judged."""

    def __init__(self, what, value, bar, unit, note=""):
        self.what = what
        self.value = value
        self.bar = bar
        self.unit = unit
        self.note = note

    @property
    def passed(self):
        return None if self.bar is None else self.value <= self.bar

    def as_dict(self):
        return {"what": self.what, "value": self.value, "bar": self.bar, "unit": self.unit, "passed": self.passed,
                "note": self.note}


def ratio_rows(results):
    rows = []
    for name, figure, tool, bar in RATIOS:
        if not results.has(name, "firn") or not results.has(name, tool):
            continue
        own, theirs = (results.median(name, who, figure) for who in ("firn", tool))
        rows.append(Row(f"{name}: {figure} against {tool}", own / theirs, bar, "x", f"{own:.2f} s : {theirs:.2f} s"))
    return rows


def size_rows(sizes):
    rows = []
    for name, tool, bar in SIZES:
        if name not in sizes:
            continue
        own, theirs = sizes[name]["firn"], sizes[name][tool]
        rows.append(Row(f"repository after {name}: against {tool}", own / theirs, bar, "x",
                        f"{own / MIB:.0f} MiB : {theirs / MIB:.0f} MiB"))
    return rows


def memory_rows(results):
    rows = []
    for name in results.samples:
        if results.has(name, "firn"):
            largest = results.largest(name, "firn", "memory")
            rows.append(Row(f"{name}: peak memory", largest / MIB, MEMORY_OF.get(name, MEMORY) / MIB, "MiB"))
    return rows


def equal_row(what, value, expected):
    return Row(what, abs(value - expected), 0, "bytes", f"{value}, and should be {expected}")


def table(rows):
    lines = [f"{'what':44} {'measured':>10} {'bar':>8}  {'':4}  from"]
    for row in rows:
        word = {True: "pass", False: "MISS", None: ""}[row.passed]
        bar = "" if row.bar is None else f"{row.bar:.2f}" if row.unit in ("x", "%") else f"{row.bar:.0f}"
        digits = {"x": 3, "%": 3, "MiB": 1}.get(row.unit, 0)
        value = f"{row.value:.{digits}f}"
        lines.append(f"{row.what:44} {value + ' ' + row.unit:>10} {bar:>8}  {word:4}  {row.note}")
    return "\n".join(lines)
