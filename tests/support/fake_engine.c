#include "support/fake_engine.h"

#include <assert.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/thread.h"

fake_engine_plan fake_plan;

typedef struct fake_request {
    vrs_request base;
    uint8_t *input;
    float *scores, *state_in, *state_out;
    int32_t batch;
    bool started;
    vrs_request_done_fn done;
    void *opaque;
    vrs_status status;
} fake_request;

typedef struct fake_engine {
    vrs_engine base;
    fake_request *requests;
    size_t pixels;
    vrs_mutex lock;
    vrs_cond changed;
    vrs_thread thread;
    bool hold, stop;
    uint32_t random;
    int32_t runs, largest_batch;
} fake_engine;

/* Those that were made and not destroyed; under the lock. */
#define MOST_ENGINES 128
static struct {
    pthread_mutex_t lock;
    fake_engine *engines[MOST_ENGINES];
} alive = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Puts an engine in the place of `before`. */
static void replace(const fake_engine *before, fake_engine *engine)
{
    (void)pthread_mutex_lock(&alive.lock);
    int32_t i = 0;
    while (i < MOST_ENGINES && alive.engines[i] != before)
        i++;
    assert(i < MOST_ENGINES || before != NULL);
    if (i < MOST_ENGINES)
        alive.engines[i] = engine;
    (void)pthread_mutex_unlock(&alive.lock);
}

static void run(fake_engine *engine, fake_request *request)
{
    request->status = VRS_OK;
    size_t classes = (size_t)engine->base.io.classes;
    for (int32_t b = 0; b < request->batch; b++) {
        size_t origin = (size_t)b * engine->pixels;
        float seen = request->state_in != NULL ? request->state_in[b] + 1 : 0;
        for (size_t i = 0; i < engine->pixels; i++)
            for (size_t c = 0; c < classes; c++)
                request
                    ->scores[(size_t)b * engine->base.io.scores_elements + c * engine->pixels + i] =
                    fake_plan.counts_frames ? seen / 255
                                            : (float)request->input[3 * (origin + i) + c] / 255;
        if (request->state_out != NULL)
            request->state_out[b] = seen;
    }
    if (fake_plan.fail_every > 0 && !fake_plan.fail_start &&
        engine->runs % fake_plan.fail_every == 0) {
        request->status = VRS_ENGINE;
        (void)snprintf(request->base.error, sizeof(request->base.error),
                       "the fake engine was told to fail");
    }
}

static fake_request *pick(fake_engine *engine)
{
    int32_t ready = 0;
    for (int32_t i = 0; i < engine->base.params.requests; i++)
        ready += engine->requests[i].started ? 1 : 0;
    if (ready == 0 || engine->hold)
        return NULL;
    engine->random = engine->random * 1664525u + 1013904223u;
    int32_t chosen = (int32_t)(engine->random >> 16) % ready;
    for (int32_t i = 0;; i++)
        if (engine->requests[i].started && chosen-- == 0)
            return &engine->requests[i];
}

static void engine_main(void *arg)
{
    fake_engine *engine = arg;
    vrs_mutex_lock(&engine->lock);
    while (!engine->stop) {
        fake_request *request = pick(engine);
        if (request == NULL) {
            (void)vrs_cond_wait_until(&engine->changed, &engine->lock, INT64_MAX);
            continue;
        }
        run(engine, request);
        request->started = false;
        vrs_request_done_fn done = request->done;
        vrs_status told = fake_plan.fail_wait ? VRS_OK : request->status;
        vrs_mutex_unlock(&engine->lock);
        done(request->opaque, &request->base, told);
        vrs_mutex_lock(&engine->lock);
        vrs_cond_broadcast(&engine->changed);
    }
    vrs_mutex_unlock(&engine->lock);
}

static void destroy(vrs_engine *base)
{
    fake_engine *engine = (fake_engine *)base;
    vrs_mutex_lock(&engine->lock);
    engine->stop = true;
    vrs_cond_broadcast(&engine->changed);
    vrs_mutex_unlock(&engine->lock);
    vrs_thread_join(&engine->thread);
    replace(engine, NULL);
    for (int32_t i = 0; i < engine->base.params.requests && engine->requests != NULL; i++) {
        vrs_free(engine->requests[i].input);
        vrs_free(engine->requests[i].scores);
        vrs_free(engine->requests[i].state_in);
        vrs_free(engine->requests[i].state_out);
    }
    vrs_free(engine->requests);
    vrs_cond_destroy(&engine->changed);
    vrs_mutex_destroy(&engine->lock);
    vrs_free(engine);
}

static void describe(fake_engine *engine, const vrs_model_spec *spec)
{
    engine->pixels = (size_t)spec->width * (size_t)spec->height;
    engine->base.ops = &fake_engine_ops;
    engine->base.io = (vrs_engine_io){
        .tensor = VRS_TENSOR_U8_NHWC,
        .normalises = true,
        .enlarge = 1,
        .input_bytes = 3 * engine->pixels,
        .scores_width = spec->width,
        .scores_height = spec->height,
        .classes = spec->classes,
        .class_stride = (ptrdiff_t)engine->pixels,
        .row_stride = spec->width,
        .column_stride = 1,
        .scores_elements = engine->pixels * (size_t)spec->classes,
        .state_count = spec->state_count,
        .states = {{1}},
    };
}

static vrs_status make_requests(fake_engine *engine)
{
    size_t views = (size_t)engine->base.params.max_batch;
    engine->requests =
        vrs_alloc_array((size_t)engine->base.params.requests, sizeof(*engine->requests));
    if (engine->requests == NULL)
        return VRS_NO_MEMORY;
    for (int32_t i = 0; i < engine->base.params.requests; i++) {
        fake_request *request = &engine->requests[i];
        request->base.engine = &engine->base;
        request->input = vrs_alloc_aligned(views * 3 * engine->pixels);
        request->scores = vrs_alloc_array(views * engine->base.io.scores_elements, sizeof(float));
        if (request->input == NULL || request->scores == NULL)
            return VRS_NO_MEMORY;
        if (engine->base.io.state_count == 0)
            continue;
        request->state_in = vrs_alloc_array(views, sizeof(float));
        request->state_out = vrs_alloc_array(views, sizeof(float));
        if (request->state_in == NULL || request->state_out == NULL)
            return VRS_NO_MEMORY;
    }
    return VRS_OK;
}

static vrs_status create(const vrs_model *model, const vrs_engine_params *params, vrs_engine **out)
{
    fake_engine *engine = vrs_alloc(sizeof(*engine));
    if (engine == NULL)
        return VRS_NO_MEMORY;
    engine->base.params = *params;
    engine->random = fake_plan.seed;
    describe(engine, vrs_model_get_spec(model));
    vrs_status status = vrs_mutex_init(&engine->lock);
    if (status != VRS_OK) {
        vrs_free(engine);
        return status;
    }
    status = vrs_cond_init(&engine->changed);
    if (status != VRS_OK) {
        vrs_mutex_destroy(&engine->lock);
        vrs_free(engine);
        return status;
    }
    status = make_requests(engine);
    if (status == VRS_OK)
        status = vrs_thread_start(&engine->thread, "fake-engine", engine_main, engine);
    if (status != VRS_OK) {
        destroy(&engine->base);
        return status;
    }
    *out = &engine->base;
    replace(NULL, engine);
    return VRS_OK;
}

static fake_request *of(const vrs_request *request)
{
    return (fake_request *)(uintptr_t)request;
}

static vrs_request *get_request(vrs_engine *engine, int32_t index)
{
    return &((fake_engine *)engine)->requests[index].base;
}

static void *input(vrs_request *request, int32_t position)
{
    return of(request)->input + (size_t)position * request->engine->io.input_bytes;
}

static const void *scores(const vrs_request *request, int32_t position)
{
    return of(request)->scores + (size_t)position * request->engine->io.scores_elements;
}

static float *state_in(vrs_request *request, int32_t state, int32_t position)
{
    (void)state;
    return &of(request)->state_in[position];
}

static const float *state_out(const vrs_request *request, int32_t state, int32_t position)
{
    (void)state;
    return &of(request)->state_out[position];
}

static vrs_status start(vrs_request *base, int32_t batch, vrs_request_done_fn done, void *opaque)
{
    fake_request *request = of(base);
    fake_engine *engine = (fake_engine *)base->engine;
    vrs_mutex_lock(&engine->lock);
    assert(!request->started);
    engine->runs++;
    engine->largest_batch = batch > engine->largest_batch ? batch : engine->largest_batch;
    bool fails = fake_plan.fail_every > 0 && fake_plan.fail_start &&
                 engine->runs % fake_plan.fail_every == 0;
    if (!fails) {
        request->batch = batch;
        request->done = done;
        request->opaque = opaque;
        request->started = true;
        vrs_cond_broadcast(&engine->changed);
    }
    vrs_mutex_unlock(&engine->lock);
    return fails ? vrs_fail(VRS_ENGINE, "the fake engine was told not to start") : VRS_OK;
}

static vrs_status wait_done(vrs_request *base)
{
    fake_request *request = of(base);
    fake_engine *engine = (fake_engine *)base->engine;
    vrs_mutex_lock(&engine->lock);
    engine->hold = false;
    vrs_cond_broadcast(&engine->changed);
    while (request->started)
        (void)vrs_cond_wait_until(&engine->changed, &engine->lock, INT64_MAX);
    vrs_mutex_unlock(&engine->lock);
    return request->status;
}

static vrs_status limit_batch(vrs_engine *engine, int32_t views, int32_t *limit)
{
    int32_t most = engine->params.max_batch, size = 1;
    views = views < fake_plan.room ? views : fake_plan.room;
    while (2 * size <= views)
        size *= 2;
    if (fake_plan.room > 0)
        *limit = views == most ? most : size;
    return VRS_OK;
}

const vrs_engine_ops fake_engine_ops = {
    .name = "fake",
    .precisions = UINT32_MAX,
    .create = create,
    .destroy = destroy,
    .request = get_request,
    .input = input,
    .scores = scores,
    .state_in = state_in,
    .state_out = state_out,
    .start = start,
    .wait = wait_done,
    .limit_batch = limit_batch,
};

void fake_engine_hold(bool hold)
{
    (void)pthread_mutex_lock(&alive.lock);
    for (int32_t i = 0; i < MOST_ENGINES; i++) {
        fake_engine *engine = alive.engines[i];
        if (engine == NULL)
            continue;
        vrs_mutex_lock(&engine->lock);
        engine->hold = hold;
        vrs_cond_broadcast(&engine->changed);
        vrs_mutex_unlock(&engine->lock);
    }
    (void)pthread_mutex_unlock(&alive.lock);
}

typedef struct fake_figures {
    int32_t runs, largest_batch;
} fake_figures;

static fake_figures look(void)
{
    fake_figures f = {0};
    (void)pthread_mutex_lock(&alive.lock);
    for (int32_t i = 0; i < MOST_ENGINES; i++) {
        fake_engine *engine = alive.engines[i];
        if (engine == NULL)
            continue;
        vrs_mutex_lock(&engine->lock);
        f.runs += engine->runs;
        f.largest_batch =
            engine->largest_batch > f.largest_batch ? engine->largest_batch : f.largest_batch;
        vrs_mutex_unlock(&engine->lock);
    }
    (void)pthread_mutex_unlock(&alive.lock);
    return f;
}

int32_t fake_engine_largest_batch(void)
{
    return look().largest_batch;
}

int32_t fake_engine_runs(void)
{
    return look().runs;
}
