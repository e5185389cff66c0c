"""Deleted and upserted rows: position-delete files in v2, deletion vectors in v3, in few files and in many."""
import random

import pytest

from model import ALL, Case

MANY_FILES = {"write.target-file-size-bytes": "65536", "write.parquet.row-group-size-bytes": "65536", "write.parquet.compression-codec": "uncompressed"}
SCHEMA = "id long, pad binary?, v int?"


def many_files(path, version, at_least):
    """A case with that many data files, and for each file one list of its keys."""
    rng = random.Random(1)
    rows = at_least * 80 + 200
    c = Case(path, SCHEMA, "id", version, MANY_FILES)
    c.put((i, rng.randbytes(1000), i) for i in range(rows))
    c.flush()
    files = c.table.data_files()
    assert len(files) > at_least + 1, f"{len(files)} files"
    keys, start = [], 0
    for f in files:
        keys.append(range(start, start + f["rows"]))
        start += f["rows"]
    assert start == rows
    return c, [k for k in keys if len(k) > 20]  # the last one may be short


def nth(keys, n):
    """A key of each file: other positions in each, so that a mask of one file that is laid on another shows. N, below 20, gives others again."""
    return [k[(7 * i + n) % len(k)] for i, k in enumerate(keys)]


def deletes(c):
    return [f for f in c.table.files() if f["content"] == 1]


@pytest.mark.parametrize("version", (2, 3))
def test_one_flush_masks_in_more_than_50_files(path, version):
    c, keys = many_files(path, version, 52)
    with c:
        count = min(len(keys), 60)
        c.delete(nth(keys[:count], 0))
        c.flush()
        assert len([f for f in c.table.data_files() if f["rows_masked"]]) == count > 50
        assert len({f["path"] for f in deletes(c)}) == count, "each data file has its own: readers skip by it, and DuckDB 1.5.5 lays a vector of a shared Puffin file on other data files"
        c.check(ALL)


@pytest.mark.parametrize("version", (2, 3))
def test_one_flush_masks_in_more_than_64_files(path, version):
    c, keys = many_files(path, version, 70)
    with c:
        c.delete(nth(keys, 3))
        c.flush()
        assert len([f for f in c.table.data_files() if f["rows_masked"]]) > 64
        if version == 2:
            assert len(deletes(c)) == 1, "one file for all"
        c.check(ALL)
        for n in (5, 7, 9):  # own delete files on top of a shared one, then shared ones again
            c.delete(nth(keys[:n * 4], n))
            c.flush()
            c.check()
            c.delete(nth(keys, n + 1))
            c.flush()
            c.check()
        c.check(("spark",))


@pytest.mark.parametrize("version", (2, 3))
def test_shared_delete_files_stay_few(path, version):
    c, keys = many_files(path, version, 66)
    with c:
        for n in range(14):
            c.delete(nth(keys, n))
            c.flush()
        if version == 2:
            assert len(deletes(c)) <= 9
        c.check(ALL)


@pytest.mark.parametrize("version", (2, 3))
def test_delete_files_of_one_data_file_stay_few(path, version):
    c, keys = many_files(path, version, 3)
    with c:
        for n in range(20):
            c.delete([keys[0][n * 2], keys[2][n + 1]])
            c.flush()
            if n % 4 == 0:
                c.check()
        assert len(deletes(c)) <= (8 if version == 2 else 2)
        c.check(ALL)


@pytest.mark.parametrize("version", (2, 3))
def test_files_wholly_masked_go(path, version):
    c, keys = many_files(path, version, 8)
    with c:
        before = len(c.table.data_files())
        c.delete(list(keys[0]) + list(keys[3]) + list(keys[4])[1:])
        c.flush()
        assert len(c.table.data_files()) == before - 2
        c.check()
        c.delete([keys[4][0]])
        c.flush()
        assert len(c.table.data_files()) == before - 3
        c.check(ALL)
        c.delete(list(c.rows))
        c.flush()
        assert c.table.files() == []
        c.check(ALL)
        c.put([(1, b"", 1)])
        c.flush()
        c.check()


@pytest.mark.parametrize("version", (2, 3))
def test_keys_deleted_and_inserted_again(path, version):
    c, keys = many_files(path, version, 3)
    with c:
        some = [k[p] for i, k in enumerate(keys) for p in (2 * i, 2 * i + 1, len(k) - 1 - i)]
        for n in range(4):
            c.delete(some)
            if n % 2 == 0:  # the delete published alone, or both in one memtable
                c.flush()
                c.check()
            c.write(("insert", (k, b"again", n)) for k in some)
            c.flush()
            c.check(ALL if n == 3 else ("pyiceberg", "duckdb"))


@pytest.mark.parametrize("version", (2, 3))
def test_puts_and_deletes_that_leave_nothing_to_publish(path, version):
    with Case(path, SCHEMA, "id", version) as c:
        c.put([(1, None, 1)])
        c.delete([1])
        c.flush()
        c.check(ALL)
        c.delete([2])
        c.flush()
        c.check()
        c.put([(1, None, 2)])
        c.flush()
        before = len(c.table.snapshots())
        c.flush()
        assert len(c.table.snapshots()) == before, "a flush of nothing publishes nothing"
        c.check()
