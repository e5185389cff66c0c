"""The soak: frazil at full write rate for as long as asked, while DuckDB, pyiceberg and Spark read its table at random moments and find it right.

    .venv/bin/python tests/soak/soak.py [--seconds 3600] [--moments 20] [--rows N] [--format 2|3] [--memory MIB] [--keep DIR] [--json FILE]

A moment   an engine reads the table as it is published: ids once each, marks that fit id and generation, balances that add up to 0. At a quarter of the moments, and at the end, writers pause for as long
           as a publish takes, and what the snapshot of then must hold, exactly, is compared
Judged     no wrong row in any reader, verify clean, memory within the budget, no write over the limit, space (files of the current snapshot against the same rows written afresh). The exit code says it"""
import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
import readers  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent
SUMS = ("rows", "ids", "gens", "marks", "balances")
SQL = "SELECT count(*), sum(id), sum(gen), sum(mark), sum(balance), count(DISTINCT id), count(*) FILTER (WHERE mark <> (id * 7919 + gen * 104729) % 1000003) FROM "


class Place:
    def __init__(self, path):
        self.path, self.columns = path, ()


def ask_duckdb(place, snapshot):
    import duckdb
    e = readers.engine("duckdb")
    for attempt in range(5):
        try:
            return e.con.cursor().execute(SQL + e.source(place, snapshot)).fetchone()
        except duckdb.Error as error:  # between its reads of the hint and of the file that it names the file may be gone
            if attempt == 4 or "metadata.json" not in str(error):
                raise


def of_arrow(t):
    import duckdb
    con = duckdb.connect()
    con.register("t", t)
    return con.execute(SQL + "t").fetchone()


def ask_pyiceberg(place, snapshot):
    for attempt in range(5):
        try:
            return of_arrow(readers.engine("pyiceberg").read(place, snapshot_id=snapshot))
        except FileNotFoundError as error:
            if attempt == 4 or "metadata.json" not in str(error):
                raise


def ask_spark(place, snapshot):
    frame = readers.engine("spark").frame(place, snapshot)
    frame.createOrReplaceTempView("t")
    row = readers.engine("spark").spark.sql(SQL + "t").collect()[0]
    return tuple(row)


ASK = {"duckdb": ask_duckdb, "pyiceberg": ask_pyiceberg, "spark": ask_spark}


def wrong(answer, exact):
    answer = [int(x or 0) for x in answer]
    faults = []
    if answer[5] != answer[0]:
        faults.append(f"{answer[0]} rows of {answer[5]} ids")
    if answer[6]:
        faults.append(f"{answer[6]} rows that were never written")
    if answer[4]:
        faults.append(f"balances add up to {answer[4]}")
    if exact and answer[:5] != [exact[k] for k in SUMS]:
        faults.append(f"{answer[:5]}, expected {[exact[k] for k in SUMS]}")
    return faults


class Soak:
    def __init__(self, o, where):
        self.o, self.where = o, where
        self.samples, self.exacts, self.slow, self.end, self.moments, self.faults = [], [], [], None, [], []
        self.heard = threading.Condition()
        command = [str(ROOT / o.build / "tests/frazil_soak"), str(where)]
        for name in ("seconds", "rows", "writers", "batch", "format", "memory", "seed"):
            command += ["--" + name, str(getattr(o, name))]
        for p in o.property:
            command += ["--property", p]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.listener = threading.Thread(target=self.listen)
        self.listener.start()

    def listen(self):
        for line in self.process.stdout:
            said = json.loads(line)
            with self.heard:
                if "sample" in said:
                    self.samples.append(said)
                elif "slow" in said:
                    self.slow.append(said | {"at": self.samples[-1]["sample"] if self.samples else 0})
                    print(f"SLOW {json.dumps(self.slow[-1])}", flush=True)
                elif "exact" in said:
                    self.exacts.append(said)
                else:
                    self.end = said
                self.heard.notify_all()
        with self.heard:
            self.heard.notify_all()

    def exact(self):
        with self.heard:
            n = len(self.exacts)
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        with self.heard:
            self.heard.wait_for(lambda: len(self.exacts) > n or self.process.poll() is not None)
            return self.exacts[n] if len(self.exacts) > n else None

    def read(self, engine, exact, at):
        begin = time.monotonic()
        try:
            faults = wrong(ASK[engine](Place(self.where / "main/soak"), exact and exact["exact"]), exact)
        except Exception as e:
            faults = [f"{type(e).__name__}: {e}"]
        self.moments.append({"at": round(at, 1), "engine": engine, "exact": bool(exact), "seconds": round(time.monotonic() - begin, 2), "faults": faults})
        for f in faults:
            self.faults.append(f"{engine} at {at:.1f} s: {f}")
            print(f"WRONG {self.faults[-1]}", flush=True)

    def run(self):
        begin, rng = time.monotonic(), random.Random(self.o.seed)
        times = sorted(rng.uniform(min(3, self.o.seconds / 4), self.o.seconds * 0.97) for _ in range(self.o.moments))
        for i, t in enumerate(times):
            while self.process.poll() is None and time.monotonic() - begin < t:
                time.sleep(min(1, max(0.01, t - (time.monotonic() - begin))))
            if self.process.poll() is not None:
                break
            exact = self.exact() if i % 4 == 1 else None
            for engine in self.o.engines:
                self.read(engine, exact, time.monotonic() - begin)
            if self.samples:
                s = self.samples[-1]
                print(f"{s['sample']:7.0f} s  {s['ops']:>11,} ops  {s['data_files']:>4} + {s['delete_files']:>4} files {s['file_bytes'] / 1e6:9.1f} MB  disk {s['disk_bytes'] / 1e6:9.1f} MB  peak "
                      f"{s['peak_bytes'] / 1e6:7.1f} MB  {'right' if not self.faults else 'WRONG'}", flush=True)
        self.process.stdin.close()
        self.process.wait()
        self.listener.join()
        if self.process.returncode or not self.end:
            self.faults.append(f"the soak ended with {self.process.returncode}")
            return
        for engine in self.o.engines:
            self.read(engine, self.exacts[-1], self.o.seconds)

    def judge(self):
        r = {"moments": self.moments, "faults": self.faults, "slow": self.slow}
        if not self.end:
            return r
        last = self.samples[-1]
        peak = max(s["peak_bytes"] for s in self.samples)
        r |= {k: self.end[k] for k in ("writes", "p50_us", "p99_us", "p999_us", "max_us", "findings", "compacted_bytes", "fresh_bytes") if k in self.end}
        r |= {"ops": last["ops"], "ops_per_second": round(last["ops"] / last["sample"]), "gets": last["gets"], "states_scanned": last["scans"], "peak_mb": round(peak / 1e6, 1),
              "write_amplification": round(last["written_bytes"] / last["user_bytes"], 2), "files_max": max(s["data_files"] for s in self.samples), "delete_files_max": max(s["delete_files"] for s in self.samples),
              "disk_mb_max": round(max(s["disk_bytes"] for s in self.samples) / 1e6, 1)}
        stats = last["stats"]
        r["memory_max"] = {k[7:-4]: v for k, v in stats.items() if k.startswith("memory_") and k.endswith("_max")}
        r["stalls"] = {k: v for k, v in stats.items() if k.startswith(("stall", "slowdown")) and v}
        r["peak_mb_by_minute"] = [round(max(s["peak_bytes"] for s in self.samples if s["sample"] // 60 == m) / 1e6, 1) for m in sorted({s["sample"] // 60 for s in self.samples})]
        r["write_amplification_at"] = {}  # so many operations: to be set beside another store's after as many
        for ops in (10_000_000, 30_000_000, 100_000_000, 300_000_000):
            if s := next((s for s in self.samples if s["ops"] >= ops), None):
                r["write_amplification_at"][ops] = round(s["written_bytes"] / s["user_bytes"], 2)
        if self.end["findings"]:
            self.faults.append(f"verify: {self.end['findings']} findings")
        if peak > (self.o.memory + self.o.slack) << 20:
            self.faults.append(f"memory: {peak / 2**20:.1f} MiB resident, allowed {self.o.memory} + {self.o.slack}")
        if self.end["max_us"] > self.o.write_limit * 1e6:
            self.faults.append(f"a write took {self.end['max_us'] / 1e6:.2f} s, allowed {self.o.write_limit}")
        if fresh := self.end.get("fresh_bytes"):
            n = self.exacts[-1]["rows"]
            during = [s["file_bytes"] / fresh for s in self.samples[len(self.samples) // 4:]]
            r |= {"space_after_compact": round(self.end["compacted_bytes"] / fresh, 3), "space_during_max": round(max(during), 3), "space_during_median": round(sorted(during)[len(during) // 2], 3), "rows": n}
            if r["space_after_compact"] >= 1.3:
                self.faults.append(f"space after compact: {r['space_after_compact']} ×, allowed 1.3")
            if r["space_during_max"] >= 2:
                self.faults.append(f"space during: {r['space_during_max']} ×, allowed 2")
        return r


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--seconds", type=int, default=3600)
    p.add_argument("--moments", type=int, default=20)
    p.add_argument("--rows", type=int, default=2_000_000)
    p.add_argument("--writers", type=int, default=2)
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--format", type=int, default=2)
    p.add_argument("--memory", type=int, default=64, help="MiB: the database's budget")
    p.add_argument("--slack", type=int, default=24, help="MiB: what the process may take beyond it")
    p.add_argument("--write-limit", type=float, default=1.0, help="seconds that no write may reach")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--property", action="append", default=["frazil.foreign-reader-grace-ms=60000"], help="of the table: KEY=VALUE")
    p.add_argument("--engines", default="duckdb,pyiceberg,spark", type=lambda s: s.split(","))
    p.add_argument("--build", default="build/release")
    p.add_argument("--keep", help="a directory for the warehouse, which stays")
    p.add_argument("--json", help="a file for the result")
    o = p.parse_args()
    where = Path(o.keep or tempfile.mkdtemp(prefix="frazil-soak-"))
    for engine in o.engines:
        readers.engine(engine)  # starting it is not the soak's time
    soak = Soak(o, where.resolve())
    try:
        soak.run()
        result = soak.judge()
    finally:
        if soak.process.poll() is None:
            soak.process.kill()
        if not o.keep:
            shutil.rmtree(where, ignore_errors=True)
    text = json.dumps(result, indent=1)
    if o.json:
        Path(o.json).write_text(text + "\n")
    print(json.dumps({k: v for k, v in result.items() if k != "moments"}, indent=1))
    print(f"{len(result['moments'])} reads by {', '.join(o.engines)}: {'all right' if not soak.faults else 'FAILED'}")
    return 1 if soak.faults else 0


if __name__ == "__main__":
    sys.exit(main())
