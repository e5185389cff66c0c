#include "base/utf8.h"

#include "base/coding.h"

/* Length of the sequence at P, or 0. The second byte's range is what tells overlong forms, surrogates and what is beyond U+10FFFF (Unicode, table 3-7). */
static size_t sequence(const uint8_t *p, size_t left)
{
    uint8_t c = p[0], low = 0x80, high = 0xBF;
    size_t n;
    if (c < 0x80) return 1;
    if (c < 0xC2) return 0;
    if (c < 0xE0) n = 2;
    else if (c < 0xF0) {
        n = 3;
        if (c == 0xE0) low = 0xA0;
        if (c == 0xED) high = 0x9F;
    } else if (c < 0xF5) {
        n = 4;
        if (c == 0xF0) low = 0x90;
        if (c == 0xF4) high = 0x8F;
    } else return 0;
    if (left < n || p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    return n;
}

size_t frz__utf8_check(slice s)
{
    size_t i = 0;
    while (i < s.len) {
        while (s.len - i >= 8 && !(load_u64(s.data + i) & 0x8080808080808080u)) i += 8;
        if (i == s.len) break;
        size_t n = sequence(s.data + i, s.len - i);
        if (n == 0) return i;
        i += n;
    }
    return s.len;
}

size_t frz__utf8_prefix(slice s, size_t n)
{
    for (size_t i = 0; i < s.len; i++)
        if ((s.data[i] & 0xC0) != 0x80 && n-- == 0) return i;
    return s.len;
}

size_t frz__utf8_decode(const uint8_t *p, const uint8_t *end, uint32_t *cp)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    FRZ_ASSERT(n <= (size_t)(end - p));
    if (n > (size_t)(end - p)) n = (size_t)(end - p); /* never beyond END, whatever the caller did */
    uint32_t v = n == 1 ? p[0] : p[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) v = v << 6 | (p[i] & 0x3F);
    *cp = v;
    return n;
}

size_t frz__utf8_encode(uint32_t cp, uint8_t out[4])
{
    FRZ_ASSERT(cp <= 0x10FFFF && (cp < 0xD800 || cp > 0xDFFF));
    if (cp < 0x80) {
        out[0] = (uint8_t)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, cp >>= 6) out[i] = (uint8_t)(0x80 | (cp & 0x3F));
    out[0] = (uint8_t)((0xF00u >> n) | cp);
    return n;
}
