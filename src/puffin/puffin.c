#include "puffin/puffin.h"

#include <stdio.h>
#include "base/coding.h"
#include "base/utf8.h"

/*     magic, blobs, footer: magic, payload (JSON), i32 payload's length, 4 flag bytes, magic                                   */
static const uint8_t magic[4] = {'P', 'F', 'A', '1'};
#define FOOTER_BYTES      16 /* without the payload */
#define PAYLOAD_BYTES_MAX ((size_t)256 << 20) /* jansson takes some 30 bytes for each */
#define FLAG_LZ4          1u
#define DV_TYPE           "deletion-vector-v1"
#define DV_FIELD          2147483645 /* _pos */

/* ── out ── */

static void print_blob(struct jw *w, const struct puffin_blob *b, uint64_t length)
{
    char cardinality[24];
    snprintf(cardinality, sizeof cardinality, "%" PRIu64, b->cardinality);
    frz__jw_object(w);
    frz__jw_key(w, "type");
    frz__jw_cstr(w, DV_TYPE);
    frz__jw_key(w, "fields");
    frz__jw_array(w);
    frz__jw_int(w, DV_FIELD);
    frz__jw_array_end(w);
    frz__jw_key(w, "snapshot-id"); /* -1: both are inherited, as of any file that is added */
    frz__jw_int(w, -1);
    frz__jw_key(w, "sequence-number");
    frz__jw_int(w, -1);
    frz__jw_key(w, "offset");
    frz__jw_int(w, (int64_t)b->offset);
    frz__jw_key(w, "length");
    frz__jw_int(w, (int64_t)length);
    frz__jw_key(w, "properties");
    frz__jw_object(w);
    frz__jw_key(w, "referenced-data-file");
    frz__jw_str(w, b->referenced_data_file);
    frz__jw_key(w, "cardinality");
    frz__jw_cstr(w, cardinality);
    frz__jw_object_end(w);
    frz__jw_object_end(w);
}

static int print_payload(const struct puffin_blob *blobs, size_t count, struct buf *out, frz_error *err)
{
    struct jw w = JW_INIT(out, err);
    char by[32];
    snprintf(by, sizeof by, "frazil %s", frz_version());
    frz__jw_object(&w);
    frz__jw_key(&w, "blobs");
    frz__jw_array(&w);
    for (size_t i = 0; i < count; i++) print_blob(&w, &blobs[i], blobs[i].bytes.len);
    frz__jw_array_end(&w);
    frz__jw_key(&w, "properties");
    frz__jw_object(&w);
    frz__jw_key(&w, "created-by");
    frz__jw_cstr(&w, by);
    frz__jw_object_end(&w);
    frz__jw_object_end(&w);
    return frz__jw_end(&w);
}

int frz__puffin_write_dvs(struct puffin_blob *blobs, size_t count, struct buf *out, frz_error *err)
{
    FRZ_VERIFY(out->len == 0, err);
    TRY(buf_append(out, magic, sizeof magic, err));
    for (size_t i = 0; i < count; i++) {
        slice path = blobs[i].referenced_data_file;
        if (frz__utf8_check(path) != path.len) return frz__err(err, FRZ_INVALID, "the path of data file %zu is no UTF-8", i);
        blobs[i].offset = out->len;
        TRY(buf_append_slice(out, blobs[i].bytes, err));
    }
    TRY(buf_append(out, magic, sizeof magic, err));
    const size_t from = out->len;
    TRY(print_payload(blobs, count, out, err));
    if (out->len - from > PAYLOAD_BYTES_MAX) return frz__err(err, FRZ_TOO_LARGE, "a Puffin footer of %zu bytes for %zu blobs", out->len - from, count);
    TRY(buf_append_u32(out, (uint32_t)(out->len - from), err));
    TRY(buf_append_u32(out, 0, err)); /* flags */
    return buf_append(out, magic, sizeof magic, err);
}

/* ── in ── */

/* The payload; *BLOBS_END: where the blobs must end. */
static int find_payload(slice file, slice *payload, uint64_t *blobs_end, frz_error *err)
{
    if (file.len < sizeof magic + FOOTER_BYTES) return frz__err_corrupt(err, "%zu bytes are no Puffin file", file.len);
    const uint8_t *end = file.data + file.len;
    if (memcmp(file.data, magic, 4) != 0 || memcmp(end - 4, magic, 4) != 0) return frz__err_corrupt(err, "no Puffin file: it does not begin and end with PFA1");
    const uint32_t len = load_u32(end - 12), flags = load_u32(end - 8);
    if (flags & ~FLAG_LZ4) return frz__err_corrupt(err, "unknown flags %08" PRIx32 " in the footer", flags);
    if (flags) return frz__err(err, FRZ_UNSUPPORTED, "a compressed footer");
    const size_t room = file.len - sizeof magic - FOOTER_BYTES;
    if (len > room) return frz__err_corrupt(err, "a footer of %" PRIu32 " bytes where %zu are possible", len, room);
    if (len > PAYLOAD_BYTES_MAX) return frz__err(err, FRZ_TOO_LARGE, "a footer of %" PRIu32 " bytes", len);
    *payload = slice_of(end - 12 - len, len);
    if (memcmp(payload->data - 4, magic, 4) != 0) return frz__err_corrupt(err, "the footer does not begin with PFA1");
    *blobs_end = (uint64_t)(payload->data - 4 - file.data);
    return FRZ_OK;
}

static int read_blob(const struct json *j, uint64_t blobs_end, struct puffin_entry *e, frz_error *err)
{
    int64_t offset, length, ignored;
    const struct json *fields;
    TRY(frz__json_need_str(j, "type", &e->type, err));
    TRY(frz__json_need(j, "fields", JK_ARRAY, &fields, err));
    TRY(frz__json_need_int(j, "snapshot-id", &ignored, err));
    TRY(frz__json_need_int(j, "sequence-number", &ignored, err));
    TRY(frz__json_need_int(j, "offset", &offset, err));
    TRY(frz__json_need_int(j, "length", &length, err));
    if (offset < (int64_t)sizeof magic || length < 0 || (uint64_t)offset > blobs_end || (uint64_t)length > blobs_end - (uint64_t)offset)
        return frz__err_corrupt(err, "%" PRId64 " bytes at %" PRId64 " are not between 4 and %" PRIu64, length, offset, blobs_end);
    if (slice_eq(e->type, slice_str(DV_TYPE)) && frz__json_kind(frz__json_get(j, "compression-codec")) != JK_NULL)
        return frz__err_corrupt(err, "a deletion vector with a compression-codec");
    e->properties = frz__json_get(j, "properties");
    if (frz__json_kind(e->properties) != JK_NULL && frz__json_kind(e->properties) != JK_OBJECT) return frz__err_corrupt(err, "properties are no object");
    e->offset = (uint64_t)offset;
    e->length = (uint64_t)length;
    return FRZ_OK;
}

/* json.h raises FRZ_INVALID; in a file it is corruption. */
static int as_corrupt(int rc, const frz_error *why, frz_error *err, size_t blob)
{
    if (rc == FRZ_INVALID || rc == FRZ_CORRUPT) return frz__err_corrupt(err, "blob %zu: %s", blob, why->message);
    return frz__err(err, rc, "blob %zu: %s", blob, why->message);
}

static int read_blobs(const struct json *root, uint64_t blobs_end, int (*fn)(void *ctx, const struct puffin_entry *e), void *ctx, frz_error *err)
{
    const struct json *blobs = frz__json_get(root, "blobs");
    if (frz__json_kind(blobs) != JK_ARRAY) return frz__err_corrupt(err, "the footer has no list of blobs");
    for (size_t i = 0; i < frz__json_len(blobs); i++) {
        frz_error why;
        struct puffin_entry e;
        int rc = read_blob(frz__json_at(blobs, i), blobs_end, &e, &why);
        if (rc < 0) return as_corrupt(rc, &why, err, i);
        rc = fn(ctx, &e);
        if (rc != 0) return rc;
    }
    return FRZ_OK;
}

int frz__puffin_read(slice file, int (*fn)(void *ctx, const struct puffin_entry *e), void *ctx, frz_error *err)
{
    struct json *root = NULL;
    slice payload;
    uint64_t blobs_end;
    frz_error why;
    TRY(find_payload(file, &payload, &blobs_end, err));
    if (frz__json_parse(payload, &root, &why) < 0) return frz__err_corrupt(err, "Puffin footer: %s", why.message);
    int rc = read_blobs(root, blobs_end, fn, ctx, err);
    frz__json_free(root);
    return rc;
}
