"""Row lineage of v3, as Spark sees it: an upserted row keeps its id, one that was deleted and came back is new."""
import readers
from model import Case


def lineage(c):
    """{key: (_row_id, _last_updated_sequence_number)}"""
    spark = readers.engine("spark")
    frame = spark.frame(c.table).select(c.table.columns[0].name, "_row_id", "_last_updated_sequence_number")
    found = {r[0]: (r[1], r[2]) for r in frame.collect()}
    assert set(found) == {k[0] for k in c.rows}
    ids = [i for i, _ in found.values()]
    assert None not in ids and len(set(ids)) == len(ids), "ids are unique"
    return found


def sequence(c):
    return c.table.snapshots()[-1]["sequence_number"]


def test_upserts_keep_ids_and_reinserted_rows_get_new_ones(path):
    with Case(path, "id long, v string?", "id", 3) as c:
        c.put((i, "x" * 50 + str(i * 7919)) for i in range(3000))
        c.flush()
        first = lineage(c)
        assert sorted(i for i, _ in first.values()) == list(range(3000))
        assert {s for _, s in first.values()} == {sequence(c)}

        c.put((i, "changed") for i in range(10))  # into a new file beside the old one
        c.flush()
        second, s2 = lineage(c), sequence(c)
        for k, (i, s) in second.items():
            assert i == first[k][0]
            assert s == (s2 if k < 10 else first[k][1])

        c.delete([20, 21])
        c.flush()
        c.put([(20, "back")])  # deleted in one flush, back in another
        c.flush()
        third, s3 = lineage(c), sequence(c)
        assert third[20][0] not in {i for i, _ in first.values()} and third[20][1] == s3
        assert {k: v for k, v in third.items() if k not in (20, 21)} == {k: v for k, v in second.items() if k not in (20, 21)}

        c.write([("delete", (30,)), ("put", (30, "new life")), ("put", (31, "same life")), ("put", (31, "same life again")), ("put", (5000, "new"))])  # in one memtable
        c.flush()
        fourth, s4 = lineage(c), sequence(c)
        used = {i for i, _ in first.values()} | {third[20][0]}
        assert fourth[30][0] not in used and fourth[30][1] == s4, "deleted and inserted again: a new row"
        assert fourth[31] == (first[31][0], s4)
        assert fourth[5000][0] not in used and fourth[5000][1] == s4
        for k in third:
            if k not in (30, 31):
                assert fourth[k] == third[k]

        c.put((i, "half of the table") for i in range(0, 3000, 2))  # absorbs the small files, of which some carry ids
        c.flush()
        fifth, s5 = lineage(c), sequence(c)
        born = {k for k in c.rows if k[0] not in fourth}
        for (k,) in c.rows:
            if (k,) in born:
                assert fifth[k][0] not in {i for i, _ in fourth.values()}
            else:
                assert fifth[k] == (fourth[k][0], s5 if k % 2 == 0 and k < 3000 else fourth[k][1])
        c.check(("spark", "pyiceberg", "duckdb"))


def test_ids_survive_reopening_and_many_rounds(path):
    with Case(path, "id long, v int?", "id", 3) as c:
        ids, used = {}, set()
        for n in range(25):
            c.put((k, n) for k in range(n * 20, n * 20 + 40))  # half upserts, half new
            c.delete([n * 20 + 3])
            if n % 5 == 2:
                c.write([("delete", (n * 20 + 5,)), ("put", (n * 20 + 5, -n))])
            if n % 8 == 4:
                c.reopen()
            else:
                c.flush()
            if n % 6 == 5 or n == 24:
                now = lineage(c)
                for k, (i, s) in now.items():
                    # untouched since the last look: the same row and the same sequence
                    if k in ids and k < (n - 6) * 20:
                        assert now[k] == ids[k]
                ids = now
        c.check(("spark", "pyiceberg"))


def test_next_row_id_covers_every_id(path):
    with Case(path, "id long, v int?", "id", 3) as c:
        for n in range(6):
            c.put((k, n) for k in range(n * 10, n * 10 + 30))
            c.flush()
        found = lineage(c)
        meta = readers.engine("pyiceberg").table(c.table.path).metadata
        assert meta.next_row_id > max(i for i, _ in found.values())
        for s in meta.snapshots:
            assert s.first_row_id is not None and s.first_row_id <= meta.next_row_id
