"""Schema changes: what each engine reads right after each kind of change, with files of before, files of after and masks over both; and changes that another engine makes."""
from decimal import Decimal

import pytest

import frz
import readers
from model import ALL, MANUAL, QUICK, Case

SCHEMA = "id long, n int, f float?, d decimal(9,2)?, s string, gone string?"


def change(c, of_row, *changes):
    """Alters the table; rows become what OF_ROW makes of them. Published and not: what was not published is not in the engines' state."""
    c.table.alter(*changes)
    c.rows = {k: of_row(r) for k, r in c.rows.items()}
    c.published = {k: of_row(r) for k, r in c.published.items()}


def more(c, first, make):
    """Rows over older ones, new ones, deletes of older ones."""
    c.put(make(i) for i in range(first, first + 150))
    c.delete(range(first - 40, first - 20))
    c.flush()


def steps(version):
    """(what, how rows change, the changes, how a row is made)"""
    yield ("widen", lambda r: r, [("type", "n", "long"), ("type", "f", "double"), ("type", "d", "decimal(20,2)")],
           lambda i: (i, i * 10**10, i / 10, Decimal(i * 10**12) + Decimal("0.25"), f"wide {i}", None))
    yield ("drop", lambda r: r[:5], [("drop", "gone")], lambda i: (i, -i, None, None, f"dropped {i}"))
    yield ("add", lambda r: (*r, None), [("add", "extra string?")], lambda i: (i, i, 0.5, Decimal("1.00"), "", f"extra {i}" if i % 3 else None))
    yield ("rename", lambda r: r, [("rename", "s", "label"), ("rename", "id", "key")], lambda i: (i, i, 1.5, None, f"label {i}", "x"))
    yield ("optional", lambda r: r, [("optional", "label")], lambda i: (i, i, 1.5, None, None, "x"))
    yield ("move", lambda r: (r[5], r[0], r[4], r[1], r[2], r[3]), [("move", "extra", "first"), ("move", "label", ("after", "key"))], lambda i: ("moved", i, None, i, None, None))
    yield ("add again under a dropped name, and describe", lambda r: (*r, None), [("add", "gone int?"), ("doc", "key", "which")], lambda i: (None, i, "z", i, 2.5, Decimal("-1.50"), i))
    if version == 3:
        yield ("add with defaults", lambda r: (*r, 7, "old"), [("add", "w int", 7), ("add", "t string?", "old")], lambda i: (None, i, None, i, None, None, None, i, f"t {i}"))


READS_DEFAULTS = ("spark", "duckdb")  # engines that know initial defaults


@pytest.mark.parametrize("version", (2, 3))
def test_each_change_is_read_at_once(path, version):
    with Case(path, SCHEMA, "id", version) as c:
        c.put((i, i, i / 4, Decimal(i) / 4, f"row {i}", "g") for i in range(1000))
        c.flush()
        c.put((i, -i, None, None, "later", None) for i in range(500, 700))
        c.delete(range(100, 130))
        c.flush()
        c.check(ALL)
        for k, (what, of_row, changes, make) in enumerate(steps(version)):
            engines = [e for e in ALL if what != "add with defaults" or e in READS_DEFAULTS]
            change(c, of_row, *changes)
            c.check(engines)  # files of before alone
            more(c, 200 + 120 * k, make)
            c.check(engines)  # and of after
            by_n = next(x.name for x in c.table.columns if x.name == "n")
            at = [x.name for x in c.table.columns].index(by_n)
            c.check_where([(by_n, ">", 100)], lambda r: r[at] is not None and r[at] > 100, engines)
            c.check_where([(by_n, "<", -550)], lambda r: r[at] is not None and r[at] < -550, engines)
        c.reopen()
        c.check(engines)


@pytest.mark.parametrize("version", (2, 3))
def test_a_table_without_rows_changes_too(path, version):
    with Case(path, SCHEMA, "id", version) as c:
        change(c, lambda r: r, ("drop", "gone"), ("type", "n", "long"))
        c.check(ALL)
        c.put([(1, 2**40, None, None, "x")])
        c.flush()
        c.check(ALL)


# ── changes of others ──


def spark_table(c):
    """The table as Spark's Iceberg library opens it by its directory: a Hadoop table."""
    spark = readers.engine("spark").spark
    jvm = spark.sparkContext._jvm
    return jvm.org.apache.iceberg.hadoop.HadoopTables(spark.sparkContext._jsc.hadoopConfiguration()).load(str(c.table.path)), jvm.org.apache.iceberg.types.Types


def foreign_change(c):
    t, types = spark_table(c)
    (t.updateSchema().updateColumn("n", types.LongType.get()).deleteColumn("gone").renameColumn("s", "label").addColumn("extra", types.StringType.get())
     .moveFirst("extra").makeColumnOptional("n").commit())


def after(r):
    return (None, r[0], r[1], r[2], r[3], r[4])


@pytest.mark.parametrize("version", (2, 3))
@pytest.mark.parametrize("state", ("open", "closed", "open, unpublished", "closed, unpublished"))
def test_a_change_by_spark_is_taken_up(path, version, state):
    with Case(path, SCHEMA, "id", version, close_flush=False) as c:
        c.put((i, i, None, Decimal("1.25"), f"row {i}", "g") for i in range(300))
        c.flush()
        if "unpublished" in state:
            c.put((i, -i, 0.5, None, f"in memory {i}", "h") for i in range(250, 350))
            c.delete(range(10))
        if "closed" in state:
            c.table.close()
            c.db.close()
        foreign_change(c)
        if "closed" in state:
            c.db = frz.Database(c.db.path, create=False, close_flush=False)
            c.table = c.db.table("main.t")
        if "unpublished" not in state and "open" in state:
            c.put([(1000, 1, None, None, "by the older schema", "x")])
        c.table.flush()
        c.table.reload_schema()
        c.rows = {k: after(r) for k, r in c.rows.items()}
        c.published = dict(c.rows)
        assert [x.name for x in c.table.columns] == ["extra", "id", "n", "f", "d", "label"]
        c.check(ALL)
        c.put([("e", 5, 2**40, None, None, "new"), (None, 6, None, None, None, "null")])
        c.flush()
        c.check(ALL)


@pytest.mark.parametrize("version", (2, 3))
def test_another_key_by_spark_leaves_the_table_to_be_read(path, version):
    with Case(path, "id long, other long, v string?", "id", version, close_flush=False) as c:
        c.put((i, i, "x") for i in range(100))
        c.flush()
        t, _ = spark_table(c)
        t.updateSchema().setIdentifierFields(_list(["other"])).commit()
        c.put([(1000, 1000, "unpublished")])
        with pytest.raises(frz.FrzError, match="FRZ_READ_ONLY.*primary key"):
            c.table.flush()
        with pytest.raises(frz.FrzError, match="FRZ_READ_ONLY"):
            c.put([(1001, 1, "refused")])
        assert c.table.count() == 101
        assert c.table.get((5,)) == (5, 5, "x")


def _list(names):
    jvm = readers.engine("spark").spark.sparkContext._jvm
    out = jvm.java.util.ArrayList()
    for n in names:
        out.add(n)
    return out
