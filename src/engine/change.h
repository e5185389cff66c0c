/* change.h — what one commit does to the data files of a table: new ones, masks for those that stay and for the new ones, those that go; and the view that shows it. A flush and a compaction each fill one.
 *
 * Steps       init · room, rows into `writer`, end (as often as files are written) · readers · by_file and outputs[].mask filled · masks · commit · install · clear
 * Invariants  (1) nothing that was is touched before the commit  (2) clear unlinks what was written, unless it was committed or may have been
 * Threads     one; from `masks` on under flush_mu, with a base whose files are those of the table's version                                                                  */
#ifndef FRZ_ENGINE_CHANGE_H
#define FRZ_ENGINE_CHANGE_H
#include "engine/deletes.h"

#define CHANGE_FILE_BYTES_MAX ((uint64_t)7 << 28) /* below 2 GiB, whatever is behind the rows */

struct output {
    char *path, *uri; /* relative to the warehouse; as manifests say */
    struct file *file;
    struct ice_file entry;
    struct sst *sst;
    struct mask *mask; /* rows that are dead from birth; counted; NULL = none */
    uint64_t *fresh;   /* the same, ascending */
    size_t fresh_count;
    bool dead;         /* all of them: it is not part of the commit, and removed */
    bool synced;
};
struct file_change {
    uint64_t *fresh; /* positions that die with this commit, ascending */
    size_t fresh_count;
    struct mask *mask; /* made by `masks`: with them */
    bool gone;
};
struct change {
    struct change *next, **prev; /* view_mu: of those that make files */
    bool making;                 /* it is among them */
    uint64_t first_name;         /* const: none of its files has a name older than this: the n of "<epoch>-<version>-<n>-<random>" */
    struct table *t;
    struct view *base;           /* counted */
    struct file_change *by_file; /* of base */
    char token[64];
    slice location;              /* of the table's version; lives as long as that */
    struct sst_writer_options writer_options;
    uint64_t file_bytes_max;     /* a data file is ended near this size, */
    uint64_t file_rows_max;      /* or at so many rows: its writer keeps 8 bytes of each */
    struct sst_writer *writer;   /* of the last output, while that is open */
    struct output *outputs;
    size_t output_count, output_cap;
    struct delete_change *deletions;
    size_t deletion_count;
    slice *gone;
    size_t gone_count;
    struct delete_plan deletes;
    struct arena ar;
    uint64_t bytes, rows;        /* of the outputs */
    uint64_t beside_bytes;       /* of masks, manifests and metadata that the commit wrote */
    int64_t sequence, snapshot_id; /* of the commit; -1 = no snapshot */
    bool committed, in_doubt;    /* in doubt: the commit failed, and may be there all the same: its files stay */
};
/* Takes BASE's count, also on failure. */
FRZ_NODISCARD int frz__change_init(struct change *c, struct table *t, struct view *base, const struct version *v, frz_error *err);
void frz__change_clear(struct change *c);
/* Of all of T that are not cleared: files with names from this one on may yet be committed, however old they are. UINT64_MAX = there is none. */
uint64_t frz__change_oldest_name(struct table *t);
/* The same outputs against another BASE (its count is taken, also on failure): what was said of masks and files that go is forgotten, and its delete files removed. */
FRZ_NODISCARD int frz__change_rebase(struct change *c, struct view *base, frz_error *err);
/* The outputs, written under the base's older schema, are read as S has them from now on: they are files like those of before the change. */
FRZ_NODISCARD int frz__change_reopen(struct change *c, frz_schema *s, frz_error *err);
/* Outputs whose every row is dead from birth are marked so. */
void frz__change_drop_dead(struct change *c);
/* A writer with room: the open one, unless it has reached its size, else a new file's. */
FRZ_NODISCARD int frz__change_room(struct change *c, frz_error *err);
uint64_t frz__change_file_rows(const struct table *t); /* that a data file has at most */
/* A writer with O holds no more of pages, dictionaries and batches than a part of SHARE, bytes: each column gathers a page, and a dictionary on trial, an eighth for all of them, however many there are. */
void frz__change_bound(struct sst_writer_options *o, uint64_t share);
FRZ_NODISCARD int frz__change_end(struct change *c, frz_error *err); /* the open file, if any */
/* All outputs are on the disk, before any lock is held for the commit: they may be of a gigabyte. Without it the commit syncs them, with all that it syncs. */
FRZ_NODISCARD int frz__change_sync(struct change *c, frz_error *err);
/* FROM's outputs come behind C's; FROM is cleared after C. */
FRZ_NODISCARD int frz__change_take(struct change *c, struct change *from, frz_error *err);
FRZ_NODISCARD int frz__change_readers(struct change *c, frz_error *err);
/* What a row of FILE carries of its life so far (v3), as the last two columns of VECS say, else inherited from the file: -1 = nothing. */
void frz__change_lineage(const struct vfile *file, const struct vecs *vecs, size_t index, uint64_t pos, int64_t *row_id, int64_t *updated);
FRZ_NODISCARD int frz__change_masks(struct change *c, frz_error *err);
/* EDIT: what is not about files; the rest is filled here. */
FRZ_NODISCARD int frz__change_commit(struct change *c, struct ice_edit edit, frz_error *err);
/* After the commit: the next view has MEMS_DROPPED of the oldest memtables less. If that fails (memory alone), the table is read again. */
FRZ_NODISCARD int frz__change_install(struct change *c, size_t mems_dropped, uint64_t flushed_seq, frz_error *err);
#endif
