#include "engine/mix.h"

#include <math.h>

static double since(uint64_t total, uint64_t *last)
{
    double n = total >= *last ? (double)(total - *last) : (double)total;
    *last = total;
    return n;
}

void frz__mix_look(struct mix *m, uint64_t gets_total, uint64_t puts_total, int64_t now_ns)
{
    double left = m->at_ns && now_ns > m->at_ns ? exp2(-(double)(now_ns - m->at_ns) / (double)MIX_HALF_LIFE_NS) : 1;
    m->gets = m->gets * left + since(gets_total, &m->gets_total);
    m->puts = m->puts * left + since(puts_total, &m->puts_total);
    m->at_ns = now_ns;
}
