#include "parquet/pq_dec.h"

/* ── bit ranges ── */

/* The low N bits of V (N ≤ 8, all in one byte) at bit AT. */
static void put_some(uint8_t *bits, size_t at, size_t n, unsigned v)
{
    unsigned mask = ((1u << n) - 1) << (at & 7);
    bits[at / 8] = (uint8_t)((bits[at / 8] & ~mask) | (v << (at & 7) & mask));
}
/* N ≤ 8 bits from bit AT on; looks at no byte beyond them. */
static unsigned get_some(const uint8_t *bits, size_t at, size_t n)
{
    unsigned v = bits[at / 8] >> (at & 7);
    if ((at & 7) + n > 8) v |= (unsigned)bits[at / 8 + 1] << (8 - (at & 7));
    return v;
}

void frz__pq_bits_fill(uint8_t *bits, size_t at, size_t count, bool v)
{
    unsigned all = v ? 0xFF : 0;
    size_t head = (8 - (at & 7)) & 7;
    if (head > count) head = count;
    if (head) put_some(bits, at, head, all);
    at += head;
    count -= head;
    if (count >= 8) memset(bits + at / 8, (int)all, count / 8);
    if (count & 7) put_some(bits, at + (count & ~(size_t)7), count & 7, all);
}

void frz__pq_bits_copy(uint8_t *to, size_t at, const uint8_t *from, size_t from_at, size_t count)
{
    size_t head = (8 - (at & 7)) & 7;
    if (head > count) head = count;
    if (head) put_some(to, at, head, get_some(from, from_at, head));
    at += head;
    from_at += head;
    count -= head;
    uint8_t *t = to + at / 8;
    const uint8_t *f = from + from_at / 8;
    unsigned shift = from_at & 7;
    size_t bytes = count / 8, i = 0, done = bytes * 8;
    if (shift == 0) {
        if (bytes) memcpy(t, f, bytes);
    } else {
        for (; i + 9 <= bytes; i += 8) store_u64(t + i, load_u64(f + i) >> shift | (uint64_t)f[i + 8] << (64 - shift));
        for (; i < bytes; i++) t[i] = (uint8_t)(f[i] >> shift | f[i + 1] << (8 - shift));
    }
    if (count & 7) put_some(to, at + done, count & 7, get_some(from, from_at + done, count & 7));
}

/* ── unpacking: 32 values at once, one function a width, unrolled ── */

#define U1(W, j) out[j] = (uint32_t)(load_u64(in + (j) * (W) / 8) >> ((j) * (W) % 8)) & mask;
#define U4(W, j) U1(W, j) U1(W, j + 1) U1(W, j + 2) U1(W, j + 3)
#define U16(W, j) U4(W, j) U4(W, j + 4) U4(W, j + 8) U4(W, j + 12)
#define UNPACK(W)                                                                                                                                                                                 \
    static void unpack32_##W(const uint8_t *in, uint32_t *out)                                                                                                                                    \
    {                                                                                                                                                                                             \
        const uint32_t mask = (uint32_t)(((uint64_t)1 << (W)) - 1);                                                                                                                               \
        U16(W, 0) U16(W, 16)                                                                                                                                                                      \
    }
UNPACK(1) UNPACK(2) UNPACK(3) UNPACK(4) UNPACK(5) UNPACK(6) UNPACK(7) UNPACK(8) UNPACK(9) UNPACK(10) UNPACK(11) UNPACK(12) UNPACK(13) UNPACK(14) UNPACK(15) UNPACK(16) UNPACK(17) UNPACK(18)
UNPACK(19) UNPACK(20) UNPACK(21) UNPACK(22) UNPACK(23) UNPACK(24) UNPACK(25) UNPACK(26) UNPACK(27) UNPACK(28) UNPACK(29) UNPACK(30) UNPACK(31) UNPACK(32)

static void unpack32_0(const uint8_t *in, uint32_t *out)
{
    (void)in;
    memset(out, 0, 32 * sizeof *out);
}

typedef void unpack_fn(const uint8_t *in, uint32_t *out);
static unpack_fn *const unpackers[33] = {
    unpack32_0,  unpack32_1,  unpack32_2,  unpack32_3,  unpack32_4,  unpack32_5,  unpack32_6,  unpack32_7,  unpack32_8,  unpack32_9,  unpack32_10, unpack32_11, unpack32_12, unpack32_13, unpack32_14, unpack32_15, unpack32_16,
    unpack32_17, unpack32_18, unpack32_19, unpack32_20, unpack32_21, unpack32_22, unpack32_23, unpack32_24, unpack32_25, unpack32_26, unpack32_27, unpack32_28, unpack32_29, unpack32_30, unpack32_31, unpack32_32};

/* Each reads at most this many bytes behind its 4 × width. */
#define UNPACK_OVER 8

void frz__pq_dec_unpack(const uint8_t *p, const uint8_t *end, unsigned width, size_t count, uint32_t *out)
{
    FRZ_ASSERT(width <= 32 && (size_t)(end - p) >= bits_bytes(count * width));
    unpack_fn *fn = unpackers[width];
    size_t step = (size_t)4 * width;
    for (; count >= 32 && (size_t)(end - p) >= step + UNPACK_OVER; count -= 32, p += step, out += 32) fn(p, out);
    while (count) { /* near the end: by way of a copy with room behind it */
        uint8_t in[32 * 4 + UNPACK_OVER] = {0};
        uint32_t values[32];
        size_t n = count < 32 ? count : 32, have = (size_t)(end - p) < step ? (size_t)(end - p) : step;
        memcpy(in, p, have);
        fn(in, values);
        memcpy(out, values, n * sizeof *out);
        count -= n;
        out += n;
        if (count) p += step;
    }
}

void frz__pq_dec_unpack64(const uint8_t *p, const uint8_t *end, unsigned width, size_t count, uint64_t *out)
{
    FRZ_ASSERT(width <= 64 && (size_t)(end - p) >= bits_bytes(count * width));
    const uint64_t mask = width == 64 ? UINT64_MAX : ((uint64_t)1 << width) - 1;
    for (size_t i = 0; i < count; i++) {
        uint8_t in[9] = {0};
        const uint8_t *q = p + i * width / 8;
        unsigned shift = i * width % 8;
        if (end - q >= 9)
            memcpy(in, q, 9);
        else if (q < end)
            memcpy(in, q, (size_t)(end - q));
        uint64_t v = load_u64(in) >> shift;
        if (shift) v |= (uint64_t)in[8] << (64 - shift);
        out[i] = v & mask;
    }
}

/* ── runs ── */

int frz__pq_dec_rle_init(struct pq_rle *r, slice in, unsigned width, frz_error *err)
{
    if (width > 32) return frz__err_corrupt(err, "RLE: values of %u bits", width);
    *r = (struct pq_rle){.p = in.data, .end = in.data + in.len, .width = width};
    return FRZ_OK;
}

/* The next run's header. */
static int next_run(struct pq_rle *r, frz_error *err)
{
    uint64_t head;
    do {
        if (!varint_get(&r->p, r->end, &head)) return frz__err_corrupt(err, "RLE: cut, more values expected");
        r->packed = head & 1;
        r->left = head >> 1;
        if (r->left > INT32_MAX) return frz__err_corrupt(err, "RLE: a run of %" PRIu64, r->left);
        if (r->packed) {
            r->left *= 8;
        } else {
            size_t bytes = (r->width + 7) / 8;
            if ((size_t)(r->end - r->p) < bytes) return frz__err_corrupt(err, "RLE: cut in a run's value");
            r->value = 0;
            memcpy(&r->value, r->p, bytes);
            r->p += bytes;
            if (r->width < 32 && r->value >> r->width) return frz__err_corrupt(err, "RLE: value %" PRIu32 " is wider than %u bits", r->value, r->width);
        }
    } while (r->left == 0);
    return FRZ_OK;
}

/* Steps over TAKE values of a packed run, whose bytes are there; padding may be cut off at the very end. */
static void packed_step(struct pq_rle *r, uint64_t take)
{
    size_t bytes = bits_bytes(take * r->width);
    r->left -= take;
    r->p += bytes < (size_t)(r->end - r->p) ? bytes : (size_t)(r->end - r->p);
}

int frz__pq_dec_rle_next(struct pq_rle *r, size_t count, size_t total, uint32_t *out, size_t *made, frz_error *err)
{
    size_t n = 0;
    FRZ_ASSERT(count >= 8 || count == total);
    while (n < count) {
        if (r->left == 0) TRY(next_run(r, err));
        uint64_t take = r->left < count - n ? r->left : count - n;
        if (r->packed) {
            if (take < r->left && total > count) take &= ~(uint64_t)7; /* the next call starts at a byte */
            if (take == 0) break;
            if (bits_bytes(take * r->width) > (size_t)(r->end - r->p)) return frz__err_corrupt(err, "RLE: cut in a run of packed values");
            frz__pq_dec_unpack(r->p, r->end, r->width, take, out + n);
            packed_step(r, take);
        } else {
            uint32_t v = r->value;
            for (uint64_t i = 0; i < take; i++) out[n + i] = v;
            r->left -= take;
        }
        n += take;
    }
    *made = n;
    return FRZ_OK;
}

int frz__pq_dec_rle_bits(slice in, size_t count, uint8_t *bits, size_t at, size_t *ones, frz_error *err)
{
    struct pq_rle r;
    size_t set = 0;
    TRY(frz__pq_dec_rle_init(&r, in, 1, err));
    for (size_t n = 0; n < count;) {
        TRY(next_run(&r, err));
        size_t take = r.left < count - n ? (size_t)r.left : count - n;
        if (r.packed) {
            if (bits_bytes(take) > (size_t)(r.end - r.p)) return frz__err_corrupt(err, "RLE: cut in a run of packed bits");
            frz__pq_bits_copy(bits, at + n, r.p, 0, take);
            set += bits_count(r.p, take);
            packed_step(&r, r.left);
        } else {
            frz__pq_bits_fill(bits, at + n, take, r.value);
            set += r.value ? take : 0;
        }
        n += take;
        r.left = 0;
    }
    *ones = set;
    return FRZ_OK;
}

bool frz__pq_dec_rle_all_ones(slice in, size_t count)
{
    struct pq_rle r;
    return frz__pq_dec_rle_init(&r, in, 1, NULL) == FRZ_OK && next_run(&r, NULL) == FRZ_OK && !r.packed && r.value == 1 && r.left >= count;
}
