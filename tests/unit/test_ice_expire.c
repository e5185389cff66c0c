/* Goal: exactly the snapshots that the settings, refs and the cap ask for survive. Method: tables of (history, refs, properties, now) → what is left. */
#include "ice_kit.h"
#include "iceberg/ice_edit_int.h"

struct row {
    const char *snapshots; /* id:parent:timestamp …, by sequence; the last one is current */
    const char *refs;      /* members of the object, main apart */
    const char *main_more; /* further members of main */
    const char *properties;
    int64_t now_ms;
    const char *left;      /* ids */
    const char *left_refs; /* names, in order */
};

static void build(const struct row *r, struct arena *ar, struct ice_meta **m, const char *log, const char *statistics)
{
    char text[8192], list[4096] = "";
    frz_error err = {0};
    int64_t id = 0, parent, ts, seq = 0;
    size_t n = 0;
    int used = 0;
    for (const char *p = r->snapshots; sscanf(p, " %" SCNd64 ":%" SCNd64 ":%" SCNd64 "%n", &id, &parent, &ts, &used) == 3; p += used)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s{\"snapshot-id\":%" PRId64 ",\"parent-snapshot-id\":%" PRId64 ",\"sequence-number\":%" PRId64 ",\"timestamp-ms\":%" PRId64 ",\"manifest-list\":\"m\"}",
                              n ? "," : "", id, parent, ++seq, ts);
    snprintf(text, sizeof text,
             "{\"format-version\":2,\"table-uuid\":\"" KIT_UUID "\",\"location\":\"file:///t\",\"last-updated-ms\":5,\"last-column-id\":1,\"last-sequence-number\":99,\"schemas\":[{\"type\":\"struct\","
             "\"schema-id\":0,\"fields\":[]}],\"current-schema-id\":0,\"partition-specs\":[{\"spec-id\":0,\"fields\":[]}],\"default-spec-id\":0,\"current-snapshot-id\":%" PRId64 ",\"snapshots\":[%s],"
             "\"refs\":{\"main\":{\"snapshot-id\":%" PRId64 ",\"type\":\"branch\"%s}%s%s},\"properties\":{%s},\"snapshot-log\":[%s],\"statistics\":[%s]}",
             id, list, id, r->main_more, *r->refs ? "," : "", r->refs, r->properties, log, statistics);
    OK(frz__ice_meta_parse(NULL, ar, S(text), m, &err), &err);
}

static void ids_of(const struct ice_meta *m, char *out, size_t cap)
{
    size_t n = 0;
    *out = 0;
    for (size_t i = 0; i < m->snapshot_count; i++) n += (size_t)snprintf(out + n, cap - n, "%s%" PRId64, i ? " " : "", m->snapshots[i].id);
}

#define AGE(ms)  "\"history.expire.max-snapshot-age-ms\":\"" #ms "\""
#define LEAST(n) "\"history.expire.min-snapshots-to-keep\":\"" #n "\""
#define CAP(n)   "\"frazil.snapshots-max\":\"" #n "\""
#define AT(id, ts) "{\"timestamp-ms\":" #ts ",\"snapshot-id\":" #id "}"
#define LADDER(text) "\"frazil.retention\":\"" text "\""
#define MINUTES "1:0:1000 2:1:2000 3:2:61000 4:3:62000 5:4:121000 6:5:122000"
#define TAG(name, id, more)    "\"" name "\":{\"snapshot-id\":" #id ",\"type\":\"tag\"" more "}"
#define BRANCH(name, id, more) "\"" name "\":{\"snapshot-id\":" #id ",\"type\":\"branch\"" more "}"
#define CHAIN5 "1:0:100 2:1:200 3:2:300 4:3:400 5:4:500"

static const struct row rows[] = {
    /* Iceberg's defaults: five days */
    {CHAIN5, "", "", "", 600, "1 2 3 4 5", "main"},
    {CHAIN5, "", "", "", 432000000 + 250, "3 4 5", "main"},
    {CHAIN5, "", "", "", 999999999999, "5", "main"},
    /* age: not older than, inclusive */
    {CHAIN5, "", "", AGE(100), 500, "4 5", "main"},
    {CHAIN5, "", "", AGE(99), 500, "5", "main"},
    {CHAIN5, "", "", AGE(200), 501, "4 5", "main"},
    /* at least so many, however old */
    {CHAIN5, "", "", AGE(1) "," LEAST(3), 9000, "3 4 5", "main"},
    {CHAIN5, "", "", AGE(1) "," LEAST(9), 9000, "1 2 3 4 5", "main"},
    /* the cap, over both */
    {CHAIN5, "", "", AGE(100000) "," CAP(2), 600, "4 5", "main"},
    {CHAIN5, "", "", AGE(1) "," LEAST(4) "," CAP(2), 9000, "4 5", "main"},
    {CHAIN5, "", "", AGE(100000) "," CAP(1), 600, "5", "main"},
    /* a property that is no number has the default */
    {CHAIN5, "", "", AGE(soon) "," LEAST(0) "," CAP(-1), 432000000 + 250, "3 4 5", "main"},
    /* tags: beside the cap, whatever their age; not what leads to them */
    {CHAIN5, TAG("t", 2, ""), "", AGE(1), 9000, "2 5", "main t"},
    {CHAIN5, TAG("t", 2, "") "," TAG("u", 1, ""), "", AGE(100000) "," CAP(2), 600, "1 2 4 5", "main t u"},
    {CHAIN5, TAG("t", 5, ""), "", AGE(100000) "," CAP(2), 600, "3 4 5", "main t"}, /* then the current one does not count either */
    {CHAIN5, TAG("t", 2, ",\"max-ref-age-ms\":1000"), "", AGE(1), 1200, "2 5", "main t"},
    {CHAIN5, TAG("t", 2, ",\"max-ref-age-ms\":1000"), "", AGE(1), 1201, "5", "main"},
    {CHAIN5, TAG("t", 2, ""), "", AGE(1) ",\"history.expire.max-ref-age-ms\":\"1000\"", 1201, "5", "main"},
    {CHAIN5, TAG("t", 2, ",\"max-ref-age-ms\":5000"), "", AGE(1) ",\"history.expire.max-ref-age-ms\":\"1000\"", 1201, "2 5", "main t"},
    {CHAIN5, "", ",\"max-ref-age-ms\":1", AGE(1), 9000, "5", "main"}, /* main never goes */
    /* branches by their own settings, beside the cap; main too */
    {CHAIN5, "", ",\"min-snapshots-to-keep\":4", AGE(1) "," CAP(2), 9000, "2 3 4 5", "main"},
    {CHAIN5, "", ",\"max-snapshot-age-ms\":250", AGE(100000) "," CAP(1), 500, "3 4 5", "main"},
    {"1:0:100 2:1:200 3:2:300 4:2:350 5:3:500", BRANCH("b", 4, ""), "", AGE(1), 9000, "4 5", "main b"},
    {"1:0:100 2:1:200 3:2:300 4:2:350 5:3:500", BRANCH("b", 4, ",\"min-snapshots-to-keep\":2"), "", AGE(1) "," CAP(1), 9000, "2 4 5", "main b"},
    {"1:0:100 2:1:200 3:2:300 4:2:350 5:3:500", BRANCH("b", 4, ",\"max-ref-age-ms\":9"), "", AGE(1), 9000, "5", "main"},
    /* on no branch: while young; what a tag points at is no ancestor's end */
    {"1:0:100 2:1:200 3:1:300 4:2:400", "", "", AGE(150), 400, "3 4", "main"},
    {CHAIN5, TAG("t", 4, "") "," TAG("u", 3, ""), "", AGE(450), 900, "3 4 5", "main t u"},
    {"1:0:900 2:1:200 3:2:300", TAG("t", 3, ""), "", AGE(150), 1000, "3", "main t"}, /* 1 is young, but an ancestor behind an old one */
    /* parents that went, or go round */
    {"4:3:400 5:4:500", "", "", AGE(1) "," LEAST(9), 9000, "4 5", "main"},
    {"4:5:400 5:4:500", "", "", AGE(1) "," LEAST(9), 9000, "4 5", "main"},
    {"5:5:500", "", "", AGE(100), 550, "5", "main"},
    /* the ladder: whatever the age, through gaps that it made; within the cap it goes before what is young */
    {CHAIN5, "", "", AGE(1) "," LADDER("all:2"), 9000, "4 5", "main"},
    {MINUTES, "", "", AGE(1) "," LADDER("all:1,1m:3"), 999999999, "2 4 6", "main"},
    {"1:0:1000 3:2:61000 6:5:121000", "", "", AGE(1) "," LADDER("1m:2"), 999999999, "3 6", "main"}, /* with gaps in the chain */
    {MINUTES, "", "", AGE(999999) "," CAP(4) "," LADDER("1m:3"), 130000, "2 4 5 6", "main"},
    {MINUTES, "", "", AGE(999999) "," CAP(2) "," LADDER("1m:3"), 130000, "4 6", "main"}, /* another engine set what frazil refuses: newest first */
    {MINUTES, "", "", AGE(1) "," LEAST(3) "," LADDER("1m:3"), 999999999, "2 4 5 6", "main"},
    {MINUTES, TAG("t", 1, ""), "", AGE(1) "," LADDER("1m:3"), 999999999, "1 2 4 6", "main t"},
    {MINUTES, "", "", AGE(1) "," LADDER("1m"), 999999999, "6", "main"}, /* a ladder that is none */
    {"1:0:1000 2:1:2000 3:2:61000 4:2:62000 5:3:121000", BRANCH("b", 4, ""), "", AGE(1) "," LADDER("1m:3"), 999999999, "2 3 4 5", "main b"}, /* 4 is not of main: its minute's last is 3 */
    {MINUTES, "", "", AGE(1) "," LADDER("1m:3"), -999999999, "1 2 3 4 5 6", "main"}, /* a clock far behind: all is young */
    /* clocks that differ */
    {"1:0:-9223372036854775807 2:1:9223372036854775807", "", "", AGE(10), 0, "2", "main"},
    {"1:0:100 2:1:900 3:2:300", "", "", AGE(10), 300, "2 3", "main"},
};

TEST(ice_expire, leaves_what_each_row_of_the_table_says)
{
    for (size_t i = 0; i < FRZ_ARRAY_LEN(rows); i++) {
        struct arena ar = ARENA_INIT(NULL), tmp = ARENA_INIT(NULL);
        struct ice_meta *m = NULL;
        frz_error err = {0};
        char left[256], refs[128] = "";
        int64_t *expired;
        size_t expired_count, before, n = 0;
        build(&rows[i], &ar, &m, "", "");
        before = m->snapshot_count;
        OK(frz__ice_expire(NULL, &ar, &tmp, m, rows[i].now_ms, NULL, &expired, &expired_count, &err), &err);
        ids_of(m, left, sizeof left);
        for (size_t r = 0; r < m->ref_count; r++) n += (size_t)snprintf(refs + n, sizeof refs - n, "%s%.*s", r ? " " : "", (int)m->refs[r].name.len, (const char *)m->refs[r].name.data);
        if (strcmp(left, rows[i].left) != 0 || strcmp(refs, rows[i].left_refs) != 0) fail_msg("row %zu: left \"%s\", refs \"%s\"; expected \"%s\", \"%s\"", i, left, refs, rows[i].left, rows[i].left_refs);
        assert_int_equal(expired_count + m->snapshot_count, before);
        for (size_t e = 0; e < expired_count; e++) assert_null(frz__ice_snapshot(m, expired[e]));
        assert_non_null(frz__ice_snapshot(m, m->current_snapshot_id));
        frz__ice_meta_release(m);
        frz__arena_clear(&ar);
        frz__arena_clear(&tmp);
    }
}

/* ── on demand ── */

struct demand {
    const char *snapshots, *refs, *main_more, *properties;
    struct ice_expire_by by;
    const char *expired; /* or what the message has */
    int rc;
};
static const int64_t two[] = {2}, two_four[] = {4, 2}, five[] = {5}, nine[] = {9};
#define BY_TIME(t) .by_time = true, .older_than_ms = t
static const struct demand demands[] = {
    {CHAIN5, "", "", AGE(100000), {BY_TIME(300)}, "1 2", FRZ_OK}, /* from then on */
    {CHAIN5, "", "", AGE(1), {BY_TIME(300)}, "1 2", FRZ_OK},      /* in place of the age, both ways */
    {CHAIN5, "", "", AGE(100000), {BY_TIME(INT64_MAX)}, "1 2 3 4", FRZ_OK},
    {CHAIN5, "", "", AGE(1), {BY_TIME(INT64_MIN)}, "", FRZ_OK},
    {CHAIN5, "", "", AGE(1) "," LEAST(3), {BY_TIME(INT64_MAX)}, "1 2", FRZ_OK},
    {CHAIN5, "", "", AGE(1) "," LEAST(3), {BY_TIME(INT64_MAX), .keep_last = 2}, "1 2 3", FRZ_OK},
    {CHAIN5, "", "", AGE(1) "," LEAST(2), {BY_TIME(INT64_MAX), .keep_last = 4}, "1", FRZ_OK},
    {CHAIN5, "", "", AGE(1), {.keep_last = 3}, "1 2", FRZ_OK}, /* the table's age */
    {CHAIN5, "", "", AGE(100000) "," CAP(3), {.keep_last = 5}, "1 2", FRZ_OK}, /* the cap stays */
    {CHAIN5, "", "", AGE(1) "," LADDER("all:4"), {.keep_last = 1}, "1", FRZ_OK},
    {CHAIN5, "", "", AGE(1) "," LADDER("all:4"), {BY_TIME(INT64_MAX)}, "1 2 3 4", FRZ_OK},
    {CHAIN5, TAG("t", 2, "") "," BRANCH("b", 3, ",\"min-snapshots-to-keep\":2"), "", AGE(1), {BY_TIME(INT64_MAX)}, "1 4", FRZ_OK},
    {CHAIN5, "", ",\"max-snapshot-age-ms\":100000", AGE(1), {BY_TIME(INT64_MAX)}, "", FRZ_OK}, /* main's own */
    {CHAIN5, "", "", AGE(100000), {.ids = two, .id_count = 1}, "2", FRZ_OK},
    {CHAIN5, "", ",\"max-snapshot-age-ms\":100000", AGE(1), {.ids = two_four, .id_count = 2}, "2 4", FRZ_OK},
    {CHAIN5, TAG("t", 2, ""), "", AGE(100000), {.ids = two, .id_count = 1}, "tag t", FRZ_INVALID},
    {CHAIN5, TAG("t", 2, ",\"max-ref-age-ms\":10"), "", AGE(100000), {.ids = two, .id_count = 1}, "tag t", FRZ_INVALID}, /* over its age, but it goes by the rules */
    {CHAIN5, TAG("t", 2, ",\"max-ref-age-ms\":10"), "", AGE(100000), {.keep_last = 1, .ids = two, .id_count = 1}, "2", FRZ_OK}, /* and went in the same */
    /* single ones alone: no rule takes others with them */
    {CHAIN5, "", "", AGE(1), {.ids = two, .id_count = 1}, "2", FRZ_OK},
    {CHAIN5, "", "", AGE(100000) "," CAP(2), {.ids = two_four, .id_count = 2}, "2 4", FRZ_OK},
    {CHAIN5, "", "", AGE(1) "," LADDER("all:2"), {.ids = two, .id_count = 1}, "2", FRZ_OK},
    {CHAIN5, BRANCH("b", 3, ",\"max-ref-age-ms\":9"), "", AGE(1), {.ids = two, .id_count = 1}, "2", FRZ_OK},
    /* beside a time or a count, by which others go */
    {CHAIN5, "", "", AGE(1), {.keep_last = 3, .ids = two_four, .id_count = 2}, "1 2 4", FRZ_OK},
    {CHAIN5, "", "", AGE(100000), {BY_TIME(200), .ids = two_four, .id_count = 2}, "1 2 4", FRZ_OK},
    {CHAIN5, "", "", AGE(100000), {.ids = five, .id_count = 1}, "branch main", FRZ_INVALID},
    {CHAIN5, "", "", AGE(100000), {.ids = nine, .id_count = 1}, "9 is not retained", FRZ_CONFLICT},
};

TEST(ice_expire, on_demand_expires_what_each_row_of_the_table_says_and_the_plan_changes_nothing)
{
    for (size_t i = 0; i < FRZ_ARRAY_LEN(demands); i++) {
        const struct demand *d = &demands[i];
        const struct row r = {d->snapshots, d->refs, d->main_more, d->properties, 0, "", ""};
        struct arena ar = ARENA_INIT(NULL);
        struct ice_meta *m = NULL;
        frz_error err = {0};
        int64_t *ids = NULL;
        size_t count = 0, n = 0, refs;
        char got[64] = "";
        build(&r, &ar, &m, "", "");
        refs = m->ref_count;
        int rc = frz__ice_expire_plan(NULL, &ar, m, 600, &d->by, &ids, &count, &err);
        assert_int_equal(rc, d->rc);
        for (size_t k = 0; rc == FRZ_OK && k < count; k++) n += (size_t)snprintf(got + n, sizeof got - n, "%s%" PRId64, k ? " " : "", ids[k]);
        if (rc == FRZ_OK ? strcmp(got, d->expired) != 0 : !strstr(err.message, d->expired)) fail_msg("row %zu: %s %s; expected %s", i, got, err.message, d->expired);
        assert_int_equal(m->snapshot_count, 5);
        assert_int_equal(m->ref_count, refs);
        frz__ice_meta_release(m);
        frz__arena_clear(&ar);
    }
}

/* ── what was current when ── */

TEST(ice_expire, a_time_is_looked_up_in_the_log_and_behind_it_only_where_the_child_is_there)
{
    static const struct { const char *snapshots, *refs, *log; int64_t at, id; const char *says; } times[] = {
        {CHAIN5, "", AT(1, 100) "," AT(2, 200) "," AT(3, 300) "," AT(4, 400) "," AT(5, 500), 100, 1, ""},
        {CHAIN5, "", AT(1, 100) "," AT(2, 200) "," AT(3, 300) "," AT(4, 400) "," AT(5, 500), 399, 3, ""},
        {CHAIN5, "", AT(1, 100) "," AT(2, 200) "," AT(3, 300) "," AT(4, 400) "," AT(5, 500), INT64_MAX, 5, ""},
        {CHAIN5, "", AT(1, 100) "," AT(2, 200) "," AT(3, 300) "," AT(4, 400) "," AT(5, 500), 99, 0, "the earliest is snapshot 1 of 1970-01-01T00:00:00.100Z"},
        {CHAIN5, "", AT(5, 100) "," AT(2, 200) "," AT(5, 500), 300, 2, ""}, /* rolled back, and forth */
        {CHAIN5, "", AT(4, 400) "," AT(5, 500), 250, 2, ""},                /* behind the log: 3 followed 2 */
        {CHAIN5, BRANCH("b", 3, ""), AT(4, 400) "," AT(5, 500), 250, 0, "not retained"}, /* or did it on the branch? */
        {CHAIN5, TAG("b", 3, ""), AT(4, 400) "," AT(5, 500), 250, 2, ""},
        {"1:0:100 3:2:300 4:3:400 5:4:500", "", AT(3, 300) "," AT(4, 400) "," AT(5, 500), 250, 0, "there is snapshot 1 of 1970-01-01T00:00:00.100Z, and from 1970-01-01T00:00:00.300Z on all is known"},
        {"1:0:100 3:2:300 4:3:400 5:4:500", "", AT(4, 400) "," AT(5, 500), 399, 3, ""},
        {"5:4:500", "", "", 600, 5, ""}, /* no log: the current one, as none came after it */
        {"5:4:500", "", "", 499, 0, "nothing of"},
        {CHAIN5, "", "", 450, 4, ""},
        {CHAIN5, "", AT(1, 100), INT64_MIN, 0, "nothing of -9223372036854775808 ms is retained"},
    };
    for (size_t i = 0; i < FRZ_ARRAY_LEN(times); i++) {
        const struct row r = {times[i].snapshots, times[i].refs, "", "", 0, "", ""};
        struct arena ar = ARENA_INIT(NULL);
        struct ice_meta *m = NULL;
        frz_error err = {0};
        build(&r, &ar, &m, times[i].log, "");
        const struct ice_snapshot *s = frz__ice_snapshot_at(m, times[i].at, &err);
        if ((s ? s->id : 0) != times[i].id || (!s && !strstr(err.message, times[i].says))) fail_msg("row %zu: %" PRId64 ", %s", i, s ? s->id : 0, err.message);
        frz__ice_meta_release(m);
        frz__arena_clear(&ar);
    }
}

TEST(ice_expire, trims_the_log_before_what_went_and_statistics_of_it)
{
    static const struct row r = {CHAIN5, "", "", AGE(100), 500, "4 5", "main"};
    struct arena ar = ARENA_INIT(NULL), tmp = ARENA_INIT(NULL);
    struct ice_meta *m = NULL;
    frz_error err = {0};
    int64_t *expired;
    size_t count;
#define STATS(id) "{\"snapshot-id\":" #id ",\"statistics-path\":\"s\",\"f\":1.5}"
    /* 4 was current, then rolled back to 2, which goes: what is before that is no history any more */
    build(&r, &ar, &m, AT(1, 100) "," AT(4, 210) "," AT(2, 220) "," AT(4, 400) "," AT(5, 500), STATS(1) "," STATS(4) "," STATS(77));
    OK(frz__ice_expire(NULL, &ar, &tmp, m, r.now_ms, NULL, &expired, &count, &err), &err);
    assert_int_equal(count, 3);
    assert_int_equal(m->snapshot_log_count, 2);
    assert_int_equal(m->snapshot_log[0].timestamp_ms, 400);
    assert_int_equal(m->snapshot_log[1].snapshot_id, 5);
    assert_string_equal((const char *)m->statistics.data, "[" STATS(4) "," STATS(77) "]");
    frz__ice_meta_release(m);
    frz__arena_clear(&ar);
    frz__arena_clear(&tmp);
}

/* ── through commits ── */

TEST(ice_expire, hazard_36_metadata_stays_small_under_a_publish_a_second)
{
    struct kit k;
    size_t most = 0;
    kit_init(&k, 2, NULL, 0);
    k.a = NULL;
    for (int i = 0; i < 300; i++) {
        char a[32], b[32];
        snprintf(a, sizeof a, "f%d", i);
        snprintf(b, sizeof b, "f%d", i - 1);
        slice gone = S(b);
        struct ice_file f = kit_data(a, 10, 100);
        k.now_ms += 1000;
        OK(kit_apply(&k, EDIT(.added = &f, .added_count = 1, .removed = &gone, .removed_count = i > 0)), &k.err);
        if (k.last.metadata_json.len > most) most = k.last.metadata_json.len;
        assert_true(k.meta->snapshot_count <= 32);
        assert_true(k.meta->snapshot_log_count <= 32);
        if (i > 40) assert_int_equal(k.last.expired_snapshot_count, 1);
    }
    assert_int_equal(k.meta->snapshot_count, 32);
    assert_true(most < 65536);
    k.now_ms += 3600000; /* an hour of silence: the eight that are always kept */
    OK(kit_apply(&k, EDIT(.no_snapshot = true)), &k.err);
    assert_int_equal(k.meta->snapshot_count, 8);
    kit_clear(&k);
}

TEST(ice_expire, keeps_tags_and_the_settings_of_main_across_commits)
{
    struct kit k;
    static const char tag[] = "{\"snapshot-id\":100,\"type\":\"tag\",\"max-ref-age-ms\":9000000,\"odd\":[1]}";
    kit_init(&k, 2, NULL, 0);
    OK(kit_apply(&k, EDIT(ADD(kit_data("a", 1, 1)))), &k.err);
    struct ice_ref *refs = (struct ice_ref *)arena_alloc(&k.ar, 2 * sizeof *refs, 8); /* as Spark's CREATE TAG leaves it */
    refs[0] = (struct ice_ref){S("rel"), 100, S(tag), true};
    refs[1] = (struct ice_ref){S("main"), 100, S("{\"min-snapshots-to-keep\":2,\"snapshot-id\":100,\"type\":\"branch\",\"max-snapshot-age-ms\":5}"), false};
    k.meta->refs = refs;
    k.meta->ref_count = 2;
    for (int i = 0; i < 50; i++) {
        k.now_ms += 60001;
        OK(kit_apply(&k, EDIT(.added = NULL)), &k.err);
    }
    assert_int_equal(k.meta->snapshot_count, 3);
    assert_int_equal(k.meta->snapshots[0].id, 100);
    assert_string_equal((const char *)k.meta->refs[0].json.data, tag);
    assert_string_equal((const char *)k.meta->refs[1].json.data, "{\"snapshot-id\":150,\"type\":\"branch\",\"min-snapshots-to-keep\":2,\"max-snapshot-age-ms\":5}");
    k.now_ms += 9000000;
    OK(kit_apply(&k, EDIT(.added = NULL)), &k.err);
    assert_int_equal(k.meta->ref_count, 1);
    assert_null(frz__ice_snapshot(k.meta, 100));
    kit_clear(&k);
}
