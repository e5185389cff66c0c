"""What pyiceberg can change of a frazil table. It has no catalog that is the table's folder; with one of a few lines its commits are taken up."""
import os
import uuid

import pytest

import frz
import readers
from model import ALL, Case

ASKED = {"frazil.compaction-enabled": "0"}


def newest(c):
    """The number of the newest version, as the hint says it, and its file."""
    folder = c.table.path / "metadata"
    n = int((folder / "version-hint.text").read_text())
    return n, folder / f"v{n}.metadata.json"


class Directory:
    """What pyiceberg lacks: a catalog that is the table's folder. A commit is a file that is linked as the next version, over nobody's; then the hint."""

    def __init__(self, c):
        self.c = c

    def _delete_old_metadata(self, *_):
        """frazil does, by its properties."""

    def load(self):
        from pyiceberg.io import load_file_io
        from pyiceberg.serializers import FromInputFile
        from pyiceberg.table import Table
        location = f"file://{newest(self.c)[1]}"
        io = load_file_io({}, location)
        return Table(("main", "t"), FromInputFile.table_metadata(io.new_input(location)), location, io, self)

    def commit_table(self, table, requirements, updates):
        from pyiceberg.exceptions import CommitFailedException
        from pyiceberg.serializers import ToOutputFile
        from pyiceberg.table import CommitTableResponse
        from pyiceberg.table.update import update_table_metadata
        n, path = newest(self.c)
        base = self.load()
        for r in requirements:
            r.validate(base.metadata)
        metadata = update_table_metadata(base.metadata, updates, metadata_location=base.metadata_location)
        made, there = path.with_name(f".theirs-{uuid.uuid4()}.metadata.json"), path.with_name(f"v{n + 1}.metadata.json")
        ToOutputFile.table_metadata(metadata, base.io.new_output(f"file://{made}"))
        try:
            os.link(made, there)
        except FileExistsError as e:
            raise CommitFailedException(f"version {n + 1} is another's") from e
        finally:
            made.unlink()
        hint = path.with_name(f".theirs-{uuid.uuid4()}")
        hint.write_text(str(n + 1))
        hint.rename(path.with_name("version-hint.text"))
        return CommitTableResponse(metadata=metadata, metadata_location=f"file://{there}")


@pytest.mark.parametrize("unpublished", (False, True))
def test_changes_of_an_altered_table_by_pyiceberg_are_taken_up(path, unpublished):
    from pyiceberg.types import LongType, StringType
    with Case(path, "id long, v string?, m int?", "id", 2, ASKED, close_flush=False) as c:
        c.put((i, f"row {i}", i) for i in range(100))
        c.flush()
        c.table.alter(("rename", "v", "label"), ("add", "n int?"))
        c.rows = {k: (*r, None) for k, r in c.rows.items()}
        c.flush()
        if unpublished:
            c.put([(1000, "by the older schema", 1, 5)])
            c.delete([3])
        t = Directory(c).load()
        with t.update_schema() as u:
            u.add_column("theirs", StringType()).rename_column("label", "text").update_column("n", LongType()).delete_column("m")
        t = Directory(c).load()
        with t.transaction() as x:
            x.set_properties({"theirs": "kept"})
        t.manage_snapshots().create_tag(t.current_snapshot().snapshot_id, "theirs").commit()
        if not unpublished:
            c.put([(1000, "by the older schema", 1, 5)])
        c.table.flush()
        c.table.reload_schema()
        assert [x.name for x in c.table.columns] == ["id", "text", "n", "theirs"]
        c.rows = {k: (r[0], r[1], r[3], None) for k, r in c.rows.items()}
        c.put([(1001, "new", 2**40, "x")])
        c.flush()
        c.check(ALL)
        t = Directory(c).load()
        assert t.properties["theirs"] == "kept" and "theirs" in t.refs()
        c.compact()
        c.check(ALL)
        c.reopen(close_flush=False)
        c.check(ALL)


def test_a_table_of_format_3_pyiceberg_reads_and_cannot_change(path):
    from pyiceberg.types import StringType
    with Case(path, "id long, v string?", "id", 3, ASKED) as c:
        c.put((i, f"row {i}") for i in range(100))
        c.flush()
        with pytest.raises(NotImplementedError, match="V3"), Directory(c).load().update_schema() as u:
            u.add_column("theirs", StringType())
        c.put([(1000, "x")])
        c.flush()
        c.check(ALL)


def test_rows_that_pyiceberg_appends_are_read_and_not_changed(path):
    import pyarrow as pa
    with Case(path, "id long, v string?", "id", 2, ASKED, close_flush=False) as c:
        c.put((i, f"row {i}") for i in range(100))
        c.flush()
        t = Directory(c).load()
        t.append(pa.table({"id": pa.array([500, 501], pa.int64()), "v": ["a", "b"]}, pa.schema([pa.field("id", pa.int64(), False), pa.field("v", pa.string())])))
        c.reopen(close_flush=False)
        c.rows |= {(500,): (500, "a"), (501,): (501, "b")}
        c.published = dict(c.rows)
        c.check(ALL, verify=False)
        c.put([(7, "changed")])  # found in a file of frazil's, so not looked for in theirs
        c.flush()
        c.check(ALL, verify=False)
        with pytest.raises(frz.FrzError, match="did not write it"):
            c.table.get((500,))
        c.put([(2000, "new")])  # not found in any, so looked for in theirs
        with pytest.raises(frz.FrzError, match="did not write it"):
            c.table.flush()
        for name in ALL:
            c.check_engine(name, sorted(readers.canonical(c.table, c.published.values())), lambda e: e.read(c.table))
