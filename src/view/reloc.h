/* reloc.h — where the rows of a compaction's inputs went, so that what is masked in an input while the compaction runs can be masked in its outputs, exactly and without reading a key (hazards 5, 6).
 *
 * Design      the merge's source sequence: for each output row, in order, which run of inputs it came from, in as few bits as number them. Of a run's inputs one comes after the other, and an input's rows
 *             stay in order: so the k-th of its rows that were live when the compaction began is the k-th output row that is its own. Rows that the compaction left out (other than by the masks of its
 *             beginning) are remembered by input and position.
 * Invariants  (1) inputs' rows are added in the order of their positions, all of an input before any of the next one of its run
 *             (2) rows of input i that were added + left out = its rows live at the beginning, checked before anything is translated
 * Threads     one                                                                                                                          */
#ifndef FRZ_VIEW_RELOC_H
#define FRZ_VIEW_RELOC_H
#include "view/view.h"

#define RELOC_INPUTS_MAX 255
#define RELOC_BLOCK_BYTES ((size_t)256 << 10)
/* A row of so many runs takes: a power of two, 0 of a single one. */
static inline unsigned reloc_bits(size_t runs) { return runs <= 1 ? 0 : runs <= 2 ? 1 : runs <= 4 ? 2 : runs <= 16 ? 4 : 8; }

struct reloc_input {
    uint64_t rows;           /* of the file, dead ones with it */
    const struct mask *mask; /* as of the beginning; borrowed; NULL = all live */
    uint64_t *left_out;      /* positions, ascending */
    size_t left_count, left_cap;
    uint64_t added;
    uint32_t run, next;      /* its run; the input behind it there, UINT32_MAX = none */
};
struct reloc {
    const allocator *a;
    struct reloc_input *inputs;
    size_t input_count;
    uint32_t *first;         /* by run: its first input */
    size_t run_count;
    unsigned bits;
    uint8_t **blocks;        /* each of RELOC_BLOCK_BYTES: runs, by output row */
    size_t block_count, block_cap;
    uint64_t rows;
    uint64_t *ends;          /* of each output file but the last, ascending: a row number */
    size_t end_count, end_cap;
};
/* RUNS over BY_KEY, which hold inputs; RUNS NULL: each input is one. */
FRZ_NODISCARD int frz__reloc_init(struct reloc *r, const allocator *a, size_t input_count, const uint32_t *by_key, const struct run *runs, size_t run_count, frz_error *err);
void frz__reloc_clear(struct reloc *r);
/* The next output row is from INPUT. */
FRZ_NODISCARD int frz__reloc_add(struct reloc *r, size_t input, frz_error *err);
/* The row at POS of INPUT, live at the beginning, is not in the output. Positions ascend. */
FRZ_NODISCARD int frz__reloc_leave(struct reloc *r, size_t input, uint64_t pos, frz_error *err);
/* What comes next goes into another file. */
FRZ_NODISCARD int frz__reloc_next_file(struct reloc *r, frz_error *err);
/* What FROM remembers, of the same inputs and of rows all above those of R, comes behind what R does, in files of its own; FROM is cleared. */
FRZ_NODISCARD int frz__reloc_append(struct reloc *r, struct reloc *from, frz_error *err);
/* FRZ_BUG, naming the input, if (2) does not hold. */
FRZ_NODISCARD int frz__reloc_check(const struct reloc *r, frz_error *err);

/* What an input's mask is by now; `gone`: the file went with all its rows. */
struct reloc_now { const struct mask *mask; bool gone; };
/* What was masked since the beginning, as positions in the outputs. FN hears of each output file in turn with positions that ascend strictly; not of those without. NOW: by input.
 * FRZ_CONFLICT: a row that was dead at the beginning is alive by now (another engine rolled back): the outputs lack it. */
FRZ_NODISCARD int frz__reloc_translate(const struct reloc *r, const struct reloc_now *now, int (*fn)(void *ctx, size_t file, const uint64_t *positions, size_t count), void *ctx, frz_error *err);
#endif
