#include "types/pred_int.h"

#include "types/keyenc.h"

void frz__pred_free(struct pred *p)
{
    if (!p) return;
    frz__arena_clear(&p->ar);
    frz__free(p->a, p);
}

static void columns_of(const struct pred_node *n, uint8_t *bits)
{
    if (n->kind == PRED_AND || n->kind == PRED_OR) {
        for (size_t i = 0; i < n->count; i++) columns_of(n->children[i], bits);
    } else if (n->kind != PRED_TRUE && n->kind != PRED_FALSE) {
        bit_set(bits, n->column);
    }
}

void frz__pred_columns(const struct pred *p, uint8_t *column_bits) { columns_of(p->root, column_bits); }

/* ── the key range that a predicate implies ── */

struct bound {
    bool is_set, open; /* open: the value itself is out */
    frz_value value;
};
struct bounds { struct bound low, high; };

static void tighten(struct bound *b, const frz_value *v, bool open, int sign)
{
    int c = b->is_set ? sign * frz__value_cmp(v, &b->value) : 1;
    if (c > 0) *b = (struct bound){true, open, *v};
    else if (c == 0) b->open = b->open || open;
}

/* Bytes above all that begin with S, in AR; false = there are none. */
static int successor_value(struct arena *ar, slice s, frz_value *out, frz_error *err)
{
    size_t n = s.len;
    while (n > 0 && s.data[n - 1] == 0xFF) n--;
    if (n == 0) return FRZ_NOT_FOUND;
    uint8_t *copy = (uint8_t *)arena_alloc(ar, n, 1);
    if (!copy) return frz__err_no_memory(err, n);
    memcpy(copy, s.data, n);
    copy[n - 1]++;
    *out = value_bytes(FRZ_STRING, slice_of(copy, n));
    return FRZ_OK;
}

/* What a conjunct says of COLUMN. */
static int bounds_of(const struct pred_node *n, uint32_t column, struct arena *ar, struct bounds *b, frz_error *err)
{
    if (n->kind == PRED_AND) {
        for (size_t i = 0; i < n->count; i++) TRY(bounds_of(n->children[i], column, ar, b, err));
        return FRZ_OK;
    }
    if (n->column != column) return FRZ_OK;
    if (n->kind == PRED_CMP) {
        if (n->op == PRED_EQ || n->op == PRED_GE || n->op == PRED_GT) tighten(&b->low, &n->value, n->op == PRED_GT, 1);
        if (n->op == PRED_EQ || n->op == PRED_LE || n->op == PRED_LT) tighten(&b->high, &n->value, n->op == PRED_LT, -1);
    } else if (n->kind == PRED_IN) {
        tighten(&b->low, &n->values[0], false, 1);
        tighten(&b->high, &n->values[n->count - 1], false, -1);
    } else if (n->kind == PRED_LIKE) {
        frz_value v = value_bytes(FRZ_STRING, n->like.prefix);
        tighten(&b->low, &v, false, 1);
        if (n->like.exact) {
            tighten(&b->high, &v, false, -1);
            return FRZ_OK;
        }
        int rc = successor_value(ar, n->like.prefix, &v, err);
        if (rc < 0) return rc;
        if (rc == FRZ_OK) tighten(&b->high, &v, true, -1);
    }
    return FRZ_OK;
}

static bool is_raw(const frz_schema *s, size_t i) { return i + 1 == s->key_count && type_is_var(s->columns[s->key[i]].type); }

/* The bound's first key into OUT, which holds the prefix of the equal columns: the least that is in (low), or that is out (high). *HAS = there is one. */
static int put_bound(const frz_schema *s, size_t i, const struct bound *b, bool behind, struct buf *out, bool *has, frz_error *err)
{
    struct buf next = BUF_INIT(out->a, 0);
    int rc = frz__key_put(s, i, &b->value, out, err);
    *has = true;
    if (rc < 0 || !behind) return rc;
    if (is_raw(s, i)) return buf_append_byte(out, 0, err); /* the very next key */
    CHECK(buf_reserve(&next, out->len, err));
    *has = frz__key_successor(buf_slice(out), &next);
    buf_reset(out);
    if (*has) CHECK(buf_append_slice(out, buf_slice(&next), err));
done:
    buf_clear(&next);
    return rc;
}

/* OUT = the least bytes above all that begin with PREFIX. */
static int put_successor(slice prefix, struct buf *out, bool *has, frz_error *err)
{
    TRY(buf_reserve(out, prefix.len, err));
    *has = frz__key_successor(prefix, out);
    return FRZ_OK;
}

int frz__pred_key_range(const struct pred *p, const frz_schema *s, struct buf *from, bool *has_from, struct buf *to, bool *has_to, frz_error *err)
{
    struct arena ar = ARENA_INIT(p->a);
    struct buf prefix = BUF_INIT(p->a, 0), low = BUF_INIT(p->a, 0), high = BUF_INIT(p->a, 0);
    int rc = FRZ_OK;
    *has_from = *has_to = false;
    for (size_t i = 0; i < s->key_count; i++) {
        struct bounds b = {0};
        CHECK(bounds_of(p->root, s->key[i], &ar, &b, err));
        bool equal = b.low.is_set && b.high.is_set && !b.low.open && !b.high.open && frz__value_eq(&b.low.value, &b.high.value);
        if (equal && i + 1 < s->key_count) {
            CHECK(frz__key_put(s, i, &b.low.value, &prefix, err));
            continue;
        }
        CHECK(buf_append_slice(&low, buf_slice(&prefix), err));
        *has_from = prefix.len > 0;
        if (b.low.is_set) CHECK(put_bound(s, i, &b.low, b.low.open, &low, has_from, err));
        if (b.high.is_set) {
            CHECK(buf_append_slice(&high, buf_slice(&prefix), err));
            CHECK(put_bound(s, i, &b.high, !b.high.open, &high, has_to, err));
        } else if (prefix.len) {
            CHECK(put_successor(buf_slice(&prefix), &high, has_to, err));
        }
        break;
    }
    if (*has_from) CHECK(buf_append_slice(from, buf_slice(&low), err));
    if (*has_to) CHECK(buf_append_slice(to, buf_slice(&high), err));
done:
    if (rc < 0) *has_from = *has_to = false;
    buf_clear(&prefix);
    buf_clear(&low);
    buf_clear(&high);
    frz__arena_clear(&ar);
    return rc;
}
