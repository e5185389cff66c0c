#!/usr/bin/env python3
"""The shape of the tree, as a test: includes point one way, no file name twice, house rules that grep can see."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ORDER = "base io types arrow codec parquet avro puffin iceberg merge cache wal mem sst view engine ship api".split()
# nouns start no thread and take no raw lock; these files are where the raw things are met
RAW_PTHREAD = {"src/base/sync.c", "src/base/sync.h", "src/base/pool.c", "src/base/epoch.c", "src/base/failpoint.c", "src/api/handle.c"}
LIBRARIES = {  # each is met in one place
    "jansson.h": {"src/base/json.c"},
    "xxhash.h": {"src/base/hash.c"},
    "snappy-c.h": {"src/codec/codec.c"},
}
findings = []


def find(path, line, what):
    findings.append(f"{path}:{line}: {what}")


def check_includes(path, rel, text):
    folder = rel.parts[1]
    for number, line in enumerate(text.splitlines(), 1):
        m = re.match(r'\s*#\s*include\s+["<]([^">]+)[">]', line)
        if not m:
            continue
        name = m.group(1)
        head = name.split("/")[0]
        if head in ORDER and "/" in name and ORDER.index(head) > ORDER.index(folder):
            find(rel, number, f"{folder}/ may not include {name}: {head}/ comes after it")
        if name in LIBRARIES and str(rel) not in LIBRARIES[name]:
            find(rel, number, f"{name} is met in {', '.join(LIBRARIES[name])} alone")
        if head == "parquet" and folder == "engine" and rel.name not in ("verify.c", "version.c", "deletes.c"):
            find(rel, number, "engine files do not speak Parquet")


def check_rules(rel, text):
    if re.search(r"\bpthread_(mutex|cond|create|join)", text) and str(rel) not in RAW_PTHREAD:
        find(rel, 1, "raw pthread: base/sync.h and base/pool.h are the doors")
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > 240:
            find(rel, number, f"a line of {len(line)} characters")
        if re.search(r"\b(TODO|FIXME|XXX)\b", line):
            find(rel, number, "unfinished business")
        if line.rstrip() != line or "\t" in line:
            find(rel, number, "white space at the end, or a tab")


def main():
    names = {}
    for path in sorted(ROOT.glob("src/*/*.[ch]")):
        rel = path.relative_to(ROOT)
        if rel.parts[1] not in ORDER:
            find(rel, 1, "a folder that the order does not name")
            continue
        text = path.read_text(encoding="utf-8")
        check_includes(path, rel, text)
        check_rules(rel, text)
        if path.name in names:
            find(rel, 1, f"the same file name as {names[path.name]}")
        names[path.name] = rel
    for path in sorted(ROOT.glob("cli/*.[ch]")):
        rel = path.relative_to(ROOT)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if m and m.group(1) != "frazil.h" and not m.group(1).startswith("cli") and not (ROOT / "cli" / m.group(1)).exists():
                find(rel, number, f"the command stands on frazil.h alone, not on {m.group(1)}")
    for f in findings:
        print(f)
    print(f"{len(names)} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
