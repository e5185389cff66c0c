/* Encoded rows into columns are what row.h reads of them one by one: of every type, with and without nulls, in pieces of any size. */
#include "../sst_fixture.h"
#include "sst/sst_keys.h"

static frz_error err;

static void same_as_one_by_one(const char *columns, uint64_t seed)
{
    enum { ROWS = 700 };
    struct fx_table t;
    struct vec cols[20];
    static slice rows[ROWS];
    fx_table_random(&t, columns, "k", ROWS, seed);
    for (size_t i = 0; i < t.n; i++) rows[i] = t.rows[i].row;
    for (size_t c = 0; c < t.schema->count; c++) frz__vec_init(&cols[c], NULL, t.schema->columns[c].type);
    for (int again = 0; again < 2; again++) { /* vectors that were used before, with their validity */
        for (size_t at = 0, n = 1; at < t.n; at += n, n = n * 2 < t.n - at ? n * 2 : t.n - at) OK(frz__sst_values_append(t.schema, rows + at, n, cols, &err), &err);
        for (size_t c = 0; c < t.schema->count; c++) {
            size_t nulls = 0;
            if (t.schema->layout.slots[c].is_key) continue;
            assert_int_equal(cols[c].len, t.n);
            for (size_t i = 0; i < t.n; i++) {
                frz_value a, b;
                frz__row_get(t.schema, rows[i], c, &a);
                frz__vec_get(&cols[c], i, &b);
                assert_true(value_is_null(&a) == value_is_null(&b));
                nulls += value_is_null(&a);
                if (!value_is_null(&a)) assert_true(frz__value_eq(&a, &b));
            }
            assert_int_equal(cols[c].nulls, nulls);
            vec_reset(&cols[c]);
        }
    }
    for (size_t c = 0; c < t.schema->count; c++) frz__vec_clear(&cols[c]);
    fx_table_clear(&t);
}

TEST(sst_rows, of_every_type_come_into_columns_as_they_were)
{
    const char *types = "k long, a boolean?, b int?, c long?, d float?, e double?, f decimal(38,3)?, g date?, h time?, i timestamp?, j string?, l uuid?, m fixed[7]?, n binary?, o string?";
    for (uint64_t seed = 1; seed < 4; seed++) same_as_one_by_one(types, seed);
    same_as_one_by_one("k long, a boolean, b int, c string, d fixed[3], e binary, f decimal(9,2)", 9);
}
