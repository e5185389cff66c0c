/* Thrift and Parquet's metadata: golden bytes both ways, hostile bytes. */
#include "parquet/pq_meta.h"
#include "base/rand.h"
#include "frz_test.h"

#include <stdio.h>
#include <stdlib.h>

static slice hex(struct arena *ar, const char *s)
{
    size_t n = strlen(s) / 2;
    uint8_t *p = (uint8_t *)arena_alloc(ar, n + 1, 1);
    for (size_t i = 0; i < n; i++) {
        unsigned v;
        sscanf(s + 2 * i, "%2x", &v);
        p[i] = (uint8_t)v;
    }
    return slice_of(p, n);
}

static const char *golden_page_header = "150015301530158eb6dcbc051c15061500150615060000";
static const char *golden_column_index = "19110219180801000000000000001918080300000000000000150219160000";
static const char *golden_offset_index = "191c1608155e16000000";
static const char *golden_footer =
    "1502192c48057461626c6515020015042500180269645502001606191c191c26001c150419250006191802696415001606165e165e26083c360028080300000000000000180801000000000000001111002666155e"
    "00168202151416c401153e00165e1606191c15001211001608165e140000281b6c736d2076657273696f6e20302e312e3020286275696c64203029191c1c000000";

static void same(const struct buf *out, slice want)
{
    assert_int_equal(out->len, want.len);
    assert_memory_equal(out->data, want.data, want.len);
}

TEST(pq_meta, page_header_reads_and_prints_golden_bytes)
{
    struct arena ar = ARENA_INIT(NULL);
    struct buf out = BUF_INIT(NULL, 0);
    struct pq_page_header h;
    frz_error err;
    size_t used;
    slice in = hex(&ar, golden_page_header);
    OK(frz__pq_page_header_parse(in, &h, &used, NULL, &err), &err);
    assert_int_equal(used, in.len);
    assert_int_equal(h.type, PQ_DATA_PAGE);
    assert_int_equal(h.uncompressed_bytes, 24);
    assert_int_equal(h.compressed_bytes, 24);
    assert_int_equal(h.values, 3);
    assert_int_equal(h.encoding, PQ_PLAIN);
    assert_int_equal(h.def_encoding, PQ_RLE);
    assert_true(h.has_crc);
    OK(frz__pq_page_header_print(&h, &out, &err), &err);
    same(&out, in);
    buf_clear(&out);
    frz__arena_clear(&ar);
}

TEST(pq_meta, indexes_read_and_print_golden_bytes)
{
    struct arena ar = ARENA_INIT(NULL);
    struct buf out = BUF_INIT(NULL, 0);
    struct pq_column_index ci;
    struct pq_offset_index oi;
    frz_error err;
    slice in = hex(&ar, golden_column_index);
    OK(frz__pq_column_index_parse(&ar, in, &ci, &err), &err);
    assert_int_equal(ci.count, 1);
    assert_false(ci.null_pages[0]);
    assert_int_equal(load_u64(ci.mins[0].data), 1);
    assert_int_equal(load_u64(ci.maxs[0].data), 3);
    assert_int_equal(ci.boundary_order, PQ_ASCENDING);
    assert_int_equal(ci.nulls[0], 0);
    OK(frz__pq_column_index_print(&ci, &out, &err), &err);
    same(&out, in);
    buf_reset(&out);
    in = hex(&ar, golden_offset_index);
    OK(frz__pq_offset_index_parse(&ar, in, &oi, &err), &err);
    assert_int_equal(oi.count, 1);
    assert_int_equal(oi.pages[0].offset, 4);
    assert_int_equal(oi.pages[0].bytes, 47);
    assert_int_equal(oi.pages[0].first_row, 0);
    OK(frz__pq_offset_index_print(&oi, &out, &err), &err);
    same(&out, in);
    buf_clear(&out);
    frz__arena_clear(&ar);
}

TEST(pq_meta, footer_reads_and_prints_golden_bytes)
{
    struct arena ar = ARENA_INIT(NULL);
    struct buf out = BUF_INIT(NULL, 0);
    struct pq_footer f;
    frz_error err;
    slice in = hex(&ar, golden_footer);
    OK(frz__pq_footer_parse(&ar, in, &f, &err), &err);
    assert_int_equal(f.version, 1);
    assert_int_equal(f.elem_count, 2);
    assert_true(slice_eq(f.elems[1].name, slice_str("id")));
    assert_int_equal(f.elems[1].field_id, 1);
    assert_int_equal(f.rows, 3);
    assert_int_equal(f.group_count, 1);
    assert_int_equal(f.groups[0].sorting_count, 1);
    assert_true(f.groups[0].sorting[0].nulls_first);
    assert_int_equal(f.groups[0].chunks[0].statistics.nulls, 0);
    assert_int_equal(f.groups[0].chunks[0].statistics.max_exact, 1);
    assert_int_equal(f.groups[0].chunks[0].bloom_bytes, 47);
    assert_int_equal(f.orders[0], PQ_ORDER_TYPE);
    OK(frz__pq_footer_print(&f, &out, &err), &err);
    same(&out, in);
    buf_clear(&out);
    frz__arena_clear(&ar);
}

TEST(pq_meta, everything_printed_reads_back)
{
    struct arena ar = ARENA_INIT(NULL);
    struct buf out = BUF_INIT(NULL, 0), again = BUF_INIT(NULL, 0);
    frz_error err;
    struct pq_elem elems[9] = {{.type = -1, .type_length = -1, .repetition = -1, .name = slice_str("root"), .children = 8, .converted = -1, .scale = -1, .precision = -1}};
    for (int i = 1; i < 9; i++)
        elems[i] = (struct pq_elem){.type = 2, .type_length = i == 8 ? 16 : -1, .repetition = i & 1, .name = slice_str("c"), .children = -1, .converted = i, .scale = -1, .precision = -1,
                                    .has_field_id = true, .field_id = -i};
    elems[1].logical = (struct pq_logical){.id = PQ_LT_DECIMAL, .precision = 38, .scale = 37};
    elems[2].logical = (struct pq_logical){.id = PQ_LT_TIMESTAMP, .utc = true, .unit = PQ_NANOS};
    elems[3].logical = (struct pq_logical){.id = PQ_LT_TIME, .utc = false, .unit = PQ_MILLIS};
    elems[4].logical = (struct pq_logical){.id = PQ_LT_INTEGER, .bits = 16, .is_signed = true};
    elems[5].logical = (struct pq_logical){.id = PQ_LT_UUID};
    elems[6].logical = (struct pq_logical){.id = PQ_LT_STRING};
    int32_t encodings[] = {0, 3, 8};
    slice path[] = {slice_str("a"), slice_str("list"), slice_str("element")};
    struct pq_kv kvs[] = {{slice_str("k"), slice_str("")}, {slice_str("none"), slice_of(NULL, 0)}};
    struct pq_encoding_stats es[] = {{0, 8, 7}, {2, 0, 1}};
    struct pq_chunk c = PQ_CHUNK_NONE;
    c.has_meta = true, c.type = 6, c.encodings = encodings, c.encoding_count = 3, c.path = path, c.path_count = 3, c.codec = 6, c.values = 1 << 20, c.uncompressed_bytes = 5000000000, c.compressed_bytes = 4000000000;
    c.kvs = kvs, c.kv_count = 2, c.data_page_offset = 5000000001, c.dictionary_page_offset = 4, c.has_statistics = true, c.encoding_stats = es, c.encoding_stats_count = 2, c.var_bytes = 12;
    c.statistics = (struct pq_statistics){.nulls = 3, .distinct = 4, .max = slice_str("zz"), .min = slice_str(""), .max_exact = 0, .min_exact = 1, .nans = 5};
    c.offset_index_offset = 99, c.offset_index_bytes = 9, c.column_index_offset = 88, c.column_index_bytes = 8;
    struct pq_chunk chunks[20];
    for (size_t i = 0; i < 20; i++) chunks[i] = c; /* a count beyond 14 takes the long form */
    struct pq_sorting sorting[] = {{3, true, false}};
    struct pq_group g = {.chunk_count = 20, .chunks = chunks, .total_bytes = 7, .rows = 1 << 20, .sorting = sorting, .sorting_count = 1, .file_offset = 4, .compressed_bytes = 6, .ordinal = 0};
    uint8_t orders[] = {1, 2, 3};
    struct pq_footer f = {.version = 1, .elem_count = 9, .elems = elems, .rows = 1 << 20, .group_count = 1, .groups = &g, .kvs = kvs, .kv_count = 2, .created_by = slice_str("me"), .orders = orders, .order_count = 3}, back;
    OK(frz__pq_footer_print(&f, &out, &err), &err);
    OK(frz__pq_footer_parse(&ar, buf_slice(&out), &back, &err), &err);
    assert_int_equal(back.elems[1].logical.precision, 38);
    assert_int_equal(back.elems[2].logical.unit, PQ_NANOS);
    assert_true(back.elems[2].logical.utc);
    assert_int_equal(back.elems[4].logical.bits, 16);
    assert_int_equal(back.elems[8].field_id, -8);
    assert_int_equal(back.groups[0].chunks[19].data_page_offset, 5000000001);
    assert_int_equal(back.groups[0].chunks[0].index_page_offset, -1);
    assert_true(back.groups[0].chunks[0].statistics.min.data != NULL && back.groups[0].chunks[0].statistics.min.len == 0);
    assert_null(back.kvs[1].value.data);
    OK(frz__pq_footer_print(&back, &again, &err), &err);
    same(&again, buf_slice(&out));

    struct pq_page_header h = {.type = PQ_DATA_PAGE_V2, .uncompressed_bytes = 10, .compressed_bytes = 9, .values = 8, .nulls = 1, .rows = 7, .encoding = 5, .def_bytes = 3, .rep_bytes = 2, .compressed = false,
                               .has_statistics = true, .statistics = c.statistics}, hb;
    size_t used;
    buf_reset(&out);
    OK(frz__pq_page_header_print(&h, &out, &err), &err);
    OK(frz__pq_page_header_parse(buf_slice(&out), &hb, &used, NULL, &err), &err);
    assert_int_equal(hb.rows, 7);
    assert_int_equal(hb.rep_bytes, 2);
    assert_false(hb.compressed);
    assert_int_equal(hb.statistics.nans, 5);
    h = (struct pq_page_header){.type = PQ_DICTIONARY_PAGE, .uncompressed_bytes = 1, .compressed_bytes = 2, .values = 3, .encoding = 0, .sorted = true, .statistics = PQ_STATISTICS_NONE};
    buf_reset(&out);
    OK(frz__pq_page_header_print(&h, &out, &err), &err);
    OK(frz__pq_page_header_parse(buf_slice(&out), &hb, &used, NULL, &err), &err);
    assert_int_equal(hb.values, 3);
    assert_true(hb.sorted);
    buf_clear(&out);
    buf_clear(&again);
    frz__arena_clear(&ar);
}

TEST(thrift, skips_unknown_fields_of_every_type)
{
    struct arena ar = ARENA_INIT(NULL);
    struct pq_page_header h;
    frz_error err;
    size_t used;
    /* type 0, sizes 1 and 1, v1 header, then fields 20 to 28 of types nobody knows: bool, byte, double, binary, list of bools, set, map, struct, i64 by long id */
    slice in = hex(&ar, "1500" "1502" "1502" "2c" "1502" "1500" "1506" "1506" "00" "f1" "1305" "170000000000000000" "1803616263" "1931010201" "1a250204" "1b0158" "04" "0163" "1c" "1502" "00" "06ac0208" "00");
    OK(frz__pq_page_header_parse(in, &h, &used, NULL, &err), &err);
    assert_int_equal(used, in.len);
    frz__arena_clear(&ar);
}

TEST(thrift, refuses_nesting_without_end)
{
    uint8_t deep[4000];
    struct pq_page_header h;
    struct pq_footer f;
    struct arena ar = ARENA_INIT(NULL);
    frz_error err;
    size_t used;
    memset(deep, 0x1C, sizeof deep); /* struct in struct in …, in a field that is skipped */
    deep[0] = 0x0C;
    deep[1] = 0x50;
    FAILS(frz__pq_page_header_parse(slice_of(deep, sizeof deep), &h, &used, NULL, &err), FRZ_CORRUPT, &err);
    MESSAGE_HAS(&err, "deeper");
    memset(deep, 0x19, sizeof deep); /* list of lists of … */
    deep[0] = 0x09;
    deep[1] = 0x50;
    FAILS(frz__pq_footer_parse(&ar, slice_of(deep, sizeof deep), &f, &err), FRZ_CORRUPT, &err);
    frz__arena_clear(&ar);
}

TEST(thrift, believes_no_count_beyond_its_bytes)
{
    struct arena ar = ARENA_INIT(NULL);
    struct pq_footer f;
    frz_error err;
    /* schema: a list of 2^31 structs; a name of 2^40 bytes */
    FAILS(frz__pq_footer_parse(&ar, hex(&ar, "1502" "19fc" "8080808008" "00"), &f, &err), FRZ_CORRUPT, &err);
    FAILS(frz__pq_footer_parse(&ar, hex(&ar, "1502" "191c" "48" "808080808040" "00"), &f, &err), FRZ_CORRUPT, &err);
    FAILS(frz__pq_footer_parse(&ar, hex(&ar, "15ffffffffffffffffffff7f"), &f, &err), FRZ_CORRUPT, &err);
    assert_true(arena_bytes(&ar) < 1 << 20);
    frz__arena_clear(&ar);
}

TEST(pq_meta, survives_cuts_and_flips)
{
    struct rng r = {test_seed(7)};
    struct arena keep = ARENA_INIT(NULL);
    const char *text[] = {golden_footer, golden_page_header, golden_column_index, golden_offset_index};
    for (size_t k = 0; k < 4; k++) {
        slice in = hex(&keep, text[k]);
        for (int i = 0; i < 3000 + (int)in.len; i++) {
            struct arena ar = ARENA_INIT(NULL);
            struct pq_footer f;
            struct pq_page_header h;
            struct pq_column_index ci;
            struct pq_offset_index oi;
            frz_error err;
            size_t used, n = i < (int)in.len ? (size_t)i : in.len;
            bool cut;
            uint8_t *bytes = (uint8_t *)malloc(n ? n : 1);
            memcpy(bytes, in.data, n);
            if (n == in.len)
                for (uint64_t flips = 1 + rng_below(&r, 4); flips; flips--) {
                    size_t bit = rng_below(&r, n * 8);
                    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
                }
            slice s = slice_of(bytes, n);
            int rc = k == 0 ? frz__pq_footer_parse(&ar, s, &f, &err) : k == 1 ? frz__pq_page_header_parse(s, &h, &used, &cut, &err) : k == 2 ? frz__pq_column_index_parse(&ar, s, &ci, &err)
                                                                                                              : frz__pq_offset_index_parse(&ar, s, &oi, &err);
            if (n < in.len) assert_int_equal(rc, FRZ_CORRUPT);
            else assert_true(rc == FRZ_OK || rc == FRZ_CORRUPT);
            if (k == 1 && n < in.len) assert_true(cut);
            assert_true(arena_bytes(&ar) < 1 << 20);
            free(bytes);
            frz__arena_clear(&ar);
        }
    }
    frz__arena_clear(&keep);
}
