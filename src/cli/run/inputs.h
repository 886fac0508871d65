/* The inputs of a command line: paths, and files that list paths. */
#ifndef VRS_CLI_INPUTS_H
#define VRS_CLI_INPUTS_H

#include <stddef.h>

#include "vrseg/status.h"

typedef struct vrs_inputs {
    char **paths;
    size_t count, room;
} vrs_inputs;

/* Adds a path, or for "@FILE" what FILE lists. The errors of vrs_inputs_list(). */
vrs_status vrs_inputs_add(vrs_inputs *inputs, const char *word) VRS_MUST_USE;

/* Adds what a file ("-": standard input) lists: a path a line, as it would stand on the command
 * line and from the same folder. Empty lines and those that begin with '#' are left out, as is a
 * carriage return at a line's end; nothing is quoted, and blanks are part of a path. VRS_NOT_FOUND,
 * VRS_PERMISSION, VRS_IO; VRS_INVALID: no path in it, a zero byte, a line of 4096 bytes or more, or
 * over VRS_MAX_INPUTS inputs in all. */
vrs_status vrs_inputs_list(vrs_inputs *inputs, const char *path) VRS_MUST_USE;

void vrs_inputs_clear(vrs_inputs *inputs);

#endif
