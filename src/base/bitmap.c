/* The format (RoaringFormatSpec), of one 32-bit bitmap of n containers:
 *     u32 12346, u32 n                               no run containers
 *     u16 12347, u16 n - 1, ceil(n / 8) bytes        with them: a bit each
 *     n × (u16 key, u16 cardinality - 1)             keys ascend
 *     n × u32 offset                                 from the bitmap's first byte; left out with run containers and n < 4
 *     containers                                     runs: u16 count, (u16 first, u16 length - 1) each · up to 4096 values: u16 each · more: 8192 bytes of bits
 * Both directions are written here: CRoaring 0.2.66 neither checks what it reads (a wrong cardinality or order passes) nor its allocations. The tests hold it against this. */
#include "base/bitmap.h"

#include "base/bits.h"
#include "base/coding.h"

#define COOKIE        12346u
#define COOKIE_RUNS   12347u
#define OFFSETS_FROM  4u /* with run containers */
#define ARRAY_MAX     4096u
#define BITSET_BYTES  8192u
#define CONTAINERS_MAX 65536u

/* ── encode ── */

struct shape { /* of one container */
    size_t from, count, runs;
    bool as_runs;
};

static struct shape container_at(const uint64_t *positions, size_t count, size_t from)
{
    struct shape s = {from, 1, 1, false};
    uint64_t high = positions[from] >> 16;
    for (size_t i = from + 1; i < count && positions[i] >> 16 == high; i++, s.count++) s.runs += positions[i] != positions[i - 1] + 1;
    size_t plain = s.count <= ARRAY_MAX ? 2 * s.count : BITSET_BYTES;
    s.as_runs = 2 + 4 * s.runs < plain;
    return s;
}

static size_t container_bytes(const struct shape *s) { return s->as_runs ? 2 + 4 * s->runs : s->count <= ARRAY_MAX ? 2 * s->count : BITSET_BYTES; }

static int put_u16(struct buf *out, uint64_t v, frz_error *err)
{
    uint8_t bytes[2] = {(uint8_t)v, (uint8_t)(v >> 8)};
    return buf_append(out, bytes, 2, err);
}

static int put_container(const uint64_t *p, const struct shape *s, struct buf *out, frz_error *err)
{
    p += s->from;
    if (s->as_runs) {
        TRY(put_u16(out, s->runs, err));
        for (size_t i = 0, end; i < s->count; i = end) {
            for (end = i + 1; end < s->count && p[end] == p[end - 1] + 1;) end++;
            TRY(put_u16(out, p[i], err));
            TRY(put_u16(out, end - i - 1, err));
        }
        return FRZ_OK;
    }
    if (s->count <= ARRAY_MAX) {
        for (size_t i = 0; i < s->count; i++) TRY(put_u16(out, p[i], err));
        return FRZ_OK;
    }
    TRY(buf_append_zero(out, BITSET_BYTES, err));
    uint8_t *bits = out->data + out->len - BITSET_BYTES;
    for (size_t i = 0; i < s->count; i++) bit_set(bits, p[i] & 0xFFFF);
    return FRZ_OK;
}

/* One 32-bit bitmap, of positions that share their upper 32 bits. Shapes are found anew in each pass: cheaper than keeping 65536 of them. */
static int encode_32(const uint64_t *p, size_t count, struct buf *out, frz_error *err)
{
    size_t n = 0, start = out->len;
    bool runs = false;
    for (size_t at = 0; at < count; n++) {
        struct shape s = container_at(p, count, at);
        runs |= s.as_runs;
        at += s.count;
    }
    if (runs) {
        TRY(put_u16(out, COOKIE_RUNS, err));
        TRY(put_u16(out, n - 1, err));
        size_t flags = out->len, i = 0;
        TRY(buf_append_zero(out, bits_bytes(n), err));
        for (size_t at = 0; at < count; i++) {
            struct shape s = container_at(p, count, at);
            if (s.as_runs) bit_set(out->data + flags, i);
            at += s.count;
        }
    } else {
        TRY(buf_append_u32(out, COOKIE, err));
        TRY(buf_append_u32(out, (uint32_t)n, err));
    }
    for (size_t at = 0; at < count;) {
        struct shape s = container_at(p, count, at);
        TRY(put_u16(out, p[at] >> 16, err));
        TRY(put_u16(out, s.count - 1, err));
        at += s.count;
    }
    if (!runs || n >= OFFSETS_FROM) {
        uint32_t offset = (uint32_t)(out->len - start + 4 * n); /* at most 65536 × 8192 bytes and a header */
        for (size_t at = 0; at < count;) {
            struct shape s = container_at(p, count, at);
            TRY(buf_append_u32(out, offset, err));
            offset += (uint32_t)container_bytes(&s);
            at += s.count;
        }
    }
    for (size_t at = 0; at < count;) {
        struct shape s = container_at(p, count, at);
        TRY(put_container(p, &s, out, err));
        at += s.count;
    }
    return FRZ_OK;
}

int frz__bitmap_encode(const uint64_t *positions, size_t count, struct buf *out, frz_error *err)
{
    uint64_t bitmaps = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && positions[i] <= positions[i - 1])
            return frz__err(err, FRZ_INVALID, "positions of a bitmap must ascend: %" PRIu64 " follows %" PRIu64, positions[i], positions[i - 1]);
        bitmaps += i == 0 || positions[i] >> 32 != positions[i - 1] >> 32;
    }
    TRY(buf_append_u64(out, bitmaps, err));
    for (size_t from = 0, end; from < count; from = end) {
        for (end = from + 1; end < count && positions[end] >> 32 == positions[from] >> 32;) end++;
        TRY(buf_append_u32(out, (uint32_t)(positions[from] >> 32), err));
        TRY(encode_32(positions + from, end - from, out, err));
    }
    return FRZ_OK;
}

/* ── decode: walked twice, first to check it all, then to hand it out ── */

#define OUT_COUNT 512
struct walk {
    const uint8_t *start, *p, *end; /* start: of all bytes, for messages */
    int (*fn)(void *ctx, const uint64_t *positions, size_t count); /* NULL in the pass that checks */
    void *ctx;
    frz_error *err;
    uint64_t total;
    size_t filled;
    uint64_t out[OUT_COUNT];
};

static size_t left(const struct walk *w) { return (size_t)(w->end - w->p); }
static size_t offset_of(const struct walk *w) { return (size_t)(w->p - w->start); }

static int need(struct walk *w, size_t bytes, const char *what)
{
    if (left(w) >= bytes) return FRZ_OK;
    return frz__err_corrupt(w->err, "bitmap, byte %zu: %s needs %zu bytes, %zu are left", offset_of(w), what, bytes, left(w));
}

static int emit(struct walk *w)
{
    int rc = w->filled ? w->fn(w->ctx, w->out, w->filled) : FRZ_OK;
    w->filled = 0;
    return rc;
}

/* Other than 0 comes from FN. */
static int give(struct walk *w, uint64_t position)
{
    w->out[w->filled++] = position;
    return w->filled == OUT_COUNT ? emit(w) : FRZ_OK;
}

static int walk_runs(struct walk *w, uint64_t base, unsigned cardinality)
{
    TRY(need(w, 2, "a run container"));
    unsigned n = load_u16(w->p), sum = 0;
    w->p += 2;
    TRY(need(w, 4 * (size_t)n, "a container's runs"));
    uint32_t next = 0; /* lowest value that may follow */
    for (unsigned i = 0; i < n; i++, w->p += 4) {
        uint32_t first = load_u16(w->p), last = first + load_u16(w->p + 2);
        if (first < next || last > 0xFFFF)
            return frz__err_corrupt(w->err, "bitmap, byte %zu: run %u..%u is out of order or out of range, values from %u to 65535 may follow", offset_of(w), first, last, next);
        next = last + 1;
        sum += last - first + 1;
        for (uint32_t v = first; w->fn && v <= last; v++) {
            int rc = give(w, base | v);
            if (rc) return rc;
        }
    }
    if (sum != cardinality) return frz__err_corrupt(w->err, "bitmap, byte %zu: runs of %u values, the container's header says %u", offset_of(w), sum, cardinality);
    return FRZ_OK;
}

static int walk_array(struct walk *w, uint64_t base, unsigned cardinality)
{
    TRY(need(w, 2 * (size_t)cardinality, "an array container"));
    for (unsigned i = 0; i < cardinality; i++, w->p += 2) {
        if (i > 0 && load_u16(w->p) <= load_u16(w->p - 2))
            return frz__err_corrupt(w->err, "bitmap, byte %zu: value %u follows %u in an array container", offset_of(w), load_u16(w->p), load_u16(w->p - 2));
        int rc = w->fn ? give(w, base | load_u16(w->p)) : FRZ_OK;
        if (rc) return rc;
    }
    return FRZ_OK;
}

static int walk_bitset(struct walk *w, uint64_t base, unsigned cardinality)
{
    TRY(need(w, BITSET_BYTES, "a bitset container"));
    size_t count = bits_count(w->p, 65536);
    if (count != cardinality) return frz__err_corrupt(w->err, "bitmap, byte %zu: a bitset of %zu values, the container's header says %u", offset_of(w), count, cardinality);
    for (uint32_t word = 0; w->fn && word < BITSET_BYTES / 8; word++)
        for (uint64_t bits = load_u64(w->p + (size_t)8 * word); bits; bits &= bits - 1) {
            int rc = give(w, base | (word * 64 + (uint32_t)__builtin_ctzll(bits)));
            if (rc) return rc;
        }
    w->p += BITSET_BYTES;
    return FRZ_OK;
}

static int walk_32(struct walk *w, uint64_t base)
{
    const uint8_t *start = w->p, *flags = NULL;
    TRY(need(w, 4, "a cookie"));
    uint32_t cookie = load_u32(w->p);
    size_t n;
    w->p += 4;
    if ((cookie & 0xFFFF) == COOKIE_RUNS) {
        n = (cookie >> 16) + 1;
        flags = w->p;
        TRY(need(w, bits_bytes(n), "the flags of run containers"));
        w->p += bits_bytes(n);
    } else if (cookie == COOKIE) {
        TRY(need(w, 4, "a count of containers"));
        uint32_t count = load_u32(w->p);
        if (count > CONTAINERS_MAX) return frz__err_corrupt(w->err, "bitmap, byte %zu: %u containers, at most 65536 are possible", offset_of(w), count);
        n = count;
        w->p += 4;
    } else return frz__err_corrupt(w->err, "bitmap, byte %zu: cookie %u, expected 12346 or 12347", (size_t)(start - w->start), cookie);

    bool with_offsets = !flags || n >= OFFSETS_FROM;
    TRY(need(w, n * (with_offsets ? 8 : 4), "the headers of containers"));
    const uint8_t *head = w->p, *offsets = head + 4 * n;
    w->p = offsets + (with_offsets ? 4 * n : 0);
    for (size_t i = 0; i < n; i++) {
        unsigned key = load_u16(head + 4 * i), cardinality = load_u16(head + 4 * i + 2) + 1u;
        if (i > 0 && key <= load_u16(head + 4 * i - 4))
            return frz__err_corrupt(w->err, "bitmap, byte %zu: container key %u follows %u", (size_t)(head + 4 * i - w->start), key, load_u16(head + 4 * i - 4));
        if (with_offsets && load_u32(offsets + 4 * i) != (size_t)(w->p - start))
            return frz__err_corrupt(w->err, "bitmap, byte %zu: container %zu begins at %zu, its offset says %u", (size_t)(offsets + 4 * i - w->start), i, (size_t)(w->p - start),
                                    load_u32(offsets + 4 * i));
        uint64_t at = base | (uint64_t)key << 16;
        int rc = flags && bit_get(flags, i) ? walk_runs(w, at, cardinality) : cardinality <= ARRAY_MAX ? walk_array(w, at, cardinality) : walk_bitset(w, at, cardinality);
        if (rc) return rc;
        w->total += cardinality;
    }
    return FRZ_OK;
}

static int walk_all(struct walk *w)
{
    TRY(need(w, 8, "the count of bitmaps"));
    uint64_t bitmaps = load_u64(w->p);
    w->p += 8;
    uint32_t last = 0;
    for (uint64_t i = 0; i < bitmaps; i++) {
        TRY(need(w, 4, "a bitmap's key"));
        uint32_t key = load_u32(w->p);
        if (i > 0 && key <= last) return frz__err_corrupt(w->err, "bitmap, byte %zu: key %u follows %u", offset_of(w), key, last);
        last = key;
        w->p += 4;
        int rc = walk_32(w, (uint64_t)key << 32);
        if (rc) return rc;
    }
    if (left(w)) return frz__err_corrupt(w->err, "bitmap, byte %zu: %zu bytes after its end", offset_of(w), left(w));
    return w->fn ? emit(w) : FRZ_OK;
}

int frz__bitmap_decode(slice bytes, int (*fn)(void *ctx, const uint64_t *positions, size_t count), void *ctx, uint64_t *count, frz_error *err)
{
    if (count) *count = 0;
    struct walk w = {.start = bytes.data, .p = bytes.data, .end = bytes.data + bytes.len, .err = err};
    TRY(walk_all(&w));
    if (count) *count = w.total;
    if (!fn) return FRZ_OK;
    w.p = bytes.data;
    w.fn = fn;
    w.ctx = ctx;
    return walk_all(&w);
}
