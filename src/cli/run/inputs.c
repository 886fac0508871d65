#include "cli/run/inputs.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vrseg/job.h"

#define LINE_SIZE 4096

static vrs_status add_path(vrs_inputs *inputs, const char *path)
{
    if (inputs->count == VRS_MAX_INPUTS)
        return vrs_fail(VRS_INVALID, "%s: more than %d inputs", path, VRS_MAX_INPUTS);
    if (inputs->count == inputs->room) {
        size_t room = inputs->room > 0 ? 2 * inputs->room : 16;
        char **paths = realloc(inputs->paths, room * sizeof(*paths));
        if (paths == NULL)
            return vrs_fail(VRS_NO_MEMORY, "no memory for %zu inputs", room);
        inputs->paths = paths;
        inputs->room = room;
    }
    char *copy = strdup(path);
    if (copy == NULL)
        return vrs_fail(VRS_NO_MEMORY, "no memory for the input %s", path);
    inputs->paths[inputs->count++] = copy;
    return VRS_OK;
}

static vrs_status add_line(vrs_inputs *inputs, const char *list, int number, char *line,
                           size_t length)
{
    if (memchr(line, 0, length) != NULL)
        return vrs_fail(VRS_INVALID, "%s: line %d has a zero byte: this is no list of inputs", list,
                        number);
    if (length > 0 && line[length - 1] == '\n')
        length--;
    else if (length == LINE_SIZE - 1)
        return vrs_fail(VRS_INVALID, "%s: line %d is longer than a path can be", list, number);
    if (length > 0 && line[length - 1] == '\r')
        length--;
    line[length] = 0;
    return length == 0 || line[0] == '#' ? VRS_OK : add_path(inputs, line);
}

/* fgets() does not tell a zero byte from a line's end: lines are read by their bytes. */
static size_t read_line(FILE *file, char line[LINE_SIZE])
{
    size_t length = 0;
    int c = 0;
    while (length < LINE_SIZE - 1 && c != '\n' && (c = getc(file)) != EOF)
        line[length++] = (char)c;
    return length;
}

vrs_status vrs_inputs_list(vrs_inputs *inputs, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "re");
    if (file == NULL)
        return vrs_fail(errno == ENOENT   ? VRS_NOT_FOUND
                        : errno == EACCES ? VRS_PERMISSION
                                          : VRS_IO,
                        "%s: the list of inputs cannot be read", path);
    char line[LINE_SIZE];
    size_t before = inputs->count, length;
    vrs_status status = VRS_OK;
    for (int number = 1; status == VRS_OK && (length = read_line(file, line)) > 0; number++)
        status = add_line(inputs, path, number, line, length);
    if (status == VRS_OK && ferror(file) != 0)
        status = vrs_fail(VRS_IO, "%s: the list of inputs cannot be read", path);
    if (!standard)
        (void)fclose(file);
    if (status == VRS_OK && inputs->count == before)
        status = vrs_fail(VRS_INVALID, "%s: lists no input", path);
    return status;
}

vrs_status vrs_inputs_add(vrs_inputs *inputs, const char *word)
{
    return word[0] == '@' ? vrs_inputs_list(inputs, word + 1) : add_path(inputs, word);
}

void vrs_inputs_clear(vrs_inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++)
        free(inputs->paths[i]);
    free(inputs->paths);
    *inputs = (vrs_inputs){0};
}
