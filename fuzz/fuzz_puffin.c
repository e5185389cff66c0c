/* fuzz_puffin.c — a Puffin file with its blobs; the same bytes as a deletion vector, checksum mended, which is encoded again as read; and as a bare bitmap. */
#include "fuzz.h"

#include "puffin/puffin.h"

struct all { uint64_t *at; size_t count, cap; };

static int collect(void *ctx, const uint64_t *positions, size_t count)
{
    struct all *a = (struct all *)ctx;
    if (a->count + count > ((size_t)1 << 20)) return FRZ_DONE;
    if (a->count + count > a->cap) {
        a->cap = (a->count + count) * 2;
        a->at = (uint64_t *)realloc(a->at, a->cap * sizeof *a->at);
        FUZZ_CHECK(a->at);
    }
    memcpy(a->at + a->count, positions, count * sizeof *positions);
    a->count += count;
    return FRZ_OK;
}

static void one_dv(slice blob)
{
    frz_error err = {0};
    struct all all = {0}, again = {0};
    struct buf out = BUF_INIT(NULL, 0);
    uint64_t count = 0;
    int rc = frz__dv_decode(blob, collect, &all, &count, &err);
    fuzz_check_error(rc, &err);
    if (rc == FRZ_OK) {
        FUZZ_CHECK(count == all.count);
        for (size_t i = 1; i < all.count; i++) FUZZ_CHECK(all.at[i - 1] < all.at[i]);
        if (all.count) {
            FUZZ_CHECK(frz__dv_encode(all.at, all.count, &out, &err) >= 0);
            FUZZ_CHECK(frz__dv_decode(buf_slice(&out), collect, &again, &count, &err) == FRZ_OK);
            FUZZ_CHECK(again.count == all.count && memcmp(all.at, again.at, all.count * sizeof *all.at) == 0);
        }
    }
    free(all.at);
    free(again.at);
    buf_clear(&out);
}

struct file { const uint8_t *bytes; size_t size; };

static int on_blob(void *ctx, const struct puffin_entry *e)
{
    const struct file *f = (const struct file *)ctx;
    FUZZ_CHECK(e->offset <= f->size && e->length <= f->size - e->offset);
    one_dv(slice_of(f->bytes + e->offset, (size_t)e->length));
    return FRZ_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t magic[4] = {0xD1, 0xD3, 0x39, 0x64};
    frz_error err = {0};
    uint8_t *bytes = fuzz_copy(data, size);
    struct file file = {bytes, size};
    fuzz_check_error(frz__puffin_read(slice_of(bytes, size), on_blob, &file, &err), &err);
    uint64_t count = 0;
    fuzz_check_error(frz__bitmap_decode(slice_of(bytes, size), NULL, NULL, &count, &err), &err);
    if (size >= 12) {
        for (int k = 0; k < 4; k++) bytes[k] = (uint8_t)((size - 8) >> (24 - 8 * k));
        memcpy(bytes + 4, magic, 4);
        uint32_t crc = frz__crc32(0, bytes + 4, size - 8);
        for (int k = 0; k < 4; k++) bytes[size - 4 + (size_t)k] = (uint8_t)(crc >> (24 - 8 * k));
        one_dv(slice_of(bytes, size));
    }
    free(bytes);
    return 0;
}
