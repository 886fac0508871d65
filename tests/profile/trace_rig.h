/* Traces and what is made of them, in a folder of each test. The including file defines
 * _XOPEN_SOURCE 700 first. */
#ifndef TESTS_PROFILE_TRACE_RIG_H
#define TESTS_PROFILE_TRACE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "profile/profile.h"
#include "support/temp.h"

#define MS INT64_C(1000000)

static char folder[256], trace_path[300], other_path[300];

static inline int set_up(void **state)
{
    (void)state;
    temp_make(folder, sizeof(folder));
    (void)snprintf(trace_path, sizeof(trace_path), "%s/run.trace", folder);
    (void)snprintf(other_path, sizeof(other_path), "%s/other", folder);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    temp_remove(folder);
    return 0;
}

static inline void write_text(const char *path, const char *text, size_t length)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* Owned: vrs_free(). */
static inline char *read_text(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(vrs_file_read(path, 1 << 26, &text, &size), VRS_OK);
    assert_int_equal(strlen(text), size);
    return text;
}

#endif
