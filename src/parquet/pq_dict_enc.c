#include "parquet/pq_enc.h"

#include "base/hash.h"

#define SLOTS_MIN 1024u
#define PROBES_FREE 4096u     /* collisions that cost nothing to speak of */
#define PROBES_PER_VALUE 16u  /* beyond: somebody found out how to collide */

void frz__pq_dict_init(struct pq_dict *d, const allocator *a, struct pq_form form)
{
    *d = (struct pq_dict){.a = a, .width = form.width, .values = BUF_INIT(a, (size_t)UINT32_MAX)};
}

void frz__pq_dict_reset(struct pq_dict *d)
{
    d->count = 0;
    d->probes = 0;
    buf_reset(&d->values);
    if (d->slots) memset(d->slots, 0, ((size_t)d->mask + 1) * sizeof *d->slots);
}

size_t frz__pq_dict_memory(const struct pq_dict *d) { return d->values.cap + d->at_cap * sizeof *d->at + (d->slots ? ((size_t)d->mask + 1) * sizeof *d->slots : 0); }

void frz__pq_dict_clear(struct pq_dict *d)
{
    buf_clear(&d->values);
    frz__free(d->a, d->at);
    frz__free(d->a, d->slots);
    d->at = NULL;
    d->slots = NULL;
    d->at_cap = 0;
    d->mask = d->count = 0;
    d->probes = 0;
}

static inline uint32_t mix(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 p = (unsigned __int128)(a ^ 0x9E3779B97F4A7C15u) * (b ^ 0xE7037ED1A0B428DBu);
    uint64_t h = (uint64_t)p ^ (uint64_t)(p >> 64);
    return (uint32_t)(h ^ h >> 32);
}

/* Short values by two overlapping loads; they need not look beyond their own bytes. */
static inline uint32_t hash_bytes(const uint8_t *p, uint32_t len)
{
    if (len > 16) {
        uint64_t h = frz__hash64(slice_of(p, len));
        return (uint32_t)(h ^ h >> 32);
    }
    if (len >= 8) return mix(load_u64(p) ^ len, load_u64(p + len - 8));
    if (len >= 4) return mix((uint64_t)load_u32(p) << 32 | len, load_u32(p + len - 4));
    if (len == 0) return mix(0, 0);
    return mix((uint64_t)p[0] << 16 | (uint64_t)p[len >> 1] << 8 | p[len - 1], len);
}

static int grow_slots(struct pq_dict *d, frz_error *err)
{
    size_t cap = d->slots ? ((size_t)d->mask + 1) * 4 : SLOTS_MIN;
    uint64_t *slots = (uint64_t *)frz__alloc_array(d->a, cap, sizeof *slots);
    if (!slots) return frz__err_no_memory(err, cap * sizeof *slots);
    uint32_t mask = (uint32_t)cap - 1;
    for (size_t i = 0; d->slots && i <= d->mask; i++) {
        if (!d->slots[i]) continue;
        uint32_t s = (uint32_t)(d->slots[i] >> 32) & mask;
        while (slots[s]) s = (s + 1) & mask;
        slots[s] = d->slots[i];
    }
    frz__free(d->a, d->slots);
    d->slots = slots;
    d->mask = mask;
    return FRZ_OK;
}

static inline bool room(const struct pq_dict *d) { return d->slots && d->count < (d->mask + 1) / 2; }

/* Appends a value that is not there. FRZ_DONE: it does not fit. */
static int add_new(struct pq_dict *d, const uint8_t *p, uint32_t len, size_t bytes_max, frz_error *err)
{
    size_t need = (d->width ? 0 : 4) + (size_t)len;
    if (need > bytes_max || d->values.len > bytes_max - need) return FRZ_DONE;
    if (d->width == 0) {
        TRY(frz__grow(d->a, (void **)&d->at, d->count, &d->at_cap, sizeof *d->at, err));
        d->at[d->count] = (uint32_t)d->values.len;
        TRY(buf_reserve(&d->values, need, err));
        store_u32(d->values.data + d->values.len, len);
        d->values.len += 4;
    }
    TRY(buf_append(&d->values, p, len, err));
    d->count++;
    return FRZ_OK;
}

/* One look-up: EQ tells whether value INDEX is the one looked for. A new value is appended. */
#define LOOK_UP(h, EQ, p, len)                                                       \
    uint32_t s = (h) & d->mask, found = 0;                                           \
    for (uint64_t e; (e = d->slots[s]) != 0; s = (s + 1) & d->mask, d->probes++) {   \
        uint32_t index = (uint32_t)e - 1;                                            \
        if ((uint32_t)(e >> 32) == (h) && (EQ)) {                                    \
            found = index + 1;                                                       \
            break;                                                                   \
        }                                                                            \
    }                                                                                \
    if (!found) {                                                                    \
        int rc = add_new(d, (p), (len), bytes_max, err);                             \
        if (rc != FRZ_OK) return rc;                                                 \
        found = d->count;                                                            \
        d->slots[s] = (uint64_t)(h) << 32 | found;                                   \
        if (!room(d)) TRY(grow_slots(d, err));                                       \
        if (d->probes > PROBES_FREE + (uint64_t)PROBES_PER_VALUE * (i + d->count)) return FRZ_DONE; \
    }                                                                                \
    out[i] = found - 1

static int add_4(struct pq_dict *d, const struct pq_values *v, size_t bytes_max, uint32_t *out, frz_error *err)
{
    for (size_t i = 0; i < v->count; i++) {
        const uint8_t *p = v->data + i * 4;
        uint32_t x = load_u32(p), h = mix(x, 0);
        LOOK_UP(h, load_u32(d->values.data + (size_t)index * 4) == x, p, 4);
    }
    return FRZ_OK;
}

static int add_8(struct pq_dict *d, const struct pq_values *v, size_t bytes_max, uint32_t *out, frz_error *err)
{
    for (size_t i = 0; i < v->count; i++) {
        const uint8_t *p = v->data + i * 8;
        uint64_t x = load_u64(p);
        uint32_t h = mix(x, 0);
        LOOK_UP(h, load_u64(d->values.data + (size_t)index * 8) == x, p, 8);
    }
    return FRZ_OK;
}

static int add_fixed(struct pq_dict *d, const struct pq_values *v, size_t bytes_max, uint32_t *out, frz_error *err)
{
    for (size_t i = 0; i < v->count; i++) {
        const uint8_t *p = v->data + i * d->width;
        uint32_t h = hash_bytes(p, d->width);
        LOOK_UP(h, memcmp(d->values.data + (size_t)index * d->width, p, d->width) == 0, p, d->width);
    }
    return FRZ_OK;
}

static inline bool same(const struct pq_dict *d, uint32_t index, const uint8_t *p, uint32_t len)
{
    const uint8_t *q = d->values.data + d->at[index];
    return load_u32(q) == len && memcmp(q + 4, p, len) == 0;
}

static int add_var(struct pq_dict *d, const struct pq_values *v, size_t bytes_max, uint32_t *out, frz_error *err)
{
    for (size_t i = 0; i < v->count; i++) {
        uint32_t len = v->spans[i].len;
        const uint8_t *p = len ? v->data + v->spans[i].at : (const uint8_t *)"";
        uint32_t h = hash_bytes(p, len);
        LOOK_UP(h, same(d, index, p, len), p, len);
    }
    return FRZ_OK;
}

int frz__pq_dict_add(struct pq_dict *d, const struct pq_values *v, size_t bytes_max, uint32_t *out, frz_error *err)
{
    FRZ_ASSERT(v->form.phys != PQ_BOOLEAN);
    FRZ_ASSERT(v->form.width == d->width);
    if (!room(d)) TRY(grow_slots(d, err));
    switch (d->width) {
    case 0: return add_var(d, v, bytes_max, out, err);
    case 4: return add_4(d, v, bytes_max, out, err);
    case 8: return add_8(d, v, bytes_max, out, err);
    default: return add_fixed(d, v, bytes_max, out, err);
    }
}

uint64_t frz__pq_dict_plain_bytes(const struct pq_dict *d, const uint32_t *index, size_t count)
{
    if (d->width) return (uint64_t)count * d->width;
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) bytes += 4 + (uint64_t)load_u32(d->values.data + d->at[index[i]]);
    return bytes;
}

int frz__pq_dict_plain(const struct pq_dict *d, const uint32_t *index, size_t count, struct buf *out, frz_error *err)
{
    size_t bytes = (size_t)frz__pq_dict_plain_bytes(d, index, count);
    TRY(buf_reserve(out, bytes, err));
    uint8_t *to = out->data + out->len;
    for (size_t i = 0; i < count; i++) {
        size_t at = d->width ? (size_t)index[i] * d->width : d->at[index[i]], n = d->width;
        if (n == 0) n = 4 + (size_t)load_u32(d->values.data + at);
        memcpy(to, d->values.data + at, n);
        to += n;
    }
    out->len += bytes;
    return FRZ_OK;
}
