"""What stands in the metadata: counts that add up, operations by their names, snapshots to travel to, no litter."""
import json
import os
import re
import time
from pathlib import Path

import pytest
from pyiceberg.table.puffin import PuffinFile

import readers
from model import ALL, Case

SCHEMA = "id long, v string?"


def meta(c):
    return readers.engine("pyiceberg").table(c.table.path)


def recount(c):
    """The current snapshot's totals, counted anew from the manifests by pyiceberg."""
    table = meta(c)
    snapshot = table.current_snapshot()
    files, puffins = {"data": [], "deletes": [], "vectors": {}}, {}
    for manifest in snapshot.manifests(table.io):
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
            files["data" if int(entry.data_file.content) == 0 else "deletes"].append(entry.data_file)
            if entry.data_file.file_format.value.upper() == "PUFFIN":
                puffins[entry.data_file.file_path] = entry.sequence_number
    live = {f.file_path for f in files["data"]}
    for path in sorted(puffins, key=puffins.get):  # the newest vector of a data file is the one that counts
        for blob in PuffinFile(Path(path.removeprefix("file://")).read_bytes()).footer.blobs:
            if blob.properties["referenced-data-file"] in live:
                files["vectors"][blob.properties["referenced-data-file"]] = blob
    return table, snapshot, files


def check_summary(c):
    table, snapshot, files = recount(c)
    summary = snapshot.summary
    size = 0
    for f in files["data"] + files["deletes"]:
        path = f.file_path.removeprefix("file://")
        assert os.path.getsize(path) == f.file_size_in_bytes, path
        if f.file_format.value.upper() != "PUFFIN":
            size += f.file_size_in_bytes
    size += sum(blob.length for blob in files["vectors"].values())  # many vectors share a file: each counts with its own bytes
    if c.table.version == 3:
        assert len(files["vectors"]) == len(files["deletes"])
        assert sum(int(blob.properties["cardinality"]) for blob in files["vectors"].values()) == sum(f.record_count for f in files["deletes"])
    expected = {"total-data-files": len(files["data"]), "total-delete-files": len(files["deletes"]), "total-records": sum(f.record_count for f in files["data"]),
                "total-position-deletes": sum(f.record_count for f in files["deletes"]), "total-equality-deletes": 0, "total-files-size": size}
    assert {k: int(summary[k]) for k in expected} == expected
    assert expected["total-records"] - expected["total-position-deletes"] == len(c.published)
    inspected = table.inspect.files()
    assert inspected.num_rows == len(files["data"]) + len(files["deletes"])
    assert sum(inspected["record_count"].to_pylist()) == expected["total-records"] + expected["total-position-deletes"]
    manifests = table.inspect.manifests().to_pylist()
    assert sum(m["added_data_files_count"] + m["existing_data_files_count"] for m in manifests) == len(files["data"])
    assert sum(m["added_delete_files_count"] + m["existing_delete_files_count"] for m in manifests) == len(files["deletes"])
    for m in manifests:
        assert os.path.getsize(m["path"].removeprefix("file://")) == m["length"]
    for parent, child in zip(table.metadata.snapshots, table.metadata.snapshots[1:]):
        assert child.parent_snapshot_id == parent.snapshot_id and child.sequence_number > parent.sequence_number and child.timestamp_ms >= parent.timestamp_ms


def check_directory(c):
    """The hint is digits alone and names the newest; nothing else looks like metadata; no other hidden litter."""
    folder = c.table.path / "metadata"
    hint = (folder / "version-hint.text").read_bytes()
    assert re.fullmatch(rb"[1-9][0-9]*", hint), hint
    names = sorted(os.listdir(folder))
    versions = sorted(int(m[1]) for n in names if (m := re.fullmatch(r"v([1-9][0-9]*)\.metadata\.json", n)))
    assert versions[-1] == int(hint) and len(versions) <= 22 and versions == list(range(versions[0], versions[-1] + 1))
    for n in names:
        assert re.fullmatch(r"v[1-9][0-9]*\.metadata\.json|version-hint\.text|snap-[^/]*\.avro|[^./][^/]*\.avro", n), n
    for n in os.listdir(c.table.path / "data"):
        assert re.fullmatch(r"frz-[^/]*\.(parquet|puffin)", n), n
    for n in os.listdir(c.table.path):
        assert n in ("metadata", "data"), n
    document = json.loads((folder / f"v{versions[-1]}.metadata.json").read_text())
    log = [e["metadata-file"] for e in document.get("metadata-log", [])]
    assert all(os.path.exists(f.removeprefix("file://")) for f in log), "the metadata log names files that are there"
    assert document["location"] == f"file://{c.table.path}"
    return document


@pytest.mark.parametrize("version", (2, 3))
def test_summaries_equal_a_recount(path, version):
    with Case(path, SCHEMA, "id", version, {"write.target-file-size-bytes": "65536", "write.parquet.row-group-size-bytes": "65536"}) as c:
        for n in range(12):
            c.put((i, f"{i * 7919}-{n}" * 5) for i in range(n * 500, n * 500 + (2000, 30, 700)[n % 3]))
            c.delete(range(n * 100, n * 100 + n * 5))
            c.flush()
            check_summary(c)
            check_directory(c)
        c.check(ALL)


@pytest.mark.parametrize("version", (2, 3))
def test_operations_by_their_names(path, version):
    with Case(path, SCHEMA, "id", version) as c:
        steps = []

        def step(operation, ops):
            c.write(ops)
            c.flush()
            steps.append(operation)
            assert [s["operation"] for s in c.table.snapshots()] == steps
            assert [s.summary.operation.value for s in meta(c).metadata.snapshots] == steps

        step("append", [("put", (i, "v" * 100 + str(i * 7919))) for i in range(5000)])
        step("append", [("put", (10_000 + i, "x" * 100 + str(i * 104729))) for i in range(40)])  # too few to absorb the large file
        step("delete", [("delete", (7,)), ("delete", (70,))])
        step("overwrite", [("put", (8, "w"))])
        step("overwrite", [("put", (20_000, "new")), ("delete", (5_000_000,))])  # a small file is absorbed, so one goes and one comes
        step("delete", [("delete", (k[0],)) for k in list(c.rows)])
        c.check(ALL)


@pytest.mark.parametrize("version", (2, 3))
def test_time_travel(path, version):
    with Case(path, "id long, v string?, x double?", "id", version) as c:
        then = {}
        for n in range(14):
            c.put((i, f"at {n}", n / 3) for i in range(n * 10, n * 10 + 25))
            c.delete(range(n * 7, n * 7 + 4))
            c.flush()
            then[c.table.snapshots()[-1]["snapshot_id"]] = dict(c.rows)
        kept = [s["snapshot_id"] for s in c.table.snapshots()]
        assert len(kept) >= 8
        for s in kept:
            c.check_snapshot(s, then[s])
            assert sorted(c.table.scan_published(s)) == sorted(then[s].values())
        for s in kept[::4]:
            c.check_snapshot(s, then[s], ("spark", "polars"))


@pytest.mark.parametrize("version", (2, 3))
def test_300_small_flushes_keep_everything_bounded(path, version):
    properties = {"frazil.foreign-reader-grace-ms": "0", "history.expire.max-snapshot-age-ms": "1"}
    with Case(path, "id long, v string?, n int?", "id", version, properties) as c:
        most = {}
        for n in range(300):
            c.put((k * 37 % 5000, f"flush {n}", n) for k in range(n * 8, n * 8 + 20))
            c.delete([(n * 11) % 5000])
            c.flush()
            if n % 50 == 49:
                files = c.table.files()
                table = meta(c)
                now = {"data files": len([f for f in files if f["content"] == 0]), "delete files": len([f for f in files if f["content"] == 1]),
                       "snapshots": len(table.metadata.snapshots), "manifests": len(table.current_snapshot().manifests(table.io)), "bytes": len(json.dumps(check_directory(c)))}
                most = {k: max(v, most.get(k, 0)) for k, v in now.items()}
                check_summary(c)
                c.check(("pyiceberg", "duckdb"))
        assert most["data files"] <= 20 and most["delete files"] <= 40 and most["manifests"] <= 30 and most["snapshots"] <= 33, most
        assert most["bytes"] < 65536, most
        for _ in range(1200):  # files that nobody needs go within seconds, not with the flush
            litter = {d: len(os.listdir(c.table.path / d)) for d in ("metadata", "data")}
            if litter["metadata"] <= 200 and litter["data"] <= 120:
                break
            time.sleep(0.1)
        assert litter["metadata"] <= 200 and litter["data"] <= 120, litter
        c.check(ALL)


@pytest.mark.parametrize("version", (2, 3))
def test_every_path_is_one_spelling(path, version):
    """Readers compare paths as text: metadata, manifests and delete files must agree."""
    with Case(path, SCHEMA, "id", version) as c:
        c.put((i, "v" * 100 + str(i * 7919)) for i in range(5000))
        c.flush()
        c.delete([5, 6])
        c.flush()
        table, snapshot, files = recount(c)
        root = f"file://{c.table.path}/"
        assert table.metadata.location + "/" == root
        for f in files["data"] + files["deletes"]:
            assert f.file_path.startswith(root + "data/")
        data = {f.file_path for f in files["data"]}
        if version == 2:
            import pyarrow.parquet as pq
            for f in files["deletes"]:
                t = pq.read_table(f.file_path.removeprefix("file://"))
                assert set(t["file_path"].to_pylist()) <= data and t["pos"].to_pylist() == sorted(t["pos"].to_pylist())


def test_bounds_and_counts_in_manifests_are_true(path):
    with Case(path, "id long, s string?, d double?, n int?", "id", 2) as c:
        c.put((i, None if i % 3 else f"s{i:05}", float("nan") if i % 4 == 0 else i / 2, None) for i in range(1000))
        c.flush()
        (row,) = meta(c).inspect.files().to_pylist()
        m = row["readable_metrics"]
        assert (m["id"]["value_count"], m["id"]["null_value_count"], m["id"]["lower_bound"], m["id"]["upper_bound"]) == (1000, 0, 0, 999)
        assert (m["s"]["null_value_count"], m["s"]["lower_bound"], m["s"]["upper_bound"]) == (666, "s00000", "s00999")
        assert (m["d"]["nan_value_count"], m["d"]["lower_bound"], m["d"]["upper_bound"]) == (250, 0.5, 499.5)
        assert m["n"]["null_value_count"] == 1000 and m["n"]["lower_bound"] is None
