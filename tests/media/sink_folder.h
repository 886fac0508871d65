/* The folder that a test of sinks writes into. The including file defines _XOPEN_SOURCE 700 first.
 */
#ifndef TESTS_MEDIA_SINK_FOLDER_H
#define TESTS_MEDIA_SINK_FOLDER_H

#include <sys/stat.h>

#include "media/sink_tools.h"
#include "support/temp.h"

static char folder[256];

/* For cmocka: a new one, which other users may read. */
static inline int make_folder(void **state)
{
    (void)state;
    temp_make(folder, sizeof folder);
    return chmod(folder, 0755);
}

/* The test fails where an image was not given back. */
static inline int remove_folder(void **state)
{
    (void)state;
    temp_remove(folder);
    return tools_images_live();
}

/* `path` is of 512 bytes. */
static inline void path_of(char *path, const char *name)
{
    tools_join(path, 512, folder, name);
}

#endif
