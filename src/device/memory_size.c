/* Sizes that users write, and what the host has. */
#include <string.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/parse.h"
#include "device/memory.h"

/* More is a slip of the finger; also far from what 64 bits hold. */
#define MOST_BYTES 1e15

typedef struct unit {
    const char *name;
    double bytes;
} unit;

/* Longer names first: each is looked for at the end of the text. */
static const unit units[] = {
    {"GiB", 1073741824.0}, {"MiB", 1048576.0}, {"KiB", 1024.0}, {"GB", 1e9},
    {"MB", 1e6},           {"KB", 1e3},        {"B", 1},
};

vrs_status vrs_memory_parse_size(const char *text, uint64_t *bytes)
{
    if (strcmp(text, "auto") == 0) {
        *bytes = 0;
        return VRS_OK;
    }
    char number[64];
    size_t length = strlen(text);
    double scale = 1e9;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t unit_length = strlen(units[i].name);
        if (length > unit_length && strcmp(text + length - unit_length, units[i].name) == 0) {
            scale = units[i].bytes;
            length -= unit_length;
            break;
        }
    }
    double value = 0;
    bool is_number = length < sizeof(number);
    if (is_number) {
        memcpy(number, text, length);
        number[length] = '\0';
        is_number = vrs_parse_float(number, &value);
    }
    if (!is_number || value < 0 || value * scale > MOST_BYTES) {
        return vrs_fail(VRS_INVALID,
                        "\"%s\" is no amount of memory: expected GB as a number, a "
                        "number with GB, GiB, MB, MiB, KB, KiB or B, or auto",
                        text);
    }
    *bytes = (uint64_t)(value * scale);
    return VRS_OK;
}

uint64_t vrs_memory_host_budget(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);
    uint64_t ram = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
    uint64_t limit = vrs_cgroup_memory_limit("");
    uint64_t least = limit != 0 && (ram == 0 || limit < ram) ? limit : ram;
    return least / 4 * 3;
}
