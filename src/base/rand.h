/* rand.h — random bytes of the system (uuids, epochs), and a small seeded generator (tests, sampling). */
#ifndef FRZ_BASE_RAND_H
#define FRZ_BASE_RAND_H
#include "base/status.h"
FRZ_NODISCARD int frz__random_bytes(void *out, size_t len, frz_error *err);
FRZ_NODISCARD int frz__random_uuid(uint8_t out[16], frz_error *err); /* version 4 */
void frz__uuid_format(const uint8_t uuid[16], char out[37]);         /* lower case, NUL-terminated */
bool frz__uuid_parse(const char *text, size_t len, uint8_t out[16]);

struct rng { uint64_t s; };
static inline uint64_t rng_next(struct rng *r) /* splitmix64 (Steele, Lea, Flood 2014) */
{
    uint64_t z = (r->s += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}
static inline uint64_t rng_below(struct rng *r, uint64_t n) { return n ? rng_next(r) % n : 0; }
#endif
