#include "view/hold.h"

#include <string.h>

void frz__holds_init(struct holds *s)
{
    frz__mutex_init(&s->mu, RANK_LEAF, "holds");
    s->first = NULL;
}

void frz__holds_clear(struct holds *s)
{
    FRZ_ASSERT(!s->first);
    frz__mutex_clear(&s->mu);
}

int frz__hold_new(struct holds *s, const allocator *a, const char *uuid, int64_t snapshot_id, int64_t sequence, struct hold **out, frz_error *err)
{
    struct hold *h = NULL;
    TRY(ALLOC_NEW(&h, a, struct hold, err));
    h->a = a;
    h->set = s;
    h->snapshot_id = snapshot_id;
    h->sequence = sequence;
    memcpy(h->uuid, uuid, sizeof h->uuid);
    atomic_init(&h->refs, 1);
    frz__mutex_lock(&s->mu);
    h->next = s->first;
    if (h->next) h->next->prev = h;
    s->first = h;
    frz__mutex_unlock(&s->mu);
    *out = h;
    return FRZ_OK;
}

struct hold *frz__hold_acquire(struct hold *h)
{
    if (h) atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
    return h;
}

void frz__hold_release(struct hold *h)
{
    if (!h || atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) != 1) return;
    frz__mutex_lock(&h->set->mu);
    if (h->prev) h->prev->next = h->next;
    else h->set->first = h->next;
    if (h->next) h->next->prev = h->prev;
    frz__mutex_unlock(&h->set->mu);
    frz__free(h->a, h);
}

bool frz__holds_any(struct holds *s, const char *uuid, int64_t added, int64_t removed)
{
    bool any = false;
    frz__mutex_lock(&s->mu);
    for (const struct hold *h = s->first; h && !any; h = h->next) any = h->sequence >= added && h->sequence < removed && strcmp(h->uuid, uuid) == 0;
    frz__mutex_unlock(&s->mu);
    return any;
}
