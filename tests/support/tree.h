/* A tree of files like those of /proc and /sys, made by a test in a folder of its own. The
 * including file defines _XOPEN_SOURCE 700 and includes cmocka first. */
#ifndef TESTS_SUPPORT_TREE_H
#define TESTS_SUPPORT_TREE_H

#include "base/file.h"
#include "support/temp.h"

static char folder[256]; /* its root */

/* `name` begins with a slash; folders above it are made. */
static void write_file(const char *name, const char *text)
{
    char path[1000];
    (void)snprintf(path, sizeof(path), "%s%s", folder, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(vrs_make_folders(path), VRS_OK);
    *slash = '/';
    assert_int_equal(vrs_file_replace(path, text, strlen(text)), VRS_OK);
}

/* Set-up and tear-down of a test. */
static int start_tree(void **state)
{
    (void)state;
    temp_make(folder, sizeof(folder));
    return 0;
}

static int end_tree(void **state)
{
    (void)state;
    temp_remove(folder);
    return 0;
}

#endif
