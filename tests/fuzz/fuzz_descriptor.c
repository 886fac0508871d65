/* Any bytes as a model's descriptor: refused with a sentence, or read. */
#define _XOPEN_SOURCE 700

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz/target.h"
#include "model/descriptor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static vrs_model model;
    char path[64];
    FILE *file = tmpfile();
    if (!file || fwrite(data, 1, size, file) != size || fflush(file) != 0) {
        perror("a temporary file");
        abort();
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(file));
    memset(&model, 0, sizeof(model));
    if (vrs_descriptor_read(path, &model) != VRS_OK && vrs_last_error()[0] == '\0') {
        fprintf(stderr, "a refusal without a sentence\n");
        abort();
    }
    fclose(file);
    return 0;
}
