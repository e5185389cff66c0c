#include "sst/sst_block.h"

#include "base/coding.h"
#include "base/hash.h"

static const enum sst_section_type order[] = {SST_PROPS, SST_FENCE, SST_FILTER}; /* on disk: what is small first, and the filter's checksums next to the footer */

int frz__sst_block_encode(struct sst_block *b, struct buf *out, frz_error *err)
{
    uint16_t count = 0;
    for (size_t i = 0; i < FRZ_ARRAY_LEN(order); i++) count = (uint16_t)(count + b->sections[order[i]].there);
    uint64_t at = SST_BLOCK_HEAD_BYTES(count);
    size_t start = out->len;
    uint8_t fixed[24];
    memcpy(fixed, SST_BLOCK_MAGIC, 4); /* NOLINT(bugprone-not-null-terminated-result): no text */
    store_u16(fixed + 4, SST_BLOCK_VERSION);
    store_u16(fixed + 6, count);
    store_u64(fixed + 8, b->rows);
    store_u64(fixed + 16, b->uuid_hash);
    TRY(buf_append(out, fixed, sizeof fixed, err));
    for (size_t i = 0; i < FRZ_ARRAY_LEN(order); i++) {
        struct sst_section *s = &b->sections[order[i]];
        if (!s->there) continue;
        s->offset = at;
        at += s->length;
        TRY(buf_append_u32(out, order[i], err));
        TRY(buf_append_u32(out, s->crc, err));
        TRY(buf_append_u64(out, s->offset, err));
        TRY(buf_append_u64(out, s->length, err));
    }
    b->length = at;
    return buf_append_u32(out, frz__crc32c(0, out->data + start, out->len - start), err);
}

int frz__sst_block_decode(slice head, const char *name, struct sst_block *b, size_t *need, frz_error *err)
{
    *need = SST_BLOCK_HEAD_BYTES(0);
    if (b->length < *need) return frz__err_corrupt(err, "%s: private block at %" PRIu64 ": %" PRIu64 " bytes are too few", name, b->offset, b->length);
    if (head.len < *need) return FRZ_DONE;
    if (memcmp(head.data, SST_BLOCK_MAGIC, 4) != 0) return frz__err_corrupt(err, "%s: private block at %" PRIu64 ": no FRZX at its head", name, b->offset);
    uint16_t version = load_u16(head.data + 4), count = load_u16(head.data + 6);
    *need = SST_BLOCK_HEAD_BYTES(count);
    if (count > SST_SECTIONS_MAX || *need > b->length) return frz__err_corrupt(err, "%s: private block at %" PRIu64 ": %u sections do not fit", name, b->offset, count);
    if (head.len < *need) return FRZ_DONE;
    uint32_t crc = frz__crc32c(0, head.data, *need - 4), stored = load_u32(head.data + *need - 4);
    if (crc != stored) return frz__err_corrupt(err, "%s: private block at %" PRIu64 ": checksum of its head: expected %08x, found %08x", name, b->offset, stored, crc);
    if (version != SST_BLOCK_VERSION) return frz__err(err, FRZ_NEWER_FORMAT, "%s: private block of version %u; this is frazil %s, which reads version %u", name, version, frz_version(), SST_BLOCK_VERSION);
    b->rows = load_u64(head.data + 8);
    b->uuid_hash = load_u64(head.data + 16);
    memset(b->sections, 0, sizeof b->sections);
    for (uint16_t i = 0; i < count; i++) {
        const uint8_t *p = head.data + 24 + (size_t)i * 24;
        uint32_t type = load_u32(p);
        struct sst_section s = {true, load_u32(p + 4), load_u64(p + 8), load_u64(p + 16)};
        if (s.offset < *need || s.offset > b->length || s.length > b->length - s.offset)
            return frz__err_corrupt(err, "%s: private block at %" PRIu64 ": section %" PRIu32 " at %" PRIu64 " of %" PRIu64 " bytes lies outside of its %" PRIu64, name, b->offset, type, s.offset, s.length, b->length);
        if (type == 0 || type >= SST_SECTION_TYPES) continue; /* a later version's, which an earlier one may leave aside */
        if (b->sections[type].there) return frz__err_corrupt(err, "%s: private block at %" PRIu64 ": two sections of type %" PRIu32, name, b->offset, type);
        b->sections[type] = s;
    }
    if (!b->sections[SST_PROPS].there || !b->sections[SST_FENCE].there) return frz__err_corrupt(err, "%s: private block at %" PRIu64 ": no properties or no fences", name, b->offset);
    return FRZ_OK;
}

static bool digits(const uint8_t **p, const uint8_t *end, uint64_t *out)
{
    const uint8_t *start = *p;
    uint64_t v = 0;
    for (; *p < end && **p >= '0' && **p <= '9'; ++*p) {
        if (v > (UINT64_MAX - 9) / 10) return false;
        v = v * 10 + (uint64_t)(**p - '0');
    }
    *out = v;
    return *p > start;
}

bool frz__sst_block_place_parse(slice text, uint64_t *offset, uint64_t *length)
{
    const uint8_t *p = text.data, *end = text.data + text.len;
    if (!digits(&p, end, offset) || p == end || *p++ != ':') return false;
    return digits(&p, end, length) && p == end;
}

/* What Thrift makes of the key-value: key, header of the value (a string of 15 bytes), value. The last such bytes: a column's name may hold them too, and comes before. */
bool frz__sst_footer_find(slice footer, size_t *digits_at)
{
    static const char before[] = SST_FOOTER_KEY "\x18\x0F" "crc32c:";
    const size_t len = sizeof before - 1;
    if (footer.len < len + 8) return false;
    for (size_t at = footer.len - len - 8 + 1; at-- > 0;) {
        if (memcmp(footer.data + at, before, len) != 0) continue;
        *digits_at = at + len;
        return true;
    }
    return false;
}

uint32_t frz__sst_footer_crc(slice footer, size_t digits_at)
{
    uint32_t crc = frz__crc32c(0, footer.data, digits_at);
    crc = frz__crc32c(crc, SST_FOOTER_ZEROS, 8);
    return frz__crc32c(crc, footer.data + digits_at + 8, footer.len - digits_at - 8);
}

#define PROPS_FIXED 40
int frz__sst_props_encode(const struct sst_props *p, struct buf *out, frz_error *err)
{
    const uint8_t fixed[4] = {SST_KEY_CODEC_VERSION, p->level_hint, 10, 0};
    TRY(buf_append(out, fixed, sizeof fixed, err));
    TRY(buf_append_u64(out, p->seq_first, err));
    TRY(buf_append_u64(out, p->seq_last, err));
    TRY(buf_append_u64(out, p->pages_offset, err));
    TRY(buf_append_u64(out, p->pages_length, err));
    TRY(buf_append_u32(out, p->pages_crc, err));
    TRY(buf_append_u32(out, (uint32_t)p->first_key.len, err));
    TRY(buf_append_slice(out, p->first_key, err));
    TRY(buf_append_u32(out, (uint32_t)p->last_key.len, err));
    TRY(buf_append_slice(out, p->last_key, err));
    FRZ_ASSERT(p->key_columns.len % 8 == 0);
    TRY(buf_append_u32(out, (uint32_t)(p->key_columns.len / 8), err));
    return buf_append_slice(out, p->key_columns, err);
}

static bool take_slice(const uint8_t **p, const uint8_t *end, slice *out)
{
    if (end - *p < 4) return false;
    size_t len = load_u32(*p);
    *p += 4;
    if ((size_t)(end - *p) < len) return false;
    *out = slice_of(*p, len);
    *p += len;
    return true;
}

int frz__sst_props_decode(slice bytes, const char *name, struct sst_props *out, frz_error *err)
{
    const uint8_t *p = bytes.data + PROPS_FIXED, *end = bytes.data + bytes.len;
    uint32_t columns = 0;
    if (bytes.len < PROPS_FIXED + 12) return frz__err_corrupt(err, "%s: properties of %zu bytes are cut", name, bytes.len);
    if (bytes.data[0] != SST_KEY_CODEC_VERSION) return frz__err(err, FRZ_NEWER_FORMAT, "%s: keys of encoding %u; this is frazil %s, which reads %u", name, bytes.data[0], frz_version(), SST_KEY_CODEC_VERSION);
    if (bytes.data[2] != 10) return frz__err(err, FRZ_NEWER_FORMAT, "%s: key pages of 2^%u rows; this is frazil %s, which reads 2^10", name, bytes.data[2], frz_version());
    out->level_hint = bytes.data[1];
    out->seq_first = load_u64(bytes.data + 4);
    out->seq_last = load_u64(bytes.data + 12);
    out->pages_offset = load_u64(bytes.data + 20);
    out->pages_length = load_u64(bytes.data + 28);
    out->pages_crc = load_u32(bytes.data + 36);
    bool whole = take_slice(&p, end, &out->first_key) && take_slice(&p, end, &out->last_key) && end - p >= 4;
    if (whole) {
        columns = load_u32(p);
        p += 4;
        out->key_columns = slice_of(p, (size_t)(end - p));
    }
    if (!whole || out->key_columns.len != (uint64_t)columns * 8)
        return frz__err_corrupt(err, "%s: properties of %zu bytes do not hold the keys that they say", name, bytes.len);
    return FRZ_OK;
}
