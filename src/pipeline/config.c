#include "pipeline/config.h"

#define VRS_OPTION VRS_OPTION_INFO

static const vrs_option_info device_options[] = {
#include "device/options.def"
};

static const vrs_option_info engine_options[] = {
#include "engine/options.def"
};

static const vrs_option_info batch_options[] = {
#include "batch/options.def"
};

static const vrs_option_info pipeline_options[] = {
#include "pipeline/options.def"
};

#undef VRS_OPTION

static const vrs_option_table tables[VRS_CORE_TABLES] = {
    {pipeline_options, sizeof(pipeline_options) / sizeof(pipeline_options[0])},
    {batch_options, sizeof(batch_options) / sizeof(batch_options[0])},
    {device_options, sizeof(device_options) / sizeof(device_options[0])},
    {engine_options, sizeof(engine_options) / sizeof(engine_options[0])},
};

const vrs_option_table *vrs_core_option_tables(void)
{
    return tables;
}

vrs_status vrs_config_create(vrs_config **config)
{
    return vrs_config_create_from(tables, VRS_CORE_TABLES, config);
}
