/* Compiling: who runs convolutions, which batch sizes, and the plans of an earlier time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "engine/cuda/cuda_engine.h"
#include "engine/cuda/cudnn.h"
#include "vrseg/log.h"
#include "vrseg/system.h"

/* Raised when the same candidates mean something else, or nodes are counted otherwise. */
#define PLANS_VERSION 3

/* Who runs convolutions here. A GPU without cuDNN is refused, for it would be slow beyond use;
 * tests say that they want none. */
static vrs_status open_providers(vrs_net *net)
{
    static const vrs_conv_provider *const all[] = {&vrs_conv_tiles, &vrs_conv_cudnn,
                                                   &vrs_conv_direct};
    const char *named = getenv("VRSEG_CUDNN_LIBRARY");
    bool none = named && strcmp(named, "none") == 0;
    vrs_status status = VRS_OK;
    for (size_t i = 0; i < sizeof all / sizeof all[0] && status == VRS_OK; i++) {
        net->providers[net->provider_count++] = all[i];
        if (!(none && all[i] == &vrs_conv_cudnn)) {
            status = all[i]->open(net->device, &net->states[i]);
            net->has_cudnn = net->has_cudnn || (status == VRS_OK && all[i] == &vrs_conv_cudnn);
        }
        bool extra = all[i] != &vrs_conv_cudnn && all[i] != &vrs_conv_direct;
        if (extra && (status == VRS_UNSUPPORTED || status == VRS_MISSING)) {
            vrs_log(VRS_LOG_DEBUG, "no convolutions by %s: %s", all[i]->name, vrs_last_error());
            status = VRS_OK;
        }
    }
    return status;
}

static void add_batch(int32_t batch, int32_t *batches, int32_t *count)
{
    for (int32_t i = 0; i < *count; i++)
        if (batches[i] == batch)
            return;
    batches[(*count)++] = batch;
}

static bool is_kept(const vrs_plans *plans, int32_t batch)
{
    bool kept = false;
    for (int32_t i = 0; plans && i < vrs_plans_count(plans); i++)
        kept = kept || vrs_plans_at(plans, i)->batch == batch;
    return kept;
}

/* The largest comes first; then those that are asked for. Else one view, for a frame alone and for
 * little memory: two sizes take a fifth of the time of five, and what is between runs padded. Kept
 * plans cost next to nothing. */
static int32_t list_batches(const vrs_engine_params *params, const vrs_plans *kept,
                            int32_t batches[VRS_NET_SIZES])
{
    int32_t count = 0;
    add_batch(params->max_batch, batches, &count);
    for (int32_t i = 0; i < 16 && params->batches[i] > 0 && count < VRS_NET_SIZES; i++)
        add_batch(params->batches[i], batches, &count);
    for (int32_t n = 8; n >= 1 && params->batches[0] == 0; n /= 2)
        if (n < params->max_batch && (n == 1 || is_kept(kept, n)))
            add_batch(n, batches, &count);
    return count;
}

vrs_net_number vrs_net_number_of(const vrs_weights *file)
{
    vrs_net_number number = {.bytes = file->size,
                             .words = {0x9e3779b97f4a7c15u, (uint64_t)file->size}};
    for (size_t i = 0; i < file->size; i += 8) {
        uint64_t word = 0;
        memcpy(&word, file->data + i, file->size - i < 8 ? file->size - i : 8);
        number.words[0] = (number.words[0] ^ word) * 0xff51afd7ed558ccdu;
        number.words[1] = (number.words[1] + word + (number.words[0] >> 29)) * 0xc4ceb9fe1a85ec53u;
    }
    return number;
}

/* Everything that the choice of plans depends on. */
static vrs_status make_key(const vrs_cuda_engine *engine, char key[VRS_PLANS_KEY])
{
    const vrs_net *net = &engine->net;
    const vrs_device_properties *p = vrs_device_get_properties(net->device);
    const vrs_dnn_api *api;
    int64_t library = 0;
    vrs_status status = net->has_cudnn ? vrs_dnn_library(&api, &library) : VRS_OK;
    (void)snprintf(key, VRS_PLANS_KEY,
                   "%s, %s, %s, compute capability %d.%d, CUDA %d, cuDNN %d, vrseg %s.%d, "
                   "network %016llx%016llx of %zu bytes, scores %d, input %d",
                   net->graph->name, vrs_precision_name(net->precision), p->name, p->major,
                   p->minor, (int)p->driver_version, (int)library, vrs_version(), PLANS_VERSION,
                   (unsigned long long)net->number.words[0],
                   (unsigned long long)net->number.words[1], net->number.bytes, net->enlarge,
                   net->float_input);
    return status;
}

static void read_plans(vrs_net *net, const char *folder, const char *key)
{
    vrs_status status = vrs_plans_read(folder, key, &net->cached);
    if (status != VRS_OK && status != VRS_NOT_FOUND)
        vrs_log(VRS_LOG_WARNING, "%s: %s; it is compiled anew", net->graph->name, vrs_last_error());
}

/* A cache that cannot be written costs time alone. */
static void write_plans(const vrs_net *net, const char *folder, const char *key)
{
    vrs_plans *plans;
    vrs_status status = vrs_net_collect(net, key, &plans);
    if (status == VRS_OK) {
        status = vrs_plans_write(folder, plans);
        vrs_plans_destroy(plans);
    }
    if (status != VRS_OK) {
        vrs_log(VRS_LOG_WARNING, "%s: its plans are not kept: %s", net->graph->name,
                vrs_last_error());
    }
}

/* Each size is kept as soon as it is done: whoever interrupts the second has the first. */
static vrs_status compile_sizes(vrs_cuda_engine *engine, const char *folder, const char *key)
{
    vrs_net *net = &engine->net;
    const vrs_net_owner owner = vrs_cuda_owner(engine);
    int32_t batches[VRS_NET_SIZES];
    vrs_status status = VRS_OK;
    net->sizes = list_batches(&engine->base.params, net->cached, batches);
    for (net->size = 1; net->size <= net->sizes && status == VRS_OK; net->size++) {
        int32_t chosen = net->chosen;
        status = vrs_net_compile(net, batches[net->size - 1], &owner);
        if (folder && status == VRS_OK && (!net->cached || net->chosen > chosen))
            write_plans(net, folder, key);
    }
    return status == VRS_OK ? vrs_net_capture_all(net, &owner) : status;
}

static vrs_status compile_cached(vrs_cuda_engine *engine)
{
    vrs_net *net = &engine->net;
    char folder[VRS_PATH_MAX], key[VRS_PLANS_KEY];
    const char *cache = engine->base.params.cache_dir;
    vrs_status status = VRS_OK;
    if (cache) {
        status = vrs_path_format(folder, sizeof folder, "%s/plans", cache);
        status = status == VRS_OK ? make_key(engine, key) : status;
    }
    if (cache && status == VRS_OK)
        read_plans(net, folder, key);
    return status == VRS_OK ? compile_sizes(engine, cache ? folder : NULL, key) : status;
}

vrs_status vrs_cuda_compile(vrs_cuda_engine *engine)
{
    vrs_net *net = &engine->net;
    vrs_status status = vrs_memory_measure_begin(net->memory, VRS_MEMORY_LIBRARIES, 0);
    if (status != VRS_OK)
        return status;
    status = open_providers(net);
    if (status == VRS_OK)
        status = compile_cached(engine);
    vrs_status booked = vrs_memory_measure_end(net->memory, NULL);
    return status == VRS_OK ? booked : status;
}
