/* Options from the environment. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/config.h"
#include "base/text.h"

/* No other variable of vrseg begins so, and what begins so is an option: a slip of the finger is
 * found. */
#define PREFIX "VRSEG_OPTION_"
#define MAX_VARIABLE 128

extern char **environ; /* POSIX declares it nowhere */

/* The variable of an option. */
static void write_variable(char variable[MAX_VARIABLE], const char *option)
{
    snprintf(variable, MAX_VARIABLE, PREFIX "%s", option);
    for (char *c = variable; *c != '\0'; c++)
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
}

static size_t find_variable(const vrs_config *config, const char *variable, size_t length)
{
    for (size_t i = 0; i < config->count; i++) {
        char own[MAX_VARIABLE];
        write_variable(own, config->options[i]->name);
        if (strlen(own) == length && memcmp(own, variable, length) == 0)
            return i;
    }
    return VRS_NO_OPTION;
}

static vrs_status fail_unknown(const vrs_config *config, const char *variable, size_t length)
{
    char wrong[MAX_VARIABLE], right[MAX_VARIABLE] = "";
    length = vrs_text_cut(variable, length, sizeof(wrong) - 1);
    snprintf(wrong, sizeof(wrong), "%.*s", (int)length, variable);
    const char *nearest = vrs_config_nearest(config, wrong + strlen(PREFIX));
    if (nearest == NULL)
        return vrs_fail(VRS_NOT_FOUND, "%s: there is no such option", wrong);
    write_variable(right, nearest);
    return vrs_fail(VRS_NOT_FOUND, "%s: there is no such option; did you mean %s?", wrong, right);
}

/* `entry` is "VARIABLE=VALUE". */
static vrs_status stage_variable(const vrs_config *config, const char *entry,
                                 vrs_config_stage *stage)
{
    size_t length = strcspn(entry, "=");
    size_t index = find_variable(config, entry, length);
    if (index == VRS_NO_OPTION)
        return fail_unknown(config, entry, length);
    if (entry[length] == '\0' || stage->values[index] != NULL)
        return VRS_OK; /* no variable, or one of two of a name: getenv() takes the first as well */
    char variable[MAX_VARIABLE];
    write_variable(variable, config->options[index]->name);
    stage->places[index] = vrs_strdup(variable);
    if (stage->places[index] == NULL)
        return VRS_NO_MEMORY;
    vrs_status status =
        vrs_option_check(config->options[index], entry + length + 1, &stage->values[index]);
    return status == VRS_INVALID ? vrs_fail_in(status, variable) : status;
}

vrs_status vrs_config_read_environment(vrs_config *config)
{
    vrs_config_stage stage = {0};
    vrs_status status = VRS_OK;
    for (char **entry = environ; entry != NULL && *entry != NULL && status == VRS_OK; entry++)
        if (strncmp(*entry, PREFIX, strlen(PREFIX)) == 0)
            status = stage_variable(config, *entry, &stage);
    if (status == VRS_OK)
        vrs_config_take(config, &stage, VRS_LAYER_ENVIRONMENT);
    vrs_config_drop(&stage);
    return status;
}
