/* fuzz_pred.c — an expression over a table of every type: parsed, evaluated by row and by vector, which must agree, and its key range, which may leave out no row that passes. */
#include "fuzz.h"

#include "types/keyenc.h"
#include "types/pred.h"

#define ROWS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static frz_schema *s;
    frz_error err = {0};
    if (!s) {
        FUZZ_CHECK(frz_schema_parse("a long, b string, c boolean?, d int?, e float?, f double?, g decimal(9,2)?, h date?, i time?, j timestamp?, k timestamptz?, l timestamp_ns?, m timestamptz_ns?, n string?, "
                                    "o uuid?, p fixed(3)?, q binary?",
                                    "a,b", &s, &err) == FRZ_OK);
        FUZZ_CHECK(frz__schema_seal(s, true, &err) >= 0);
    }
    uint8_t *bytes = fuzz_copy(data, size);
    struct pred *p = NULL;
    int rc = frz__pred_parse(NULL, s, slice_of(bytes, size), &p, &err);
    fuzz_check_error(rc, &err);
    if (rc == FRZ_OK) {
        frz_type types[32];
        struct vecs vs;
        const struct vec *cols[32];
        frz_value rows[ROWS][32];
        uint8_t selected[ROWS / 8];
        static const char *const texts[] = {"", "a", "abc", "\xc3\xa9", "100%_", "zz"};
        for (size_t c = 0; c < s->count; c++) types[c] = s->columns[c].type;
        FUZZ_CHECK(frz__vecs_init(&vs, NULL, types, s->count, &err) >= 0);
        uint64_t seed = frz__hash64(slice_of(bytes, size));
        for (size_t r = 0; r < ROWS; r++) {
            for (size_t c = 0; c < s->count; c++) {
                uint64_t x = (seed ^ (r * 31 + c) * 0x9E3779B97F4A7C15u) * 0xD6E8FEB86659FD93u;
                int64_t small = (int64_t)(x >> 60) - 7;
                frz_value *v = &rows[r][c];
                *v = (frz_value){types[c].id, 0, {0}};
                switch (types[c].id) {
                case FRZ_BOOLEAN: v->as.boolean = x >> 63; break;
                case FRZ_INT: case FRZ_DATE: v->as.i32 = (int32_t)small; break;
                case FRZ_FLOAT: v->as.f32 = small == 3 ? __builtin_nanf("") : (float)small / 2; break;
                case FRZ_DOUBLE: v->as.f64 = small == 3 ? __builtin_nan("") : (double)small / 2; break;
                case FRZ_DECIMAL: v->as.dec = (frz_decimal){(uint64_t)small, small < 0 ? -1 : 0}; break;
                case FRZ_STRING: case FRZ_BINARY: v->as.bytes.data = texts[(x >> 32) % 6]; v->as.bytes.len = strlen(texts[(x >> 32) % 6]); break;
                case FRZ_UUID: case FRZ_FIXED: v->as.bytes.data = "0123456789abcdef"; v->as.bytes.len = types[c].id == FRZ_UUID ? 16 : 3; break;
                default: v->as.i64 = small;
                }
                if (!s->columns[c].required && (x >> 16) % 5 == 0) *v = value_null();
                FUZZ_CHECK(frz__vec_append(&vs.cols[c], v, &err) >= 0);
            }
        }
        for (size_t c = 0; c < s->count; c++) cols[c] = &vs.cols[c];
        memset(selected, 0xFF, sizeof selected);
        rc = frz__pred_eval(p, cols, ROWS, selected, &err);
        FUZZ_CHECK(rc >= 0);
        struct buf from = BUF_INIT(NULL, 0), to = BUF_INIT(NULL, 0), key = BUF_INIT(NULL, 0);
        bool has_from = false, has_to = false;
        FUZZ_CHECK(frz__pred_key_range(p, s, &from, &has_from, &to, &has_to, &err) >= 0);
        for (size_t r = 0; r < ROWS; r++) {
            bool passes = frz__pred_eval_row(p, rows[r]);
            FUZZ_CHECK(passes == bit_get(selected, r));
            if (!passes) continue;
            buf_reset(&key);
            FUZZ_CHECK(frz__key_encode_row(s, rows[r], &key, &err) >= 0);
            FUZZ_CHECK(!has_from || slice_cmp(buf_slice(&from), buf_slice(&key)) <= 0);
            FUZZ_CHECK(!has_to || slice_cmp(buf_slice(&key), buf_slice(&to)) < 0);
        }
        buf_clear(&from);
        buf_clear(&to);
        buf_clear(&key);
        frz__vecs_clear(&vs);
    }
    frz__pred_free(p);
    free(bytes);
    return 0;
}
