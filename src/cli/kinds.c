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
