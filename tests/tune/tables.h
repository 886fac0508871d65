/* Machines to tune that are only tables: what each combination of settings yields. */
#ifndef TESTS_TUNE_TABLES_H
#define TESTS_TUNE_TABLES_H

#include <stdbool.h>

#include "vrseg/tune.h"

typedef struct tune_table {
    const char *name;
    const vrs_tune_parameter *parameters;
    int32_t count;
    /* What these settings yield, without noise; false: they cannot be used. */
    bool (*yield)(const int32_t *choice, vrs_tune_measurement *m);
} tune_table;

/* Made up; ended by a NULL name. */
extern const tune_table tune_tables[];

const tune_table *tune_table_find(const char *name);

/* A machine that is drawn by its number: cores, a GPU or none, what the stages need, how far
 * threads and batches help, and an unevenness that nothing explains; 3,840 to 150,000 combinations.
 * Valid until the next. */
const tune_table *tune_table_draw(uint32_t number);

/* One that `vrseg tune --exhaustive --table` measured: lines of comment with '#', a row of names,
 * and for each combination at least one row with its figures; the mean of several counts. Ends the
 * program where the file is wrong. Valid until the next. */
const tune_table *tune_table_load(const char *path);

#endif
