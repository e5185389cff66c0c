#!/usr/bin/env python3
"""What is made from the source is current, and what the documents name is there: options, verbs, files, properties, constants.

    check_docs.py SOURCE [FRAZIL]
"""
import pathlib
import re
import subprocess
import sys

source = pathlib.Path(sys.argv[1]).resolve()
findings = []


def check(*command):
    r = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True)
    if r.returncode:
        findings.append((r.stderr or r.stdout).strip())


def constant(path, name):
    """The value of a #define of sizes: 128 << 20, 4096, (1 << 20)."""
    text = (source / path).read_text(encoding="utf-8")
    m = re.search(rf"#define {name}\s+(?:\(\(size_t\)|\(\(uint64_t\)|\()?(\d+)(?: << (\d+))?", text)
    if not m:
        findings.append(f"{path} has no {name}")
        return 0
    return int(m.group(1)) << int(m.group(2) or 0)


LIMITS = [("src/types/keyenc.h", "KEY_BYTES_MAX", "256 KiB", 256 << 10), ("src/types/row.h", "ROW_BYTES_MAX", "128 MiB", 128 << 20), ("src/types/batch.h", "BATCH_BYTES_MAX", "1 GiB", 1 << 30),
          ("src/types/schema.h", "COLUMNS_MAX", "4,096", 4096), ("src/types/schema.h", "COLUMN_NAME_BYTES_MAX", "1,024 bytes", 1024), ("src/types/type.h", "FIXED_BYTES_MAX", "1 MiB", 1 << 20),
          ("src/types/type.h", "DECIMAL_PRECISION_MAX", "38", 38), ("src/engine/tables.c", "NAME_BYTES_MAX", "200 bytes", 200), ("src/types/pred_parse.c", "DEPTH_MAX", "200 inside", 200),
          ("cli/cli.h", "KEY_COLUMNS_MAX", "64 columns", 64), ("cli/import.h", "RECORD_BYTES_MAX", "64 MiB", 64 << 20), ("src/engine/version.c", "METADATA_BYTES_MAX", "256 MiB", 256 << 20)]


def main():
    check(source / "scripts/options_doc.py", "--check")
    check(source / "scripts/metrics_doc.py", "--check")
    if len(sys.argv) > 2 and sys.argv[2]:
        check(source / "scripts/cli_doc.py", sys.argv[2], "--check")
    limits = (source / "docs/limits.md").read_text(encoding="utf-8")
    for path, name, words, value in LIMITS:
        if constant(path, name) != value:
            findings.append(f"docs/limits.md says {words}; {name} in {path} is {constant(path, name)}")
        if not any(words in line and path in line for line in limits.splitlines()):
            findings.append(f"docs/limits.md does not say {words} of {path}")
    documents = [source / "README.md", source / "CONTRIBUTING.md", *sorted((source / "docs").glob("*.md"))]
    for document in documents:
        text = document.read_text(encoding="utf-8")
        name = document.relative_to(source)
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
            if not (document.parent / link).exists():
                findings.append(f"{name} links to {link}, which is not there")
        for path in re.findall(r"`((?:src|include|tests|scripts|cli|demo|docs)/[\w./]+\w)`", text):
            if not (source / path).exists():
                findings.append(f"{name} names {path}, which is not there")
    architecture = (source / "docs/architecture.md").read_text(encoding="utf-8")
    for path in re.findall(r"`(?:\w+/)?(\w+\.[ch])`", architecture):
        if not list(source.glob(f"src/*/{path}")) and not (source / "include" / path).exists():
            findings.append(f"docs/architecture.md names {path}, which is nowhere under src/")
    print("\n".join(findings))
    print(f"{len(documents)} documents, {len(findings)} findings")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
