#!/usr/bin/env python3
"""docs/metrics.md from src/engine/stats.def. `--check` says whether it is current instead.

    metrics_doc.py [--check]
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
HEAD = """# Metrics

Made by `scripts/metrics_doc.py` from `src/engine/stats.def`. `frz_db_stats` gives these numbers as a struct, `frz_db_stats_text` and `frazil stats` as lines or JSON by the names of the first column,
`frz_db_metrics` and `frazil stats --openmetrics` as OpenMetrics text by the names of the second. Counters begin at 0 when the database is opened: a command that opens it for reading shows what is on disk, and its own
counters; `frazil top` shows those of the running writer.

Times are microseconds in the struct, seconds in the metrics. Metrics of tables have the label `table`; the struct of the database has their sum, of longest and oldest times the maximum.

## What to watch

| question | look at |
| --- | --- |
| do writers wait? | `stall_us_total`, `slowdown_us_total`: each second of them is a second that some writer stood still |
| how far behind are other engines? | `publish_lag_us`: what they read is that old |
| does anything fail? | `flush_failures`, `compact_failures`, and the health: `frazil_health_severity` above 0 |
| does compaction keep up? | `runs_beyond`, `debt_bytes`: 0, or soon again; `digest_bytes_per_second` against what is put |
| does garbage pile up? | `space_amplification`, `rows_dead` against `rows_live`, `files_pending`; `oldest_pin_us` for who holds it |
| what does a write cost? | `write_amplification` |
| what does a read cost? | `files_per_get`, `pages_per_get`, `cache_hit_ratio`; `filter_false_positives` against `filter_checks` |
| does the metadata grow? | `metadata_bytes`, `manifests`, `snapshots` |
| does the log grow? | `log_segments`: held back by the table with the oldest unpublished write |

`frazil doctor` looks at these and at the disk, and says what to set.

"""
TAIL = """
## Beside them

| metric | kind | what it is |
| --- | --- | --- |
| `frazil_build_info` | info | label `version` |
| `frazil_level_files`, `frazil_level_rows`, `frazil_level_rows_dead`, `frazil_level_bytes`, `frazil_level_runs` | gauges | of each level, labels `table` and `level`; a key may be in as many files as there are runs, in all levels together. `frz_db_levels` gives the same |
| `frazil_flush_duration_seconds`, `frazil_commit_duration_seconds`, `frazil_compaction_duration_seconds` | histograms | how long each took, in buckets a factor of four apart |
| `frazil_health_severity` | gauge | 0 ok, 1 degraded, 2 writes stopped, 3 read-only until opened again, 4 unusable; of each table, and without a label the worst of all |
| `frazil_health_tries` | gauge | failures in a row of what is worst, labels `part` and `class`; only while something fails. [operations.md](operations.md) says what to do |
"""
KIND = {"COUNTER": "counter", "GAUGE": "gauge", "RATIO": "gauge, a fraction"}
UNIT = {"NONE": "", "BYTES": "bytes", "US": "µs", "RATIO": ""}


def rows():
    source = (ROOT / "src/engine/stats.def").read_text(encoding="utf-8")
    found = re.findall(r'^X\((COUNTER|GAUGE|RATIO), (\w+), (DB|TABLE), (NONE|BYTES|US|RATIO), "(\w+)", "([^"]*)"\)$', source, flags=re.M)
    assert len(found) == len(re.findall(r"^X\(", source, flags=re.M)), "a row of stats.def that this script does not read"
    return found


def text():
    out = []
    for scope, title in (("TABLE", "## Of each table"), ("DB", "## Of the database")):
        out += [title, "", "| name | metric | kind | unit | what it is |", "| --- | --- | --- | --- | --- |"]
        for kind, field, of, unit, metric, doc in rows():
            if of == scope:
                out.append(f"| `{field}` | `frazil_{metric}{'_total' if kind == 'COUNTER' else ''}` | {KIND[kind]} | {UNIT[unit]} | {doc} |")
        out.append("")
    return HEAD + "\n".join(out) + TAIL.lstrip("\n")


def main():
    path, want = ROOT / "docs/metrics.md", text()
    if "--check" in sys.argv:
        if not path.exists() or path.read_text(encoding="utf-8") != want:
            sys.exit("docs/metrics.md is not what stats.def says: run scripts/metrics_doc.py")
        return
    path.write_text(want, encoding="utf-8")


if __name__ == "__main__":
    main()
