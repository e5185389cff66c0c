/* alloc.h — memory by way of the database's allocator. A NULL allocator is malloc's. Allocation never aborts: NULL is the caller's to turn into
 * FRZ_NO_MEMORY. Libraries with a process-wide allocator (jansson, CRoaring, zstd) are bounded by what is handed to them, not by this. */
#ifndef FRZ_BASE_ALLOC_H
#define FRZ_BASE_ALLOC_H
#include "base/status.h"

typedef frz_allocator allocator;

void *frz__alloc(const allocator *a, size_t bytes);
void *frz__alloc_zero(const allocator *a, size_t bytes);
/* COUNT × BYTES, NULL on overflow. Zeroed. */
void *frz__alloc_array(const allocator *a, size_t count, size_t bytes);
void *frz__realloc(const allocator *a, void *p, size_t bytes);
/* Without an allocator of the caller's, a quarter of a megabyte and more is mapped, and goes back to the system at once. Given back with the same size. */
void *frz__alloc_large(const allocator *a, size_t bytes);
void frz__free_large(const allocator *a, void *p, size_t bytes); /* NULL is fine */
void frz__free(const allocator *a, void *p);
/* NUL-terminated copy of LEN bytes. */
char *frz__strndup(const allocator *a, const char *s, size_t len);
char *frz__strdup(const allocator *a, const char *s);
/* Grows *P (COUNT used of *CAP elements of BYTES each) so that one more fits; doubling. < 0: out of memory, *P unchanged. */
FRZ_NODISCARD int frz__grow(const allocator *a, void **p, size_t count, size_t *cap, size_t bytes, frz_error *err);

/* new + zero + check in one line: ALLOC_NEW(p, a, struct x, err) is an rc. */
#define ALLOC_NEW(out, a, type, err) ((*(out) = (type *)frz__alloc_zero((a), sizeof(type))) ? FRZ_OK : frz__err_no_memory((err), sizeof(type)))
#endif
