/* fuzz_wal.c — a log segment. With the first byte odd its checksums are mended first, so that what is behind them is reached; the operations of each group are walked as recovery does. */
#include "fuzz.h"

#include "types/batch.h"
#include "wal/wal_format.h"

static void mend(uint8_t *p, size_t size, uint64_t number)
{
    struct wal_header h;
    if (size < WAL_RECORDS_AT) return;
    memcpy(p, "FRZWAL01", 8);
    store_u64(p + 24, number);
    store_u32(p + 124, frz__crc32c(0, p, 124));
    memcpy(p + WAL_HEADER_BYTES, p, WAL_HEADER_BYTES);
    if (!wal_header_decode(p, number, &h)) return;
    uint32_t seed = wal_seed(&h);
    for (size_t at = WAL_RECORDS_AT; at + WAL_FRAGMENT_HEAD < size;) {
        size_t left = (size_t)(WAL_BLOCK - at % WAL_BLOCK), len = load_u32(p + at + 4);
        if (left <= WAL_FRAGMENT_HEAD || len == 0 || len > left - WAL_FRAGMENT_HEAD || len > size - at - WAL_FRAGMENT_HEAD) {
            at += left; /* the next block, as one that begins anew */
            continue;
        }
        store_u32(p + at, wal_fragment_crc(seed, at, p + at, p + at + WAL_FRAGMENT_HEAD, len));
        at += WAL_FRAGMENT_HEAD + len;
        if (WAL_BLOCK - at % WAL_BLOCK < WAL_START_ROOM) at += (size_t)(WAL_BLOCK - at % WAL_BLOCK);
    }
}

static int on_table(void *ctx, const struct wal_table *t, frz_error *err)
{
    uint64_t *sum = (uint64_t *)ctx;
    *sum += frz__hash64(t->name) + frz__hash64(t->schema_json) + t->low_water;
    return FRZ_OK;
}
static int on_group(void *ctx, uint64_t segment, uint64_t base_seq, uint32_t ops, slice bytes, frz_error *err)
{
    uint64_t *sum = (uint64_t *)ctx;
    const uint8_t *p = bytes.data, *end = p + bytes.len;
    for (struct op op;;) {
        int rc = frz__batch_next(&p, end, &op, err);
        if (rc == FRZ_DONE) break;
        TRY(rc);
        *sum += frz__hash64(op.key) + frz__hash64(op.row) + op.table_no;
    }
    return FRZ_OK;
}
static int on_drop(void *ctx, uint64_t table_no, frz_error *err)
{
    *(uint64_t *)ctx += table_no;
    return FRZ_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    frz_error err = {0};
    struct fs *fs = NULL;
    struct file *file = NULL;
    struct wal_report report = {0};
    uint64_t sum = 0;
    const struct wal_visitor visitor = {&sum, on_table, on_group, on_drop};
    if (size < 1) return 0;
    uint8_t *bytes = fuzz_copy(data + 1, size - 1);
    size_t half = data[0] & 2 ? (size - 1) / 2 : size - 1; /* or two segments */
    if (data[0] & 1) {
        mend(bytes, half, 1);
        mend(bytes + half, size - 1 - half, 2);
    }
    FUZZ_CHECK(frz__fs_mem_new(NULL, &fs, &err) >= 0);
    FUZZ_CHECK(frz__fs_mkdir(fs, "wal", &err) == FRZ_OK);
    FUZZ_CHECK(frz__fs_open(fs, "wal/000000001.wal", FS_OPEN_CREATE_NEW, &file, &err) == FRZ_OK);
    FUZZ_CHECK(frz__file_write(file, 0, bytes, half, &err) >= 0);
    (void)frz__file_close(file, NULL);
    if (half < size - 1) {
        FUZZ_CHECK(frz__fs_open(fs, "wal/000000002.wal", FS_OPEN_CREATE_NEW, &file, &err) == FRZ_OK);
        FUZZ_CHECK(frz__file_write(file, 0, bytes + half, size - 1 - half, &err) >= 0);
        (void)frz__file_close(file, NULL);
    }
    fuzz_check_error(frz__wal_read(NULL, NULL, fs, "wal", &visitor, &report, &err), &err);
    frz__fs_free(fs);
    free(bytes);
    return 0;
}
