/* flush.h — what one flush holds while it runs, and its steps; flush*.c alone use it. */
#ifndef FRZ_ENGINE_FLUSH_H
#define FRZ_ENGINE_FLUSH_H
#include "engine/deletes.h"

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
struct flush_file {
    uint64_t *fresh; /* positions, ascending */
    size_t fresh_count;
    struct mask *mask; /* with them */
    uint64_t live_bytes;
    bool absorbed, gone;
};
struct flush_output {
    char *path, *uri;
    struct file *file;
    struct ice_file entry;
    struct sst *sst;
};
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
    bool lineage;
    struct flush_run run;
    struct sst_writer *writer;
    struct flush_output *outputs;
    size_t output_count, output_cap;
    struct delete_change *changes;
    size_t change_count;
    slice *gone;
    size_t gone_count;
    struct delete_plan deletes;
    struct arena ar;
    char token[64];
    uint64_t bytes, rows;
    int64_t sequence, snapshot_id;
    bool in_doubt; /* the commit failed, and may be there all the same: its files stay */
};

/* flush_collect.c */
FRZ_NODISCARD int frz__flush_take(struct flush *f, frz_error *err);
FRZ_NODISCARD int frz__flush_collect(struct flush *f, frz_error *err);
FRZ_NODISCARD int frz__flush_locate(struct flush *f, frz_error *err);
FRZ_NODISCARD int frz__flush_choose_absorbed(struct flush *f, frz_error *err);
/* flush_rows.c */
FRZ_NODISCARD int frz__flush_write_rows(struct flush *f, frz_error *err);
FRZ_NODISCARD int frz__flush_open_outputs(struct flush *f, frz_error *err);
/* flush_commit.c */
FRZ_NODISCARD int frz__flush_make_masks(struct flush *f, frz_error *err);
FRZ_NODISCARD int frz__flush_commit(struct flush *f, frz_error *err);
FRZ_NODISCARD int frz__flush_install(struct flush *f, frz_error *err);
void frz__flush_after_commit(struct flush *f);
#endif
