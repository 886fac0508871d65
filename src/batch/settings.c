#include "batch/settings.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"

#define MOST_TIMEOUT_US INT64_C(3600000000)
#define MOST_QUEUE_SIZE 65536

/* Reads "1,2,3", each of low..high, at most `most`, into `values`. */
static vrs_status read_list(const vrs_config *config, const char *name, int64_t low, int64_t high,
                            int32_t most, int64_t *values, int32_t *count)
{
    const char *text = vrs_config_get(config, name), *word = text;
    *count = 0;
    for (;;) {
        char number[24];
        size_t length = strcspn(word, ",");
        int64_t value = 0;
        bool fits = length > 0 && length < sizeof(number);
        (void)snprintf(number, sizeof(number), "%.*s", fits ? (int)length : 0, word);
        if (!vrs_parse_int(number, &value) || value < low || value > high)
            return vrs_fail(VRS_INVALID,
                            "%s: \"%s\" is not a list of whole numbers from %lld to %lld, as 4,8",
                            name, text, (long long)low, (long long)high);
        if (*count == most)
            return vrs_fail(VRS_INVALID, "%s: \"%s\" has more than %d numbers", name, text, most);
        values[(*count)++] = value;
        if (word[length] == 0)
            return VRS_OK;
        word += length + 1;
    }
}

static vrs_status read_preferred(const vrs_config *config, vrs_batch_settings *s)
{
    int64_t values[VRS_BATCH_MOST];
    if (strcmp(vrs_config_get(config, "preferred_batch_sizes"), "none") == 0)
        return VRS_OK;
    vrs_status status = read_list(config, "preferred_batch_sizes", 1, VRS_BATCH_MOST,
                                  VRS_BATCH_MOST, values, &s->preferred_count);
    if (status != VRS_OK)
        return status;
    for (int32_t i = 0; i < s->preferred_count; i++) {
        if (values[i] > s->max_batch_size)
            return vrs_fail(VRS_INVALID,
                            "preferred_batch_sizes: %lld is above max_batch_size, which is %d",
                            (long long)values[i], s->max_batch_size);
        if (i > 0 && values[i] <= values[i - 1])
            return vrs_fail(VRS_INVALID,
                            "preferred_batch_sizes: %lld comes after %lld: give each size once, "
                            "the smallest first",
                            (long long)values[i], (long long)values[i - 1]);
        s->preferred[i] = (int32_t)values[i];
    }
    return VRS_OK;
}

/* One number for all levels, or one for each. */
static vrs_status read_levels(const vrs_config *config, const char *name, int64_t high,
                              int32_t levels, int64_t values[VRS_BATCH_LEVELS])
{
    int32_t count = 0;
    vrs_status status = read_list(config, name, 0, high, VRS_BATCH_LEVELS, values, &count);
    if (status != VRS_OK)
        return status;
    if (count != 1 && count != levels)
        return vrs_fail(VRS_INVALID,
                        "%s: %d numbers are given, and priority_levels is %d: give one, or one "
                        "for each level",
                        name, count, levels);
    for (int32_t l = 1; l < levels && count == 1; l++)
        values[l] = values[0];
    return VRS_OK;
}

static vrs_status read_policy(const vrs_config *config, vrs_batch_options *options)
{
    vrs_batch_settings *s = &options->queue;
    int64_t sizes[VRS_BATCH_LEVELS] = {0}, timeouts[VRS_BATCH_LEVELS] = {0};
    vrs_status status = read_levels(config, "max_queue_size", MOST_QUEUE_SIZE, s->levels, sizes);
    if (status == VRS_OK)
        status = read_levels(config, "queue_timeout_us", MOST_TIMEOUT_US, s->levels, timeouts);
    if (status != VRS_OK)
        return status;
    for (int32_t l = 0; l < s->levels; l++) {
        s->max_queue_size[l] = (uint32_t)sizes[l];
        options->limited = options->limited || sizes[l] > 0;
        s->timeout_ns[l] = timeouts[l] * VRS_NS_PER_US;
    }
    const char *overflow = vrs_config_get(config, "queue_overflow");
    s->overflow = strcmp(overflow, "refuse") == 0        ? VRS_BATCH_REFUSE
                  : strcmp(overflow, "drop_oldest") == 0 ? VRS_BATCH_DROP_OLDEST
                                                         : VRS_BATCH_BLOCK;
    s->keep_late = strcmp(vrs_config_get(config, "timeout_action"), "continue") == 0;
    return VRS_OK;
}

vrs_status vrs_batch_settings_read(const vrs_config *config, bool one_in_flight,
                                   vrs_batch_options *options)
{
    vrs_batch_options o = {0};
    vrs_batch_settings *s = &o.queue;
    s->one_in_flight = one_in_flight;
    s->max_batch_size = (int32_t)vrs_config_int(config, "max_batch_size", 1);
    s->max_queue_delay_ns = vrs_config_int(config, "max_queue_delay_us", 0) * VRS_NS_PER_US;
    s->levels = (int32_t)vrs_config_int(config, "priority_levels", 1);
    s->default_priority =
        (int32_t)vrs_config_int(config, "default_priority_level", (s->levels + 1) / 2);
    s->age_ns = vrs_config_int(config, "priority_age_us", 0) * VRS_NS_PER_US;
    o.latency_target_ns = vrs_config_int(config, "latency_target_us", 0) * VRS_NS_PER_US;
    o.as_ready = strcmp(vrs_config_get(config, "result_order"), "ready") == 0;
    if (s->default_priority > s->levels)
        return vrs_fail(VRS_INVALID,
                        "default_priority_level: %d is above priority_levels, which "
                        "is %d",
                        s->default_priority, s->levels);
    vrs_status status = read_preferred(config, s);
    if (status == VRS_OK)
        status = read_policy(config, &o);
    if (status == VRS_OK)
        *options = o;
    return status;
}
