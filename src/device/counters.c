#include "device/counters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "device/cuda/cuda.h"
#include "device/cupti_counters_api.h"
#include "device/library.h"

/* What is counted, each by its unit's name and how units and time are summed up. */
#define COUNTERS 2
static const char *const counters_wanted[COUNTERS] = {"dram__bytes",
                                                      "sm__pipe_tensor_cycles_active"};
static const char *const metrics[COUNTERS] = {
    "dram__bytes.sum", "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active"};

typedef struct counters_api {
#define API_FIELD(member, symbol, params) vrs_cupti_result (*member)(params *);
    VRS_CUPTI_COUNTER_FUNCTIONS(API_FIELD)
#undef API_FIELD
    vrs_cupti_result (*result_text)(vrs_cupti_result, const char **text);
} counters_api;

#define API_SYMBOL(member, symbol, params) VRS_LIBRARY_SYMBOL(counters_api, member, symbol)
static const vrs_library_symbol symbols[] = {VRS_CUPTI_COUNTER_FUNCTIONS(
    API_SYMBOL) VRS_LIBRARY_SYMBOL(counters_api, result_text, cuptiGetResultString)};
#undef API_SYMBOL

static const vrs_library_spec spec = {
    .file = VRS_CUPTI_LIBRARY,
    .variable = "VRSEG_CUPTI_LIBRARY",
    .advice =
        "counters need CUPTI 12.6 or newer: it comes with the CUDA toolkit, and as the Python "
        "package nvidia-cuda-cupti; VRSEG_CUPTI_LIBRARY may name the file",
    .symbols = symbols,
    .symbol_count = sizeof(symbols) / sizeof(symbols[0]),
};

struct vrs_counters {
    counters_api api;
    void *library;
    vrs_device *device;
    bool initialized;
    void *host, *profiler;
    uint8_t *image, *data; /* what is counted; what was */
    size_t image_bytes, data_bytes;
    const char *names[COUNTERS]; /* of the metrics that this GPU has */
    int32_t which[COUNTERS];     /* their places in `metrics` */
    size_t name_count;
    int32_t most, entered;
    bool started;
};

static vrs_status check(const vrs_counters *c, vrs_cupti_result result, const char *what)
{
    const char *text = NULL;
    if (result == VRS_CUPTI_SUCCESS)
        return VRS_OK;
    if (result == VRS_CUPTI_NO_PRIVILEGES || result == VRS_CUPTI_NO_VIRTUAL_PRIVILEGES)
        return vrs_fail(VRS_PERMISSION,
                        "the GPU's counters are for administrators alone here "
                        "(ERR_NVGPUCTRPERM): run as root or with CAP_SYS_ADMIN, or load the "
                        "driver's module with NVreg_RestrictProfilingToAdminUsers=0");
    if (c->api.result_text(result, &text) != VRS_CUPTI_SUCCESS || text == NULL)
        text = "unknown";
    return vrs_fail(VRS_DEVICE, "CUPTI: %s: %s", what, text);
}

/* ---- which counters ---- */

static vrs_status make_host(vrs_counters *c)
{
    vrs_cupti_plain plain = {VRS_CUPTI_SIZE(vrs_cupti_plain, reserved), NULL};
    vrs_cupti_chip chip = {.size = VRS_CUPTI_SIZE(vrs_cupti_chip, name),
                           .device = (size_t)vrs_cuda_ordinal(c->device)};
    vrs_cupti_host host = {.size = VRS_CUPTI_SIZE(vrs_cupti_host, host),
                           .profiler = VRS_CUPTI_RANGE_PROFILER};
    vrs_status status = check(c, c->api.initialize(&plain), "the profiler cannot be had");
    c->initialized = status == VRS_OK;
    if (status == VRS_OK)
        status = check(c, c->api.chip_name(&chip), "the GPU's chip is not known");
    if (status == VRS_OK) {
        host.chip = chip.name;
        status = check(c, c->api.host_create(&host), "it does not know the GPU's counters");
    }
    c->host = host.host;
    return status;
}

/* CUPTI ends the process where it is asked for a counter that the chip lacks. */
static vrs_status choose_names(vrs_counters *c)
{
    vrs_cupti_base_names base = {.size = VRS_CUPTI_SIZE(vrs_cupti_base_names, count),
                                 .host = c->host,
                                 .kind = VRS_CUPTI_METRIC_COUNTER};
    vrs_status status = check(c, c->api.base_names(&base), "the GPU's counters cannot be listed");
    for (int32_t i = 0; i < COUNTERS && status == VRS_OK; i++) {
        bool there = false;
        for (size_t k = 0; k < base.count && !there; k++)
            there = strcmp(base.names[k], counters_wanted[i]) == 0;
        if (there) {
            c->which[c->name_count] = i;
            c->names[c->name_count++] = metrics[i];
        }
    }
    if (status == VRS_OK && c->name_count == 0)
        status = vrs_fail(VRS_UNSUPPORTED, "this GPU has none of the counters that are wanted");
    return status;
}

static vrs_status make_image(vrs_counters *c)
{
    vrs_cupti_names names = {.size = VRS_CUPTI_SIZE(vrs_cupti_names, count),
                             .host = c->host,
                             .names = c->names,
                             .count = c->name_count};
    vrs_cupti_image image = {.size = VRS_CUPTI_SIZE(vrs_cupti_image, bytes), .host = c->host};
    vrs_cupti_passes passes = {.size = VRS_CUPTI_SIZE(vrs_cupti_passes, passes)};
    vrs_status status = check(c, c->api.add_names(&names), "the counters cannot be chosen");
    if (status == VRS_OK)
        status = check(c, c->api.image_size(&image), "the counters cannot be set up");
    if (status != VRS_OK)
        return status;
    c->image_bytes = image.bytes;
    c->image = vrs_alloc(image.bytes);
    if (c->image == NULL)
        return VRS_NO_MEMORY;
    image.size = VRS_CUPTI_SIZE(vrs_cupti_image, image);
    image.image = c->image;
    status = check(c, c->api.image(&image), "the counters cannot be set up");
    passes.bytes = c->image_bytes;
    passes.image = c->image;
    if (status == VRS_OK)
        status = check(c, c->api.passes(&passes), "the counters cannot be set up");
    if (status == VRS_OK && passes.passes != 1)
        status = vrs_fail(VRS_UNSUPPORTED,
                          "this GPU would have to run everything %zu times to "
                          "count what is wanted",
                          passes.passes);
    return status;
}

/* ---- counting ---- */

static vrs_status make_data(vrs_counters *c)
{
    vrs_cupti_enable enable = {.size = VRS_CUPTI_SIZE(vrs_cupti_enable, object),
                               .context = vrs_cuda_context(c->device)};
    vrs_cupti_data_size size = {.size = VRS_CUPTI_SIZE(vrs_cupti_data_size, bytes),
                                .names = c->names,
                                .count = c->name_count,
                                .most_ranges = (size_t)c->most,
                                .most_nodes = (uint32_t)c->most};
    vrs_status status = check(c, c->api.enable(&enable), "the counters cannot be had");
    if (status != VRS_OK)
        return status;
    c->profiler = size.object = enable.object;
    status = check(c, c->api.data_size(&size), "the counters' results have no size");
    if (status != VRS_OK)
        return status;
    c->data_bytes = size.bytes;
    c->data = vrs_alloc(size.bytes);
    if (c->data == NULL)
        return VRS_NO_MEMORY;
    vrs_cupti_data data = {.size = VRS_CUPTI_SIZE(vrs_cupti_data, data),
                           .object = c->profiler,
                           .bytes = c->data_bytes,
                           .data = c->data};
    return check(c, c->api.data_begin(&data), "the counters' results have no place");
}

static vrs_cupti_object profiler_of(const vrs_counters *c)
{
    return (vrs_cupti_object){.size = VRS_CUPTI_SIZE(vrs_cupti_object, object),
                              .object = c->profiler};
}

static vrs_status start(vrs_counters *c)
{
    vrs_cupti_setting setting = {.size = VRS_CUPTI_SIZE(vrs_cupti_setting, level),
                                 .object = c->profiler,
                                 .image_bytes = c->image_bytes,
                                 .image = c->image,
                                 .data_bytes = c->data_bytes,
                                 .data = c->data,
                                 .range = VRS_CUPTI_USER_RANGE,
                                 .replay = VRS_CUPTI_USER_REPLAY,
                                 .most_ranges = (size_t)c->most,
                                 .levels = 1,
                                 .least_level = 1,
                                 .level = 1};
    vrs_cupti_object object = profiler_of(c);
    vrs_status status = check(c, c->api.set(&setting), "the counters cannot be set");
    if (status == VRS_OK)
        status = check(c, c->api.start(&object), "the counters do not start");
    c->started = status == VRS_OK;
    return status;
}

vrs_status vrs_counters_open(vrs_device *device, int32_t most, vrs_counters **counters)
{
    vrs_counters *c = vrs_alloc(sizeof(*c));
    *counters = NULL;
    if (c == NULL)
        return VRS_NO_MEMORY;
    *c = (vrs_counters){.device = device, .most = most};
    vrs_status status = vrs_library_open(&spec, &c->api, &c->library);
    if (status == VRS_OK)
        status = make_host(c);
    if (status == VRS_OK)
        status = choose_names(c);
    if (status == VRS_OK)
        status = make_image(c);
    if (status == VRS_OK)
        status = make_data(c);
    if (status == VRS_OK)
        status = start(c);
    if (status != VRS_OK) {
        vrs_counters_close(c);
        return status;
    }
    *counters = c;
    return VRS_OK;
}

vrs_status vrs_counters_enter(vrs_counters *c)
{
    char name[16]; /* its number */
    (void)snprintf(name, sizeof(name), "%d", c->entered);
    vrs_cupti_push push = {
        .size = VRS_CUPTI_SIZE(vrs_cupti_push, name), .object = c->profiler, .name = name};
    vrs_status status = check(c, c->api.push(&push), "a piece of work cannot begin");
    c->entered += status == VRS_OK ? 1 : 0;
    return status;
}

vrs_status vrs_counters_leave(vrs_counters *c)
{
    vrs_cupti_object object = profiler_of(c);
    return check(c, c->api.pop(&object), "a piece of work cannot end");
}

/* ---- what was counted ---- */

/* The figures of a range, put where its name says. */
static vrs_status read_range(const vrs_counters *c, size_t index, vrs_counted *counted)
{
    double values[COUNTERS] = {0}, all[COUNTERS] = {-1, -1};
    const char **names = (const char **)(uintptr_t)c->names;
    vrs_cupti_range range = {.size = VRS_CUPTI_SIZE(vrs_cupti_range, name),
                             .data = c->data,
                             .bytes = c->data_bytes,
                             .index = index,
                             .between = "/"};
    vrs_cupti_values value = {.size = VRS_CUPTI_SIZE(vrs_cupti_values, values),
                              .host = c->host,
                              .data = c->data,
                              .bytes = c->data_bytes,
                              .index = index,
                              .names = names,
                              .count = c->name_count,
                              .values = values};
    vrs_status status = check(c, c->api.range(&range), "what was counted has no name");
    if (status == VRS_OK)
        status = check(c, c->api.values(&value), "what was counted cannot be read");
    if (status != VRS_OK)
        return status;
    long place = strtol(range.name, NULL, 10);
    for (size_t i = 0; i < c->name_count; i++)
        all[c->which[i]] = values[i] >= 0 ? values[i] : -1; /* false for what is no number */
    if (place >= 0 && place < c->entered)
        counted[place] = (vrs_counted){all[0], all[1]};
    return VRS_OK;
}

vrs_status vrs_counters_read(vrs_counters *c, vrs_counted *counted)
{
    vrs_cupti_stop stop = {.size = VRS_CUPTI_SIZE(vrs_cupti_stop, all_passes),
                           .object = c->profiler};
    vrs_cupti_decode decode = {.size = VRS_CUPTI_SIZE(vrs_cupti_decode, dropped),
                               .object = c->profiler};
    vrs_cupti_info info = {
        .size = VRS_CUPTI_SIZE(vrs_cupti_info, ranges), .data = c->data, .bytes = c->data_bytes};
    for (int32_t i = 0; i < c->entered; i++)
        counted[i] = (vrs_counted){-1, -1};
    vrs_status status = check(c, c->api.stop(&stop), "the counters do not stop");
    c->started = false;
    if (status == VRS_OK)
        status = check(c, c->api.decode(&decode), "what was counted cannot be decoded");
    if (status == VRS_OK)
        status = check(c, c->api.info(&info), "what was counted cannot be read");
    for (size_t i = 0; i < info.ranges && status == VRS_OK; i++)
        status = read_range(c, i, counted);
    return status;
}

void vrs_counters_close(vrs_counters *c)
{
    vrs_cupti_plain plain = {VRS_CUPTI_SIZE(vrs_cupti_plain, reserved), NULL};
    vrs_cupti_object object;
    if (c == NULL)
        return;
    if (c->started) {
        vrs_cupti_stop stop = {.size = VRS_CUPTI_SIZE(vrs_cupti_stop, all_passes),
                               .object = c->profiler};
        (void)c->api.stop(&stop);
    }
    object = profiler_of(c);
    if (c->profiler != NULL)
        (void)c->api.disable(&object);
    object.object = c->host;
    if (c->host != NULL)
        (void)c->api.host_destroy(&object);
    if (c->initialized) /* stays loaded, as the driver goes on calling it */
        (void)c->api.deinitialize(&plain);
    else
        vrs_library_close(c->library);
    vrs_free(c->image);
    vrs_free(c->data);
    vrs_free(c);
}
