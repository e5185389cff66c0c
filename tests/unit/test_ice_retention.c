/* Goal: the ladder keeps what each rung asks for, whatever clocks did, and thinning at each publish keeps what thinning once would. Method: tables of (ladder, times) → what is kept; a simulation of publishes. */
#include "ice_kit.h"

#include "iceberg/ice_edit_int.h"
#include "iceberg/ice_retention.h"

#define S_ 1000LL
#define M_ (60 * S_)
#define H_ (60 * M_)
#define D_ (24 * H_)

TEST(ice_retention, parses_what_is_a_ladder)
{
    static const struct { const char *text; size_t count; int64_t width, n, max; } rows[] = {
        {"all:16, 1m:60, 1h:24, 1d:30", 4, D_, 30, 130},
        {"all:1", 1, 0, 1, 1},
        {" all : 16 ,15m:4\t", 2, 15 * M_, 4, 20},
        {"30s:2,2w:100000", 2, 14 * D_, 100000, 100002},
        {"1s:1,1m:1,1h:1,1d:1,1w:1", 5, 7 * D_, 1, 5},
        {"366d:1", 1, 366 * D_, 1, 1},
    };
    for (size_t i = 0; i < FRZ_ARRAY_LEN(rows); i++) {
        struct ice_retention r;
        frz_error err = {0};
        OK(frz__ice_retention_parse(S(rows[i].text), &r, &err), &err);
        assert_int_equal(r.count, rows[i].count);
        assert_int_equal(r.rungs[r.count - 1].width_ms, rows[i].width);
        assert_int_equal(r.rungs[r.count - 1].count, rows[i].n);
        assert_int_equal(frz__ice_retention_max(&r), rows[i].max);
    }
}

TEST(ice_retention, refuses_what_is_none_and_says_which_rung)
{
    static const char *const rows[] = {"", " ", "all", "all:", ":5", "all:0", "all:-1", "all:+1", "all:x", "all:100001", "all:1,", ",all:1", "1m:5,all:3", "1m:5,1m:6", "1h:1,59m:1", "60m:1,1h:1", "m:5", "0m:5",
                                       "-1m:5", "1y:5", "1M:5", "1 m:5", "1.5h:3", "367d:1", "99999999999999999999s:1", "1m:5:6", "1m;5", "ALL:3", "all:99999999999999999999",
                                       "1s:1,2s:1,3s:1,4s:1,5s:1,6s:1,7s:1,8s:1,9s:1,10s:1,11s:1,12s:1,13s:1,14s:1,15s:1,16s:1,17s:1"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(rows); i++) {
        struct ice_retention r;
        frz_error err = {0};
        if (frz__ice_retention_parse(S(rows[i]), &r, &err) != FRZ_INVALID) fail_msg("\"%s\" was taken", rows[i]);
        assert_non_null(strstr(err.message, "frazil.retention"));
    }
    struct ice_retention r;
    assert_int_equal(frz__ice_retention_parse(slice_of("all:1\0", 6), &r, NULL), FRZ_INVALID);
}

TEST(ice_retention, keeps_what_each_row_of_the_table_says)
{
    static const struct { const char *ladder; int64_t times[12]; size_t count; const char *kept; } rows[] = { /* newest first */
        {"all:3", {9, 8, 7, 6, 5}, 5, "11100"},
        {"all:9", {9, 8, 7}, 3, "111"},
        {"all:3", {0}, 0, ""},
        /* the last of each slot; slots begin at the full minute */
        {"1m:9", {3 * M_ + 1, 3 * M_, 3 * M_ - 1, 2 * M_ + 1, 2 * M_, M_, M_ - 1}, 7, "1010011"},
        {"1m:2", {3 * M_ + 1, 3 * M_, 3 * M_ - 1, 2 * M_ + 1, 2 * M_, M_, M_ - 1}, 7, "1010000"},
        /* slots without a snapshot don't count */
        {"1m:3", {500 * M_, 400 * M_, 2 * M_, M_}, 4, "1110"},
        {"1d:2", {90 * D_, 3 * D_ + 5, 3 * D_ + 4, D_}, 4, "1100"},
        /* rungs side by side */
        {"all:2,1m:2,1h:2", {H_ + 2, H_ + 1, H_, H_ - M_ - 1, H_ - 2 * M_}, 5, "11010"},
        {"all:2,1h:3", {2 * H_ + 3, 2 * H_ + 2, 2 * H_ + 1, H_ + 3, H_ + 2, 5, 4}, 7, "1101010"},
        /* before 1970 too */
        {"1m:9", {1, -1, -M_, -M_ - 1}, 4, "1101"},
        /* a clock that jumped ahead once: the slots of then stay, what came after is of them */
        {"1m:3", {900 * M_ + 2, 900 * M_ + 1, 900 * M_, M_, 1}, 5, "10011"},
        /* one that went back: what says a later time than what followed it has no slot of its own */
        {"1m:3", {3 * M_, 2 * M_, 900 * M_, M_, 1}, 5, "11010"},
        {"all:4,1m:3", {3 * M_, 2 * M_, 900 * M_, M_, 1}, 5, "11110"},
        {"1m:9", {INT64_MAX, 0, INT64_MIN}, 3, "111"},
        {"1m:9", {INT64_MIN, 0, INT64_MAX}, 3, "100"},
    };
    for (size_t i = 0; i < FRZ_ARRAY_LEN(rows); i++) {
        struct ice_retention r;
        bool keep[12] = {false};
        char kept[13] = "";
        frz_error err = {0};
        OK(frz__ice_retention_parse(S(rows[i].ladder), &r, &err), &err);
        frz__ice_retention_mark(&r, rows[i].times, rows[i].count, keep);
        for (size_t k = 0; k < rows[i].count; k++) kept[k] = keep[k] ? '1' : '0';
        if (strcmp(kept, rows[i].kept) != 0) fail_msg("row %zu: kept %s, expected %s", i, kept, rows[i].kept);
    }
}

/* Times of publishes at random distances, with clocks that jump ahead; thinned after each against thinned once at the end. */
TEST(ice_retention, thinning_at_each_publish_keeps_what_thinning_once_does)
{
    static const char *const ladders[] = {"all:3", "all:2,1m:5,1h:4", "10s:7", "all:16,1m:60,1h:24,1d:30", "1h:3,1d:2,1w:2"};
    for (uint64_t seed = 0; seed < 60; seed++) {
        static int64_t all[400], some[400];
        struct rng rng = {seed};
        struct ice_retention r;
        int64_t now = (int64_t)rng_below(&rng, 1u << 30) * 1000, most;
        size_t n = 0, left = 0;
        OK(frz__ice_retention_parse(S(ladders[seed % FRZ_ARRAY_LEN(ladders)]), &r, NULL), NULL);
        most = frz__ice_retention_max(&r);
        for (; n < FRZ_ARRAY_LEN(all); n++) {
            bool keep[400] = {false};
            now += rng_below(&rng, 20) == 0 ? (int64_t)rng_below(&rng, 3 * D_) : (int64_t)rng_below(&rng, 90 * S_);
            memmove(all + 1, all, n * sizeof *all);
            memmove(some + 1, some, left * sizeof *some);
            all[0] = some[0] = now;
            frz__ice_retention_mark(&r, some, ++left, keep);
            assert_true(keep[0]);
            size_t k = 0;
            for (size_t i = 0; i < left; i++)
                if (keep[i]) some[k++] = some[i];
            left = k;
            assert_true((int64_t)left <= most);
        }
        bool keep[400] = {false};
        size_t k = 0;
        frz__ice_retention_mark(&r, all, n, keep);
        for (size_t i = 0; i < n; i++) {
            if (!keep[i]) continue;
            assert_true(k < left);
            assert_int_equal(some[k++], all[i]);
        }
        assert_int_equal(k, left);
    }
}
