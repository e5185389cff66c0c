/* keyenc.h — keys as bytes whose memcmp order is the order of the values (memcomparable), and back.
 *
 *     boolean 1 byte · int, date 4 and long, time, timestamps 8 bytes big-endian, sign bit flipped · decimal 16 bytes big-endian, sign bit flipped · uuid, fixed as they are ·
 *     string, binary: 0x00 → 0x00 0xFF, ended by 0x00 0x00; the last column of the key is written raw, without end mark
 *
 * Invariants  (1) memcmp order, a shorter prefix first, equals value order column by column  (2) decode(encode(x)) = x  (3) the encoding of the first n columns
 *             as `prefix` is a byte prefix of the encoding of every key that begins with them, and of no other
 * Limits      an encoded key is at most KEY_BYTES_MAX; 64 KiB of any one column always fit                                                  */
#ifndef FRZ_TYPES_KEYENC_H
#define FRZ_TYPES_KEYENC_H
#include "types/schema.h"

#define KEY_BYTES_MAX ((size_t)256 << 10)

/* VALUES: one a key column, in key order, converted and not null. Appends. */
FRZ_NODISCARD int frz__key_encode(const frz_schema *s, const frz_value *values, struct buf *out, frz_error *err);
/* From values by column. */
FRZ_NODISCARD int frz__key_encode_row(const frz_schema *s, const frz_value *row_values, struct buf *out, frz_error *err);
/* The first COUNT key columns: what every key with these values begins with (even of the last column: then the whole key). Scalars are converted to the columns' types. */
FRZ_NODISCARD int frz__key_encode_prefix(const frz_schema *s, const frz_value *values, size_t count, struct buf *out, frz_error *err);
/* One column's part, KEY_INDEX in key order, of exactly its type; bytes of a string are not checked (bounds of ranges need not be UTF-8). */
FRZ_NODISCARD int frz__key_put(const frz_schema *s, size_t key_index, const frz_value *v, struct buf *out, frz_error *err);
/* Values in key order; strings borrow from KEY or SCRATCH. SCRATCH is not reset here, but may move: what earlier calls gave out of it dies, unless the caller reserved room for
 * the bytes of all keys. FRZ_CORRUPT where KEY is no key of S. */
FRZ_NODISCARD int frz__key_decode(const frz_schema *s, slice key, frz_value *out, struct buf *scratch, frz_error *err);
/* For messages: (1, "abc") */
FRZ_NODISCARD int frz__key_print(const frz_schema *s, slice key, struct buf *out, frz_error *err);
/* The least byte string above every one that begins with PREFIX; false = there is none (all 0xFF). Writes into OUT (reset first). */
bool frz__key_successor(slice prefix, struct buf *out);
#endif
