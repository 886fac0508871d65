/* A folder for a test's files. The including file defines _XOPEN_SOURCE 700 first. */
#ifndef TESTS_SUPPORT_TEMP_H
#define TESTS_SUPPORT_TEMP_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Makes a new folder under $TMPDIR or /tmp; ends the program where that fails. */
static inline void temp_make(char *path, size_t size)
{
    const char *folder = getenv("TMPDIR");
    int length = snprintf(path, size, "%s/vrseg-test-XXXXXX", folder != NULL ? folder : "/tmp");
    if (length < 0 || (size_t)length >= size || mkdtemp(path) == NULL) {
        perror("cannot make a temporary folder");
        exit(1);
    }
}

static inline int temp_remove_entry(const char *path, const struct stat *info, int type,
                                    struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void temp_remove(const char *path)
{
    nftw(path, temp_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Entries of a folder, without "." and "..". */
static int temp_entries;
static inline int temp_count_entry(const char *path, const struct stat *info, int type,
                                   struct FTW *walk)
{
    (void)path;
    (void)info;
    (void)type;
    temp_entries += walk->level == 1;
    return 0;
}

static inline int temp_count(const char *path)
{
    temp_entries = 0;
    nftw(path, temp_count_entry, 16, FTW_PHYS);
    return temp_entries;
}

#endif
