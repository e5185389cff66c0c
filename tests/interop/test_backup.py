"""Backups and restored databases, read by the other engines where they are: right without a word about where they came from, also once the source is gone."""
import json
import os
import random
import subprocess
from types import SimpleNamespace

import pytest

import frz
from model import QUICK, Case, _sorted
import readers
from readers import canonical

FRAZIL = os.environ.get("FRAZIL", frz.ROOT / "build/release/cli/frazil")
SCHEMA = "id long, name string, v double?, d decimal(12,3)?, t timestamp?, b binary?, u uuid?"


def row(rng, i):
    maybe = lambda x: None if rng.random() < 0.2 else x
    return (i, f"n{i % 7}", maybe(rng.random()), maybe(frz.Decimal(rng.randrange(10**6)).scaleb(-3)), maybe(rng.randrange(10**15)), maybe(rng.randbytes(rng.randrange(40))), maybe(rng.randbytes(16)))


def frazil(*words):
    r = subprocess.run([str(FRAZIL), *map(str, words), "--json"], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    return json.loads(r.stdout.splitlines()[-1])


def read_at(case, directory, rows, engines=QUICK):
    """Every engine reads ROWS from the table in DIRECTORY."""
    there = SimpleNamespace(path=directory / "main" / "t", columns=case.table.columns, version=case.table.version, key=case.table.key, db=case.db, name=case.table.name)
    expected = _sorted(case, canonical(case.table, rows.values()))
    for name in engines:
        case.check_engine(name, expected, lambda e: e.read(there), f"of {directory.name}")


@pytest.mark.parametrize("version", (2, 3))
def test_backups_and_restored_copies_are_read_by_every_engine(path, version):
    rng = random.Random(version)
    to = path.parent / "backups"
    with Case(path, SCHEMA, "id,name", version) as c:
        c.put(row(rng, i) for i in range(800))
        c.flush()
        c.delete((i, f"n{i % 7}") for i in range(0, 800, 5))
        c.put(row(rng, i) for i in range(300, 500))
        c.flush()
        c.put(row(rng, i) for i in range(790, 900))  # the log alone has them
        c.delete([(1, "n1")])
        first = dict(c.rows)
        assert frazil("backup", path, to)["number"] == 1
        c.put(row(rng, i) for i in range(2000, 2100))
        second = dict(c.rows)
        info = frazil("backup", path, to)
        assert info["files-new"] < info["files"], "the second shares files with the first"
        read_at(c, to / "000001", first)
        read_at(c, to / "000002", second)
        frazil("restore", to, path.parent / "back", "--backup", 1)
        read_at(c, path.parent / "back", first)
        for name in ("backups", "back"):  # nothing of them is the source's
            assert str(path) + "/main" not in "".join(p.read_text(errors="replace") for p in (path.parent / name).rglob("*.metadata.json")), name
        frazil("backup", "--purge", to, "--keep", 1)
        read_at(c, to / "000002", second)
        os.rename(path / "main", path.parent / "gone")  # no path leads back to the source
        read_at(c, to / "000002", second)
        read_at(c, path.parent / "back", first)
        assert frazil("backup", "--verify", to)["findings"] == 0
        assert frazil("verify", path.parent / "back")["findings"] == 0
        os.rename(path.parent / "gone", path / "main")


@pytest.mark.parametrize("version", (2, 3))
def test_a_restored_copy_goes_on_and_is_read(path, version):
    rng = random.Random(version + 5)
    with Case(path, SCHEMA, "id,name", version) as c:
        c.put(row(rng, i) for i in range(300))
        frazil("backup", path, path.parent / "backups")
        rows = dict(c.rows)
    frazil("restore", path.parent / "backups", path.parent / "back")
    db = frz.Database(path.parent / "back", create=False)
    table = db.table("main.t")
    more = [row(rng, i) for i in range(250, 400)]
    table.write([("put", r) for r in more])
    table.flush()
    rows.update((tuple(r[i] for i in table.key), r) for r in more)
    expected = canonical(table, rows.values())

    for name in QUICK:
        assert sorted(readers.rows(table, readers.engine(name).read(table)), key=lambda r: r[:2]) == sorted(expected, key=lambda r: r[:2]), name
    assert db.verify() == []
    table.close()
    db.close()
