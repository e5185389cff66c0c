#!/usr/bin/env python3
"""Full scans of settled tables: frazil's Arrow stream and cursor against its own Parquet decoder, DuckDB and pyarrow over the same data files. One thread each, best of several runs in turn.

    bench/scan_vs_readers.py DIR --num N       DIR: made by `frazil bench fillrandom,settle,ingest,settle --num N --dir DIR`
"""
import argparse
import json
import resource
import subprocess
import time


def cpu():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime


def timed(read):
    begin, used = time.perf_counter(), cpu()
    rows = read()
    return rows, rows / (time.perf_counter() - begin), (cpu() - used) * 1e9 / rows


def files(frazil, directory, table):
    lines = subprocess.run([frazil, "files", directory, table, "--json"], check=True, capture_output=True, text=True).stdout.splitlines()
    listed = [json.loads(x) for x in lines if x.strip()]
    listed = listed[0] if listed and isinstance(listed[0], list) else listed
    data = [f for f in listed if f["content"] == "data"]
    if len(data) != len(listed) or any(f["rows-masked"] for f in data):
        raise SystemExit(f"{table} is not settled: it has dead rows")
    return [f"{directory}/{f['path']}" for f in data]


def readers(paths):
    import duckdb
    import pyarrow.parquet as pq

    con = duckdb.connect()
    con.execute("set threads = 1; set preserve_insertion_order = false")
    con.execute("select * from read_parquet(?) limit 1", [paths]).to_arrow_table()  # what it loads once

    def by_duckdb():
        rows = 0
        stream = con.execute("select * from read_parquet(?)", [paths]).to_arrow_reader(65536)
        for batch in stream:
            rows += batch.num_rows
        return rows

    def by_pyarrow():
        rows = 0
        for path in paths:
            with pq.ParquetFile(path) as f:
                for group in range(f.num_row_groups):
                    rows += f.read_row_group(group, use_threads=False).num_rows
        return rows

    return {"DuckDB": by_duckdb, "pyarrow": by_pyarrow}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("directory")
    p.add_argument("--num", type=int, required=True)
    p.add_argument("--frazil", default="build/release/cli/frazil")
    p.add_argument("--runs", type=int, default=3)
    a = p.parse_args()
    tables = {"kv": {"scan": "frazil, Arrow stream", "scancursor": "frazil, cursor", "decode": "frazil, its Parquet files"}, "typed": {"scantyped": "frazil, Arrow stream", "decodetyped": "frazil, its Parquet files"}}
    print("| table | reader | rows/s | ns of CPU a row | times the decoder's CPU |\n| --- | --- | ---: | ---: | ---: |")
    for table, names in tables.items():
        best = {}

        def keep(name, rate, ns):
            if name not in best or ns < best[name][1]:
                best[name] = (rate, ns)

        paths = files(a.frazil, a.directory, table)
        for _ in range(a.runs):
            lines = subprocess.run([a.frazil, "bench", ",".join(names), "--num", str(a.num), "--dir", a.directory, "--json"], check=True, capture_output=True, text=True).stdout.splitlines()
            for r in map(json.loads, lines):
                keep(names[r["name"]], r["ops_per_second"], r["cpu_us_per_op"] * 1000)
            for name, read in readers(paths).items():
                rows, rate, ns = timed(read)
                if rows != a.num:
                    raise SystemExit(f"{name} reads {rows} rows of {table}, expected {a.num}")
                keep(name, rate, ns)
        decoder = best["frazil, its Parquet files"][1]
        for name, (rate, ns) in sorted(best.items(), key=lambda x: x[1][1]):
            print(f"| {table} | {name} | {rate / 1e6:.3g}M | {ns:.0f} | {ns / decoder:.2f} |")


if __name__ == "__main__":
    main()
