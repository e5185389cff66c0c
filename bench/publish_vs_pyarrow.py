#!/usr/bin/env python3
"""Rows ingested and published by frazil against pyarrow writing the same rows as ZSTD Parquet, on one thread, interleaved: the best of each counts.

    .venv/bin/python bench/publish_vs_pyarrow.py [--num N] [--runs R] [--frazil build/release/cli/frazil] [--dir DIR]

The rows are those of `frazil bench publish`: the first run's data files are read back, and pyarrow gets that table from memory. Both write to DIR; neither syncs while it writes, but frazil's
publish syncs what it publishes (pyarrow's file is left to the page cache), logs every row, and sorts, indexes and filters by key. Two ratios: of wall time, and of CPU seconds (of all threads:
frazil may flush on another core while it ingests). pyarrow's settings are its own: ZSTD level 1 (its default, and frazil's), dictionaries, statistics, pages of 1 MiB."""
import argparse
import glob
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import pyarrow as pa
import pyarrow.parquet as pq


def cpu():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime


def publish(frazil, num, where):
    shutil.rmtree(where, ignore_errors=True)
    out = subprocess.run([frazil, "bench", "publish", "--num", str(num), "--dir", where, "--json"], check=True, capture_output=True, text=True).stdout
    r = json.loads(out)
    return r["seconds"], r["cpu_us_per_op"] * num / 1e6


def read_back(where, num):
    files = sorted(glob.glob(os.path.join(where, "**", "data", "*.parquet"), recursive=True))
    files = [f for f in files if "delete" not in os.path.basename(f)]
    rows = pa.concat_tables([pq.read_table(f) for f in files]).sort_by("id").combine_chunks()
    if rows.num_rows != num:
        sys.exit(f"{rows.num_rows} rows in {len(files)} files of {where}, {num} were to be there")
    return rows, sum(os.path.getsize(f) for f in files)


def write(rows, path):
    begin, used = time.monotonic(), cpu()
    pq.write_table(rows, path, compression="zstd")
    return time.monotonic() - begin, cpu() - used


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = os.path.dirname(os.path.abspath(__file__))
    p.add_argument("--num", type=int, default=1000000)
    p.add_argument("--runs", type=int, default=7)
    p.add_argument("--frazil", default=os.path.join(here, "..", "build", "release", "cli", "frazil"))
    p.add_argument("--dir", default=None)
    a = p.parse_args()
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    base = tempfile.mkdtemp(prefix="frazil-publish.", dir=a.dir)
    try:
        where, path = os.path.join(base, "db"), os.path.join(base, "pyarrow.parquet")
        publish(a.frazil, a.num, where)
        rows, bytes_frazil = read_back(where, a.num)
        write(rows, path)
        bytes_pyarrow = os.path.getsize(path)
        ours, theirs = [], []
        for i in range(a.runs):
            ours.append(publish(a.frazil, a.num, where))
            theirs.append(write(rows, path))
            print(f"run {i + 1}: publish {ours[-1][0]:.3f} s, {ours[-1][1]:.3f} s CPU; pyarrow {theirs[-1][0]:.3f} s, {theirs[-1][1]:.3f} s CPU", file=sys.stderr)
        wall, used = min(o[0] for o in ours), min(o[1] for o in ours)
        wall_pa, used_pa = min(t[0] for t in theirs), min(t[1] for t in theirs)
        print(f"{a.num} rows, best of {a.runs}")
        print(f"  frazil publish  {a.num / wall / 1e6:6.2f} M rows/s  {used / a.num * 1e6:6.3f} µs CPU a row  {bytes_frazil / 1e6:7.2f} MB of data files")
        print(f"  pyarrow zstd    {a.num / wall_pa / 1e6:6.2f} M rows/s  {used_pa / a.num * 1e6:6.3f} µs CPU a row  {bytes_pyarrow / 1e6:7.2f} MB")
        print(f"  ratio           {wall_pa / wall:.3f} by wall time, {used_pa / used:.3f} by CPU seconds, {bytes_frazil / bytes_pyarrow:.3f} of the bytes")
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
