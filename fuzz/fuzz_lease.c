/* fuzz_lease.c — a reading process' lease: any bytes, the same with a checksum that fits, and any records, which come back as they were, or not at all once a bit of them is another. */
#include "fuzz.h"

#include "engine/lease.h"

#define HEAD_BYTES 16
#define RECORD_BYTES 32

static void decode(slice bytes)
{
    struct arena ar = ARENA_INIT(NULL), other = ARENA_INIT(NULL);
    struct buf out = BUF_INIT(NULL, 0);
    struct lease_record *records, *again;
    size_t count, count_again;
    frz_error err = {0};
    int rc = frz__lease_decode(bytes, &ar, &records, &count, &err);
    fuzz_check_error(rc, &err);
    if (rc == FRZ_OK) {
        FUZZ_CHECK(count <= LEASE_RECORDS_MAX && HEAD_BYTES + count * RECORD_BYTES <= bytes.len);
        FUZZ_CHECK(frz__lease_encode(records, count, &out, &err) == FRZ_OK);
        FUZZ_CHECK(out.len == HEAD_BYTES + count * RECORD_BYTES);
        FUZZ_CHECK(memcmp(out.data + HEAD_BYTES, bytes.data + HEAD_BYTES, count * RECORD_BYTES) == 0);
        FUZZ_CHECK(frz__lease_decode(buf_slice(&out), &other, &again, &count_again, &err) == FRZ_OK && count_again == count);
        FUZZ_CHECK(memcmp(records, again, count * sizeof *records) == 0);
    }
    buf_clear(&out);
    frz__arena_clear(&ar);
    frz__arena_clear(&other);
}

/* As a process would write it that says this. */
static void mend_checksum(uint8_t *bytes, size_t size)
{
    size_t room = size < HEAD_BYTES ? 0 : (size - HEAD_BYTES) / RECORD_BYTES;
    if (size < HEAD_BYTES) return;
    memcpy(bytes, "FRZL\1\0", 6);
    if (load_u32(bytes + 8) > room) store_u32(bytes + 8, (uint32_t)(load_u32(bytes + 8) % (room + 1)));
    store_u32(bytes + 12, frz__crc32c(frz__crc32c(0, bytes, 12), bytes + HEAD_BYTES, (size_t)load_u32(bytes + 8) * RECORD_BYTES));
}

static void flip(const uint8_t *data, size_t size)
{
    struct arena ar = ARENA_INIT(NULL);
    struct buf out = BUF_INIT(NULL, 0);
    struct lease_record records[8], *got;
    size_t count = size / sizeof *records < 8 ? size / sizeof *records : 8, n;
    frz_error err = {0};
    if (count) memcpy(records, data, count * sizeof *records);
    FUZZ_CHECK(frz__lease_encode(records, count, &out, &err) == FRZ_OK);
    FUZZ_CHECK(frz__lease_decode(buf_slice(&out), &ar, &got, &n, &err) == FRZ_OK && n == count);
    if (count) FUZZ_CHECK(memcmp(got, records, count * sizeof *records) == 0);
    uint64_t where = frz__hash64(slice_of(data, size)) % (out.len * 8);
    out.data[where / 8] ^= (uint8_t)(1u << where % 8);
    int rc = frz__lease_decode(buf_slice(&out), &ar, &got, &n, &err);
    FUZZ_CHECK(rc < 0);
    fuzz_check_error(rc, &err);
    buf_clear(&out);
    frz__arena_clear(&ar);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = fuzz_copy(data, size);
    decode(slice_of(bytes, size));
    mend_checksum(bytes, size);
    decode(slice_of(bytes, size));
    flip(data, size);
    free(bytes);
    return 0;
}
