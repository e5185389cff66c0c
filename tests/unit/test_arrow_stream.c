/* Streams: what a consumer sees of a pull callback, and what we see of a producer that misbehaves. */
#include "frz_test.h"

#include <errno.h>
#include <stdlib.h>

#include "arrow_kit.h"

struct counter { int left, closed, fail_at; };

static int count_down(void *ctx, struct vecs *out, frz_error *err)
{
    struct counter *c = (struct counter *)ctx;
    assert_int_equal(out->rows, 0);
    if (c->left == c->fail_at) return frz__err_corrupt(err, "file x: page 3 is damaged");
    if (c->left == 0) return FRZ_DONE;
    frz_value v = value_i64(FRZ_LONG, c->left--);
    TRY(frz__vec_append(&out->cols[0], &v, err));
    out->rows = 1;
    return FRZ_OK;
}
static void count_closed(void *ctx) { ((struct counter *)ctx)->closed++; }
static const struct arrow_col one_long[] = {{"n", {.id = FRZ_LONG}, false, 1}};

TEST(arrow_stream, gives_batches_then_the_end_for_ever_and_closes_once)
{
    frz_error e = {0};
    struct counter c = {3, 0, -1};
    struct ArrowArrayStream s;
    struct ArrowArray kept, a;
    struct ArrowSchema schema;
    OK(frz__arrow_stream_new(NULL, one_long, 1, (struct arrow_source){&c, count_down, count_closed}, &s, &e), &e);
    for (int i = 0; i < 2; i++) { /* as often as it is asked */
        OK(frz__arrow_stream_schema(&s, &schema, &e), &e);
        assert_string_equal(schema.children[0]->name, "n");
        schema.release(&schema);
    }
    OK(frz__arrow_stream_next(&s, &kept, &e), &e);
    OK(frz__arrow_stream_next(&s, &a, &e), &e);
    a.release(&a);
    OK(frz__arrow_stream_next(&s, &a, &e), &e);
    a.release(&a);
    for (int i = 0; i < 2; i++) RC(frz__arrow_stream_next(&s, &a, &e), FRZ_DONE, &e);
    assert_int_equal(c.closed, 0);
    struct ArrowArrayStream moved = s;
    s.release = NULL;
    moved.release(&moved);
    assert_int_equal(c.closed, 1);
    assert_null(moved.release);
    assert_int_equal(((const int64_t *)kept.children[0]->buffers[1])[0], 3); /* arrays outlive their stream */
    kept.release(&kept);
}

TEST(arrow_stream, an_error_is_an_errno_with_its_message_and_stays)
{
    frz_error e = {0};
    struct counter c = {3, 0, 2};
    struct ArrowArrayStream s;
    struct ArrowArray a;
    OK(frz__arrow_stream_new(NULL, one_long, 1, (struct arrow_source){&c, count_down, count_closed}, &s, &e), &e);
    OK(frz__arrow_stream_next(&s, &a, &e), &e);
    a.release(&a);
    assert_null(s.get_last_error(&s));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(s.get_next(&s, &a), EIO);
        assert_null(a.release);
        assert_string_equal(s.get_last_error(&s), "file x: page 3 is damaged");
        c.fail_at = -1;
    }
    FAILS(frz__arrow_stream_next(&s, &a, &e), FRZ_IO, &e);
    MESSAGE_HAS(&e, "page 3 is damaged");
    assert_int_equal(e.os_errno, EIO);
    s.release(&s);
    assert_int_equal(c.closed, 1);
}

static int bad_schema(struct ArrowArrayStream *s, struct ArrowSchema *out) { (void)s, (void)out; return 0; }
static int bad_next(struct ArrowArrayStream *s, struct ArrowArray *out) { (void)s, (void)out; return ENOMEM; }
static void bad_release(struct ArrowArrayStream *s) { s->release = NULL; }

TEST(arrow_stream, what_is_no_stream_is_refused)
{
    frz_error e = {0};
    struct ArrowArrayStream s = {0};
    struct ArrowSchema schema;
    struct ArrowArray a;
    FAILS(frz__arrow_stream_check(NULL, &e), FRZ_INVALID, &e);
    FAILS(frz__arrow_stream_check(&s, &e), FRZ_INVALID, &e);
    s.release = bad_release;
    FAILS(frz__arrow_stream_check(&s, &e), FRZ_INVALID, &e);
    s.get_schema = bad_schema;
    FAILS(frz__arrow_stream_check(&s, &e), FRZ_INVALID, &e);
    s.get_next = bad_next;
    OK(frz__arrow_stream_check(&s, &e), &e);
    FAILS(frz__arrow_stream_schema(&s, &schema, &e), FRZ_INVALID, &e); /* success, and no schema */
    FAILS(frz__arrow_stream_next(&s, &a, &e), FRZ_NO_MEMORY, &e);      /* and no get_last_error */
    arrow_stream_release(&s);
    arrow_stream_release(&s);
    arrow_stream_release(NULL);
}

TEST(arrow_stream, every_failed_allocation_closes_the_source_once_and_leaks_nothing)
{
    bool done = false;
    for (long n = 1; !done; n++) {
        struct test_alloc t;
        frz_error e = {0};
        struct counter c = {2, 0, -1};
        struct ArrowArrayStream s;
        struct ArrowSchema schema;
        struct ArrowArray a;
        test_alloc_init(&t, n);
        int rc = frz__arrow_stream_new(&t.vt, one_long, 1, (struct arrow_source){&c, count_down, count_closed}, &s, &e);
        if (rc >= 0) {
            rc = frz__arrow_stream_schema(&s, &schema, &e);
            if (rc >= 0) schema.release(&schema);
            while (rc == FRZ_OK) {
                rc = frz__arrow_stream_next(&s, &a, &e);
                if (rc == FRZ_OK) a.release(&a);
            }
            done = rc == FRZ_DONE;
            s.release(&s);
        }
        if (!done) assert_int_equal(rc, FRZ_NO_MEMORY);
        assert_int_equal(c.closed, 1);
        assert_int_equal(t.live, 0);
    }
}
