/* pq_meta_int.h — what pq_meta.c (footer) and pq_meta_page.c (page headers and indexes) share. */
#ifndef FRZ_PARQUET_PQ_META_INT_H
#define FRZ_PARQUET_PQ_META_INT_H
#include "parquet/pq_meta.h"

/* Zeroed; NULL for a count of 0 and after a failure, which is then the reader's. */
void *frz__pq_meta_array(struct thrift_r *r, struct arena *ar, size_t count, size_t bytes);
/* A list's elements; *COUNT of them. */
int64_t *frz__pq_meta_i64s(struct thrift_r *r, struct arena *ar, struct thrift_field f, size_t *count);
slice *frz__pq_meta_bins(struct thrift_r *r, struct arena *ar, struct thrift_field f, size_t *count);
/* A number that may not be negative; NAME for the message. */
int64_t frz__pq_meta_size(struct thrift_r *r, struct thrift_field f, const char *name);
int32_t frz__pq_meta_size32(struct thrift_r *r, struct thrift_field f, const char *name);
/* Fails where a field of NEED is not in SEEN. */
void frz__pq_meta_need(struct thrift_r *r, uint32_t seen, uint32_t need, const char *name);
void frz__pq_meta_read_statistics(struct thrift_r *r, struct thrift_field sf, struct pq_statistics *s);
void frz__pq_meta_print_statistics(struct thrift_w *w, int id, const struct pq_statistics *s);
/* Fields that were seen, as bits by id. */
static inline uint32_t seen_bit(int id) { return id >= 0 && id < 32 ? 1u << id : 0; }
#endif
