"""Other engines beside the writer: what they opened stays readable, each read is one published state, a moved warehouse reads."""
import shutil
import threading

import pytest

import frz
import readers
from model import ALL, QUICK, Case

SCHEMA = "id long, v long?, pad string?"


@pytest.mark.parametrize("version", (2, 3))
def test_a_state_once_opened_stays_readable(path, version):
    with Case(path, SCHEMA, "id", version) as c:
        c.put((i, i, "x" * 20) for i in range(1000))
        c.flush()
        c.delete(range(0, 1000, 9))
        c.flush()
        opened, then = readers.engine("pyiceberg").table(c.table.path), sorted(c.rows.values())
        for n in range(40):  # absorbed, merged, expired meanwhile
            c.put((i, n, None) for i in range(n * 20, n * 20 + 500))
            c.flush()
        assert sorted(readers.rows(c.table, opened.scan().to_arrow())) == then
        c.check()


@pytest.mark.parametrize("version", (2, 3))
def test_every_read_is_one_published_state(path, version):
    """A writer moves amounts between rows, batch by batch; whoever reads finds the same number of rows and the same sum."""
    n, stop, wrong, commits = 500, threading.Event(), [], [0]
    with Case(path, SCHEMA, "id", version) as c:
        c.put((i, 100, f"pad {i * 7919}" * 3) for i in range(n))
        c.flush()

        def write():
            try:
                while not stop.is_set():
                    k = commits[0]
                    a, b = k * 7 % n, (k * 13 + 1) % n
                    if a != b:
                        old = {i: c.table.get((i,))[1] for i in (a, b)}
                        c.table.write([("put", (a, old[a] - 1, None)), ("delete", (b,)), ("put", (b, old[b] + 1, f"moved {k}"))])
                    c.table.flush()
                    commits[0] += 1
            except Exception as e:
                wrong.append(repr(e))

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(15):
                for name in QUICK:
                    rows = readers.rows(c.table, readers.engine(name).read(c.table))
                    assert (len(rows), sum(r[1] for r in rows)) == (n, 100 * n), name
        finally:
            stop.set()
            writer.join()
        assert not wrong and commits[0] > 10, (wrong, commits)
        rows = readers.rows(c.table, readers.engine("spark").read(c.table))
        assert (len(rows), sum(r[1] for r in rows)) == (n, 100 * n)
        assert c.db.verify() == []


@pytest.mark.parametrize("version", (2, 3))
def test_a_moved_warehouse_is_read_by_frazil_and_written_where_it_was(path, version):
    """Paths in Iceberg's metadata are absolute: other engines read a warehouse where it was made."""
    with Case(path, SCHEMA, "id", version) as c:
        c.put((i, i, f"x{i * 7919}" * 5) for i in range(3000))
        c.flush()
        c.delete(range(100, 120))
        c.put([(7, None, None)])
        c.flush()
        c.table.close()
        c.db.close()
        moved = path.with_name("elsewhere")
        shutil.move(path, moved)
        with frz.Database(moved, create=False, read_only=True) as db:
            t = db.table("t")
            assert sorted(t.scan(), key=lambda r: r[0]) == sorted(c.rows.values(), key=lambda r: r[0])
            t.close()
        with frz.Database(moved, create=False) as db, pytest.raises(frz.FrzError, match="moved table can be read only"):
            db.table("t")
        shutil.move(moved, path)
        c.db = frz.Database(path, create=False)
        c.table = c.db.table("t")
        c.put([(5_000, 1, "back"), (8, None, None)])
        c.flush()
        c.check(ALL)


@pytest.mark.parametrize("version", (2, 3))
def test_two_tables_of_two_namespaces(path, version):
    with Case(path, SCHEMA, "id", version) as c:
        other = c.db.create("sales.orders_2-b", "k string, v int?", "k", 5 - version)
        other.put_all((f"k{i}", i) for i in range(100))
        c.put((i, i, None) for i in range(100))
        c.db.flush()
        c.published = dict(c.rows)
        c.check()
        for name in QUICK:
            assert sorted(readers.rows(other, readers.engine(name).read(other))) == sorted((f"k{i}", i) for i in range(100))
        other.close()


def test_closing_publishes(path):
    with Case(path, SCHEMA, "id", 2) as c:
        c.put((i, i, None) for i in range(100))
        c.reopen()
        c.check(ALL)
        c.put([(1, -1, "logged, not published")])
        c.reopen(close_flush=False)
        c.check()
        published = dict(c.rows)
        c.put([(2, -2, "logged, not published")])
        c.reopen()
        c.published = published
        c.check()
        c.flush()
        c.check(ALL)
