#include "base/log.h"

#include <stdio.h>
#include "base/utf8.h"

void frz__log(const struct logger *l, int level, const char *fmt, ...)
{
    if (!l || !l->fn || level > (l->level ? l->level : FRZ_LOG_WARN)) return;
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0) return;
    /* cut at the end of a code point; a bad byte that the format's arguments brought along is no reason to lose what follows it */
    if ((size_t)n >= sizeof text) {
        size_t keep = sizeof text - 1;
        while (keep > sizeof text - 4 && (text[keep - 1] & 0xC0) == 0x80) keep--;
        if (frz__utf8_check(slice_of(text + keep - 1, sizeof text - keep)) != sizeof text - keep) text[keep - 1] = 0;
    }
    l->fn(l->ctx, level, text);
}
