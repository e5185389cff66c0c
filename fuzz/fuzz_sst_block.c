/* fuzz_sst_block.c — the private block of a data file: its head with checksum mended, and each section; and the footer's checksum key. */
#include "fuzz.h"

#include "sst/sst_block.h"

static void fence(slice s, uint64_t count)
{
    frz_error err = {0};
    struct sst_fence f;
    uint64_t *aligned = (uint64_t *)malloc(s.len + 8);
    FUZZ_CHECK(aligned);
    if (s.len) memcpy(aligned, s.data, s.len);
    int rc = frz__sst_fence_decode(slice_of(aligned, s.len), count, "f", &f, &err);
    fuzz_check_error(rc, &err);
    if (rc == FRZ_OK) {
        FUZZ_CHECK(f.count == count);
        static const char *const probes[] = {"", "a", "\x80\0\0\0\0\0\0\1", "\xff\xff\xff\xff\xff\xff\xff\xff\xff"};
        for (size_t i = 0; i < FRZ_ARRAY_LEN(probes); i++) {
            int64_t at = frz__sst_fence_find(&f, slice_of(probes[i], strlen(probes[i])));
            FUZZ_CHECK(at >= -1 && at < (int64_t)f.count);
        }
        struct sst_fence_writer w = {.keys = BUF_INIT(NULL, 0)};
        struct buf key = BUF_INIT(NULL, 0), out = BUF_INIT(NULL, 0);
        for (size_t i = 0; i < f.count; i++) {
            buf_reset(&key);
            slice rest = sst_fence_rest(&f, i);
            FUZZ_CHECK(buf_append_slice(&key, f.prefix, &err) >= 0 && buf_append_slice(&key, rest, &err) >= 0);
            FUZZ_CHECK(frz__sst_fence_find(&f, buf_slice(&key)) == (int64_t)i);
            FUZZ_CHECK(frz__sst_fence_add(&w, buf_slice(&key), &err) >= 0);
        }
        FUZZ_CHECK(frz__sst_fence_encode(&w, &out, &err) >= 0);
        frz__sst_fence_writer_clear(&w);
        buf_clear(&key);
        buf_clear(&out);
    }
    free(aligned);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    frz_error err = {0};
    uint8_t *bytes = fuzz_copy(data, size);
    struct sst_block b = {.offset = 0, .length = size};
    size_t need = 0;
    if (size >= 28) {
        size_t head = SST_BLOCK_HEAD_BYTES(load_u16(bytes + 6));
        if (head <= size) store_u32(bytes + head - 4, frz__crc32c(0, bytes, head - 4));
    }
    int rc = frz__sst_block_decode(slice_of(bytes, size), "f", &b, &need, &err);
    fuzz_check_error(rc, &err);
    if (rc == FRZ_OK) {
        struct sst_props props;
        const struct sst_section *s = &b.sections[SST_PROPS];
        fuzz_check_error(frz__sst_props_decode(slice_of(bytes + s->offset, (size_t)s->length), "f", &props, &err), &err);
        s = &b.sections[SST_FENCE];
        fence(slice_of(bytes + s->offset, (size_t)s->length), (b.rows + 1023) / 1024);
        s = &b.sections[SST_FILTER];
        if (s->there) {
            uint64_t blocks = frz__sst_filter_blocks_of(s->length);
            if (blocks) {
                FUZZ_CHECK(blocks * SST_FILTER_BLOCK_BYTES <= s->length);
                (void)frz__sst_filter_test(bytes + s->offset + sst_filter_block(frz__hash64(slice_of(bytes, 8)), blocks) * SST_FILTER_BLOCK_BYTES, 1);
            }
        }
    }
    uint64_t offset, length;
    size_t digits;
    if (frz__sst_block_place_parse(slice_of(bytes, size), &offset, &length)) FUZZ_CHECK(size >= 3);
    if (frz__sst_footer_find(slice_of(bytes, size), &digits)) {
        FUZZ_CHECK(digits + 8 <= size);
        (void)frz__sst_footer_crc(slice_of(bytes, size), digits);
    }
    if (size >= 4) fence(slice_of(bytes, size), load_u32(bytes));
    struct sst_props props;
    fuzz_check_error(frz__sst_props_decode(slice_of(bytes, size), "f", &props, &err), &err);
    free(bytes);
    return 0;
}
