/* Settings of a test in one line: "name=value name=value". */
#ifndef TESTS_SUPPORT_CONFIGURE_H
#define TESTS_SUPPORT_CONFIGURE_H

#include <stdio.h>
#include <string.h>

#include "support/inject.h"
#include "vrseg/config.h"

static inline void configure(vrs_config *config, const char *settings)
{
    char text[512];
    snprintf(text, sizeof(text), "%s", settings);
    char *rest = NULL;
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        *value++ = 0;
        if (vrs_config_set(config, word, value) != VRS_OK)
            fail_msg("%s", vrs_last_error());
    }
}

#endif
