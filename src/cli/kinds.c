/* The kinds of outputs by their names. */
#include <string.h>

#include "cli/cli.h"

static const struct {
    const char *name;
    vrs_job_output kind;
} kinds[] = {{"mask", VRS_JOB_MASK},   {"classes", VRS_JOB_CLASSES},
             {"green", VRS_JOB_GREEN}, {"cutout", VRS_JOB_CUTOUT},
             {"alpha", VRS_JOB_ALPHA}, {"preview", VRS_JOB_PREVIEW}};

bool vrs_kind_find(const char *name, size_t length, vrs_job_output *kind)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strlen(kinds[i].name) == length && strncmp(kinds[i].name, name, length) == 0) {
            *kind = kinds[i].kind;
            return true;
        }
    return false;
}

vrs_status vrs_kind_split(const char *output, vrs_job_output *kind, const char **path)
{
    const char *colon = strchr(output, ':');
    const size_t length = colon != NULL ? (size_t)(colon - output) : 0;
    *path = output;
    if (colon == NULL)
        return VRS_OK;
    if (vrs_kind_find(output, length, kind))
        *path = colon + 1;
    else if (length > 0 && strspn(output, "abcdefghijklmnopqrstuvwxyz") == length)
        return vrs_fail(VRS_INVALID,
                        "-o %.200s: \"%.*s\" is no kind of output, expected mask, classes, green, "
                        "cutout, alpha or preview; a file of that name is ./%.200s",
                        output, (int)(length < 40 ? length : 40), output, output);
    return VRS_OK;
}
