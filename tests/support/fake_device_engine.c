#include "support/fake_device_engine.h"

#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "fake_cuda/fake_cuda.h"
#include "kernels/half.h"

#define CHANNELS 8 /* of the pixels of F16 */

bool fake_device_half;

/* One view of one run. */
typedef struct network_params {
    uint64_t input, scores, state_in, state_out; /* device addresses; no states: 0 */
    uint64_t pixels, classes;
    uint64_t half, counts_frames;
} network_params;

typedef struct fake_request {
    vrs_request base;
    vrs_memory_block *memory; /* for each view: input, scores, state in and out */
} fake_request;

typedef struct fake_engine {
    vrs_engine base;
    vrs_kernel *kernel;
    size_t pixels, scores_offset, states_offset, view_bytes;
    atomic_int runs;
    fake_request *requests;
} fake_engine;

/* ---- the kernel ---- */

static void *at(uint64_t address)
{
    return (void *)(uintptr_t)address;
}

static float read_input(const network_params *p, uint64_t pixel, uint64_t channel)
{
    if (p->half != 0)
        return vrs_half_to_float(((const uint16_t *)at(p->input))[CHANNELS * pixel + channel]);
    return (float)((const uint8_t *)at(p->input))[3 * pixel + channel] / 255;
}

static void network(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    const network_params *p = params;
    (void)grid;
    (void)block;
    float seen = p->state_in != 0 ? *(const float *)at(p->state_in) + 1 : 0;
    for (uint64_t i = 0; i < p->pixels; i++)
        for (uint64_t c = 0; c < p->classes; c++) {
            float score = p->counts_frames != 0 ? seen / 255 : read_input(p, i, c);
            if (p->half != 0)
                ((uint16_t *)at(p->scores))[c * p->pixels + i] = vrs_half_from_float(score);
            else
                ((float *)at(p->scores))[c * p->pixels + i] = score;
        }
    if (p->state_out != 0)
        *(float *)at(p->state_out) = seen;
}

void fake_device_engine_register(void)
{
    fake_cuda_kernel("fake_network", network, sizeof(network_params));
}

/* ---- the engine ---- */

static size_t round_up(size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

static void destroy(vrs_engine *base)
{
    fake_engine *engine = (fake_engine *)base;
    for (int32_t i = 0; i < base->params.requests && engine->requests != NULL; i++)
        vrs_memory_free(base->params.memory, engine->requests[i].memory);
    vrs_free(engine->requests);
    vrs_free(engine);
}

static void describe(fake_engine *engine, const vrs_model_spec *spec)
{
    size_t element = fake_device_half ? 2 : sizeof(float);
    engine->pixels = (size_t)spec->width * (size_t)spec->height;
    engine->base.ops = &fake_device_engine_ops;
    engine->base.io = (vrs_engine_io){
        .on_device = true,
        .tensor = fake_device_half ? VRS_TENSOR_F16_NHWC : VRS_TENSOR_U8_NHWC,
        .channels = fake_device_half ? CHANNELS : 0,
        .normalises = !fake_device_half,
        .input_bytes = engine->pixels * (fake_device_half ? 2 * CHANNELS : 3),
        .scores_width = spec->width,
        .scores_height = spec->height,
        .classes = spec->classes,
        .scores_type = fake_device_half ? VRS_TENSOR_F16 : VRS_TENSOR_F32,
        .class_stride = (ptrdiff_t)engine->pixels,
        .row_stride = spec->width,
        .column_stride = 1,
        .scores_elements = engine->pixels * (size_t)spec->classes,
        .enlarge = 1,
        .state_count = spec->state_count,
        .states = {{1}},
    };
    engine->scores_offset = round_up(engine->base.io.input_bytes);
    engine->states_offset =
        engine->scores_offset + round_up(engine->base.io.scores_elements * element);
    engine->view_bytes = engine->states_offset + 2 * round_up(sizeof(float));
}

static vrs_status make_requests(fake_engine *engine)
{
    const vrs_engine_params *params = &engine->base.params;
    engine->requests = vrs_alloc_array((size_t)params->requests, sizeof(*engine->requests));
    if (engine->requests == NULL)
        return VRS_NO_MEMORY;
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < params->requests && status == VRS_OK; i++) {
        engine->requests[i].base.engine = &engine->base;
        status = vrs_memory_alloc(params->memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_ARENA,
                                  (size_t)params->max_batch * engine->view_bytes,
                                  &engine->requests[i].memory);
    }
    return status;
}

static vrs_status create(const vrs_model *model, const vrs_engine_params *params, vrs_engine **out)
{
    fake_engine *engine = vrs_alloc(sizeof(*engine));
    if (engine == NULL)
        return VRS_NO_MEMORY;
    engine->base.params = *params;
    describe(engine, vrs_model_get_spec(model));
    vrs_status status = vrs_device_kernel(params->device, "fake_network", &engine->kernel);
    if (status == VRS_OK)
        status = make_requests(engine);
    if (status != VRS_OK) {
        destroy(&engine->base);
        return status;
    }
    *out = &engine->base;
    return VRS_OK;
}

static vrs_request *get_request(vrs_engine *engine, int32_t index)
{
    return &((fake_engine *)engine)->requests[index].base;
}

static vrs_device_ptr view_of(const vrs_request *request, int32_t position)
{
    const fake_engine *engine = (const fake_engine *)request->engine;
    return ((const fake_request *)request)->memory->address + (size_t)position * engine->view_bytes;
}

static void *input(vrs_request *request, int32_t position)
{
    return (void *)(uintptr_t)view_of(request, position);
}

static const void *scores(const vrs_request *request, int32_t position)
{
    const fake_engine *engine = (const fake_engine *)request->engine;
    return (const void *)(uintptr_t)(view_of(request, position) + engine->scores_offset);
}

static float *state_in(vrs_request *request, int32_t state, int32_t position)
{
    const fake_engine *engine = (const fake_engine *)request->engine;
    (void)state;
    return (float *)(uintptr_t)(view_of(request, position) + engine->states_offset);
}

static const float *state_out(const vrs_request *request, int32_t state, int32_t position)
{
    const fake_engine *engine = (const fake_engine *)request->engine;
    (void)state;
    return (const float *)(uintptr_t)(view_of(request, position) + engine->states_offset +
                                      round_up(sizeof(float)));
}

static vrs_status enqueue(vrs_request *request, int32_t batch, vrs_device_stream *stream)
{
    static const uint32_t one[3] = {1, 1, 1};
    fake_engine *engine = (fake_engine *)request->engine;
    const vrs_engine_io *io = &engine->base.io;
    int32_t run = atomic_fetch_add(&engine->runs, 1) + 1;
    if (fake_plan.fail_every > 0 && run % fake_plan.fail_every == 0)
        return vrs_fail(VRS_ENGINE, "the fake engine was told to fail");
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < batch && status == VRS_OK; i++) {
        bool states = io->state_count > 0;
        network_params p = {
            .input = (uint64_t)(uintptr_t)input(request, i),
            .scores = (uint64_t)(uintptr_t)scores(request, i),
            .state_in = states ? (uint64_t)(uintptr_t)state_in(request, 0, i) : 0,
            .state_out = states ? (uint64_t)(uintptr_t)state_out(request, 0, i) : 0,
            .pixels = engine->pixels,
            .classes = (uint64_t)io->classes,
            .half = fake_device_half ? 1 : 0,
            .counts_frames = fake_plan.counts_frames ? 1 : 0,
        };
        status = vrs_device_launch(stream, engine->kernel, one, one, 0, &p, sizeof(p));
    }
    return status;
}

const vrs_engine_ops fake_device_engine_ops = {
    .name = "fake-device",
    .precisions = VRS_PRECISION_BIT(F32),
    .on_device = true,
    .create = create,
    .destroy = destroy,
    .request = get_request,
    .input = input,
    .scores = scores,
    .state_in = state_in,
    .state_out = state_out,
    .enqueue = enqueue,
};
