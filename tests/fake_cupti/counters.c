/* The range profiler: what was pushed and popped becomes ranges, in the opposite order. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/cupti_counters_api.h"
#include "fake_cupti/counters.h"
#include "fake_cupti/fake_cupti.h"

#define FAKE __attribute__((visibility("default")))
#define MOST_RANGES 1024
#define IMAGE_BYTES 24
#define RANGE_BYTES 32
#define WRONG 1 /* CUPTI_ERROR_INVALID_PARAMETER */

#define DECLARE(member, symbol, params) FAKE vrs_cupti_result symbol(params *p);
VRS_CUPTI_COUNTER_FUNCTIONS(DECLARE)
#undef DECLARE

/* What a function that is called as it should be ends with. */
#define LEAVE(good) return (good) ? fake_cupti_leave(__func__) : WRONG

static int host, profiler, initialized, started, inside, popped;
static size_t most;
static char names[MOST_RANGES][16];

/* VRSEG_FAKE_CUPTI_CHIP: "poor" counts no bytes, "none" nothing, "slow" in two passes. */
static int chip_is(const char *kind)
{
    const char *is = getenv("VRSEG_FAKE_CUPTI_CHIP");
    return is != NULL && strcmp(is, kind) == 0;
}

static int fits(size_t size, size_t wanted, const void *reserved)
{
    return size == wanted && reserved == NULL;
}

#define FITS(last) fits(p->size, VRS_CUPTI_SIZE(__typeof__(*p), last), p->reserved)

vrs_cupti_result cuptiProfilerInitialize(vrs_cupti_plain *p)
{
    vrs_cupti_result result = FITS(reserved) ? fake_cupti_leave(__func__) : WRONG;
    initialized += result == VRS_CUPTI_SUCCESS;
    return result;
}

vrs_cupti_result cuptiProfilerDeInitialize(vrs_cupti_plain *p)
{
    initialized--;
    LEAVE(FITS(reserved));
}

vrs_cupti_result cuptiDeviceGetChipName(vrs_cupti_chip *p)
{
    p->name = "GH100";
    LEAVE(FITS(name) && p->device == 0);
}

vrs_cupti_result cuptiProfilerHostInitialize(vrs_cupti_host *p)
{
    bool good = FITS(host) && strcmp(p->chip, "GH100") == 0 && initialized;
    vrs_cupti_result result = good ? fake_cupti_leave(__func__) : WRONG;
    host += result == VRS_CUPTI_SUCCESS;
    p->host = result == VRS_CUPTI_SUCCESS ? &host : NULL;
    return result;
}

vrs_cupti_result cuptiProfilerHostDeinitialize(vrs_cupti_object *p)
{
    host -= p->object == &host;
    LEAVE(FITS(object));
}

vrs_cupti_result cuptiProfilerHostGetBaseMetrics(vrs_cupti_base_names *p)
{
    static const char *counters[] = {"dram__sectors", "sm__pipe_tensor_cycles_active",
                                     "dram__bytes"};
    p->names = counters;
    p->count = chip_is("none") ? 1 : chip_is("poor") ? 2 : 3;
    LEAVE(FITS(count) && p->host == &host && p->kind == VRS_CUPTI_METRIC_COUNTER);
}

vrs_cupti_result cuptiProfilerHostConfigAddMetrics(vrs_cupti_names *p)
{
    if (chip_is("poor") && p->count > 1)
        abort(); /* as CUPTI does */
    LEAVE(FITS(count) && p->host == &host && p->count >= 1);
}

vrs_cupti_result cuptiProfilerHostGetConfigImageSize(vrs_cupti_image *p)
{
    p->bytes = IMAGE_BYTES;
    LEAVE(FITS(bytes) && p->host == &host);
}

vrs_cupti_result cuptiProfilerHostGetConfigImage(vrs_cupti_image *p)
{
    bool good = FITS(image) && p->host == &host && p->bytes == IMAGE_BYTES;
    if (good)
        memset(p->image, 0x5A, p->bytes);
    LEAVE(good);
}

static bool is_image(const uint8_t *image, size_t bytes)
{
    bool same = bytes == IMAGE_BYTES;
    for (size_t i = 0; i < bytes && same; i++)
        same = image[i] == 0x5A;
    return same;
}

vrs_cupti_result cuptiProfilerHostGetNumOfPasses(vrs_cupti_passes *p)
{
    p->passes = chip_is("slow") ? 2 : 1;
    LEAVE(FITS(passes) && is_image(p->image, p->bytes));
}

vrs_cupti_result cuptiRangeProfilerEnable(vrs_cupti_enable *p)
{
    vrs_cupti_result result =
        FITS(object) && p->context != NULL && profiler == 0 ? fake_cupti_leave(__func__) : WRONG;
    profiler += result == VRS_CUPTI_SUCCESS;
    p->object = result == VRS_CUPTI_SUCCESS ? &profiler : NULL;
    return result;
}

vrs_cupti_result cuptiRangeProfilerDisable(vrs_cupti_object *p)
{
    profiler -= p->object == &profiler;
    started = 0;
    LEAVE(FITS(object));
}

vrs_cupti_result cuptiRangeProfilerGetCounterDataSize(vrs_cupti_data_size *p)
{
    most = p->most_ranges;
    p->bytes = RANGE_BYTES * most;
    LEAVE(FITS(bytes) && p->object == &profiler && most <= MOST_RANGES && p->most_nodes >= most);
}

vrs_cupti_result cuptiRangeProfilerCounterDataImageInitialize(vrs_cupti_data *p)
{
    bool good = FITS(data) && p->object == &profiler && p->bytes == RANGE_BYTES * most;
    if (good)
        memset(p->data, 0, p->bytes);
    LEAVE(good);
}

vrs_cupti_result cuptiRangeProfilerSetConfig(vrs_cupti_setting *p)
{
    LEAVE(FITS(level) && p->object == &profiler && is_image(p->image, p->image_bytes) &&
          p->data_bytes == RANGE_BYTES * most && p->range == VRS_CUPTI_USER_RANGE &&
          p->replay == VRS_CUPTI_USER_REPLAY && p->most_ranges == most && p->levels == 1 &&
          p->least_level == 1 && p->level == 1 && p->pass == 0);
}

vrs_cupti_result cuptiRangeProfilerStart(vrs_cupti_object *p)
{
    vrs_cupti_result result =
        FITS(object) && p->object == &profiler ? fake_cupti_leave(__func__) : WRONG;
    started = result == VRS_CUPTI_SUCCESS;
    popped = inside = 0;
    return result;
}

vrs_cupti_result cuptiRangeProfilerPushRange(vrs_cupti_push *p)
{
    bool good = FITS(name) && p->object == &profiler && started && !inside && (size_t)popped < most;
    vrs_cupti_result result = good ? fake_cupti_leave(__func__) : WRONG;
    if (result == VRS_CUPTI_SUCCESS) {
        inside = 1;
        (void)snprintf(names[popped], sizeof(names[popped]), "%s", p->name);
    }
    return result;
}

vrs_cupti_result cuptiRangeProfilerPopRange(vrs_cupti_object *p)
{
    bool good = FITS(object) && p->object == &profiler && inside;
    popped += inside;
    inside = 0;
    LEAVE(good);
}

vrs_cupti_result cuptiRangeProfilerStop(vrs_cupti_stop *p)
{
    bool good = FITS(all_passes) && p->object == &profiler && started && !inside;
    started = 0;
    p->all_passes = 1;
    LEAVE(good);
}

vrs_cupti_result cuptiRangeProfilerDecodeData(vrs_cupti_decode *p)
{
    p->dropped = popped > 1;
    LEAVE(FITS(dropped) && p->object == &profiler && !started);
}

/* The second of several is dropped. */
vrs_cupti_result cuptiRangeProfilerGetCounterDataInfo(vrs_cupti_info *p)
{
    p->ranges = (size_t)(popped > 1 ? popped - 1 : popped);
    LEAVE(FITS(ranges) && p->data != NULL);
}

static int range_at(size_t index)
{
    int range = popped - 1 - (int)index;
    return range == 1 ? 0 : range;
}

vrs_cupti_result cuptiRangeProfilerCounterDataGetRangeInfo(vrs_cupti_range *p)
{
    p->name = names[range_at(p->index)];
    LEAVE(FITS(name) && p->data != NULL && strcmp(p->between, "/") == 0);
}

vrs_cupti_result cuptiProfilerHostEvaluateToGpuValues(vrs_cupti_values *p)
{
    int range = range_at(p->index);
    for (size_t i = 0; i < p->count; i++)
        p->values[i] = (strncmp(p->names[i], "dram__", 6) == 0 ? 4096.0 : 0.5) * (range + 1);
    LEAVE(FITS(values) && p->host == &host);
}

int fake_cupti_counters_left(void)
{
    return host + profiler + initialized + started;
}
