/* Goal: how many runs a table's upper levels may have follows what it is used for now, not what it was once. Method: totals and times as numbers. */
#include "frz_test.h"

#include "engine/mix.h"
#include "engine/plan.h"

#define MINUTE ((int64_t)60000000000)

static unsigned runs(const struct mix *m) { return frz__plan_runs_max((uint64_t)m->gets, (uint64_t)m->puts, 8); }

TEST(mix, follows_a_table_that_is_loaded_and_then_read)
{
    struct mix m = {0};
    uint64_t gets = 0, puts = 0;
    int64_t now = MINUTE;
    frz__mix_look(&m, 0, 0, now);
    assert_int_equal(runs(&m), 4); /* nothing known: between both */
    for (int i = 0; i < 60; i++) frz__mix_look(&m, gets, puts += 1000000, now += MINUTE);
    assert_int_equal(runs(&m), 7); /* tiered */
    for (int i = 0; i < 5; i++) frz__mix_look(&m, gets += 1000000, puts, now += MINUTE);
    assert_true(runs(&m) > 1 && runs(&m) < 7); /* on its way */
    for (int i = 0; i < 30; i++) frz__mix_look(&m, gets += 1000000, puts, now += MINUTE);
    assert_int_equal(runs(&m), 1); /* levelled, though as many rows were written as read: that is long ago */
    for (int i = 0; i < 30; i++) frz__mix_look(&m, gets, puts += 1000000, now += MINUTE);
    assert_int_equal(runs(&m), 7);
}

TEST(mix, is_the_same_however_often_it_is_looked_at)
{
    struct mix often = {0}, seldom = {0};
    frz__mix_look(&often, 0, 0, MINUTE);
    frz__mix_look(&seldom, 0, 0, MINUTE);
    frz__mix_look(&often, 1000, 3000, 2 * MINUTE);
    frz__mix_look(&seldom, 1000, 3000, 2 * MINUTE);
    for (int i = 0; i < 100; i++) frz__mix_look(&often, 1000, 3000, 2 * MINUTE + i * MINUTE / 10);
    frz__mix_look(&seldom, 1000, 3000, 2 * MINUTE + 99 * MINUTE / 10);
    assert_true(often.gets > seldom.gets * 0.999 && often.gets < seldom.gets * 1.001);
    assert_true(often.puts > seldom.puts * 0.999 && often.puts < seldom.puts * 1.001);
}

TEST(mix, halves_in_its_half_life_and_takes_totals_that_begin_again)
{
    struct mix m = {0};
    frz__mix_look(&m, 800, 400, 5);
    frz__mix_look(&m, 800, 400, 5 + MIX_HALF_LIFE_NS);
    assert_true(m.gets > 399.9 && m.gets < 400.1 && m.puts > 199.9 && m.puts < 200.1);
    frz__mix_look(&m, 10, 0, 5 + MIX_HALF_LIFE_NS);
    assert_true(m.gets > 409.9 && m.gets < 410.1);
    frz__mix_look(&m, 10, 0, 1); /* a clock that goes back takes nothing away */
    assert_true(m.gets > 409.9);
}
