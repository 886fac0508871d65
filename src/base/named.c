#include "base/named.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"

#define EXTENSION ".yaml"

#define MAX_FOLDERS 5
/* Most files that are listed. */
#define MAX_NAMES 1024

vrs_status vrs_user_folder(const char *variable, const char *home_folder, const char *below,
                           char *path, size_t size)
{
    const char *own = getenv(variable);
    if (own && *own == '/') /* the XDG rules ignore a relative one */
        return vrs_path_format(path, size, "%s/%s", own, below);
    const char *home = getenv("HOME");
    if (home && *home)
        return vrs_path_format(path, size, "%s/%s/%s", home, home_folder, below);
    return vrs_fail(VRS_INVALID, "neither %s nor HOME is set", variable);
}

vrs_status vrs_named_folders(const vrs_named_kind *kind, vrs_named_folder_fn visit, void *opaque)
{
    char folders[MAX_FOLDERS][VRS_PATH_MAX], program[VRS_PATH_MAX];
    int count = 0;
    const char *own = getenv(kind->variable);
    if (own && *own && vrs_path_format(folders[count], VRS_PATH_MAX, "%s", own) == VRS_OK)
        count++;
    if (kind->user_folder(folders[count], VRS_PATH_MAX) == VRS_OK)
        count++;
    if (vrs_program_folder(program, sizeof program) == VRS_OK) {
        int parent = (int)(vrs_path_base(program) - program); /* with its slash */
        if (vrs_path_format(folders[count], VRS_PATH_MAX, "%.*s%s", parent, program,
                            kind->folder) == VRS_OK)
            count++;
        if (vrs_path_format(folders[count], VRS_PATH_MAX, "%.*sshare/vrseg/%s", parent, program,
                            kind->folder) == VRS_OK)
            count++;
    }
    if (vrs_path_format(folders[count], VRS_PATH_MAX, "%s/%s", VRS_DATA_FOLDER, kind->folder) ==
        VRS_OK)
        count++;
    vrs_status status = VRS_OK;
    for (int i = 0; status == VRS_OK && i < count; i++)
        status = visit(opaque, folders[i]);
    return status;
}

/* --- listing --- */

static bool holds(const vrs_names *names, const char *name, size_t length)
{
    for (size_t i = 0; i < names->count; i++)
        if (strlen(names->names[i]) == length && memcmp(names->names[i], name, length) == 0)
            return true;
    return false;
}

/* Adds the name of a file if it is YAML and new. */
static vrs_status add_file(vrs_names *names, const char *file)
{
    size_t length = strlen(file), extension = strlen(EXTENSION);
    if (length <= extension || file[0] == '.' || strcmp(file + length - extension, EXTENSION) != 0)
        return VRS_OK;
    length -= extension;
    if (length >= VRS_NAMED_SIZE || names->count == MAX_NAMES || holds(names, file, length))
        return VRS_OK;
    char **grown = vrs_realloc(names->names, (names->count + 1) * sizeof *grown);
    if (!grown)
        return VRS_NO_MEMORY;
    names->names = grown;
    char *name = vrs_alloc(length + 1);
    if (!name)
        return VRS_NO_MEMORY;
    snprintf(name, length + 1, "%s", file);
    names->names[names->count++] = name;
    return VRS_OK;
}

/* Folders that are not there are nothing unusual. */
static vrs_status add_folder(void *opaque, const char *folder)
{
    vrs_status status = VRS_OK;
    DIR *entries = opendir(folder);
    if (!entries)
        return VRS_OK;
    for (struct dirent *entry; status == VRS_OK && (entry = readdir(entries));)
        status = add_file(opaque, entry->d_name);
    closedir(entries);
    return status;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

vrs_status vrs_named_list(const vrs_named_kind *kind, vrs_names *names)
{
    *names = (vrs_names){0};
    vrs_status status = vrs_named_folders(kind, add_folder, names);
    if (names->count > 1)
        qsort(names->names, names->count, sizeof *names->names, compare);
    return status;
}

void vrs_names_free(vrs_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        vrs_free(names->names[i]);
    vrs_free(names->names);
    *names = (vrs_names){0};
}

/* --- finding --- */

typedef struct search {
    const char *name;
    char *path;
    size_t size;
} search;

/* VRS_END stops the search: found. */
static vrs_status look_in(void *opaque, const char *folder)
{
    search *s = opaque;
    vrs_status status = vrs_path_format(s->path, s->size, "%s/%s" EXTENSION, folder, s->name);
    if (status == VRS_OK && vrs_file_exists(s->path))
        return VRS_END;
    return VRS_OK;
}

vrs_status vrs_named_find(const vrs_named_kind *kind, const char *name, char *path, size_t size)
{
    search s = {name, path, size};
    bool good = *name && *name != '.';
    return good && vrs_named_folders(kind, look_in, &s) == VRS_END ? VRS_OK : VRS_NOT_FOUND;
}
