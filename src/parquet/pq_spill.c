#include "parquet/pq_spill.h"

#define COPY_BYTES ((size_t)256 << 10)

static int spill_column(struct pq_spiller *s, struct pq_wcolumn *c, frz_error *err)
{
    TRY(frz__grow(c->stripe.a, (void **)&c->spilled, c->spill_count, &c->spill_cap, sizeof *c->spilled, err));
    TRY(s->to.write(s->to.ctx, s->end, buf_slice(&c->data), err));
    struct pq_spilled *last = c->spill_count ? &c->spilled[c->spill_count - 1] : NULL;
    if (last && last->at + last->bytes == s->end) last->bytes += c->data.len;
    else c->spilled[c->spill_count++] = (struct pq_spilled){s->end, c->data.len};
    s->end += c->data.len;
    c->spilled_bytes += c->data.len;
    buf_clear(&c->data);
    return FRZ_OK;
}

int frz__pq_spill(struct pq_spiller *s, struct pq_wcolumn *cols, size_t count, frz_error *err)
{
    uint64_t held = 0;
    if (!s->to.write) return FRZ_OK;
    for (size_t i = 0; i < count; i++) held += cols[i].data.len;
    if (held <= s->held_max) return FRZ_OK;
    for (size_t i = 0; i < count; i++)
        if (cols[i].data.len > s->held_max / (2 * count)) TRY(spill_column(s, &cols[i], err)); /* the others have less than half of it together */
    return FRZ_OK;
}

int frz__pq_spill_copy(const struct pq_spiller *s, const struct pq_wcolumn *c, struct buf *scratch, const struct pq_sink *put, frz_error *err)
{
    for (size_t i = 0; i < c->spill_count; i++) {
        const struct pq_spilled *p = &c->spilled[i];
        for (uint64_t at = 0, n; at < p->bytes; at += n) {
            n = p->bytes - at < COPY_BYTES ? p->bytes - at : COPY_BYTES;
            buf_reset(scratch);
            TRY(buf_reserve(scratch, (size_t)n, err));
            TRY(s->to.read(s->to.ctx, p->at + at, scratch->data, (size_t)n, err));
            TRY(put->append(put->ctx, slice_of(scratch->data, (size_t)n), err));
        }
    }
    return FRZ_OK;
}
