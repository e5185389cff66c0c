"""Tags, branches, time travel and upgraded tables, as other engines see them and as frazil sees theirs."""
import itertools
import time

import pytest

import readers
from model import ALL, Case
from test_lineage import lineage

catalogs = itertools.count()
KEEP = {"history.expire.max-snapshot-age-ms": "86400000"}


def spark_table(c):
    """Java's own view of the table, to write refs by."""
    jvm = readers.engine("spark").spark._jvm
    conf = readers.engine("spark").spark._jsc.hadoopConfiguration()
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    kind = loader.loadClass("org.apache.iceberg.hadoop.HadoopTables")
    types, args = readers.engine("spark").spark.sparkContext._gateway.new_array(jvm.java.lang.Class, 1), readers.engine("spark").spark.sparkContext._gateway.new_array(jvm.java.lang.Object, 1)
    types[0], args[0] = loader.loadClass("org.apache.hadoop.conf.Configuration"), conf
    return kind.getConstructor(types).newInstance(args).load(str(c.table.path))


def spark_rows(c, **options):
    spark = readers.engine("spark")
    frame = spark.spark.read.format("iceberg").options(**options).load(str(c.table.path))
    return sorted((r[0], r[1]) for r in frame.collect())


def spark_sql(c, sql):
    spark = readers.engine("spark").spark
    name = f"snaps{next(catalogs)}"  # Spark remembers a catalog's tables, and paths come again
    spark.conf.set(f"spark.sql.catalog.{name}", "org.apache.iceberg.spark.SparkCatalog")
    spark.conf.set(f"spark.sql.catalog.{name}.type", "hadoop")
    spark.conf.set(f"spark.sql.catalog.{name}.warehouse", str(c.db.path))
    return sorted((r[0], r[1]) for r in spark.sql(sql.replace("TABLE", f"{name}.main.t")).collect())


def plain(rows):
    return sorted(rows.values())


@pytest.mark.parametrize("version", [2, 3])
def test_tags_are_seen_and_kept_while_snapshots_go(path, version):
    with Case(path, "id long, v string?", "id", version, {"frazil.snapshots-max": "3", "frazil.foreign-reader-grace-ms": "0"}) as c:
        c.put((i, f"one {i}") for i in range(300))
        c.flush()
        c.table.tag("v1")
        one, first = dict(c.rows), c.table.snapshots()[-1]["snapshot_id"]
        c.put((i, "two") for i in range(0, 300, 3))
        c.delete(range(1, 300, 30))
        c.flush()
        c.table.tag("v 2", max_ref_age_ms=86400000)
        two, second = dict(c.rows), c.table.snapshots()[-1]["snapshot_id"]
        for i in range(6):
            c.put((k, f"more {i}") for k in range(300))
            c.flush()
        assert len(c.table.snapshots()) == 5
        c.reopen()
        c.check(engines=ALL)
        c.check_snapshot(first, one, engines=ALL)
        c.check_snapshot(second, two, engines=ALL)
        assert sorted(c.table.scan_ref("v1")) == plain(one) and sorted(c.table.scan_ref("v 2")) == plain(two)

        refs = readers.engine("pyiceberg").table(c.table.path).metadata.refs
        assert {n: (r.snapshot_id, r.snapshot_ref_type.value, r.max_ref_age_ms) for n, r in refs.items() if n != "main"} == {"v1": (first, "tag", None), "v 2": (second, "tag", 86400000)}
        assert readers.engine("pyiceberg").table(c.table.path).scan().use_ref("v1").to_arrow().num_rows == len(one)
        assert spark_rows(c, tag="v1") == plain(one) and spark_rows(c, tag="v 2") == plain(two)
        assert spark_sql(c, "SELECT * FROM TABLE VERSION AS OF 'v1'") == plain(one)

        c.table.tag("v1", remove=True)
        c.put([(1000, "x")])
        c.flush()
        assert "v1" not in readers.engine("pyiceberg").table(c.table.path).metadata.refs
        assert first not in [s["snapshot_id"] for s in c.table.snapshots()]
        c.check(engines=ALL)


def test_tags_and_branches_of_java_are_read_kept_and_never_touched(path):
    with Case(path, "id long, v string?", "id", 2, {"frazil.snapshots-max": "2", "frazil.foreign-reader-grace-ms": "0"}) as c:
        c.put((i, "one") for i in range(100))
        c.flush()
        one, first = dict(c.rows), c.table.snapshots()[-1]["snapshot_id"]
        c.put((i, "two") for i in range(50))
        c.flush()
        two, second = dict(c.rows), c.table.snapshots()[-1]["snapshot_id"]
        t = spark_table(c)
        t.manageSnapshots().createTag("java tag", first).createBranch("side", second).setMinSnapshotsToKeep("side", 2).setMaxSnapshotAgeMs("side", 3600000).setMaxRefAgeMs("side", 86400000).commit()
        for i in range(4):
            c.put((k, f"more {i}") for k in range(100))
            c.flush()
        assert c.table.refs() == {"main": ("branch", c.table.snapshots()[-1]["snapshot_id"], 0, 0, 0), "java tag": ("tag", first, 0, 0, 0), "side": ("branch", second, 86400000, 3600000, 2)}
        assert sorted(c.table.scan_ref("java tag")) == plain(one) and sorted(c.table.scan_ref("side")) == plain(two)
        assert spark_rows(c, branch="side") == plain(two)
        with pytest.raises(Exception, match="is a branch"):
            c.table.tag("side", remove=True)
        c.table.tag("java tag", remove=True)
        assert "java tag" not in spark_table(c).refs()
        c.check(engines=ALL)


def test_times_agree_with_spark(path):
    with Case(path, "id long, v string?", "id", 2, KEEP) as c:
        states = []
        for i in range(4):
            c.put((k, f"{i}") for k in range(50))
            c.flush()
            time.sleep(0.01)
            states.append((c.table.snapshots()[-1]["timestamp_ms"], dict(c.rows)))
            time.sleep(0.01)
        for ms, rows in states:
            for at in (ms, ms + 3):
                assert sorted(c.table.scan_at(at)) == plain(rows)
                assert spark_rows(c, **{"as-of-timestamp": str(at)}) == plain(rows)
        gone = c.table.expire(older_than_ms=2**62, keep_last=2)
        assert len(gone) == 2
        c.check(engines=ALL)
        assert spark_rows(c, **{"as-of-timestamp": str(states[2][0])}) == plain(states[2][1])


def test_a_ladder_leaves_metadata_that_all_read(path):
    with Case(path, "id long, v string?", "id", 2, {"frazil.retention": "all:2, 1s:3", "history.expire.max-snapshot-age-ms": "1", "history.expire.min-snapshots-to-keep": "1",
                                                     "frazil.foreign-reader-grace-ms": "0"}) as c:
        kept = {}
        for i in range(12):
            c.put((k, f"{i}") for k in range(50))
            c.flush()
            kept[c.table.snapshots()[-1]["snapshot_id"]] = dict(c.rows)
            time.sleep(0.3)
        ids = [s["snapshot_id"] for s in c.table.snapshots()]
        assert 3 <= len(ids) <= 5
        for i in ids:
            c.check_snapshot(i, kept[i], engines=ALL)
            assert sorted(c.table.scan_published(i)) == plain(kept[i])
        assert spark_table(c).history().size() <= len(ids)
        c.check(engines=ALL)


def mixed(c):
    """Files with no masks, with file-scoped position deletes, and one with deletes in several files."""
    c.put((i, "x" * 40 + str(i * 7919 % 10007)) for i in range(4000))
    c.flush()
    c.put((i, "two") for i in range(10, 13))
    c.flush()
    c.delete([100, 101, 3999])
    c.flush()
    c.put((i, "y" * 40 + str(i * 7919 % 10007)) for i in range(10000, 13000))
    c.flush()


def test_an_upgraded_table_is_read_by_all_at_once_and_after_each_publish(path):
    with Case(path, "id long, v string?", "id", 2, KEEP) as c:
        mixed(c)
        c.check(engines=ALL)
        before, rows = c.table.snapshots()[-1]["snapshot_id"], dict(c.rows)
        c.table.upgrade(3)
        assert c.table.version == 3
        c.check(engines=ALL)  # position deletes in a table of format 3, no snapshot of it yet
        c.put([(11, "three"), (20000, "new")])
        c.delete([500])
        c.flush()
        c.check(engines=ALL)
        first = lineage(c)
        c.put([(12, "three")])
        c.delete([10500])
        c.flush()
        c.check(engines=ALL)
        second = lineage(c)
        assert {k: v for k, v in second.items() if k != 12} == {k: v for k, v in first.items() if k not in (12, 10500)}, "rows of before the upgrade keep the ids that they got"
        assert second[12][0] == first[12][0]
        c.reopen()
        c.put((i, "four") for i in range(0, 4000, 2))
        c.flush()
        third = lineage(c)
        assert all(third[k][0] == second[k][0] for k in second if k in third), "and hand them on"
        c.check(engines=ALL)
        c.check_snapshot(before, rows, engines=ALL)


def test_java_upgrades_and_frazil_follows(path):
    with Case(path, "id long, v string?", "id", 2, KEEP) as c:
        mixed(c)
        spark_table(c).updateProperties().set("format-version", "3").commit()
        c.table.version = 3
        c.put([(11, "three"), (20000, "new")])
        c.delete([500])
        c.flush()
        assert c.table.snapshots()[-1]["summary"].get("added-dvs")
        c.check(engines=ALL)
        c.put([(12, "three")])
        c.flush()
        c.check(engines=ALL)
        lineage(c)
