/* What the programs of this folder share. */
#ifndef VRS_BENCH_SUPPORT_H
#define VRS_BENCH_SUPPORT_H

#include "device/cuda/api.h"
#include "vrseg/status.h"

#define BENCH_MOST_ROUNDS 101

/* Each program's own: what stands in front of its messages. */
extern const char bench_name[];

/* Ends the program with the library's last error unless `status` is VRS_OK. */
void bench_require(vrs_status status);

/* Likewise with the driver's number; `what` was called. */
void bench_require_cuda(vrs_cu_result result, const char *what);

/* Compares two doubles for qsort(). */
int bench_ascending(const void *a, const void *b);

/* Of up to BENCH_MOST_ROUNDS values. */
double bench_median(const double *values, int count);

#endif
