"""Compacted tables as others read them: the same rows, of every type, in both format versions; snapshots that say `replace` and count truly; rows that keep their ids and sequences."""
import random

import pytest

import model
import readers
from model import ALL, Case
from test_lineage import lineage
from test_metadata import check_summary, recount
from test_types import KEYS, types_of

ASKED = {"frazil.compaction-enabled": "0"}  # those that the test asks for alone
SMALL = ASKED | {"write.target-file-size-bytes": "65536", "write.parquet.row-group-size-bytes": "65536"}


def fill(c, rng, rounds=5):
    """Files that overlap, with masked rows in them, and rows that are not published yet."""
    for n in range(rounds):
        c.put(model.row(rng, c.table, (i,)) for i in rng.sample(range(3000), 1500 if n == 0 else 8))
        c.delete(rng.sample(sorted(k[0] for k in c.rows), 60))
        c.flush()
    c.put(model.row(rng, c.table, (i,)) for i in rng.sample(range(3000), 8))


def operation(c):
    return c.table.snapshots()[-1]["operation"]


@pytest.mark.parametrize("version", (2, 3))
@pytest.mark.parametrize("engine", ALL)
def test_every_type_reads_as_before(path, engine, version):
    rng = random.Random(40 + version)
    types = types_of(engine, version)
    schema = "id int, " + ", ".join(f"c{i} {t}?" for i, t in enumerate(types)) + ", " + ", ".join(f"r{i} {t}" for i, t in enumerate(types))
    with Case(path, schema, "id", version, SMALL) as c:
        fill(c, rng)
        done = c.compact()
        assert done["files_out"] > 1 and done["rows_masked"] > 0 and operation(c) == "replace"
        assert sum(f["rows"] for f in c.table.data_files()) == len(c.rows) and not [f for f in c.table.files() if f["content"] == 1], "nothing is masked any more"
        c.check((engine,))
        c.put(model.row(rng, c.table, (i,)) for i in range(0, 3000, 400))  # masks in what was compacted
        c.delete(k for k, in rng.sample(sorted(c.rows), 40))
        c.flush()
        c.check((engine,))
        c.compact()
        c.check((engine,))


@pytest.mark.parametrize("key, version", [(k, v) for k in KEYS for v in (2, 3)])
def test_every_type_as_key(path, version, key):
    rng = random.Random(key)
    with Case(path, f"k {key}, n int, v string?", "k,n", version, SMALL) as c:
        for n in range(4):
            c.put(model.row(rng, c.table) for _ in range(600 if n == 0 else 80))
            c.delete(rng.sample(sorted(c.rows), 20))
            c.flush()
        c.compact()
        c.check([e for e in ("pyiceberg", "duckdb") if readers.takes(e, c.table.columns[0])])


@pytest.mark.parametrize("version", (2, 3))
def test_the_snapshot_says_replace_and_counts_truly(path, version):
    rng = random.Random(7)
    with Case(path, "id int, v string?, d double?", "id", version, SMALL) as c:
        fill(c, rng)
        c.flush()
        before, masked = recount(c)[2], sum(f["rows_masked"] for f in c.table.data_files())
        done = c.compact()
        check_summary(c)
        table, snapshot, files = recount(c)
        summary = {k: int(v) for k, v in snapshot.summary.additional_properties.items() if v.isdigit()}
        assert operation(c) == "replace" and snapshot.summary.operation.value == "replace"
        assert done["jobs"] == 1, "so that one snapshot is all of it"
        assert summary["added-data-files"] == done["files_out"] == len(files["data"])
        assert summary["deleted-data-files"] == done["files_in"] == len(before["data"])
        assert summary["added-records"] == done["rows_out"] == len(c.rows)
        assert summary["deleted-records"] == done["rows_in"] == len(c.rows) + masked
        assert not files["deletes"] and summary["total-delete-files"] == 0 == summary["total-position-deletes"]
        inspected = table.inspect.snapshots().to_pylist()[-1]
        assert inspected["operation"] == "replace"
        assert table.inspect.files().num_rows == len(files["data"])
        assert sum(table.inspect.files().column("record_count").to_pylist()) == len(c.rows)
        c.check(ALL)


def test_sequences_of_the_outputs_are_those_of_the_beginning(path):
    """A delete of another engine that came between the beginning and the commit must still apply (hazards 17)."""
    with Case(path, "id int, v string?", "id", 2, ASKED) as c:
        c.put((i, "x" * 50 + str(i * 7919)) for i in range(3000))
        c.flush()
        c.put((i, "y") for i in range(50))
        c.flush()
        last = c.table.snapshots()[-1]["sequence_number"]
        c.compact()
        assert c.table.snapshots()[-1]["sequence_number"] == last + 1
        assert [f["sequence_number"] for f in c.table.data_files()] == [last]
        table = readers.engine("pyiceberg").table(c.table.path)
        entries = [e for m in table.current_snapshot().manifests(table.io) for e in m.fetch_manifest_entry(table.io, discard_deleted=True)]
        assert [e.sequence_number for e in entries] == [last]
        assert [e.file_sequence_number for e in entries] in ([last + 1], [None]), "of the commit itself"
        c.check(ALL)


def test_rows_keep_their_ids_and_last_updates(path):
    rng = random.Random(3)
    with Case(path, "id long, v string?", "id", 3, ASKED) as c:
        c.put((i, "x" * 50 + str(i * 7919)) for i in range(3000))
        c.flush()
        for n in range(4):
            c.put((i, f"changed {n}") for i in rng.sample(range(3200), 120))
            c.delete(rng.sample(range(3200), 30))
            c.flush()
        before = lineage(c)
        next_id = readers.engine("pyiceberg").table(c.table.path).metadata.next_row_id
        done = c.compact()
        assert done["rows_masked"] > 0
        assert lineage(c) == before
        c.compact()
        assert lineage(c) == before
        c.put([(5000, "new")])
        c.flush()
        after = lineage(c)
        assert {k: v for k, v in after.items() if k != 5000} == before
        assert after[5000][0] >= next_id, "an id that no row ever had"
        c.check(ALL)
