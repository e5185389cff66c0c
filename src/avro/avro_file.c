#include "avro/avro_int.h"

#include "base/hash.h"
#include "base/utf8.h"
#include "codec/codec.h"

#define MAGIC           "Obj\x01"
#define SYNC_BYTES      16
#define BLOCK_BYTES     64000 /* a block is closed before the record that would come behind so many */
#define CREDIT_FIRST    65536
#define CREDIT_PER_BYTE 16

/* ── writer ── */

struct avro_writer {
    const allocator *a;
    bool deflate;
    uint8_t sync[SYNC_BYTES];
    struct buf file, block;
    int64_t records; /* in the block */
};

/* Same header, same marker: files are reproducible, and a marker is no likelier in the data than a random one. */
static void make_sync(struct avro_writer *w)
{
    uint64_t a = frz__hash64(buf_slice(&w->file)), b = frz__xxh64(buf_slice(&w->file));
    store_u64(w->sync, a);
    store_u64(w->sync + 8, b);
}

static int write_header(struct avro_writer *w, slice schema_json, const slice *kv, size_t kv_count, frz_error *err)
{
    TRY(buf_append(&w->file, MAGIC, 4, err));
    TRY(frz__avro_put_long(&w->file, (int64_t)kv_count + 2, err));
    TRY(frz__avro_put_bytes(&w->file, slice_str("avro.schema"), err));
    TRY(frz__avro_put_bytes(&w->file, schema_json, err));
    TRY(frz__avro_put_bytes(&w->file, slice_str("avro.codec"), err));
    TRY(frz__avro_put_bytes(&w->file, slice_str(w->deflate ? "deflate" : "null"), err));
    for (size_t i = 0; i < 2 * kv_count; i++) TRY(frz__avro_put_bytes(&w->file, kv[i], err));
    TRY(frz__avro_put_long(&w->file, 0, err));
    make_sync(w);
    return buf_append(&w->file, w->sync, SYNC_BYTES, err);
}

int frz__avro_writer_new(const allocator *a, slice schema_json, const slice *kv, size_t kv_count, bool deflate, struct avro_writer **out, frz_error *err)
{
    int rc;
    struct avro_writer *w = NULL;
    *out = NULL;
    CHECK(ALLOC_NEW(&w, a, struct avro_writer, err));
    w->a = a;
    w->deflate = deflate;
    w->file = w->block = BUF_INIT(a, 0);
    CHECK(write_header(w, schema_json, kv, kv_count, err));
    *out = w;
    w = NULL;
done:
    frz__avro_writer_free(w);
    return rc;
}

static int close_block(struct avro_writer *w, frz_error *err)
{
    struct buf packed = BUF_INIT(w->a, 0);
    int rc = FRZ_OK;
    if (w->records == 0) return FRZ_OK;
    if (w->deflate) CHECK(frz__deflate_raw(buf_slice(&w->block), &packed, err));
    slice body = buf_slice(w->deflate ? &packed : &w->block);
    CHECK(frz__avro_put_long(&w->file, w->records, err));
    CHECK(frz__avro_put_bytes(&w->file, body, err));
    CHECK(buf_append(&w->file, w->sync, SYNC_BYTES, err));
    buf_reset(&w->block);
    w->records = 0;
done:
    buf_clear(&packed);
    return rc;
}

int frz__avro_write(struct avro_writer *w, slice record, frz_error *err)
{
    if (w->block.len >= BLOCK_BYTES) TRY(close_block(w, err));
    TRY(buf_append_slice(&w->block, record, err));
    w->records++;
    return FRZ_OK;
}

int frz__avro_writer_finish(struct avro_writer *w, struct buf *out, frz_error *err)
{
    TRY(close_block(w, err));
    return buf_append_slice(out, buf_slice(&w->file), err);
}

void frz__avro_writer_free(struct avro_writer *w)
{
    if (!w) return;
    buf_clear(&w->file);
    buf_clear(&w->block);
    frz__free(w->a, w);
}

/* ── reader ── */

struct avro_reader {
    const allocator *a;
    slice bytes;
    struct arena kept, record; /* header and schema; one record */
    const slice *meta;         /* key, value, … */
    size_t meta_count;         /* pairs */
    const struct avro_schema *schema;
    const uint8_t *sync;
    enum avro_codec codec;
    struct avro_cursor file, block;
    uint64_t records_left, record_number;
    size_t block_at;        /* where the block began, for messages */
    struct codec_ctx *codec_ctx;
    struct buf unpacked;
    bool failed;
};

static int read_meta(struct avro_reader *r, frz_error *err)
{
    struct avro_cursor *c = &r->file;
    slice *kv = NULL;
    size_t used = 0, cap = 0;
    int rc = FRZ_OK;
    for (;;) {
        int64_t n, bytes;
        CHECK(frz__avro_get_long(c, &n, err));
        if (n == 0) break;
        if (n < 0) CHECK(frz__avro_get_long(c, &bytes, err));
        uint64_t count = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
        if (count > (uint64_t)(c->end - c->at) / 2) CHECK(frz__err_corrupt(err, "%" PRIu64 " pairs of metadata where %zu bytes are left", count, (size_t)(c->end - c->at)));
        for (; count > 0; count--) {
            while (used + 2 > cap) CHECK(frz__grow(r->a, (void **)&kv, cap, &cap, sizeof *kv, err));
            CHECK(frz__avro_get_bytes(c, &kv[used], err));
            CHECK(frz__avro_get_bytes(c, &kv[used + 1], err));
            used += 2;
        }
    }
    slice *meta = (slice *)arena_alloc(&r->kept, used * sizeof *meta, 8);
    if (!meta) CHECK(frz__err_no_memory(err, used * sizeof *meta));
    if (used) memcpy(meta, kv, used * sizeof *meta);
    r->meta = meta;
    r->meta_count = used / 2;
done:
    frz__free(r->a, kv);
    return rc;
}

static int read_codec(struct avro_reader *r, frz_error *err)
{
    static const char *const names[] = {"null", "deflate", "snappy", "zstandard"};
    slice name = frz__avro_meta(r, "avro.codec");
    if (!name.data || name.len == 0) return FRZ_OK;
    for (size_t i = 0; i < FRZ_ARRAY_LEN(names); i++)
        if (slice_eq(name, slice_str(names[i]))) {
            r->codec = (enum avro_codec)i;
            return FRZ_OK;
        }
    if (frz__utf8_check(name) != name.len) return frz__err_corrupt(err, "avro.codec is no UTF-8");
    return frz__err(err, FRZ_UNSUPPORTED, "codec \"%.*s\"", (int)frz__utf8_prefix(name, 20), name.data);
}

static int read_header(struct avro_reader *r, frz_error *err)
{
    struct avro_cursor *c = &r->file;
    if (r->bytes.len < 4 || memcmp(r->bytes.data, MAGIC, 4) != 0) return frz__err_corrupt(err, "no Avro file: it does not begin with \"Obj\" and 1");
    c->at = r->bytes.data + 4;
    c->end = r->bytes.data + r->bytes.len;
    TRY(read_meta(r, err));
    if (c->end - c->at < SYNC_BYTES) return frz__err_corrupt(err, "cut before its sync marker");
    r->sync = c->at;
    c->at += SYNC_BYTES;
    slice schema = frz__avro_meta(r, "avro.schema");
    if (!schema.data) return frz__err_corrupt(err, "no avro.schema");
    TRY(frz__avro_schema_parse(&r->kept, schema, &r->schema, err));
    return read_codec(r, err);
}

int frz__avro_reader_new(const allocator *a, slice bytes, struct avro_reader **out, frz_error *err)
{
    int rc;
    struct avro_reader *r = NULL;
    *out = NULL;
    CHECK(ALLOC_NEW(&r, a, struct avro_reader, err));
    r->a = a;
    r->bytes = bytes;
    r->kept = r->record = ARENA_INIT(a);
    r->unpacked = BUF_INIT(a, 0);
    r->block.ar = &r->record;
    r->block.credit = CREDIT_FIRST;
    CHECK_CTX(read_header(r, err), err, "Avro header");
    *out = r;
    r = NULL;
done:
    frz__avro_reader_free(r);
    return rc;
}

slice frz__avro_meta(const struct avro_reader *r, const char *key)
{
    const slice want = slice_str(key);
    for (size_t i = 0; i < r->meta_count; i++)
        if (slice_eq(r->meta[2 * i], want)) return r->meta[2 * i + 1];
    return slice_of(NULL, 0);
}

static int open_block(struct avro_reader *r, frz_error *err)
{
    struct avro_cursor *c = &r->file;
    int64_t count, bytes;
    r->block_at = (size_t)(c->at - r->bytes.data);
    TRY(frz__avro_get_long(c, &count, err));
    TRY(frz__avro_get_long(c, &bytes, err));
    size_t left = (size_t)(c->end - c->at);
    if (count < 0 || bytes < 0 || left < SYNC_BYTES || (uint64_t)bytes > left - SYNC_BYTES)
        return frz__err_corrupt(err, "%" PRId64 " records in %" PRId64 " bytes where %zu are left", count, bytes, left);
    slice body = slice_of(c->at, (size_t)bytes);
    if (memcmp(c->at + bytes, r->sync, SYNC_BYTES) != 0) return frz__err_corrupt(err, "its sync marker is not the file's");
    c->at += bytes + SYNC_BYTES;
    if (r->codec != AVRO_CODEC_NULL && (count > 0 || bytes > 0)) {
        buf_reset(&r->unpacked);
        TRY(frz__avro_unpack(r->a, &r->codec_ctx, r->codec, body, &r->unpacked, err));
        body = buf_slice(&r->unpacked);
    }
    if (r->schema->bytes_min && (uint64_t)count > body.len / r->schema->bytes_min) return frz__err_corrupt(err, "%" PRId64 " records in %zu bytes", count, body.len);
    r->block.at = body.data;
    r->block.end = body.data + body.len;
    r->block.credit += body.len * CREDIT_PER_BYTE;
    r->records_left = (uint64_t)count;
    return FRZ_OK;
}

static int next_record(struct avro_reader *r, struct avro_value **out, frz_error *err)
{
    while (r->records_left == 0) {
        if (r->block.at != r->block.end) return frz__err_corrupt(err, "%zu bytes are left behind its records", (size_t)(r->block.end - r->block.at));
        if (r->file.at == r->file.end) return FRZ_DONE;
        TRY(open_block(r, err));
    }
    size_t want = r->record.next_bytes; /* stays at its size, so that a record mostly takes one block */
    frz__arena_clear(&r->record);
    r->record.next_bytes = want < 65536 ? want : 65536;
    *out = (struct avro_value *)arena_alloc(&r->record, sizeof **out, 8);
    if (!*out) return frz__err_no_memory(err, sizeof **out);
    r->records_left--;
    r->record_number++;
    return frz__avro_value_read(&r->block, r->schema, *out, err);
}

int frz__avro_next(struct avro_reader *r, const struct avro_value **out, frz_error *err)
{
    struct avro_value *v = NULL;
    *out = NULL;
    if (r->failed) return frz__err_corrupt(err, "read on after an error");
    int rc = next_record(r, &v, err);
    if (rc < 0) {
        r->failed = true;
        frz__err_context(err, "Avro block at byte %zu, record %" PRIu64, r->block_at, r->record_number);
        return rc;
    }
    *out = v;
    return rc;
}

void frz__avro_reader_free(struct avro_reader *r)
{
    if (!r) return;
    frz__codec_ctx_free(r->codec_ctx);
    buf_clear(&r->unpacked);
    frz__arena_clear(&r->record);
    frz__arena_clear(&r->kept);
    frz__free(r->a, r);
}
