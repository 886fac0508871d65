/* Material that is not part of the project: models, videos, pictures. */
#ifndef TESTS_SUPPORT_SHARED_H
#define TESTS_SUPPORT_SHARED_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SHARED_SKIP 77

/* Path of `name` below $VRSEG_SHARED_DIR, in a buffer that the next call overwrites. Ends the test
 * program as skipped, saying why, where it is not there. One thread. */
static inline const char *shared_path(const char *name)
{
    static char path[4096];
    const char *folder = getenv("VRSEG_SHARED_DIR");
    if (folder == NULL || folder[0] == '\0') {
        fprintf(stderr, "skipped: VRSEG_SHARED_DIR is not set, and \"%s\" is needed\n", name);
        exit(SHARED_SKIP);
    }
    int length = snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (length < 0 || (size_t)length >= sizeof(path) || access(path, R_OK) != 0) {
        fprintf(stderr, "skipped: \"%s\" is not in the shared folder \"%s\"\n", name, folder);
        exit(SHARED_SKIP);
    }
    return path;
}

#endif
