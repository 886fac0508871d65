/* Any bytes as a file of kept plans, as they are and behind a checksum that is right: refused with
 * a sentence, or read and written as the same bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/cuda/cache.h"
#include "fuzz/target.h"
#include "model/sha256.h"

#define HEAD 72 /* magic and digest */

static void read_plans(const uint8_t *data, size_t size)
{
    vrs_plans *plans;
    void *again;
    size_t bytes;
    vrs_status status = vrs_plans_parse(data, size, NULL, &plans);
    if (status != VRS_OK) {
        if (vrs_last_error()[0] == '\0') {
            fprintf(stderr, "a refusal without a sentence\n");
            abort();
        }
        return;
    }
    if (vrs_plans_format(plans, &again, &bytes) != VRS_OK || bytes != size) {
        fprintf(stderr, "what was read is written otherwise\n");
        abort();
    }
    vrs_free(again);
    vrs_plans_destroy(plans);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_plans(data, size);
    if (size < HEAD)
        return 0;
    char digest[VRS_SHA256_TEXT];
    uint8_t *right = malloc(size);
    if (!right)
        return 0;
    memcpy(right, data, size);
    memcpy(right, "vrsplan1", 8);
    vrs_sha256_text(right + HEAD, size - HEAD, digest);
    memcpy(right + 8, digest, HEAD - 8);
    read_plans(right, size);
    free(right);
    return 0;
}
