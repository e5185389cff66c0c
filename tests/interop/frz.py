"""A binding of include/frazil.h for the tests alone: enough to write, read and ask, no more.

Values are canonical: bool, int, float, str, bytes, Decimal; a date is its days, a time or timestamp its µs or ns since the epoch, a uuid its 16 bytes.
Rows are tuples in column order."""
import ctypes as c
import json
import os
import struct
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_FOUND, DONE, EXISTS = 1, 2, 3
(NULL, BOOLEAN, INT, LONG, FLOAT, DOUBLE, DECIMAL, DATE, TIME, TIMESTAMP, TIMESTAMPTZ, TIMESTAMP_NS, TIMESTAMPTZ_NS, STRING, UUID, FIXED, BINARY) = range(17)
INTEGERS_32, INTEGERS_64 = (INT, DATE), (LONG, TIME, TIMESTAMP, TIMESTAMPTZ, TIMESTAMP_NS, TIMESTAMPTZ_NS)


class FrzError(Exception):
    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


class _Error(c.Structure):
    _fields_ = [("code", c.c_int32), ("os_errno", c.c_int32), ("message", c.c_char * 504)]


class _Bytes(c.Structure):
    _fields_ = [("data", c.c_void_p), ("len", c.c_size_t)]


class _Decimal(c.Structure):
    _fields_ = [("lo", c.c_uint64), ("hi", c.c_int64)]


class _As(c.Union):
    _fields_ = [("boolean", c.c_bool), ("i32", c.c_int32), ("i64", c.c_int64), ("f32", c.c_float), ("f64", c.c_double), ("dec", _Decimal), ("bytes", _Bytes)]


class _Value(c.Structure):
    _fields_ = [("type", c.c_int32), ("reserved", c.c_int32), ("v", _As)]


class _Type(c.Structure):
    _fields_ = [("id", c.c_int32), ("precision", c.c_int32), ("scale", c.c_int32), ("length", c.c_int32)]


class _Column(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("field_id", c.c_int32), ("name", c.c_char_p), ("type", _Type), ("required", c.c_bool), ("key_index", c.c_int32),
                ("doc", c.c_char_p), ("initial", _Value), ("write", _Value)]


class _DbOptions(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("create", c.c_bool), ("read_only", c.c_bool), ("no_close_flush", c.c_bool), ("durability", c.c_int32),
                ("sync_interval_ms", c.c_uint32), ("memory_bytes", c.c_uint64), ("memtable_bytes", c.c_uint64), ("log_segment_bytes", c.c_uint64),
                ("allocator", c.c_void_p), ("log", c.c_void_p), ("log_ctx", c.c_void_p), ("log_level", c.c_int32)]


class _Alter(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("kind", c.c_int32), ("column", c.c_char_p), ("add", c.POINTER(_Column)), ("name", c.c_char_p), ("type", _Type), ("place", c.c_int32), ("other", c.c_char_p),
                ("doc", c.c_char_p), ("value", _Value)]


class _TableOptions(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("format_version", c.c_int32), ("property_keys", c.POINTER(c.c_char_p)), ("property_values", c.POINTER(c.c_char_p)),
                ("property_count", c.c_size_t)]


class _ScanOptions(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("reverse", c.c_bool), ("from_exclusive", c.c_bool), ("to_inclusive", c.c_bool), ("snapshot", c.c_void_p),
                ("columns", c.c_void_p), ("column_count", c.c_size_t), ("from_", c.c_void_p), ("from_count", c.c_size_t), ("to", c.c_void_p), ("to_count", c.c_size_t),
                ("prefix", c.c_void_p), ("prefix_count", c.c_size_t), ("where", c.c_char_p), ("limit", c.c_uint64), ("batch_rows", c.c_uint32), ("schema", c.c_void_p)]


class _CompactOptions(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("dry_run", c.c_bool), ("no_flush", c.c_bool), ("from_", c.c_void_p), ("from_count", c.c_size_t), ("to", c.c_void_p), ("to_count", c.c_size_t),
                ("progress", c.c_void_p), ("file", c.c_void_p), ("ctx", c.c_void_p)]


class _CompactResult(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("reserved", c.c_uint32)] + [(n, c.c_uint64) for n in ("jobs", "files_in", "files_out", "bytes_in", "bytes_out", "rows_in", "rows_out", "rows_masked", "elapsed_us")]


class _CompactProgress(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("phase", c.c_int32), ("jobs", c.c_uint64), ("rows_done", c.c_uint64)]


class _SnapshotInfo(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("current", c.c_bool), ("snapshot_id", c.c_int64), ("parent_id", c.c_int64), ("sequence_number", c.c_int64),
                ("timestamp_ms", c.c_int64), ("operation", c.c_char_p), ("summary_json", c.c_char_p)]


class _TagOptions(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("remove", c.c_bool), ("no_replace", c.c_bool), ("snapshot_id", c.c_int64), ("max_ref_age_ms", c.c_int64)]


class _RefInfo(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("is_tag", c.c_bool), ("name", c.c_char_p), ("snapshot_id", c.c_int64), ("snapshot_timestamp_ms", c.c_int64),
                ("max_ref_age_ms", c.c_int64), ("max_snapshot_age_ms", c.c_int64), ("min_snapshots_to_keep", c.c_int64)]


class _ExpireOptions(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("dry_run", c.c_bool), ("by_time", c.c_bool), ("older_than_ms", c.c_int64), ("keep_last", c.c_int64),
                ("snapshot_ids", c.c_void_p), ("snapshot_id_count", c.c_size_t)]


class _FileInfo(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("content", c.c_int32), ("path", c.c_char_p), ("format", c.c_char_p), ("rows", c.c_uint64), ("rows_masked", c.c_uint64),
                ("bytes", c.c_uint64), ("sequence_number", c.c_int64)]


class _Finding(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("table", c.c_char_p), ("where", c.c_char_p), ("what", c.c_char_p)]


class _Report(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("reserved", c.c_uint32)] + [(n, c.c_uint64) for n in ("tables", "files", "rows", "pages", "bytes", "findings")]


_P = c.c_void_p
_PROGRESS_FN = c.CFUNCTYPE(c.c_int, _P, c.POINTER(_CompactProgress))
_SNAPSHOT_FN = c.CFUNCTYPE(c.c_int, _P, c.POINTER(_SnapshotInfo))
_REF_FN = c.CFUNCTYPE(c.c_int, _P, c.POINTER(_RefInfo))
_FILE_FN = c.CFUNCTYPE(c.c_int, _P, c.POINTER(_FileInfo))
_FINDING_FN = c.CFUNCTYPE(c.c_int, _P, c.POINTER(_Finding))
_lib = c.CDLL(os.environ.get("FRAZIL_LIB", str(ROOT / "build/release/libfrazil.so")))
_err = _Error()
_err_p = c.byref(_err)


def _declare(name, *args, result=c.c_int):
    f = getattr(_lib, name)
    f.argtypes, f.restype = args, result
    return f


_row_set = _declare("frz_row_set", _P, c.c_size_t, _P, _P)
_row_get = _declare("frz_row_get", _P, c.c_size_t, _P)
_row_clear = _declare("frz_row_clear", _P, result=None)
_batch_ops = {n: _declare(f"frz_batch_{n}", _P, _P, _P, _P) for n in ("put", "insert", "update")}
_batch_delete = _declare("frz_batch_delete", _P, _P, _P, c.c_size_t, _P)
_cursor_next = _declare("frz_cursor_next", _P, c.POINTER(_P), _P)
for _name in ("blob_data", "table_name"):
    _declare("frz_" + _name, _P, result=c.c_void_p)
_declare("frz_blob_len", _P, result=c.c_size_t)
_declare("frz_snapshot_seq", _P, result=c.c_uint64)
for _name in ("blob_free", "schema_free", "table_close", "row_free", "batch_free", "batch_clear", "cursor_close", "snapshot_close"):
    _declare("frz_" + _name, _P, result=None)


def _check(rc):
    if rc != 0:
        raise FrzError(_lib_status(rc), _err.message.decode())


def _lib_status(rc):
    f = _lib.frz_status_name
    f.restype = c.c_char_p
    return f(c.c_int(rc)).decode()


def _call(name, *args):
    """Calls frz_NAME with the error behind ARGS; raises unless it gives 0."""
    _check(getattr(_lib, "frz_" + name)(*args, _err_p))


def _blob(name, *args):
    out = _P()
    _call(name, *args, c.byref(out))
    try:
        return c.string_at(_lib.frz_blob_data(out), _lib.frz_blob_len(out))
    finally:
        _lib.frz_blob_free(out)


def _set_value(v, type_id, scale, x, keep):
    """Fills V; KEEP gets what must live as long as V is used."""
    v.type = type_id
    if x is None:
        v.type = NULL
    elif type_id in INTEGERS_64:
        v.v.i64 = x
    elif type_id in INTEGERS_32:
        v.v.i32 = x
    elif type_id == STRING or type_id >= UUID:
        b = x.encode() if type_id == STRING else x
        keep.append(b)
        v.v.bytes.data = c.cast(c.c_char_p(b), _P)
        v.v.bytes.len = len(b)
    elif type_id == DOUBLE:
        v.v.f64 = x
    elif type_id == FLOAT:
        v.v.f32 = x
    elif type_id == BOOLEAN:
        v.v.boolean = x
    else:
        n = unscaled(x, scale)
        v.v.dec.lo, v.v.dec.hi = n & (2**64 - 1), n >> 64


def unscaled(x, scale):
    sign, digits, exponent = x.as_tuple()
    n = int("".join(map(str, digits))) * 10 ** (scale + exponent)
    return -n if sign else n


def _get_value(v, scale):
    t = v.type
    if t == NULL:
        return None
    if t in INTEGERS_64:
        return v.v.i64
    if t in INTEGERS_32:
        return v.v.i32
    if t == STRING:
        return c.string_at(v.v.bytes.data, v.v.bytes.len).decode()
    if t >= UUID:
        return c.string_at(v.v.bytes.data, v.v.bytes.len) if v.v.bytes.len else b""
    if t == DECIMAL:
        n = (v.v.dec.hi << 64) | v.v.dec.lo
        return Decimal((n < 0, tuple(map(int, str(abs(n)))), -scale))
    return v.v.f64 if t == DOUBLE else v.v.f32 if t == FLOAT else v.v.boolean


@dataclass(frozen=True)
class Column:
    name: str
    type: int
    precision: int
    scale: int
    length: int
    required: bool
    key_index: int


class Database:
    def __init__(self, path, create=True, read_only=False, close_flush=True, memory_bytes=0, memtable_bytes=0, durability=3):
        o = _DbOptions(struct_size=c.sizeof(_DbOptions), create=create, read_only=read_only, no_close_flush=not close_flush, memory_bytes=memory_bytes,
                       memtable_bytes=memtable_bytes, durability=durability)
        self.path, self.handle = Path(path), _P()
        _call("db_open", os.fsencode(path), c.byref(o), c.byref(self.handle))

    def close(self):
        if self.handle:
            h, self.handle = self.handle, None
            _call("db_close", h)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def create(self, name, schema, key, version=2, properties=None):
        """SCHEMA as text ("id long, name string?") with its KEY, or as a dict of Iceberg's JSON, which names its key itself."""
        s, t = _P(), _P()
        if isinstance(schema, dict):
            text = json.dumps(schema).encode()
            _call("schema_parse_json", text, c.c_size_t(len(text)), c.byref(s))
        else:
            _call("schema_parse", schema.encode(), key.encode(), c.byref(s))
        items = list((properties or {}).items())
        keys = (c.c_char_p * len(items))(*[k.encode() for k, _ in items])
        values = (c.c_char_p * len(items))(*[str(v).encode() for _, v in items])
        o = _TableOptions(struct_size=c.sizeof(_TableOptions), format_version=version, property_keys=keys, property_values=values, property_count=len(items))
        try:
            _call("table_create", self.handle, name.encode(), s, c.byref(o), c.byref(t))
        finally:
            _lib.frz_schema_free(s)
        return Table(self, t)

    def table(self, name):
        t = _P()
        _call("table_open", self.handle, name.encode(), c.byref(t))
        return Table(self, t)

    def flush(self):
        _call("db_flush", self.handle)

    def stats(self, table=None):
        import json
        return json.loads(_blob("db_stats_text", self.handle, table.handle if table else None, c.c_bool(True)))

    def verify(self):
        """The findings, as text; [] = none."""
        found, report = [], _Report(struct_size=c.sizeof(_Report))

        @_FINDING_FN
        def on_finding(_, f):
            found.append(f"{f[0].table.decode()}: {(f[0].where or b'').decode()}: {f[0].what.decode()}")
            return 0

        _call("verify", self.handle, None, on_finding, None, c.byref(report))
        assert report.findings == len(found)
        return found


class Table:
    def __init__(self, db, handle):
        self.db, self.handle = db, handle
        _lib.frz_table_name.restype = c.c_char_p
        self.name = _lib.frz_table_name(handle).decode()
        self.path = db.path.joinpath(*self.name.split("."))
        self.version = _lib.frz_table_format_version(handle)
        self._row = None
        self.reload_schema()

    def reload_schema(self):
        """The table's columns of now, and a row of them."""
        handle = self.handle
        if self._row:
            _lib.frz_row_free(self._row)
        self.columns, self.key = self._read_schema()
        self._values = (_Value * len(self.columns))()
        self._pointers = [c.addressof(self._values) + i * c.sizeof(_Value) for i in range(len(self.columns))]
        self._row = _P()
        _call("row_new", handle, c.byref(self._row))

    def _read_schema(self):
        s = _P()
        _call("table_schema", self.handle, c.byref(s))
        columns = []
        _lib.frz_schema_column_count.restype = _lib.frz_schema_key_count.restype = c.c_size_t
        for i in range(_lib.frz_schema_column_count(s)):
            o = _Column(struct_size=c.sizeof(_Column))
            assert _lib.frz_schema_column(s, c.c_size_t(i), c.byref(o)) == 0
            columns.append(Column(o.name.decode(), o.type.id, o.type.precision, o.type.scale, o.type.length, o.required, o.key_index))
        key = [None] * _lib.frz_schema_key_count(s)
        for i, o in enumerate(columns):
            if o.key_index >= 0:
                key[o.key_index] = i
        _lib.frz_schema_free(s)
        return columns, key

    def close(self):
        _lib.frz_row_free(self._row)
        _lib.frz_table_close(self.handle)

    # ── schema ──

    def alter(self, *changes):
        """All in one commit: ("add", "n int?", default=None, place) · ("drop", n) · ("rename", n, to) · ("type", n, "long") · ("optional", n) · ("move", n, place) · ("doc", n, text) ·
        ("default", n, value). PLACE: "first", ("before", n), ("after", n)."""
        kinds, keep, array = ["", "add", "drop", "rename", "type", "optional", "move", "doc", "default"], [], (_Alter * len(changes))()
        for a, (kind, *args) in zip(array, changes):
            a.struct_size, a.kind = c.sizeof(_Alter), kinds.index(kind)
            place = args[-1] if kind in ("add", "move") and len(args) > (2 if kind == "add" else 1) else None
            if place:
                word, *other = (place,) if isinstance(place, str) else place
                a.place, a.other = ["", "first", "before", "after"].index(word), other[0].encode() if other else None
            if kind == "add":
                column = self._parse_column(args[0], keep)
                if len(args) > 1 and args[1] is not None:
                    for v in (column.initial, column.write):
                        _set_value(v, column.type.id, column.type.scale, args[1], keep)
                a.add = c.pointer(column)
                continue
            a.column = args[0].encode()
            if kind == "rename":
                a.name = args[1].encode()
            elif kind == "type":
                a.type = self._parse_column(f"x {args[1]}", keep).type
            elif kind == "doc":
                a.doc = args[1].encode()
            elif kind == "default":
                mine = next(x for x in self.columns if x.name == args[0])
                _set_value(a.value, mine.type, mine.scale, args[1], keep)
        _call("table_alter", self.handle, array, c.c_size_t(len(changes)))
        self.reload_schema()

    def _parse_column(self, text, keep):
        s, o = _P(), _Column(struct_size=c.sizeof(_Column))
        _call("schema_parse", text.encode(), None, c.byref(s))
        assert _lib.frz_schema_column(s, c.c_size_t(0), c.byref(o)) == 0
        keep.append(o.name)
        name = c.create_string_buffer(o.name)
        keep += [name, o]
        o.field_id, o.name = 0, c.cast(name, c.c_char_p)
        _lib.frz_schema_free(s)
        return o

    # ── writes ──

    def write(self, ops):
        """OPS: ("put" | "insert", row) · ("update", {column index: value}) · ("delete", key tuple); one batch, all or none."""
        batch = _P()
        _call("batch_new", self.db.handle, c.byref(batch))
        try:
            for op, x in ops:
                self._add(batch, op, x)
            _call("write", self.db.handle, batch, None, None)
        finally:
            _lib.frz_batch_free(batch)

    def _add(self, batch, op, x):
        keep, values, columns, row = [], self._values, self.columns, self._row
        if op == "delete":
            for i, (k, part) in enumerate(zip(self.key, x)):
                _set_value(values[i], columns[k].type, columns[k].scale, part, keep)
            _check(_batch_delete(batch, self.handle, values, len(x), _err_p))
            return
        _row_clear(row)
        for i, part in (x.items() if op == "update" else enumerate(x)):
            _set_value(values[i], columns[i].type, columns[i].scale, part, keep)
            _check(_row_set(row, i, self._pointers[i], _err_p))
        _check(_batch_ops[op](batch, self.handle, row, _err_p))

    def put_all(self, rows, batch_rows=10000):
        rows = list(rows)
        for i in range(0, len(rows), batch_rows):
            self.write(("put", r) for r in rows[i:i + batch_rows])

    def write_arrow(self, table, insert=False):
        """Upserts a pyarrow Table."""
        reader, stream, rows = table.to_reader(), (c.c_uint8 * 40)(), c.c_uint64()
        reader._export_to_c(c.addressof(stream))
        _call("write_arrow", self.handle, stream, c.c_bool(insert), None, c.byref(rows))
        return rows.value

    def put_json(self, text):
        b = text.encode()
        _row_clear(self._row)
        _call("row_set_json", self._row, b, c.c_size_t(len(b)))
        _call("put", self.handle, self._row, None)

    def flush(self):
        _call("table_flush", self.handle)

    def compact(self, progress=None):
        """The whole table; what was done, by name. PROGRESS hears of rows that are read, and not published yet."""
        options, result = _CompactOptions(struct_size=c.sizeof(_CompactOptions)), _CompactResult(struct_size=c.sizeof(_CompactResult))
        fn = _PROGRESS_FN(lambda _, p: progress(p.contents.rows_done) and 0 or 0)
        if progress:
            options.progress = c.cast(fn, c.c_void_p)
        _call("table_compact", self.handle, c.byref(options), c.byref(result))
        return {n: getattr(result, n) for n, _ in _CompactResult._fields_[2:]}

    # ── reads ──

    def _read_row(self, row):
        v, out = self._values[0], []
        for i, column in enumerate(self.columns):
            rc = _row_get(row, i, self._pointers[0])
            assert rc == 0, f"column {i} is not in the row"
            out.append(_get_value(v, column.scale))
        return tuple(out)

    def get(self, key):
        keep, values = [], (_Value * len(key))()
        for i, (k, part) in enumerate(zip(self.key, key)):
            _set_value(values[i], self.columns[k].type, self.columns[k].scale, part, keep)
        row = _P()
        _call("row_new", self.handle, c.byref(row))
        try:
            rc = _lib.frz_get(self.handle, None, values, c.c_size_t(len(key)), row, _err_p)
            if rc == NOT_FOUND:
                return None
            _check(rc)
            return self._read_row(row)
        finally:
            _lib.frz_row_free(row)

    def _cursor(self, where=None, snapshot=None):
        o = _ScanOptions(struct_size=c.sizeof(_ScanOptions), where=where.encode() if where else None, snapshot=snapshot)
        cursor = _P()
        _call("scan", self.handle, c.byref(o), c.byref(cursor))
        return cursor

    def _rows(self, read, where=None, snapshot=None):
        cursor, row, out = self._cursor(where, snapshot), _P(), []
        try:
            while (rc := _cursor_next(cursor, c.byref(row), _err_p)) == 0:
                out.append(read(row))
            if rc != DONE:
                _check(rc)
        finally:
            _lib.frz_cursor_close(cursor)
        return out

    def scan(self, where=None, snapshot=None):
        return self._rows(self._read_row, where, snapshot)

    def scan_json(self, where=None):
        return self._rows(lambda row: _blob("row_to_json", row).decode(), where)

    def scan_arrow(self):
        """All rows as a pyarrow Table."""
        import pyarrow as pa
        stream = (c.c_uint8 * 40)()
        _call("scan_arrow", self.handle, None, stream)
        return pa.RecordBatchReader._import_from_c(c.addressof(stream)).read_all()

    def scan_published(self, snapshot_id):
        return self._scan_opened("snapshot_open_published", c.c_int64(snapshot_id))

    def scan_ref(self, name):
        return self._scan_opened("snapshot_open_ref", name.encode())

    def scan_at(self, time_ms):
        return self._scan_opened("snapshot_open_at", c.c_int64(time_ms))

    def _scan_opened(self, how, which):
        snapshot = _P()
        _call(how, self.handle, which, c.byref(snapshot))
        try:
            return self.scan(snapshot=snapshot)
        finally:
            _lib.frz_snapshot_close(snapshot)

    def count(self):
        n = c.c_uint64()
        _call("count", self.handle, None, c.byref(n))
        return n.value

    # ── what is published ──

    def snapshots(self):
        out = []

        @_SNAPSHOT_FN
        def on_snapshot(_, i):
            out.append({n: getattr(i[0], n) for n in ("current", "snapshot_id", "parent_id", "sequence_number", "timestamp_ms")}
                       | {"operation": i[0].operation.decode(), "summary": __import__("json").loads(i[0].summary_json)})
            return 0

        _call("table_snapshots", self.handle, on_snapshot, None)
        return out

    def files(self):
        out = []

        @_FILE_FN
        def on_file(_, i):
            out.append({n: getattr(i[0], n) for n in ("content", "rows", "rows_masked", "bytes", "sequence_number")} | {"path": i[0].path.decode(), "format": i[0].format.decode()})
            return 0

        _call("table_files", self.handle, None, on_file, None)
        return out

    def data_files(self):
        return [f for f in self.files() if f["content"] == 0]

    def tag(self, name, snapshot_id=0, max_ref_age_ms=0, remove=False):
        o = _TagOptions(struct_size=c.sizeof(_TagOptions), snapshot_id=snapshot_id, max_ref_age_ms=max_ref_age_ms, remove=remove)
        _call("table_tag", self.handle, name.encode(), c.byref(o))

    def refs(self):
        """{name: (tag or branch, snapshot id, max-ref-age-ms, max-snapshot-age-ms, min-snapshots-to-keep)}"""
        out = {}

        @_REF_FN
        def on_ref(_, i):
            r = i[0]
            out[r.name.decode()] = ("tag" if r.is_tag else "branch", r.snapshot_id, r.max_ref_age_ms, r.max_snapshot_age_ms, r.min_snapshots_to_keep)
            return 0

        _call("table_refs", self.handle, on_ref, None)
        return out

    def expire(self, older_than_ms=None, keep_last=0, dry_run=False):
        """The ids of what went."""
        out = []

        @_SNAPSHOT_FN
        def on_snapshot(_, i):
            out.append(i[0].snapshot_id)
            return 0

        o = _ExpireOptions(struct_size=c.sizeof(_ExpireOptions), dry_run=dry_run, by_time=older_than_ms is not None, older_than_ms=older_than_ms or 0, keep_last=keep_last)
        _call("table_expire", self.handle, c.byref(o), on_snapshot, None)
        return out

    def upgrade(self, version=3):
        _call("table_upgrade", self.handle, c.c_int32(version))
        self.version = _lib.frz_table_format_version(self.handle)

    def set_property(self, key, value):
        _call("table_set_property", self.handle, key.encode(), value.encode() if value is not None else None)


def as_float32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]
