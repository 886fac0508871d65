#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bench_require(vrs_status status)
{
    if (status != VRS_OK) {
        fprintf(stderr, "%s: %s\n", bench_name, vrs_last_error());
        exit(EXIT_FAILURE);
    }
}

void bench_require_cuda(vrs_cu_result result, const char *what)
{
    if (result != VRS_CU_SUCCESS) {
        fprintf(stderr, "%s: %s: CUDA error %d\n", bench_name, what, result);
        exit(EXIT_FAILURE);
    }
}

int bench_ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(const double *values, int count)
{
    double sorted[BENCH_MOST_ROUNDS];
    memcpy(sorted, values, (size_t)count * sizeof(*sorted));
    qsort(sorted, (size_t)count, sizeof(*sorted), bench_ascending);
    return count % 2 != 0 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}
