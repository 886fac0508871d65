/* Any bytes as a configuration file: refused with a sentence and without a change, or read. */
#define _XOPEN_SOURCE 700

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz/target.h"
#include "vrseg/job.h"

static void must(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    vrs_config *config = NULL;
    FILE *file = tmpfile();
    must(file && fwrite(data, 1, size, file) == size && fflush(file) == 0, "a temporary file");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(file));
    must(vrs_job_config_create(&config) == VRS_OK, "no config");
    bool read = vrs_config_load(config, path) == VRS_OK;
    must(read || vrs_last_error()[0] != '\0', "a refusal without a sentence");
    for (size_t i = 0; i < vrs_config_count(config); i++) {
        const vrs_option_info *option = vrs_config_option(config, i);
        bool from_file = vrs_config_get_layer(config, option->name) == VRS_LAYER_FILE;
        must(!from_file || (read && vrs_config_get_place(config, option->name)[0] != '\0'),
             "a value without a place, or of a file that was refused");
        must(vrs_config_get(config, option->name) != NULL, "no value");
    }
    vrs_config_destroy(config);
    fclose(file);
    return 0;
}
