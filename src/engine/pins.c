#include "engine/pins.h"

#include "engine/flow.h"

void frz__keep_add(struct keep *p)
{
    struct db *db = p->db;
    frz__mutex_lock(&db->pins_mu);
    p->next = NULL;
    p->prev = db->pins_end;
    *db->pins_end = p;
    db->pins_end = &p->next;
    frz__mutex_unlock(&db->pins_mu);
}

static void remove_locked(struct keep *p)
{
    if (!p->prev) return;
    *p->prev = p->next;
    if (p->next) p->next->prev = p->prev;
    else p->db->pins_end = p->prev;
    p->prev = NULL;
}

void frz__keep_remove(struct keep *p)
{
    if (!p->db) return;
    frz__mutex_lock(&p->db->pins_mu);
    remove_locked(p);
    frz__mutex_unlock(&p->db->pins_mu);
}

int frz__keep_check(struct keep *p, frz_error *err)
{
    if (!atomic_load_explicit(&p->given_up, memory_order_acquire)) return FRZ_OK;
    return frz__err(err, FRZ_SNAPSHOT_TOO_OLD, "this snapshot or cursor was given up: with newer ones it kept more than %" PRIu64 " bytes of memtables from being freed (snapshot_memory_max)",
                    p->db->set.snapshot_memory_max);
}

/* Bytes of P's memtables that left their tables, as far as ROUND has not met them yet. *ANY: there are some. */
static uint64_t kept_by(const struct keep *p, uint64_t round, bool *any)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct view *v = p->views[i].view;
        for (size_t m = 0; v && m < v->mem_count; m++) {
            struct mem *mem = v->mems[m];
            if (atomic_load(&mem->counted) != MEM_UNCOUNTED) continue;
            *any = true;
            if (mem->pin_round == round) continue;
            mem->pin_round = round;
            bytes += mem_bytes(mem);
        }
    }
    return bytes;
}

void frz__pins_trim(struct db *db)
{
    size_t count = 0;
    if (frz__flow_pinned(db) <= db->set.snapshot_memory_max) return;
    frz__mutex_lock(&db->pins_mu);
    uint64_t round = ++db->pin_round, kept = 0;
    struct keep *newest = NULL;
    for (struct keep *p = db->pins_first; p; p = p->next) newest = p;
    for (struct keep *p = newest; p;) { /* backwards: PREV points to the NEXT of the one before, or to the list's head */
        struct keep *older = p->prev == &db->pins_first ? NULL : (struct keep *)(void *)((char *)p->prev - offsetof(struct keep, next));
        bool any = false;
        uint64_t own = kept_by(p, round, &any);
        if (any && (kept += own) > db->set.snapshot_memory_max) {
            atomic_store_explicit(&p->given_up, true, memory_order_release);
            remove_locked(p);
            if (p->give_up) p->give_up(p);
            count++;
        }
        p = older;
    }
    frz__mutex_unlock(&db->pins_mu);
    if (count == 0) return;
    stat_add(&db->snapshots_given_up, count);
    frz__log(&db->log, FRZ_LOG_WARN, "%zu snapshots and cursors are given up: they kept more than %" PRIu64 " bytes of memtables from being freed (snapshot_memory_max)", count, db->set.snapshot_memory_max);
}
