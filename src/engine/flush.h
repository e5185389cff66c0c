/* flush.h — what one flush holds while it runs; flush.c alone uses it, tests may look. */
#ifndef FRZ_ENGINE_FLUSH_H
#define FRZ_ENGINE_FLUSH_H
#include "engine/deletes.h"

struct flush_entry {
    slice key;
    uint64_t hash;
    const struct mem_version *version; /* the newest */
    struct place place;
    int64_t row_id;  /* carried; -1 = none */
    bool new_life;   /* a delete lies between this put and the older row: it gets a new row id */
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
    size_t entry_count, put_count;
    uint64_t put_bytes;
    struct flush_file *by_file;
    size_t absorbed;
    bool lineage;
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
#endif
