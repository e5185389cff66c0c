/* churn.h — the load of the soak and of its peers: batches of updates, inserts and deletes over a fixed set of ids, by a seeded generator, so that every engine gets the same.
 *
 * Rows     id, gen, balance, mark, note. `gen` counts what happened to the id; mark = churn_mark(id, gen), which SQL can compute; balances of all live rows add up to 0 after every batch
 * State    by id: gen << 1 | alive, and its balance. A writer has the ids that are its number modulo the writers': nobody else changes them */
#ifndef FRZ_BENCH_CHURN_H
#define FRZ_BENCH_CHURN_H
#include <inttypes.h>
#include <stdatomic.h>

#include "../cli/bench_gen.h"

#define CHURN_BATCH_MAX 64
#define CHURN_NOTE_MAX 96
#define CHURN_MARK_BASE 1000003
#define CHURN_DELETE_PERCENT 12

struct churn_state { _Atomic uint64_t begun, done; int64_t balance; }; /* begun: set before the write; done: after it */
struct churn_row { int64_t id, gen, balance, mark; char note[CHURN_NOTE_MAX]; size_t note_len; };
struct churn_op { bool remove; struct churn_row row; };
struct churn {
    struct gen_rng rng;
    struct churn_state *states; /* by id; shared */
    uint64_t rows;              /* ids */
    uint64_t writer, writers, batch_max;
    struct churn_op ops[CHURN_BATCH_MAX];
    size_t count;
};

static inline int64_t churn_mark(int64_t id, int64_t gen) { return (id * 7919 + gen * 104729) % CHURN_MARK_BASE; }

static inline void churn_note(struct churn_row *r)
{
    static const char words[16][9] = {"needle ", "frazil ", "river ", "anchor ", "slush ", "pancake ", "floe ", "brine ", "drift ", "grease ", "shuga ", "nilas ", "brash ", "ridge ", "lead ", "polynya "};
    uint64_t x = gen_mix((uint64_t)r->id * 31 + (uint64_t)r->gen);
    r->note_len = 0;
    for (int i = 0; i < 8; i++, x >>= 5) {
        size_t n = strlen(words[x & 15]);
        memcpy(r->note + r->note_len, words[x & 15], n);
        r->note_len += n;
    }
    r->note_len += (size_t)snprintf(r->note + r->note_len, CHURN_NOTE_MAX - r->note_len, "%llu", (unsigned long long)(x & 0xffff));
}

static inline bool churn_taken(const struct churn *c, int64_t id)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->ops[i].row.id == id) return true;
    return false;
}

/* The next batch: distinct ids; the last operation is a put, and takes what is missing from the sum. */
static inline void churn_next(struct churn *c)
{
    uint64_t own = (c->rows - c->writer + c->writers - 1) / c->writers;
    size_t want = 1 + (size_t)gen_below(&c->rng, c->batch_max);
    int64_t over = 0;
    if (want > own) want = (size_t)own;
    for (c->count = 0; c->count < want;) {
        int64_t id = (int64_t)(gen_below(&c->rng, own) * c->writers + c->writer);
        uint64_t dice = gen_next(&c->rng);
        if (churn_taken(c, id)) continue;
        struct churn_op *op = &c->ops[c->count];
        const struct churn_state *s = &c->states[id];
        uint64_t now = atomic_load_explicit(&s->done, memory_order_relaxed);
        bool alive = now & 1, last = c->count + 1 == want;
        op->remove = alive && !last && dice % 100 < CHURN_DELETE_PERCENT;
        op->row.id = id;
        op->row.gen = (int64_t)(now >> 1) + 1;
        over += alive ? s->balance : 0;
        op->row.balance = op->remove ? 0 : last ? over : (int64_t)(dice >> 8 & 0xfffff) - 0x80000;
        over -= op->row.balance;
        op->row.mark = churn_mark(id, op->row.gen);
        if (!op->remove) churn_note(&op->row);
        c->count++;
    }
}
static inline void churn_begin(struct churn *c)
{
    for (size_t i = 0; i < c->count; i++) atomic_store(&c->states[c->ops[i].row.id].begun, (uint64_t)c->ops[i].row.gen << 1 | !c->ops[i].remove);
}
static inline void churn_end(struct churn *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct churn_state *s = &c->states[c->ops[i].row.id];
        s->balance = c->ops[i].row.balance;
        atomic_store(&s->done, (uint64_t)c->ops[i].row.gen << 1 | !c->ops[i].remove);
    }
}
static inline uint64_t churn_bytes(const struct churn *c) /* of the user's */
{
    uint64_t n = 0;
    for (size_t i = 0; i < c->count; i++) n += 8 + (c->ops[i].remove ? 0 : 24 + c->ops[i].row.note_len);
    return n;
}

struct churn_sums { uint64_t rows; int64_t ids, gens, marks, balances; };
static inline void churn_sums(const struct churn_state *states, uint64_t rows, struct churn_sums *out)
{
    *out = (struct churn_sums){0};
    for (uint64_t id = 0; id < rows; id++) {
        uint64_t s = atomic_load(&states[id].done);
        if (!(s & 1)) continue;
        out->rows++;
        out->ids += (int64_t)id;
        out->gens += (int64_t)(s >> 1);
        out->marks += churn_mark((int64_t)id, (int64_t)(s >> 1));
        out->balances += states[id].balance;
    }
}
/* A counter of /proc/self/io or of /proc/self/status, in bytes (kB there); 0 where there is none. */
static inline uint64_t churn_proc(const char *file, const char *name)
{
    char line[256];
    unsigned long long n = 0;
    FILE *f = fopen(file, "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0 && sscanf(line + strlen(name), ": %llu", &n) == 1) break;
    if (f) fclose(f);
    return strstr(file, "status") ? n * 1024 : n;
}
#endif
