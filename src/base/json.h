/* json.h — JSON in by way of jansson (met in json.c alone), and out by a small writer into a buf.
 *
 * Design      parsed values are jansson's, behind an opaque type; integers keep 64 bits; duplicate keys are an error. Inputs are bounded by the caller: jansson
 *             allocates by the process's malloc, some 30 bytes for each of JSON.
 * Threads     a parsed document may be read by many threads                                                                          */
#ifndef FRZ_BASE_JSON_H
#define FRZ_BASE_JSON_H
#include "base/buf.h"

struct json; /* one value of a document; borrowed from its root but for the root itself */
enum json_kind { JK_NULL, JK_BOOL, JK_INT, JK_REAL, JK_STRING, JK_ARRAY, JK_OBJECT };

/* FRZ_INVALID with line and column where TEXT is not one JSON value. */
FRZ_NODISCARD int frz__json_parse(slice text, struct json **out, frz_error *err);
/* As above, for documents whose numbers may be wider than 64 bits: every number is JK_REAL, and frz__json_text_next has its digits. */
FRZ_NODISCARD int frz__json_parse_wide(slice text, struct json **out, frz_error *err);
/* The text of an object's or array's next member, of a TEXT that was parsed; *AT is 0 before the first. In order of appearance, as json_first and json_at give them. */
slice frz__json_text_next(slice text, size_t *at);
void frz__json_free(struct json *root);
enum json_kind frz__json_kind(const struct json *v); /* JK_NULL for v == NULL */
const struct json *frz__json_get(const struct json *object, const char *key); /* NULL if absent or no object */
size_t frz__json_len(const struct json *array);                               /* 0 if no array */
const struct json *frz__json_at(const struct json *array, size_t i);
slice frz__json_str(const struct json *v); /* empty if no string; NUL-terminated inside */
int64_t frz__json_int(const struct json *v); /* 0 if no integer */
double frz__json_real(const struct json *v); /* integers too */
bool frz__json_bool(const struct json *v);
/* Fields of an object in order of appearance: for (it = json_first(o); it; it = json_next(o, it)). */
void *frz__json_first(const struct json *object);
void *frz__json_next(const struct json *object, void *it);
const char *frz__json_iter_key(void *it);
const struct json *frz__json_iter_value(void *it);
/* Appends V as compact JSON. */
FRZ_NODISCARD int frz__json_dump(const struct json *v, struct buf *out, frz_error *err);

/* Typed field access for documents of a known shape: FRZ_CORRUPT-free, they raise CODE with "WHAT: key: expected …, found …". A required key that is absent is an error. */
FRZ_NODISCARD int frz__json_need_int(const struct json *o, const char *key, int64_t *out, frz_error *err);
FRZ_NODISCARD int frz__json_need_str(const struct json *o, const char *key, slice *out, frz_error *err);
FRZ_NODISCARD int frz__json_need(const struct json *o, const char *key, enum json_kind kind, const struct json **out, frz_error *err);

/* Writer: commas by itself. frz__jw_* give rc; the first failure sticks, so that a run of calls may be checked once, by frz__jw_end. */
struct jw {
    struct buf *out;
    frz_error *err;
    int rc;
    bool comma; /* the next value needs one before it */
};
#define JW_INIT(out_, err_) ((struct jw){(out_), (err_), 0, false})
void frz__jw_object(struct jw *w);
void frz__jw_object_end(struct jw *w);
void frz__jw_array(struct jw *w);
void frz__jw_array_end(struct jw *w);
void frz__jw_key(struct jw *w, const char *key);
void frz__jw_str(struct jw *w, slice s); /* must be UTF-8 */
void frz__jw_cstr(struct jw *w, const char *s);
void frz__jw_int(struct jw *w, int64_t v);
void frz__jw_real(struct jw *w, double v); /* shortest that reads back; NaN and infinities as strings */
void frz__jw_bool(struct jw *w, bool v);
void frz__jw_null(struct jw *w);
void frz__jw_raw(struct jw *w, slice json);
FRZ_NODISCARD int frz__jw_end(struct jw *w);
#endif
