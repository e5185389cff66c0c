#include "view/runs.h"

struct item { const struct key_range *range; uint32_t index, run; };

static bool item_less(const struct item *a, const struct item *b)
{
    if (a->range->apart != b->range->apart) return b->range->apart;
    if (a->range->apart) return a->index < b->index;
    int c = slice_cmp(a->range->first, b->range->first);
    return c ? c < 0 : a->index < b->index;
}

/* heap sort: no stack of its own, no worst case, and the order is total */
static void sift(struct item *items, size_t at, size_t count)
{
    struct item x = items[at];
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= count) break;
        if (child + 1 < count && item_less(&items[child], &items[child + 1])) child++;
        if (!item_less(&x, &items[child])) break;
        items[at] = items[child];
        at = child;
    }
    items[at] = x;
}

static void sort_items(struct item *items, size_t count)
{
    for (size_t i = count / 2; i-- > 0;) sift(items, i, count);
    for (size_t end = count; end-- > 1;) {
        struct item x = items[0];
        items[0] = items[end];
        items[end] = x;
        sift(items, 0, end);
    }
}

/* A heap of open runs, the one that ends first on top; of equal ends the older run. */
struct open_run { slice last; uint32_t run; };

static bool ends_before(const struct open_run *a, const struct open_run *b)
{
    int c = slice_cmp(a->last, b->last);
    return c ? c < 0 : a->run < b->run;
}

static void open_down(struct open_run *heap, size_t count)
{
    struct open_run x = heap[0];
    size_t at = 0;
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= count) break;
        if (child + 1 < count && ends_before(&heap[child + 1], &heap[child])) child++;
        if (!ends_before(&heap[child], &x)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = x;
}

static void open_push(struct open_run *heap, size_t count, struct open_run x)
{
    size_t at = count;
    for (; at && ends_before(&x, &heap[(at - 1) / 2]); at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
    heap[at] = x;
}

int frz__runs_build(const allocator *a, const struct key_range *ranges, size_t count, uint32_t *by_key, struct run *runs, size_t *run_count, frz_error *err)
{
    int rc = FRZ_OK;
    size_t n = 0, open_count = 0;
    struct item *items = (struct item *)frz__alloc_array(a, count, sizeof *items);
    struct open_run *open = (struct open_run *)frz__alloc_array(a, count, sizeof *open);
    if (!items || !open) CHECK(frz__err_no_memory(err, count * sizeof *items));
    for (size_t i = 0; i < count; i++) items[i] = (struct item){&ranges[i], (uint32_t)i, 0};
    sort_items(items, count);

    for (size_t i = 0; i < count; i++) {
        struct item *it = &items[i];
        bool fits = !it->range->apart && open_count && slice_cmp(open[0].last, it->range->first) < 0;
        it->run = fits ? open[0].run : (uint32_t)n;
        if (fits) {
            open[0].last = it->range->last;
            open_down(open, open_count);
        } else {
            runs[n++] = (struct run){0, 0};
            if (!it->range->apart) open_push(open, open_count++, (struct open_run){it->range->last, it->run});
        }
        runs[it->run].count++;
    }
    for (size_t r = 1; r < n; r++) runs[r].first = runs[r - 1].first + runs[r - 1].count;
    for (size_t r = 0; r < n; r++) runs[r].count = 0;
    for (size_t i = 0; i < count; i++) { /* items are in key order: so is each run */
        struct run *r = &runs[items[i].run];
        by_key[r->first + r->count++] = items[i].index;
    }
    *run_count = n;
done:
    frz__free(a, items);
    frz__free(a, open);
    return rc;
}
