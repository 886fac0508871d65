/* The options of a job: those of the core library and of media. */
#include "base/options.h"
#include "pipeline/config.h"
#include "vrseg/job.h"

#define VRS_OPTION VRS_OPTION_INFO

static const vrs_option_info media_options[] = {
#include "media/options.def"
};

#undef VRS_OPTION

vrs_status vrs_job_config_create(vrs_config **config)
{
    const vrs_option_table *core = vrs_core_option_tables();
    vrs_option_table tables[VRS_CORE_TABLES + 1];
    for (size_t i = 0; i < VRS_CORE_TABLES; i++)
        tables[i] = core[i];
    tables[VRS_CORE_TABLES] =
        (vrs_option_table){media_options, sizeof(media_options) / sizeof(media_options[0])};
    return vrs_config_create_from(tables, VRS_CORE_TABLES + 1, config);
}
