"""Other engines beside the writer: what they opened stays readable, each read is one published state, a moved warehouse reads."""
import hashlib
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


def digest(path):
    return {str(f.relative_to(path)): hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(path.rglob("*")) if f.is_file()}


def move_case(c, path):
    c.db = frz.Database(path, create=False)
    c.table = c.db.table("t")


@pytest.mark.parametrize("version", (2, 3))
def test_a_copied_or_moved_warehouse_is_read_and_written_where_it_is(path, version):
    """Paths in Iceberg's metadata are absolute: the first open for writing re-points them. Of what the copy was made of nothing is touched."""
    with Case(path, SCHEMA, "id", version) as c:
        c.put((i, i, f"x{i * 7919}" * 5) for i in range(3000))
        c.flush()
        c.delete(range(100, 120))
        c.put([(7, None, None)])
        c.flush()
        c.delete(range(200, 230))
        c.flush()
        c.put([(3_100, 1, "logged, not published")])
        c.table.close()
        c.db.close()
        before = digest(path)
        copy = path.with_name("a copy")
        shutil.copytree(path, copy)
        with frz.Database(copy, create=False, read_only=True) as db:
            t = db.table("t")
            assert sorted(t.scan(), key=lambda r: r[0]) == sorted(c.rows.values(), key=lambda r: r[0])
            t.close()
        c.published = dict(c.rows)
        move_case(c, copy)
        c.check(ALL)  # before anything is written there
        c.put([(5_000, 1, "of the copy"), (8, None, None)])
        c.delete(range(300, 310))
        c.flush()
        c.check(ALL)
        assert digest(path) == before
        c.table.close()
        c.db.close()
        shutil.rmtree(path)
        shutil.move(copy, path)  # to where another one was
        move_case(c, path)
        c.check(ALL)
        assert len(c.table.snapshots()) == 1
        c.reopen()
        c.put([(5_001, 1, "moved")])
        c.flush()
        c.check(ALL)


def test_one_warehouse_under_two_names_is_not_re_pointed_in_turn(path):
    with Case(path, SCHEMA, "id", 2) as c:
        c.put((i, i, None) for i in range(10))
        c.flush()
        c.table.close()
        c.db.close()
        other = path.with_name("other")
        shutil.move(path, other)
        path.symlink_to(other)
        with frz.Database(other, create=False) as db, pytest.raises(frz.FrzError, match="this very directory by another name"):
            db.table("t")
        path.unlink()
        move_case(c, other)
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
