/* YAML files that are found by their name in a few folders: descriptors of networks, and
 * configurations. */
#ifndef VRS_BASE_NAMED_H
#define VRS_BASE_NAMED_H

#include <stddef.h>

#include "vrseg/status.h"

/* Longest name, with its closing zero; files with longer ones are not listed. */
#define VRS_NAMED_SIZE 64

/* Where the files of one kind lie. The folders, the first one first: that in the environment's
 * `variable`, the user's own, ../`folder` and ../share/vrseg/`folder` from the program's, and
 * `folder` in the installed data folder. */
typedef struct vrs_named_kind {
    const char *variable;
    /* Writes the user's own folder; its failure means that there is none. */
    vrs_status (*user_folder)(char *path, size_t size);
    const char *folder;
} vrs_named_kind;

/* Calls `visit` for each folder in turn until it returns anything but VRS_OK, which is then
 * returned. */
typedef vrs_status (*vrs_named_folder_fn)(void *opaque, const char *folder);
vrs_status vrs_named_folders(const vrs_named_kind *kind, vrs_named_folder_fn visit,
                             void *opaque) VRS_MUST_USE;

/* All names, sorted, each once. */
typedef struct vrs_names {
    char **names;
    size_t count;
} vrs_names;

/* Returns owned: vrs_names_free(), also after a failure. VRS_NO_MEMORY. */
vrs_status vrs_named_list(const vrs_named_kind *kind, vrs_names *names) VRS_MUST_USE;
void vrs_names_free(vrs_names *names);

/* The file of a name in the first folder that has it. VRS_NOT_FOUND, without a sentence: the caller
 * knows what was looked for. */
vrs_status vrs_named_find(const vrs_named_kind *kind, const char *name, char *path,
                          size_t size) VRS_MUST_USE;

/* A folder `below` the user's one for `variable` ("XDG_CONFIG_HOME") or, where that is not set,
 * below `home_folder` (".config") in $HOME. VRS_INVALID: neither is set. */
vrs_status vrs_user_folder(const char *variable, const char *home_folder, const char *below,
                           char *path, size_t size) VRS_MUST_USE;

#endif
