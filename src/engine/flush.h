/* flush.h — what one flush holds while it runs, and its steps; flush*.c alone use it. */
#ifndef FRZ_ENGINE_FLUSH_H
#define FRZ_ENGINE_FLUSH_H
#include "engine/change.h"

struct flush_entry {
    const struct mem_key *key;
    const struct mem_version *version; /* the newest */
    uint64_t hash;
    uint64_t pos;  /* of the older row */
    int32_t file;  /* of the view, where that is; -1 = nowhere */
    bool new_life; /* a delete lies between this put and the older row: it gets a new row id */
};
#define FLUSH_RUN_ROWS 512
#define FLUSH_RUN_BYTES ((size_t)64 << 10)
struct flush_run { /* rows on their way into a data file */
    slice keys[FLUSH_RUN_ROWS], rows[FLUSH_RUN_ROWS];
    uint64_t hashes[FLUSH_RUN_ROWS];
    int64_t row_ids[FLUSH_RUN_ROWS];
    size_t count, bytes;
};
struct flush_file { uint64_t live_bytes; bool absorbed; }; /* by file of the view; what happens to it is the change's */
struct flush {
    struct table *t;
    struct view *view;
    struct mem *const *mems; /* immutable, newest first */
    size_t mem_count;
    uint64_t flushed_seq;
    struct codec_ctx *codec;
    struct flush_entry *entries;
    size_t entry_count, put_count, entry_bytes;
    int64_t *row_ids; /* by entry, carried; -1 = none; NULL = none at all */
    uint64_t put_bytes;
    struct flush_file *by_file;
    size_t absorbed;
    struct flush_run run;
    struct change change;
    bool changing; /* `change` is there */
    struct running *job;
};

/* flush_collect.c */
FRZ_NODISCARD int frz__flush_take(struct flush *f, frz_error *err);
FRZ_NODISCARD int frz__flush_collect(struct flush *f, frz_error *err);
FRZ_NODISCARD int frz__flush_locate(struct flush *f, frz_error *err);
FRZ_NODISCARD int frz__flush_choose_absorbed(struct flush *f, frz_error *err);
/* flush_rows.c */
FRZ_NODISCARD int frz__flush_write_rows(struct flush *f, frz_error *err);
#endif
