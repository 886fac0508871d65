/* Descriptors written by a test. */
#ifndef TESTS_MODEL_SUPPORT_H
#define TESTS_MODEL_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/descriptor.h"
#include "support/temp.h"
#include "vrseg/log.h"
#include "vrseg/model.h"

static char folder[256]; /* of this test program */

static inline void write_text(const char *path, const char *text)
{
    remove(path); /* writing over a file waits for the disk on some file systems */
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static inline const char *in_folder(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static inline void expect_detail(const char *part)
{
    if (strstr(vrs_last_error(), part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, vrs_last_error());
}

#endif
