/* Compiling ahead, and the folder of plans. */
#include "vrseg/compile.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/errno_text.h"
#include "base/file.h"
#include "engine/cuda/cache.h"
#include "engine/engine.h"
#include "engine/report.h"
#include "pipeline/internal.h"
#include "vrseg/system.h"

/* ---- compiling ---- */

static struct {
    vrs_compile_progress_fn fn;
    void *opaque;
} watcher;

void vrs_compile_on_progress(vrs_compile_progress_fn fn, void *opaque)
{
    watcher.fn = fn;
    watcher.opaque = opaque;
}

void vrs_compile_watch(vrs_engine_params *params)
{
    params->progress = watcher.fn;
    params->progress_opaque = watcher.opaque;
}

typedef struct compilation {
    const vrs_compile_options *options;
    int32_t batch; /* that is compared */
    char first[512];
    int32_t wrong;
} compilation;

static void show_node(void *opaque, const vrs_engine_node *node)
{
    const compilation *c = opaque;
    const vrs_compiled_node shown = {.batch = node->batch,
                                     .name = node->name,
                                     .does = node->does,
                                     .plan = node->plan,
                                     .fused = node->fused,
                                     .micros = node->micros,
                                     .flops = node->flops,
                                     .bytes = node->bytes,
                                     .tensor_cores = node->tensor_cores};
    c->options->on_node(c->options->opaque, &shown);
}

static void show_check(void *opaque, const vrs_engine_check *check)
{
    compilation *c = opaque;
    const vrs_checked_node shown = {.batch = c->batch,
                                    .name = check->name,
                                    .does = check->does,
                                    .off = check->off,
                                    .worst = check->worst,
                                    .good = check->good};
    if (!check->good && c->wrong++ == 0)
        (void)snprintf(c->first, sizeof(c->first),
                       "with %d views the node %s (%s) is off by %.2g of its size, at most by %g",
                       c->batch, check->name, check->does, check->off, check->worst);
    if (c->options->on_check != NULL)
        c->options->on_check(c->options->opaque, &shown);
}

static void show_effort(const vrs_compile_options *options, const vrs_engine *engine)
{
    vrs_engine_effort e;
    vrs_engine_get_effort(engine, &e);
    const vrs_compile_effort shown = {.nodes = e.nodes,
                                      .equal = e.equal,
                                      .restored = e.restored,
                                      .asked = e.asked,
                                      .made = e.made,
                                      .refused = e.refused,
                                      .timed = e.timed,
                                      .late = e.late,
                                      .making_seconds = e.making_s,
                                      .timing_seconds = e.timing_s};
    options->on_effort(options->opaque, &shown);
}

static vrs_status verify(compilation *c, vrs_engine *engine)
{
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < c->options->batch_count && status == VRS_OK; i++) {
        c->batch = c->options->batches[i];
        status = vrs_engine_verify(engine, c->batch, 1, show_check, c);
    }
    if (status == VRS_OK && c->wrong > 0)
        return vrs_fail(VRS_ENGINE, "%d results differ from plain C's; the first: %s", c->wrong,
                        c->first);
    return status;
}

static vrs_status check_sizes(const vrs_compile_options *options)
{
    bool right = options->batch_count >= 1 && options->batch_count <= 16;
    for (int32_t i = 0; right && i < options->batch_count; i++)
        right = options->batches[i] >= 1 && options->batches[i] <= 16;
    return right ? VRS_OK
                 : vrs_fail(VRS_INVALID, "batch sizes: expected 1 to 16 numbers of 1 to 16");
}

static vrs_status make_params(const vrs_config *config, const vrs_compile_options *options,
                              const vrs_place *place, vrs_engine_params *params)
{
    *params = (vrs_engine_params){
        .requests = 1,
        .threads = (int32_t)vrs_config_int(config, "engine_threads", vrs_cpu_count()),
        .max_batch = 1,
        .enlarges = VRS_ENLARGE_BIT(HALF_PIXEL), /* as a pipeline's, whose plans these are */
        .progress = options->on_progress,
        .progress_opaque = options->opaque,
        .device = place->device,
        .memory = place->memory,
    };
    for (int32_t i = 0; i < options->batch_count; i++) {
        params->batches[i] = options->batches[i];
        if (options->batches[i] > params->max_batch)
            params->max_batch = options->batches[i];
    }
    return vrs_precision_parse(vrs_config_get(config, "precision"), &params->precision);
}

static vrs_status compile_at(const vrs_config *config, const vrs_model *model,
                             const vrs_compile_options *options, const vrs_place *place,
                             char *summary, size_t size)
{
    char folder[VRS_PATH_MAX];
    vrs_engine_params params;
    vrs_engine *engine;
    if (place->device == NULL)
        return vrs_fail(VRS_INVALID, "networks are compiled for a GPU: %s", place->text);
    vrs_status status = make_params(config, options, place, &params);
    if (status == VRS_OK && vrs_config_bool(config, "model_cache") &&
        vrs_cache_folder(folder, sizeof(folder)) == VRS_OK)
        params.cache_dir = folder;
    if (status == VRS_OK)
        status = vrs_engine_create("cuda", model, &params, &engine);
    if (status != VRS_OK)
        return status;
    (void)snprintf(summary, size, "%s on %s", vrs_engine_describe(engine), place->text);
    compilation c = {.options = options};
    if (options->on_effort != NULL)
        show_effort(options, engine);
    if (options->on_node != NULL)
        vrs_engine_visit_nodes(engine, show_node, &c);
    if (options->verify)
        status = verify(&c, engine);
    vrs_engine_destroy(engine);
    return status;
}

vrs_status vrs_compile(const vrs_config *config, const vrs_model *model,
                       const vrs_compile_options *options, char *summary, size_t size)
{
    vrs_place place;
    vrs_status status = check_sizes(options);
    if (status != VRS_OK)
        return status;
    status = vrs_place_open(config, &place);
    if (status == VRS_OK)
        status = compile_at(config, model, options, &place, summary, size);
    vrs_place_close(&place);
    return status;
}

/* ---- the folder ---- */

vrs_status vrs_cache_folder(char *path, size_t size)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache != NULL && cache[0] == '/')
        return vrs_path_format(path, size, "%s/vrseg", cache);
    if (home != NULL && home[0] == '/')
        return vrs_path_format(path, size, "%s/.cache/vrseg", home);
    return vrs_fail(VRS_INVALID, "there is no place for caches: set HOME or XDG_CACHE_HOME");
}

vrs_status vrs_plans_folder(char *path, size_t size)
{
    char cache[VRS_PATH_MAX];
    vrs_status status = vrs_cache_folder(cache, sizeof(cache));
    return status == VRS_OK ? vrs_path_format(path, size, "%s/plans", cache) : status;
}

typedef vrs_status (*plans_fn)(void *opaque, const char *path, const struct stat *info);

static bool is_plans(const char *name)
{
    size_t length = strlen(name), suffix = strlen(VRS_PLANS_SUFFIX);
    return length > suffix && strcmp(name + length - suffix, VRS_PLANS_SUFFIX) == 0;
}

static vrs_status fail_errno(const char *path)
{
    int error = errno;
    return vrs_fail(error == EACCES || error == EPERM ? VRS_PERMISSION : VRS_IO, "%s: %s", path,
                    vrs_errno_text(error));
}

/* The first failure stays; the others are tried all the same. */
static vrs_status each_file(plans_fn fn, void *opaque)
{
    char path[VRS_PATH_MAX], file[VRS_PATH_MAX];
    vrs_status status = vrs_plans_folder(path, sizeof(path));
    if (status != VRS_OK)
        return status;
    DIR *folder = opendir(path);
    if (folder == NULL)
        return errno == ENOENT ? VRS_OK : fail_errno(path);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        struct stat info;
        if (!is_plans(entry->d_name) ||
            vrs_path_format(file, sizeof(file), "%s/%s", path, entry->d_name) != VRS_OK ||
            stat(file, &info) != 0)
            continue;
        vrs_status done = fn(opaque, file, &info);
        status = status == VRS_OK ? done : status;
    }
    (void)closedir(folder);
    return status;
}

typedef struct visitor {
    vrs_cached_plans_fn visit;
    void *opaque;
} visitor;

static vrs_status visit_file(void *opaque, const char *path, const struct stat *info)
{
    const visitor *v = opaque;
    vrs_plans *plans = NULL;
    char *data;
    size_t size;
    vrs_status status = vrs_file_read(path, VRS_PLANS_FILE_BYTES, &data, &size);
    if (status == VRS_OK) {
        status = vrs_plans_parse(data, size, NULL, &plans);
        vrs_free(data);
    }
    if (status == VRS_NO_MEMORY)
        return status;
    const vrs_cached_plans shown = {.path = path,
                                    .key = status == VRS_OK ? vrs_plans_key(plans) : NULL,
                                    .bytes = (uint64_t)info->st_size,
                                    .used_s = (int64_t)info->st_mtime};
    v->visit(v->opaque, &shown);
    if (status == VRS_OK)
        vrs_plans_destroy(plans);
    return VRS_OK;
}

vrs_status vrs_plans_list(vrs_cached_plans_fn visit, void *opaque)
{
    visitor v = {visit, opaque};
    return each_file(visit_file, &v);
}

typedef struct removal {
    uint64_t *files, *bytes;
} removal;

static vrs_status remove_file(void *opaque, const char *path, const struct stat *info)
{
    const removal *r = opaque;
    if (unlink(path) != 0)
        return errno == ENOENT ? VRS_OK : fail_errno(path);
    *r->files += 1;
    *r->bytes += (uint64_t)info->st_size;
    return VRS_OK;
}

vrs_status vrs_plans_clear(uint64_t *files, uint64_t *bytes)
{
    removal r = {files, bytes};
    *files = *bytes = 0;
    return each_file(remove_file, &r);
}
