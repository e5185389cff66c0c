#include "base/rand.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

int frz__random_bytes(void *out, size_t len, frz_error *err)
{
    uint8_t *p = (uint8_t *)out;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return frz__err_os(err, n < 0 ? errno : EIO, "the system gave no random bytes");
        p += n;
        len -= (size_t)n;
    }
    return FRZ_OK;
}

int frz__random_uuid(uint8_t out[16], frz_error *err)
{
    TRY(frz__random_bytes(out, 16, err));
    out[6] = (uint8_t)(0x40 | (out[6] & 0x0F));
    out[8] = (uint8_t)(0x80 | (out[8] & 0x3F));
    return FRZ_OK;
}

static bool dash_before(size_t byte) { return byte == 4 || byte == 6 || byte == 8 || byte == 10; }

void frz__uuid_format(const uint8_t uuid[16], char out[37])
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < 16; i++) {
        if (dash_before(i)) *out++ = '-';
        *out++ = hex[uuid[i] >> 4];
        *out++ = hex[uuid[i] & 15];
    }
    *out = 0;
}

static int nibble(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

bool frz__uuid_parse(const char *text, size_t len, uint8_t out[16])
{
    uint8_t uuid[16];
    if (len != 36) return false;
    for (size_t i = 0; i < 16; i++) {
        if (dash_before(i) && *text++ != '-') return false;
        int high = nibble(text[0]), low = nibble(text[1]);
        if (high < 0 || low < 0) return false;
        uuid[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    memcpy(out, uuid, 16);
    return true;
}
