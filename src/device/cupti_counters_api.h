/* The part of CUPTI that counts what the hardware did: its range profiler, since CUPTI 12.6, and
 * the host's half that knows which counters a GPU has. Declared as in cupti_api.h: each function
 * takes one struct, whose first member is the bytes of it that the caller knows. */
#ifndef VRS_DEVICE_CUPTI_COUNTERS_API_H
#define VRS_DEVICE_CUPTI_COUNTERS_API_H

#include "device/cupti_api.h"

/* What refuses counters to those who are no administrators, on a machine and on a virtual one. */
enum { VRS_CUPTI_NO_PRIVILEGES = 35, VRS_CUPTI_NO_VIRTUAL_PRIVILEGES = 40 };

/* CUpti_ProfilerType, CUpti_MetricType, CUpti_ProfilerRange, CUpti_ProfilerReplayMode. */
enum { VRS_CUPTI_RANGE_PROFILER = 0, VRS_CUPTI_METRIC_COUNTER = 0 };
enum { VRS_CUPTI_USER_RANGE = 2, VRS_CUPTI_USER_REPLAY = 3 };

/* The value of a struct's first member: up to its last one, without padding behind. */
#define VRS_CUPTI_SIZE(type, last) (offsetof(type, last) + sizeof(((type *)0)->last))

typedef struct vrs_cupti_plain {
    size_t size;
    void *reserved; /* NULL, as in all of them */
} vrs_cupti_plain;

typedef struct vrs_cupti_chip {
    size_t size;
    void *reserved;
    size_t device;
    const char *name; /* out: "GH100" */
} vrs_cupti_chip;

typedef struct vrs_cupti_host {
    size_t size;
    void *reserved;
    int profiler;
    const char *chip;
    const uint8_t *available; /* NULL: of a chip that this CUPTI knows */
    void *host;               /* out */
} vrs_cupti_host;

typedef struct vrs_cupti_names { /* what a chip counts, and what is to be counted */
    size_t size;
    void *reserved;
    void *host;
    const char **names;
    size_t count;
} vrs_cupti_names;

typedef struct vrs_cupti_base_names {
    size_t size;
    void *reserved;
    void *host;
    int kind;
    const char **names; /* out, with `count` */
    size_t count;
} vrs_cupti_base_names;

typedef struct vrs_cupti_object { /* a host's or a range profiler's */
    size_t size;
    void *reserved;
    void *object;
} vrs_cupti_object;

typedef struct vrs_cupti_image {
    size_t size;
    void *reserved;
    void *host;
    size_t bytes; /* out of the first call */
    uint8_t *image;
} vrs_cupti_image;

typedef struct vrs_cupti_passes {
    size_t size;
    void *reserved;
    size_t bytes;
    uint8_t *image;
    size_t passes; /* out */
} vrs_cupti_passes;

typedef struct vrs_cupti_enable {
    size_t size;
    void *reserved;
    void *context;
    void *object; /* out */
} vrs_cupti_enable;

typedef struct vrs_cupti_data_size {
    size_t size;
    void *reserved;
    void *object;
    const char **names;
    size_t count;
    size_t most_ranges;
    uint32_t most_nodes;
    size_t bytes; /* out */
} vrs_cupti_data_size;

typedef struct vrs_cupti_data {
    size_t size;
    void *reserved;
    void *object;
    size_t bytes;
    uint8_t *data;
} vrs_cupti_data;

typedef struct vrs_cupti_setting {
    size_t size;
    void *reserved;
    void *object;
    size_t image_bytes;
    const uint8_t *image;
    size_t data_bytes;
    uint8_t *data;
    int range, replay;
    size_t most_ranges;
    uint16_t levels, least_level;
    size_t pass;
    uint16_t level;
} vrs_cupti_setting;

typedef struct vrs_cupti_push {
    size_t size;
    void *reserved;
    void *object;
    const char *name;
} vrs_cupti_push;

typedef struct vrs_cupti_stop {
    size_t size;
    void *reserved;
    void *object;
    size_t pass, level; /* out, as what follows */
    uint8_t all_passes;
} vrs_cupti_stop;

typedef struct vrs_cupti_decode {
    size_t size;
    void *reserved;
    void *object;
    size_t dropped; /* out */
} vrs_cupti_decode;

typedef struct vrs_cupti_info {
    size_t size;
    void *reserved;
    const uint8_t *data;
    size_t bytes;
    size_t ranges; /* out */
} vrs_cupti_info;

typedef struct vrs_cupti_range {
    size_t size;
    void *reserved;
    const uint8_t *data;
    size_t bytes;
    size_t index;
    const char *between; /* names of nested ranges */
    const char *name;    /* out */
} vrs_cupti_range;

typedef struct vrs_cupti_values {
    size_t size;
    void *reserved;
    void *host;
    const uint8_t *data;
    size_t bytes;
    size_t index;
    const char **names;
    size_t count;
    double *values; /* out */
} vrs_cupti_values;

_Static_assert(VRS_CUPTI_SIZE(vrs_cupti_host, host) == 48 &&
                   VRS_CUPTI_SIZE(vrs_cupti_base_names, count) == 48 &&
                   VRS_CUPTI_SIZE(vrs_cupti_data_size, bytes) == 64 &&
                   VRS_CUPTI_SIZE(vrs_cupti_setting, level) == 90 &&
                   VRS_CUPTI_SIZE(vrs_cupti_stop, all_passes) == 41 &&
                   VRS_CUPTI_SIZE(vrs_cupti_values, values) == 72,
               "of CUPTI 13");

/* X(member, symbol, its struct): all return vrs_cupti_result. */
#define VRS_CUPTI_COUNTER_FUNCTIONS(X)                                          \
    X(initialize, cuptiProfilerInitialize, vrs_cupti_plain)                     \
    X(deinitialize, cuptiProfilerDeInitialize, vrs_cupti_plain)                 \
    X(chip_name, cuptiDeviceGetChipName, vrs_cupti_chip)                        \
    X(host_create, cuptiProfilerHostInitialize, vrs_cupti_host)                 \
    X(host_destroy, cuptiProfilerHostDeinitialize, vrs_cupti_object)            \
    X(base_names, cuptiProfilerHostGetBaseMetrics, vrs_cupti_base_names)        \
    X(add_names, cuptiProfilerHostConfigAddMetrics, vrs_cupti_names)            \
    X(image_size, cuptiProfilerHostGetConfigImageSize, vrs_cupti_image)         \
    X(image, cuptiProfilerHostGetConfigImage, vrs_cupti_image)                  \
    X(passes, cuptiProfilerHostGetNumOfPasses, vrs_cupti_passes)                \
    X(values, cuptiProfilerHostEvaluateToGpuValues, vrs_cupti_values)           \
    X(enable, cuptiRangeProfilerEnable, vrs_cupti_enable)                       \
    X(disable, cuptiRangeProfilerDisable, vrs_cupti_object)                     \
    X(data_size, cuptiRangeProfilerGetCounterDataSize, vrs_cupti_data_size)     \
    X(data_begin, cuptiRangeProfilerCounterDataImageInitialize, vrs_cupti_data) \
    X(set, cuptiRangeProfilerSetConfig, vrs_cupti_setting)                      \
    X(start, cuptiRangeProfilerStart, vrs_cupti_object)                         \
    X(stop, cuptiRangeProfilerStop, vrs_cupti_stop)                             \
    X(push, cuptiRangeProfilerPushRange, vrs_cupti_push)                        \
    X(pop, cuptiRangeProfilerPopRange, vrs_cupti_object)                        \
    X(decode, cuptiRangeProfilerDecodeData, vrs_cupti_decode)                   \
    X(info, cuptiRangeProfilerGetCounterDataInfo, vrs_cupti_info)               \
    X(range, cuptiRangeProfilerCounterDataGetRangeInfo, vrs_cupti_range)

#endif
