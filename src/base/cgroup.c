#include "base/cgroup.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/parse.h"

#define FIELD_SIZE 1024

/* Where a controller ("cpu", "memory") of a process is: the mounted tree and the place in it. */
typedef struct own_group {
    const char *controller;
    bool found;
    bool version2;
    char path[FIELD_SIZE];       /* of the group, from /proc/self/cgroup */
    char mount_root[FIELD_SIZE]; /* the group that is seen at the mount point */
    char mount_point[FIELD_SIZE];
} own_group;

/* NULL when the file cannot be read: then there is no limit that this process could know of. */
static char *read_file(const char *root, const char *folder, const char *name)
{
    char path[VRS_PATH_MAX];
    return vrs_path_format(path, sizeof(path), "%s/%s", folder, name) == VRS_OK
               ? vrs_file_of_system(root, path)
               : NULL;
}

/* Cuts `*rest` at the next `separator` and returns what is before it; NULL at the end. */
static char *next_part(char **rest, char separator)
{
    char *part = *rest;
    if (part == NULL)
        return NULL;
    char *end = strchr(part, separator);
    *rest = end != NULL ? end + 1 : NULL;
    if (end != NULL)
        *end = '\0';
    return part;
}

static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

static bool copy_field(char field[FIELD_SIZE], const char *text)
{
    return snprintf(field, FIELD_SIZE, "%s", text) < FIELD_SIZE;
}

/* Lines "number:controllers:path"; version 2 has number 0 and no controllers. */
static void find_path(char *text, bool version2, own_group *group)
{
    for (char *line = next_part(&text, '\n'); line != NULL; line = next_part(&text, '\n')) {
        char *number = next_part(&line, ':');
        char *controllers = next_part(&line, ':');
        if (line == NULL)
            continue;
        bool wanted = version2 ? strcmp(number, "0") == 0 && controllers[0] == '\0'
                               : has_word(controllers, group->controller);
        if (wanted)
            group->found = copy_field(group->path, line);
    }
}

/* Lines "id parent device root point options ... - type source super-options". */
static bool parse_mount(char *line, bool version2, own_group *group)
{
    char *type = strstr(line, " - ");
    if (type == NULL)
        return false;
    *type = '\0';
    type += 3;
    char *super = type;
    char *kind = next_part(&super, ' ');
    next_part(&super, ' ');
    bool wanted = version2 ? strcmp(kind, "cgroup2") == 0
                           : strcmp(kind, "cgroup") == 0 && super != NULL &&
                                 has_word(super, group->controller);
    for (int i = 0; i < 3; i++)
        next_part(&line, ' ');
    char *mount_root = next_part(&line, ' ');
    char *point = next_part(&line, ' ');
    return wanted && point != NULL && copy_field(group->mount_root, mount_root) &&
           copy_field(group->mount_point, point);
}

static void find_mount(char *text, bool version2, own_group *group)
{
    for (char *line = next_part(&text, '\n'); line != NULL; line = next_part(&text, '\n'))
        if (parse_mount(line, version2, group))
            return;
    group->found = false;
}

static own_group find_group(const char *root, const char *controller, bool version2)
{
    own_group group = {.controller = controller, .version2 = version2};
    char *text = read_file(root, "/proc/self", "cgroup");
    if (text != NULL) {
        find_path(text, version2, &group);
        vrs_free(text);
    }
    text = group.found ? read_file(root, "/proc/self", "mountinfo") : NULL;
    if (text != NULL)
        find_mount(text, version2, &group);
    else
        group.found = false;
    vrs_free(text);
    return group;
}

static bool parse_line(char *line, int64_t *number)
{
    return vrs_parse_int(next_part(&line, '\n'), number);
}

/* Processors of a quota, rounded up. */
static int64_t round_up(int64_t quota, int64_t period)
{
    return quota > 0 && period > 0 ? quota / period + (quota % period != 0) : 0;
}

/* "max 100000" or "150000 100000". */
static int64_t read_cpu2(const char *root, const char *folder)
{
    char *text = read_file(root, folder, "cpu.max");
    if (text == NULL)
        return 0;
    char *rest = text;
    char *first = next_part(&rest, ' ');
    int64_t quota = 0;
    int64_t period = 0;
    bool limited = rest != NULL && vrs_parse_int(first, &quota) && parse_line(rest, &period);
    vrs_free(text);
    return limited ? round_up(quota, period) : 0;
}

/* A quota of -1 is none. */
static int64_t read_cpu1(const char *root, const char *folder)
{
    char *quota_text = read_file(root, folder, "cpu.cfs_quota_us");
    char *period_text = read_file(root, folder, "cpu.cfs_period_us");
    int64_t quota = 0;
    int64_t period = 0;
    bool limited = quota_text != NULL && period_text != NULL && parse_line(quota_text, &quota) &&
                   parse_line(period_text, &period);
    vrs_free(quota_text);
    vrs_free(period_text);
    return limited ? round_up(quota, period) : 0;
}

/* One number of bytes; "max", or in version 1 nearly all of 64 bits, is none. */
static int64_t read_bytes(const char *root, const char *folder, const char *name)
{
    char *text = read_file(root, folder, name);
    int64_t bytes = 0;
    bool limited = text != NULL && parse_line(text, &bytes) && bytes > 0 && bytes < INT64_MAX / 2;
    vrs_free(text);
    return limited ? bytes : 0;
}

static int64_t read_memory2(const char *root, const char *folder)
{
    return read_bytes(root, folder, "memory.max");
}

static int64_t read_memory1(const char *root, const char *folder)
{
    return read_bytes(root, folder, "memory.limit_in_bytes");
}

static int64_t lesser_limit(int64_t a, int64_t b)
{
    if (a == 0 || b == 0)
        return a > b ? a : b;
    return a < b ? a : b;
}

/* The group's place below the mount point. In a container the mount may show a group further down,
 * and only what is below it can be seen. */
static const char *path_below_mount(const own_group *group)
{
    size_t length = strlen(group->mount_root);
    if (strcmp(group->mount_root, "/") == 0)
        return strcmp(group->path, "/") == 0 ? "" : group->path;
    bool below = strncmp(group->path, group->mount_root, length) == 0 &&
                 (group->path[length] == '/' || group->path[length] == '\0');
    return below ? group->path + length : "";
}

/* One group's own limit; 0: none. */
typedef int64_t (*read_limit_fn)(const char *root, const char *folder);

/* The least limit of the group and those above it. */
static int64_t find_limit(const char *root, const own_group *group, read_limit_fn read_limit)
{
    char folder[VRS_PATH_MAX];
    if (!group->found || vrs_path_format(folder, sizeof(folder), "%s%s", group->mount_point,
                                         path_below_mount(group)) != VRS_OK)
        return 0;
    size_t top = strlen(group->mount_point);
    int64_t limit = 0;
    for (;;) {
        limit = lesser_limit(limit, read_limit(root, folder));
        char *slash = strrchr(folder, '/');
        if (slash == NULL || (size_t)(slash - folder) < top)
            return limit;
        *slash = '\0';
    }
}

static int64_t find_both(const char *root, const char *controller, read_limit_fn read2,
                         read_limit_fn read1)
{
    own_group group2 = find_group(root, controller, true);
    own_group group1 = find_group(root, controller, false);
    return lesser_limit(find_limit(root, &group2, read2), find_limit(root, &group1, read1));
}

int32_t vrs_cgroup_cpu_limit(const char *root)
{
    int64_t limit = find_both(root, "cpu", read_cpu2, read_cpu1);
    return limit < INT32_MAX ? (int32_t)limit : INT32_MAX;
}

uint64_t vrs_cgroup_memory_limit(const char *root)
{
    return (uint64_t)find_both(root, "memory", read_memory2, read_memory1);
}
