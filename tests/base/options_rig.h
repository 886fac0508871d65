/* Options of every type for tests of configurations, in two tables. Each program has one folder,
 * made and removed by its main(), and a file in it. */
#ifndef TESTS_BASE_OPTIONS_RIG_H
#define TESTS_BASE_OPTIONS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/options.h"
#include "support/inject.h"
#include "support/temp.h"
#include "vrseg/config.h"

static char folder[256];
static char path[300];

static const vrs_option_info first_options[] = {
    {"one", "max_batch_size", VRS_OPTION_INT, "auto", 1, 16, "views", "", "Views together."},
    {"one", "offset", VRS_OPTION_INT, "0", -5, 5, "", "", "A signed number."},
    {"one", "any_number", VRS_OPTION_INT, "3", 0, 0, "", "", "A number without a range."},
    {"two", "crf", VRS_OPTION_FLOAT, "20", 0, 63, "", "", "Quality."},
    {"two", "epsilon", VRS_OPTION_FLOAT, "0.002", 0.000001, 1, "", "", "A small number."},
};
static const vrs_option_info second_options[] = {
    {"two", "refine", VRS_OPTION_BOOL, "on", 0, 0, "", "", "A switch."},
    {"three", "engine", VRS_OPTION_CHOICE, "auto", 0, 0, "", "auto|openvino|other", "A choice."},
    {"three", "layout", VRS_OPTION_CHOICE, "mono", 0, 0, "", "mono|sbs", "A choice."},
    {"three", "text", VRS_OPTION_STRING, "", 0, 0, "", "", "Some text."},
};
static const vrs_option_table tables[] = {{first_options, 5}, {second_options, 4}};

static inline vrs_config *make(void)
{
    vrs_config *config = NULL;
    if (vrs_config_create_from(tables, 2, &config) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    return config;
}

static inline void assert_set(vrs_config *config, const char *name, const char *value,
                              const char *text)
{
    if (vrs_config_set(config, name, value) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    assert_string_equal(vrs_config_get(config, name), text);
}

#endif
