#!/usr/bin/env python3
"""Transcripts of the command line, run again and compared.

    run_cli.py FRAZIL TRANSCRIPT.exact…            compares; exit 1 and a diff where they differ
    run_cli.py --update FRAZIL TRANSCRIPT.exact…   writes what came out into the transcript
    run_cli.py --tests FRAZIL                      what a transcript can't say: the progress bar on a terminal, Ctrl-C, random files in random pieces

A transcript:   `$ command`    run by sh in a directory of the transcript's own, `frazil` being the command under test; `> …` lines continue it (a here-document)
                lines behind   its standard output; `! …` its standard error, behind it; `[n]` its exit code where it is not 0
                `# …`          a comment before a command
What differs from run to run is put into one form first: see PATTERNS.
"""
import array
import csv
import difflib
import fcntl
import io
import json
import os
import pathlib
import pty
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time

DATA = pathlib.Path(__file__).resolve().parent / "data"
PATTERNS = [
    (r"\d+ rows? in [\d.]+ s \(\d+ rows/s\)", lambda m: re.sub(r" in .*", " in T s (R rows/s)", m.group(0))),
    (r'"seconds":[\d.]+', '"seconds":T'),
    (r'"(ops_per_second|mb_per_second|cpu_us_per_op|disk_bytes|p50_us|p99_us|p999_us|max_us|memory_high_bytes)":[\d.]+', r'"\1":N'),
    (r'"(timestamp-ms)":\d+', r'"\1":MS'),
    (r'"(bytes|bytes-in|bytes-out)":\d+', r'"\1":N'),
    (r" +\d+ bytes", " N bytes"),
    (r", \d+ pages,", ", N pages,"),
    (r'"pages":\d+', '"pages":N'),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", "TIME"),
    (r"(?<![-\d])(?!9223372036854775807)\d{13,19}\b", "ID"),
    (r"\bID +", "ID "),
    (r"frz-[0-9a-f][0-9a-f-]*", "frz-FILE"),
    (r"pid \d+", "pid N"),
]


def normalised(text, directory):
    text = text.replace(str(directory.resolve()), "DIR").replace(str(directory), "DIR")
    for pattern, to in PATTERNS:
        text = re.sub(pattern, to, text)
    return text


def parse(path):
    """(comment lines, command) pairs and the comment at the end"""
    steps, comments, command = [], [], None
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("$ "):
            command = [line[2:]]
            steps.append((comments, command))
            comments = []
        elif line.startswith("> ") and command is not None:
            command.append(line[2:])
        elif line.startswith("# ") or (line == "" and comments):
            comments.append(line)
    return steps, comments


def run(command, directory, env):
    p = subprocess.run(["sh", "-c", "\n".join(command)], cwd=directory, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
    return p.stdout.decode("utf-8", "backslashreplace"), p.stderr.decode("utf-8", "backslashreplace"), p.returncode


def transcript(path, frazil, base):
    directory = pathlib.Path(tempfile.mkdtemp(prefix=path.stem + "-", dir=base))
    (directory / "bin").mkdir()
    (directory / "bin" / "frazil").symlink_to(frazil)
    work = directory / "work"
    shutil.copytree(DATA, work)
    env = dict(os.environ, PATH=f"{directory / 'bin'}:{os.environ['PATH']}", LC_ALL="C.UTF-8", TMPDIR=str(directory), TZ="UTC")
    steps, rest = parse(path)
    out = []
    for comments, command in steps:
        out += comments
        out.append("$ " + command[0])
        out += ["> " + line for line in command[1:]]
        stdout, stderr, code = run(command, work, env)
        out += normalised(stdout, work).splitlines()
        out += ["! " + line for line in normalised(stderr, work).splitlines()]
        if code:
            out.append(f"[{code}]")
    shutil.rmtree(directory)
    return "\n".join(out + rest) + "\n"


# ── what a transcript can't say ──


def under_terminal(argv, cwd, during=None):
    """(what stderr, a terminal, showed; stdout; exit code)"""
    master, slave = pty.openpty()
    p = subprocess.Popen(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=slave)
    os.close(slave)
    shown = b""
    while True:
        ready, _, _ = select.select([master], [], [], 300)
        if not ready:
            p.kill()
            raise AssertionError("nothing for five minutes")
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
        if during:
            during(p, shown)
    out = p.stdout.read()
    p.stdout.close()
    code = p.wait()
    os.close(master)
    return shown.decode(), out.decode(), code


def write_rows(path, first, count):
    with open(path, "w", encoding="utf-8") as f:
        f.write("id,name\n")
        for i in range(first, first + count):
            f.write(f"{i},the name of row {i}\n")


def count_rows(frazil, cwd, db):
    return int(subprocess.run([frazil, "count", db, "t"], cwd=cwd, capture_output=True, check=True).stdout)


def bar_of(frazil, cwd, write):
    for rows in (200000, 1000000, 5000000, 25000000):  # a bar is drawn each tenth of a second: the file must last so long on this machine
        shutil.rmtree(cwd / "db", ignore_errors=True)
        file = write(rows)
        shown, out, code = under_terminal([frazil, "import", "db", "t", file, "--create", "--key", "id", "--sync", "off", "--batch", "1000"], cwd)
        assert code == 0, shown
        if re.search(r"\d+% \[=+ +\] \d+ rows, \d+ rows/s, \d+:\d\d left", shown):
            break
    else:
        raise AssertionError(f"no bar in {rows} rows: {shown[-300:]}")
    assert re.search(r"\x1b\[K%d rows in [\d.]+ s \(\d+ rows/s\)\r?\n$" % rows, shown), shown[-300:]
    assert out == ""


def test_progress_bar_on_a_terminal_with_rate_and_time_left(frazil, cwd):
    def as_csv(rows):
        write_rows(cwd / "rows.csv", 0, rows)
        return "rows.csv"

    def as_parquet(rows):
        write_rows(cwd / "rows.csv", 0, rows)
        shutil.rmtree(cwd / "from", ignore_errors=True)
        for command in (["import", "from", "t", "rows.csv", "--create", "--key", "id", "--sync", "off"], ["scan", "from", "t", "--format", "parquet", "--output", "rows.parquet"]):
            subprocess.run([frazil, *command], cwd=cwd, capture_output=True, check=True)
        return "rows.parquet"

    bar_of(frazil, cwd, as_csv)
    bar_of(frazil, cwd, as_parquet)


def test_no_bar_with_json_and_none_without_a_terminal(frazil, cwd):
    write_rows(cwd / "rows.csv", 0, 20000)
    shown, out, code = under_terminal([frazil, "import", "db", "t", "rows.csv", "--create", "--key", "id", "--json"], cwd)
    assert code == 0 and shown == "", shown
    assert re.fullmatch(r'\{"rows":20000,"skipped":0,"seconds":[\d.]+\}\n', out), out
    p = subprocess.run([frazil, "import", "db", "t", "rows.csv"], cwd=cwd, capture_output=True, text=True, check=True)
    assert re.fullmatch(r"20000 rows in [\d.]+ s \(\d+ rows/s\)\n", p.stderr), p.stderr


def write_and_see_it_read(p, data):
    p.stdin.write(data)
    p.stdin.flush()
    unread = array.array("i", [1])
    while unread[0]:
        assert p.poll() is None, p.returncode
        fcntl.ioctl(p.stdin.fileno(), termios.FIONREAD, unread)
        time.sleep(0.01)


def interrupted(frazil, cwd, number):
    """A pipe that stays open: the import waits for more when the signal comes."""
    p = subprocess.Popen([frazil, "import", "db", "t", "-", "--format", "csv", "--sync", "off", "--batch", "1000"], cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    write_and_see_it_read(p, b"id,name\n" + b"".join(b"%d,x\n" % i for i in range(2500)))
    write_and_see_it_read(p, b"\n")  # what it has read it takes in before it asks for more: an empty line, which is no row
    p.send_signal(number)
    _, err = p.communicate(timeout=300)
    return err.decode(), p.returncode


def test_signal_finishes_the_batch_says_how_many_and_exits_1(frazil, cwd):
    for number in (signal.SIGINT, signal.SIGTERM):
        db = cwd / "db"
        shutil.rmtree(db, ignore_errors=True)
        subprocess.run([frazil, "create", "db", "t", "--schema", "id long, name string?", "--key", "id"], cwd=cwd, check=True)
        err, code = interrupted(frazil, cwd, number)
        assert code == 1, (code, err)
        assert err == "frazil: interrupted: 2500 rows are in\n", err
        assert count_rows(frazil, cwd, "db") == 2500


def test_interrupted_import_of_a_file_keeps_whole_batches(frazil, cwd):
    for rows in (400000, 2000000, 10000000, 50000000):  # long enough for a bar and a signal before the end
        shutil.rmtree(cwd / "db", ignore_errors=True)
        write_rows(cwd / "rows.csv", 0, rows)
        subprocess.run([frazil, "create", "db", "t", "--schema", "id long, name string?", "--key", "id"], cwd=cwd, check=True)
        sent = []

        def during(p, shown):
            if not sent and b"rows/s" in shown:
                p.send_signal(signal.SIGINT)
                sent.append(True)

        shown, _, code = under_terminal([frazil, "import", "db", "t", "rows.csv", "--sync", "off"], cwd, during)
        m = re.search(r"frazil: interrupted: (\d+) rows are in", shown)
        if m:
            break
    assert code == 1 and m, shown
    assert 0 < int(m.group(1)) < rows and count_rows(frazil, cwd, "db") == int(m.group(1))


def feed(argv, cwd, data, pieces):
    """DATA through a pipe, in pieces that end anywhere"""
    p = subprocess.Popen(argv, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    at = 0
    while at < len(data):
        n = pieces()
        p.stdin.write(data[at:at + n])
        p.stdin.flush()
        at += n
    out, err = p.communicate(timeout=300)
    return p.returncode, out.decode(), err.decode()


def random_rows(rng, count, long_field):
    alphabet = ["a", "b", ",", '"', '""', "\n", "\r\n", "\r", " ", "é", "☃", "'", ";", "\t", "NULL", "\\"]
    rows = []
    for i in range(count):
        rows.append({"id": i, "a": "".join(rng.choices(alphabet, k=rng.randrange(12))), "b": rng.choice([None, "", "x", "".join(rng.choices(alphabet, k=40))]), "n": rng.choice([None, rng.randrange(-(10**18), 10**18)])})
    rows[count // 2]["a"] = '"' + "long,\n" * (long_field // 6)
    return rows


def csv_field(rng, value):
    if value is None:
        return ""
    text = str(value)
    if text == "" or any(c in text for c in ',"\r\n') or rng.random() < 0.3:
        return '"' + text.replace('"', '""') + '"'
    return text


def scanned(frazil, cwd):
    p = subprocess.run([frazil, "scan", "db", "t", "--format", "jsonl"], cwd=cwd, capture_output=True, check=True)
    return [json.loads(line) for line in p.stdout.decode().split("\n") if line]


def test_doctor_and_top_believe_only_the_process_that_writes_this_directory(frazil, cwd):
    def ask(*words):
        p = subprocess.run([frazil, *words], cwd=cwd, capture_output=True, text=True)
        return p.returncode, p.stdout

    argv = [frazil, "bench", "fillrandom", "--num", "1000000000", "--dir", "ws"]
    writer = subprocess.Popen(argv, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.time() + 120
        while f"written by process {writer.pid}" not in ask("top", "ws", "--once")[1]:
            assert time.time() < end, "the writer is never seen"
            time.sleep(0.1)
        while not list(pathlib.Path(cwd, "ws").glob("*/*/metadata/v*.metadata.json")):
            assert time.time() < end, "no table"
            time.sleep(0.1)
        writer.send_signal(signal.SIGSTOP)
        subprocess.run(["cp", "-r", "ws", "wsc"], cwd=cwd, check=True)
        writer.send_signal(signal.SIGCONT)
        assert pathlib.Path(cwd, "wsc/.frazil/stats").exists()
        damaged = pathlib.Path(cwd, "wsc").glob("*/*/metadata/v*.metadata.json")
        for path in damaged:
            path.write_text("{")
        code, out = ask("top", "wsc", "--once")
        assert code == 0 and "nobody writes" in out and str(writer.pid) not in out, out
        code, out = ask("doctor", "wsc", "--json")
        assert code == 1 and '"severity":"error","code":"health"' in out, out
    finally:
        writer.kill()
        writer.wait()
    code, out = ask("top", "ws", "--once")
    assert code == 0 and "nobody writes" in out, out
    assert "nobody writes" in ask("doctor", "ws")[1]


def test_each_verb_is_in_the_manuals_table_of_json(frazil, cwd):
    text = (pathlib.Path(__file__).resolve().parents[2] / "docs/cli.md").read_text(encoding="utf-8")
    table = text[text.index("## --json") : text.index("Names and order stay")]
    told = {verb for line in re.findall(r"^\| ([a-z, ]+) \|", table, re.M) for verb in line.split(", ")}
    verbs = set(re.findall(r"^  frazil ([a-z]+)", subprocess.run([frazil, "--help"], capture_output=True, text=True, check=True).stdout, re.M))
    assert verbs == told - {"verb"}, verbs ^ told


def test_compaction_shows_a_bar_and_is_cancelled_by_a_signal(frazil, cwd):
    for rows in (400000, 2000000, 10000000, 50000000):  # long enough for a bar and a signal before the end
        shutil.rmtree(cwd / "db", ignore_errors=True)
        write_rows(cwd / "rows.csv", 0, rows)
        subprocess.run([frazil, "import", "db", "t", "rows.csv", "--create", "--key", "id", "--sync", "off"], cwd=cwd, capture_output=True, check=True)
        sent = []

        def during(p, shown):
            if not sent and re.search(rb"\d+% \[=* *\] \d+ rows, \d+ rows/s, \d+:\d\d left", shown):
                p.send_signal(signal.SIGINT)
                sent.append(True)

        files = subprocess.run([frazil, "compact", "db", "t", "--dry-run"], cwd=cwd, capture_output=True, check=True).stdout
        shown, out, code = under_terminal([frazil, "compact", "db", "t"], cwd, during)
        if "frazil: cancelled:" in shown:
            assert code == 1 and out == "", (code, out)
            break
        assert code == 0, shown
    else:
        raise AssertionError(f"never cancelled: {shown[-300:]}")
    assert count_rows(frazil, cwd, "db") == rows
    if "cancelled: 0 jobs" in shown:
        assert subprocess.run([frazil, "compact", "db", "t", "--dry-run"], cwd=cwd, capture_output=True, check=True).stdout == files
    p = subprocess.run([frazil, "compact", "db", "t", "--quiet"], cwd=cwd, capture_output=True, text=True, check=True)
    assert p.stdout == p.stderr == "", p


def test_random_csv_comes_back_wherever_the_pieces_end(frazil, cwd):
    for seed, sizes in ((1, (1, 3)), (2, (1, 5000)), (3, (60000, 70000))):
        shutil.rmtree(cwd / "db", ignore_errors=True)
        rng = random.Random(seed)
        end = rng.choice(["\n", "\r\n"])
        rows = random_rows(rng, 60 if seed == 1 else 3000, 300 if seed == 1 else 700000)
        lines = ["id,a,b,n"] + [",".join(csv_field(rng, r[c]) for c in ("id", "a", "b", "n")) for r in rows]
        code, _, err = feed([frazil, "import", "db", "t", "-", "--format", "csv", "--create", "--key", "id", "--sync", "off", "--batch", "100"], cwd, (end.join(lines) + end).encode(), lambda: rng.randint(*sizes))
        assert code == 0, (seed, err)
        got = scanned(frazil, cwd)
        for g, r in zip(got, rows):
            assert g == r, (seed, r, g)
        assert len(got) == len(rows), seed


def test_random_json_lines_come_back_wherever_the_pieces_end(frazil, cwd):
    rng = random.Random(4)
    rows = random_rows(rng, 2000, 700000)
    data = "".join(json.dumps(r, ensure_ascii=rng.random() < 0.5) + rng.choice(["\n", "\r\n", "\n\n"]) for r in rows).encode()
    code, _, err = feed([frazil, "import", "db", "t", "-", "--format", "jsonl", "--create", "--key", "id", "--sync", "off"], cwd, data, lambda: rng.randint(1, 20000))
    assert code == 0, err
    assert scanned(frazil, cwd) == rows


def test_csv_of_a_scan_is_what_pythons_reader_reads(frazil, cwd):
    rng = random.Random(5)
    rows = random_rows(rng, 500, 1000)
    (cwd / "r.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    subprocess.run([frazil, "import", "db", "t", "r.jsonl", "--create", "--key", "id"], cwd=cwd, check=True, capture_output=True)
    p = subprocess.run([frazil, "scan", "db", "t", "--format", "csv"], cwd=cwd, check=True, capture_output=True)
    read = list(csv.DictReader(io.StringIO(p.stdout.decode(), newline="")))
    assert read == [{k: "" if v is None else str(v) for k, v in r.items()} for r in rows]


def test_memory_does_not_grow_with_the_file(frazil, cwd):
    """Of the sanitized build it does by a factor; still by none of the file's size."""
    with open(cwd / "big.csv", "w", encoding="utf-8") as f:
        f.write("id,v\n")
        for i in range(150):
            f.write(f"{i},{'x' * 1000000}\n")
    code = "import resource, subprocess, sys\np = subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL)\nprint(p.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
    small = [frazil, "import", "db", "t", "big.csv", "--create", "--key", "id", "--sync", "off"]
    out = subprocess.run([sys.executable, "-c", code] + small, cwd=cwd, capture_output=True, text=True, check=True).stdout.split()
    assert out[0] == "0", out
    print(f"     150 MB imported in {out[1]} MB")
    assert int(out[1]) < 900, out
    assert count_rows(frazil, cwd, "db") == 150


def tests(frazil, base):
    failed = 0
    for name, test in sorted(globals().items()):
        if not name.startswith("test_"):
            continue
        cwd = pathlib.Path(tempfile.mkdtemp(prefix="test-", dir=base))
        try:
            test(frazil, cwd)
            print(f"ok   {name[5:]}")
        except AssertionError as e:
            failed += 1
            print(f"FAIL {name[5:]}: {e}")
        finally:
            shutil.rmtree(cwd, ignore_errors=True)
    return failed


def main():
    words = [w for w in sys.argv[1:] if not w.startswith("--")]
    if not words:
        print(__doc__)
        return 2
    frazil = str(pathlib.Path(words[0]).resolve())
    base = os.environ.get("FRZ_TEST_TMP") or None
    if base:
        os.makedirs(base, exist_ok=True)
    if "--tests" in sys.argv:
        return 1 if tests(frazil, base) else 0
    failed = 0
    for word in words[1:]:
        path = pathlib.Path(word)
        got, expected = transcript(path, frazil, base), path.read_text(encoding="utf-8")
        if got == expected:
            continue
        if "--update" in sys.argv:
            path.write_text(got, encoding="utf-8")
            print(f"{path.name}: written")
            continue
        failed += 1
        sys.stdout.writelines(difflib.unified_diff(expected.splitlines(True), got.splitlines(True), str(path), "what came out"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
