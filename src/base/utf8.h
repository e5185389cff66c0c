/* utf8.h — strict UTF-8 (no surrogates, no overlong forms, at most U+10FFFF). */
#ifndef FRZ_BASE_UTF8_H
#define FRZ_BASE_UTF8_H
#include "base/slice.h"
/* Offset of the first bad byte, or s.len. */
size_t frz__utf8_check(slice s);
/* Bytes of the first N code points of valid S (all of it if it has fewer). */
size_t frz__utf8_prefix(slice s, size_t n);
/* Decodes the code point at P (valid, before END); gives its length. */
size_t frz__utf8_decode(const uint8_t *p, const uint8_t *end, uint32_t *cp);
size_t frz__utf8_encode(uint32_t cp, uint8_t out[4]);
#endif
