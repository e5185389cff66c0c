#include "base/sized.h"

#include <string.h>

static uint32_t size_of(const void *sized)
{
    uint32_t size;
    memcpy(&size, sized, sizeof size);
    return size;
}

int frz__sized_check(const void *out, const char *type, frz_error *err)
{
    uint32_t size = size_of(out);
    if (size < sizeof size || size > SIZED_BYTES_MAX)
        return frz__err(err, FRZ_INVALID, "%s.struct_size is %u: begin with FRZ_INIT(%s)", type, size, type);
    return FRZ_OK;
}

int frz__sized_take(const void *given, const char *type, void *known, uint32_t bytes, frz_error *err)
{
    if (!given) return FRZ_OK;
    TRY(frz__sized_check(given, type, err));
    uint32_t size = size_of(given);
    for (uint32_t i = bytes; i < size; i++)
        if (((const uint8_t *)given)[i])
            return frz__err(err, FRZ_UNSUPPORTED, "a %s of %u bytes sets a field that this library, frazil %s, does not have", type, size,
                            frz_version());
    memcpy(known, given, size < bytes ? size : bytes);
    memcpy(known, &bytes, sizeof bytes);
    return FRZ_OK;
}

void frz__sized_give(void *out, const void *known, uint32_t bytes)
{
    uint32_t size = size_of(out);
    memcpy(out, known, size < bytes ? size : bytes);
    memcpy(out, &size, sizeof size);
}
