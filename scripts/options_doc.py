#!/usr/bin/env python3
"""docs/options.md from src/engine/options.def. `--check` says whether it is current instead.

    options_doc.py [--check]
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
HEAD = """# Options

Made by `scripts/options_doc.py` from `src/engine/options.def`. Each has a test that shows its effect, in `tests/unit/test_options*.c`. A value out of its bounds is refused, and the message names the bounds.

## Of the database

Fields of `frz_db_options`; 0 is the default. Beside these: `create`, `read_only`, `no_close_flush`, `no_compaction`, `no_tidy`, `durability` ([durability.md](durability.md)), `allocator`, `log`, `log_level`: see `include/frazil.h`.

"""
MIDDLE = """
## Of a table

Table properties: set by `frazil create --property key=value`, `frazil set`, `frz_table_options`, `frz_table_set_properties`, or by another engine (`ALTER TABLE … SET TBLPROPERTIES`), which a process that writes the table follows with its next commit. Values are decimal text.
A name that begins with `frazil.` and is not here is refused; other names are kept as they are.

"""
TAIL = """| `write.parquet.compression-codec` | zstd | | | codec of data files: zstd, snappy or uncompressed |
| `frazil.retention` | | | | snapshots kept beyond their age, thinned out: `all:16, 1m:60, 1h:24, 1d:30`; see [snapshots.md](snapshots.md) |

These of Iceberg's are heeded too, with Iceberg's meaning: `history.expire.max-snapshot-age-ms` (a new table has 60000), `history.expire.min-snapshots-to-keep` (8), `history.expire.max-ref-age-ms`,
`write.metadata.previous-versions-max` (20), `write.metadata.delete-after-commit.enabled` (true), `commit.manifest-merge.enabled` (true), `commit.manifest.min-count-to-merge` (32 where it is not set,
100 at most), `commit.manifest.target-size-bytes` (8388608). A new table also has `gc.enabled` = false: another engine's clean-up would remove files that frazil's
readers hold.

The format version is chosen when the table is made: `--format-version`, `frz_table_options.format_version`, and goes up by `frazil upgrade`, `frz_table_upgrade`; 2 (the default) masks rows by position-delete files, 3 by deletion vectors, with row lineage.
"""


def number(text):
    n = int(text)
    for unit, size in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if n >= size and n % size == 0:
            return f"{n // size} {unit}"
    return f"{n:,}"


def property_name(field):
    for prefix in ("write_parquet_", "write_metadata_", "write_", "frazil_"):
        if field.startswith(prefix):
            return prefix.replace("_", ".") + field[len(prefix):].replace("_", "-")
    return field


def table(rows, name):
    out = ["| name | default | from | to | what it does |", "| --- | --- | --- | --- | --- |"]
    for field, default, low, high, doc in rows:
        show = number if "bytes" in field else lambda t: f"{int(t):,}"
        out.append(f"| `{name(field)}` | {show(default)} | {show(low)} | {show(high)} | {doc} |")
    return "\n".join(out) + "\n"


def text():
    source = (ROOT / "src/engine/options.def").read_text(encoding="utf-8")
    rows = re.findall(r'^X\((\w+), (\w+), (\d+), (\d+), (\d+), "([^"]*)", \w+\)$', source, flags=re.M)
    assert len(rows) == len(re.findall(r"^X\(", source, flags=re.M)), "a row of options.def that this script does not read"
    of = lambda kind: [r[1:] for r in rows if r[0] == kind]
    return HEAD + table(of("DB"), str) + MIDDLE + table(of("TABLE"), property_name) + TAIL


def main():
    path, want = ROOT / "docs/options.md", text()
    if "--check" in sys.argv:
        if not path.exists() or path.read_text(encoding="utf-8") != want:
            sys.exit("docs/options.md is not what options.def says: run scripts/options_doc.py")
        return
    path.write_text(want, encoding="utf-8")


if __name__ == "__main__":
    main()
