"""Equality deletes of another engine beside frazil's compactions (hazards 17). frazil writes none and reads none: a table that has them is refused by name, nothing of it is changed, and what others see stays
right; when the engine that wrote them has taken them out, all goes on."""
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import frz
import model
import readers
from model import ALL, Case
from test_evolution import spark_table

ASKED = {"frazil.compaction-enabled": "0"}


def delete_file(c, t, name, ids):
    """Rows with these ids: a file that says so, and its entry for a manifest."""
    path = c.table.path / "data" / name
    pq.write_table(pa.table({"id": pa.array(ids, pa.int64())}, pa.schema([pa.field("id", pa.int64(), False, {"PARQUET:field_id": "1"})])), path)
    spark = readers.engine("spark").spark
    fields = spark.sparkContext._gateway.new_array(spark.sparkContext._jvm.int, 1)
    fields[0] = 1
    builder = spark.sparkContext._jvm.org.apache.iceberg.FileMetadata.deleteFileBuilder(t.spec()).ofEqualityDeletes(fields)
    return builder.withPath(f"{t.location()}/data/{name}").withFormat("PARQUET").withFileSizeInBytes(path.stat().st_size).withRecordCount(len(ids)).build()


def spark_ids(c):
    return sorted(x["id"] for x in readers.engine("spark").read(c.table).to_pylist())


@pytest.mark.parametrize("version", (2, 3))
def test_one_that_lands_while_a_compaction_runs_is_not_escaped(path, version):
    with Case(path, "id long, v string?", "id", version, ASKED, close_flush=False) as c:
        for n in range(3):
            c.put((i, f"round {n}") for i in range(n * 300, n * 300 + 1000))
            c.flush()
        gone = [5, 400, 1599]
        landed = []

        def land(rows_done):
            if rows_done and not landed:
                landed.append(rows_done)  # told from inside the job: what it has read is not published yet
                t, _ = spark_table(c)
                theirs = delete_file(c, t, "theirs.parquet", gone)
                t.newRowDelta().addDeletes(theirs).commit()
                landed.append(theirs)

        with pytest.raises(frz.FrzError, match="equality delete"):
            c.table.compact(progress=land)
        assert len(landed) == 2
        left = sorted(set(range(1600)) - set(gone))
        assert spark_ids(c) == left
        c.put([(5000, "not published yet")])
        with pytest.raises(frz.FrzError, match="equality delete"):
            c.table.flush()
        assert spark_ids(c) == left, "nothing was committed over it"
        c.table.close()
        c.db.close()
        c.db = frz.Database(c.db.path, create=False, close_flush=False)
        with pytest.raises(frz.FrzError, match="equality delete"):
            c.db.table("main.t").count()
        c.db.close()
        assert spark_ids(c) == left, "nor did an open remove what it needs"
        t, _ = spark_table(c)
        t.newRewrite().deleteFile(landed[1]).commit()
        c.db = frz.Database(c.db.path, create=False)
        c.table = c.db.table("main.t")
        c.delete(gone)
        c.flush()
        c.check(ALL)
        c.compact()
        c.check(ALL)


@pytest.mark.parametrize("version", (2, 3))
def test_one_of_before_a_compactions_commit_still_meets_its_rows(path, version):
    """Two flushes are sequences 1 and 2, the compaction's commit is 3; a delete of sequence 3 concerns rows of a lower one alone."""
    with Case(path, "id long, v string?", "id", version, ASKED) as c:
        for n in range(2):
            c.put((i, f"round {n}") for i in range(n * 50, n * 50 + 100))
            c.flush()
        c.compact()
        c.db.close()
        t, _ = spark_table(c)
        assert t.currentSnapshot().sequenceNumber() == 3
        first = delete_file(c, t, "first.parquet", [1])
        t.newRowDelta().addDeletes(first).commit()
        assert spark_ids(c) == sorted(set(range(150)) - {1})
        t.newRewrite().deleteFile(first).addFile(delete_file(c, t, "second.parquet", [5, 70, 149]), 3).commit()
        assert spark_ids(c) == sorted(set(range(150)) - {5, 70, 149})
