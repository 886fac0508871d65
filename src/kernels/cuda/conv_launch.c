/* Checks, grids and copy-engine descriptions of the convolution kernels. */
#include <string.h>

#include "device/cuda/cuda.h"
#include "kernels/cuda/conv_internal.h"
#include "kernels/cuda/conv_launch.h"

#define HOPPER_MAJOR 9
#define TILE_THREADS 384
#define TILE_PIXELS 128
#define POINT_CHANNELS 128
#define POINT_SHARED (5 * 32768 + 2 * 32768 + (2 * 5 + 2 * 2) * 8)
#define POINT_SHARED_APART (4 * 32768 + 2 * (32768 + 16384) + (2 * 4 + 2 * 2) * 8)
#define TAPS_SHARED (4 * (16384 + 32768) + 2 * 4 * 8)
#define MMA_THREADS 256
#define MMA_TILE 128
#define STEM_THREADS 128
#define STEM_LINE (2 * 260 * 16)
#define STEM_STAGE (128 * 64 * 2)
#define STEM_COLUMNS 128

/* CUtensorMapDataType and its neighbours */
enum { MAP_HALF = 6, MAP_SWIZZLE_128 = 3, MAP_PROMOTE_256 = 3 };

/* Kernels of compute capability 9.0; a device image may be without them. */
static vrs_status open_hopper(vrs_device *device, vrs_cuda_conv *conv)
{
    const struct {
        const char *name;
        vrs_kernel **kernel;
    } all[] = {
        {"vrs_conv_point_sm90", &conv->point[0][0][0]},
        {"vrs_conv_point_add_sm90", &conv->point[0][0][1]},
        {"vrs_conv_point_add8_sm90", &conv->point[0][0][2]},
        {"vrs_conv_point_f16_i8_sm90", &conv->point[0][1][0]},
        {"vrs_conv_point_f16_i8_add_sm90", &conv->point[0][1][1]},
        {"vrs_conv_point_f16_i8_add8_sm90", &conv->point[0][1][2]},
        {"vrs_conv_point_i8_f16_sm90", &conv->point[1][0][0]},
        {"vrs_conv_point_i8_f16_add_sm90", &conv->point[1][0][1]},
        {"vrs_conv_point_i8_f16_add8_sm90", &conv->point[1][0][2]},
        {"vrs_conv_point_i8_i8_sm90", &conv->point[1][1][0]},
        {"vrs_conv_point_i8_i8_add_sm90", &conv->point[1][1][1]},
        {"vrs_conv_point_i8_i8_add8_sm90", &conv->point[1][1][2]},
        {"vrs_conv_taps_sm90", &conv->taps[0]},
        {"vrs_conv_taps_i8_sm90", &conv->taps[1]},
        {"vrs_conv_taps_sum_sm90", &conv->taps_sum[0]},
        {"vrs_conv_taps_i8_sum_sm90", &conv->taps_sum[1]},
    };
    vrs_status status = VRS_OK;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && status == VRS_OK; i++)
        status = vrs_device_kernel(device, all[i].name, all[i].kernel);
    if (status == VRS_OK)
        return VRS_OK;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        *all[i].kernel = NULL;
    return status == VRS_NOT_FOUND ? VRS_OK : status;
}

vrs_status vrs_cuda_conv_open(vrs_device *device, vrs_cuda_conv *conv)
{
    *conv = (vrs_cuda_conv){.device = device};
    vrs_status status = vrs_device_kernel(device, "vrs_conv_mma", &conv->mma);
    if (status == VRS_OK)
        status = vrs_device_kernel(device, "vrs_conv_f32", &conv->f32);
    if (status == VRS_OK)
        status = vrs_device_kernel(device, "vrs_conv_f32_small", &conv->f32_small);
    if (status == VRS_OK)
        status = vrs_device_kernel(device, "vrs_stem", &conv->stem);
    if (status == VRS_OK && vrs_device_get_properties(device)->major == HOPPER_MAJOR)
        status = open_hopper(device, conv);
    return status;
}

vrs_status vrs_conv_map_encode(vrs_device *device, vrs_conv_map *map, vrs_device_ptr address,
                               uint32_t rank, const uint64_t *sizes, const uint64_t *strides,
                               const uint32_t *box)
{
    static const uint32_t steps[] = {1, 1, 1, 1};
    vrs_status status = vrs_device_enter(device);
    if (status != VRS_OK)
        return status;
    status = vrs_cuda_check(device,
                            vrs_cuda_api(device)->tensor_map(map, MAP_HALF, rank, address, sizes,
                                                             strides, box, steps, 0,
                                                             MAP_SWIZZLE_128, MAP_PROMOTE_256, 0),
                            "describing a tensor for the copy engine");
    vrs_device_leave(device);
    return status;
}

/* A matrix of `rows` of `columns` halves. */
static vrs_status map_matrix(vrs_device *device, vrs_conv_map *map, vrs_device_ptr address,
                             int64_t columns, int64_t rows, int64_t stride, int32_t box_rows)
{
    const uint64_t sizes[] = {(uint64_t)columns, (uint64_t)rows};
    const uint64_t strides[] = {(uint64_t)stride * 2};
    const uint32_t box[] = {64, (uint32_t)box_rows};
    return vrs_conv_map_encode(device, map, address, 2, sizes, strides, box);
}

/* --- vrs_cuda_conv
 * ---------------------------------------------------------------------------------
 */

/* Channels that make 16 bytes. */
static int32_t vector_of(const vrs_cuda_conv_desc *d, bool i8)
{
    return d->f32 ? 4 : i8 ? 16 : 8;
}

static bool is_size(int64_t count, int64_t h, int64_t w, int64_t c)
{
    const int64_t most = VRS_CONV_ELEMENTS_MAX;
    return count >= 1 && h >= 1 && w >= 1 && c >= 4 && c % 4 == 0 && h <= most / w &&
           h * w <= most / c && h * w * c <= most / count;
}

static int32_t pitch_of(int32_t pitch, int32_t channels)
{
    return pitch != 0 ? pitch : channels;
}

static bool is_pitch(int32_t pitch, int32_t channels, int32_t vector)
{
    return pitch >= channels && pitch % vector == 0;
}

/* Whether a side of the result may be as long: it has no tap beyond the padding's reach. */
static bool is_axis(const vrs_cuda_conv_desc *d, int32_t axis, int32_t size, int32_t out,
                    int32_t filter)
{
    if (filter < 1 || filter > 32 || d->stride[axis] < 1 || d->stride[axis] > 64 ||
        d->pad[axis] < 0 || d->pad[axis] > 65536 || d->dilation[axis] < 1 ||
        d->dilation[axis] > 65536 || size < 1 || size > 65536 || out < 1)
        return false;
    const int64_t last = (int64_t)(out - 1) * d->stride[axis] - d->pad[axis];
    return last <= (int64_t)size + d->pad[axis] + 65536;
}

static bool is_residual(const vrs_cuda_conv_desc *d)
{
    const int32_t pitch = pitch_of(d->residual_pitch, d->k);
    return !d->residual || (is_pitch(pitch, d->k, vector_of(d, d->residual_i8)) &&
                            is_size(d->n, d->out_h, d->out_w, pitch));
}

/* Keeps the rules of conv_launch.h. */
static bool is_conv(const vrs_cuda_conv_desc *d)
{
    const int32_t in = pitch_of(d->input_pitch, d->c), out = pitch_of(d->output_pitch, d->k);
    const int32_t from = vector_of(d, d->in_i8), to = vector_of(d, d->out_i8);
    return is_axis(d, 0, d->h, d->out_h, d->r) && is_axis(d, 1, d->w, d->out_w, d->s) &&
           is_size(d->n, d->h, d->w, in) && is_size(d->n, d->out_h, d->out_w, out) &&
           is_size(d->r * d->s, 1, d->k, d->c) && d->c % from == 0 && d->k >= to &&
           d->k % to == 0 && is_pitch(in, d->c, from) && is_pitch(out, d->k, to) &&
           is_residual(d) && !(d->f32 && (d->in_i8 || d->out_i8 || d->residual_i8));
}

/* Which of the kernels for a residual. */
static int32_t residual_of(const vrs_cuda_conv_desc *d)
{
    return !d->residual ? 0 : d->residual_i8 ? 2 : 1;
}

bool vrs_cuda_conv_supported(const vrs_cuda_conv *conv, const vrs_cuda_conv_desc *desc,
                             vrs_cuda_conv_kernel kernel)
{
    if (!is_conv(desc))
        return false;
    if (kernel == VRS_CUDA_CONV_MMA)
        return conv->mma != NULL && !desc->in_i8 && !desc->out_i8 && !desc->residual_i8 &&
               !desc->f32;
    if (kernel == VRS_CUDA_CONV_F32 || kernel == VRS_CUDA_CONV_F32_SMALL)
        return conv->f32 != NULL && desc->f32;
    return !desc->f32 && kernel == VRS_CUDA_CONV_POINT &&
           conv->point[desc->in_i8][desc->out_i8][residual_of(desc)] != NULL && desc->r == 1 &&
           desc->s == 1 && desc->stride[0] == 1 && desc->stride[1] == 1 && desc->pad[0] == 0 &&
           desc->pad[1] == 0 && desc->out_h == desc->h && desc->out_w == desc->w;
}

static vrs_conv_params params_of(const vrs_cuda_conv_desc *d, const vrs_cuda_conv_buffers *b)
{
    return (vrs_conv_params){
        .input = b->input,
        .weights = b->weights,
        .bias = b->bias,
        .output = b->output,
        .residual = d->residual ? b->residual : 0,
        .scale = b->scale,
        .n = d->n,
        .h = d->h,
        .w = d->w,
        .c = d->c,
        .out_h = d->out_h,
        .out_w = d->out_w,
        .k = d->k,
        .r = d->r,
        .s = d->s,
        .stride = {d->stride[0], d->stride[1]},
        .pad = {d->pad[0], d->pad[1]},
        .dilation = {d->dilation[0], d->dilation[1]},
        .input_pitch = pitch_of(d->input_pitch, d->c),
        .output_pitch = pitch_of(d->output_pitch, d->k),
        .residual_pitch = pitch_of(d->residual_pitch, d->k),
        .relu = d->relu,
        .in_i8 = d->in_i8,
        .out_i8 = d->out_i8,
        .residual_scale = d->residual_scale,
        .f32 = d->f32,
        .residual_i8 = d->residual_i8,
    };
}

/* A kernel whose blocks make square tiles. */
static vrs_status launch_tiles(vrs_kernel *kernel, vrs_device_stream *stream,
                               const vrs_conv_params *p, int32_t tile, uint32_t shared)
{
    const int64_t pixels = (int64_t)p->n * p->out_h * p->out_w;
    const uint32_t grid[3] = {
        (uint32_t)vrs_conv_parts(p->k, tile) * (uint32_t)((pixels + tile - 1) / tile), 1, 1};
    const uint32_t block[3] = {MMA_THREADS, 1, 1};
    return vrs_device_launch(stream, kernel, grid, block, shared, p, sizeof(*p));
}

static vrs_status launch_point(const vrs_cuda_conv *conv, vrs_device_stream *stream,
                               const vrs_conv_params *p)
{
    const int32_t pixels = p->n * p->h * p->w;
    const bool in8 = p->in_i8 != 0, out8 = p->out_i8 != 0, add8 = p->residual_i8 != 0;
    const int32_t c = vrs_conv_halves(p->c, in8);
    vrs_conv_point_params params = {.conv = *p,
                                    .pixels = pixels,
                                    .steps = vrs_conv_parts(c, 64),
                                    .across = vrs_conv_parts(p->k, POINT_CHANNELS)};
    params.tiles = vrs_conv_parts(pixels, TILE_PIXELS) * params.across;
    vrs_device *device = conv->device;
    vrs_status status = map_matrix(device, &params.input, p->input, c, pixels,
                                   vrs_conv_halves(p->input_pitch, in8), TILE_PIXELS);
    if (status == VRS_OK)
        status = map_matrix(device, &params.weights, p->weights, c, p->k, c, POINT_CHANNELS);
    if (status == VRS_OK)
        status = map_matrix(device, &params.output, p->output, vrs_conv_halves(p->k, out8), pixels,
                            vrs_conv_halves(p->output_pitch, out8), TILE_PIXELS);
    if (status == VRS_OK && p->residual != 0)
        status = map_matrix(device, &params.residual, p->residual, vrs_conv_halves(p->k, add8),
                            pixels, vrs_conv_halves(p->residual_pitch, add8), TILE_PIXELS);
    if (status != VRS_OK)
        return status;
    const int32_t blocks = vrs_device_get_properties(device)->multiprocessors;
    const uint32_t grid[3] = {(uint32_t)(blocks < params.tiles ? blocks : params.tiles), 1, 1};
    const uint32_t block[3] = {TILE_THREADS, 1, 1};
    const int32_t residual = p->residual == 0 ? 0 : add8 ? 2 : 1;
    return vrs_device_launch(stream, conv->point[in8][out8][residual], grid, block,
                             residual > 0 && out8 != add8 ? POINT_SHARED_APART : POINT_SHARED,
                             &params, sizeof(params));
}

static bool is_aligned(uint64_t addresses)
{
    return addresses % 16 == 0;
}

vrs_status vrs_cuda_conv_launch(const vrs_cuda_conv *conv, vrs_device_stream *stream,
                                const vrs_cuda_conv_desc *desc, vrs_cuda_conv_kernel kernel,
                                const vrs_cuda_conv_buffers *buffers)
{
    if (!is_conv(desc))
        return vrs_fail(VRS_INVALID,
                        "a convolution %dx%d of %dx%dx%dx%d to %dx%dx%d: channels and pitches are "
                        "multiples of 8, sizes at least 1, tensors at most 2^30 elements",
                        desc->r, desc->s, desc->n, desc->h, desc->w, desc->c, desc->out_h,
                        desc->out_w, desc->k);
    if (!vrs_cuda_conv_supported(conv, desc, kernel))
        return vrs_fail(VRS_UNSUPPORTED,
                        "a convolution %dx%d of %dx%dx%dx%d to %d channels: kernel %d cannot do it "
                        "on %s",
                        desc->r, desc->s, desc->n, desc->h, desc->w, desc->c, desc->k, (int)kernel,
                        vrs_device_get_properties(conv->device)->id);
    if (!is_aligned(buffers->input | buffers->weights | buffers->bias | buffers->output |
                    buffers->scale | (desc->residual ? buffers->residual : 0)))
        return vrs_fail(VRS_INVALID, "a convolution: addresses must be multiples of 16");
    if ((desc->in_i8 || desc->out_i8) && buffers->scale == 0)
        return vrs_fail(VRS_INVALID, "a convolution of 8-bit integers wants a factor a channel");
    const vrs_conv_params params = params_of(desc, buffers);
    if (kernel == VRS_CUDA_CONV_MMA)
        return launch_tiles(conv->mma, stream, &params, MMA_TILE, VRS_CONV_MMA_SHARED);
    if (kernel == VRS_CUDA_CONV_F32)
        return launch_tiles(conv->f32, stream, &params, MMA_TILE, 0);
    if (kernel == VRS_CUDA_CONV_F32_SMALL)
        return launch_tiles(conv->f32_small, stream, &params, MMA_TILE / 2, 0);
    return launch_point(conv, stream, &params);
}

/* --- vrs_taps ---------------------------------------------------------------------------------
 */

static vrs_cuda_conv_desc branch_of(const vrs_taps_desc *d, int32_t branch)
{
    const int32_t dilation = d->dilation[branch];
    return (vrs_cuda_conv_desc){.n = d->n,
                                .h = d->h,
                                .w = d->w,
                                .c = d->c,
                                .out_h = d->h,
                                .out_w = d->w,
                                .k = d->k,
                                .r = 3,
                                .s = 3,
                                .stride = {1, 1},
                                .pad = {dilation, dilation},
                                .dilation = {dilation, dilation},
                                .input_pitch = d->input_pitch,
                                .output_pitch = d->output_pitch,
                                .relu = d->relu,
                                .in_i8 = d->in_i8,
                                .out_i8 = d->out_i8};
}

bool vrs_taps_supported(const vrs_cuda_conv *conv, const vrs_taps_desc *desc)
{
    if (conv->taps[desc->in_i8] == NULL || desc->branches < 1 || desc->branches > VRS_CONV_BRANCHES)
        return false;
    for (int32_t i = 0; i < desc->branches; i++) {
        const vrs_cuda_conv_desc branch = branch_of(desc, i);
        if (!is_conv(&branch))
            return false;
    }
    return true;
}

static vrs_status map_taps(vrs_device *device, const vrs_taps_desc *d, vrs_taps_params *params)
{
    const int32_t c = vrs_conv_halves(d->c, d->in_i8);
    const uint64_t row = (uint64_t)vrs_conv_halves(params->input_pitch, d->in_i8) * 2;
    const uint64_t sizes[] = {(uint64_t)c, (uint64_t)d->w, (uint64_t)d->h, (uint64_t)d->n};
    const uint64_t strides[] = {row, row * (uint64_t)d->w, row * (uint64_t)d->w * (uint64_t)d->h};
    const uint32_t box[] = {64, VRS_TAPS_BLOCK, VRS_TAPS_BLOCK, 1};
    vrs_status status =
        vrs_conv_map_encode(device, &params->map, params->input, 4, sizes, strides, box);
    for (int32_t i = 0; i < d->branches && status == VRS_OK; i++)
        status = map_matrix(device, &params->weights[i], params->branch[i].weights, (int64_t)9 * c,
                            d->k, (int64_t)9 * c, 128);
    return status;
}

vrs_status vrs_taps_launch(const vrs_cuda_conv *conv, vrs_device_stream *stream,
                           const vrs_taps_plan *plan, const vrs_taps_buffers *buffers)
{
    const vrs_taps_desc *d = &plan->desc;
    uint64_t addresses = buffers->input | buffers->table | buffers->workspace;
    bool scaled = true;
    vrs_taps_params params = {.input = buffers->input,
                              .ranges = buffers->table,
                              .items = buffers->table + plan->items_at,
                              .blocks = buffers->table + plan->blocks_at,
                              .sums = buffers->table + plan->sums_at,
                              .slots = buffers->workspace,
                              .n = d->n,
                              .h = d->h,
                              .w = d->w,
                              .c = d->c,
                              .k = d->k,
                              .input_pitch = pitch_of(d->input_pitch, d->c),
                              .output_pitch = pitch_of(d->output_pitch, d->k),
                              .relu = d->relu,
                              .steps = vrs_conv_parts(vrs_conv_halves(d->c, d->in_i8), 64),
                              .in_i8 = d->in_i8,
                              .out_i8 = d->out_i8,
                              .row = vrs_conv_halves(d->c, d->in_i8)};
    for (int32_t i = 0; i < d->branches; i++) {
        params.branch[i] = (vrs_taps_branch){
            .weights = buffers->weights[i],
            .bias = buffers->bias[i],
            .output = buffers->output[i],
            .scale = buffers->scale[i],
            .dilation = d->dilation[i],
        };
        addresses |= buffers->weights[i] | buffers->bias[i] | buffers->output[i];
        addresses |= buffers->scale[i];
        scaled = scaled && buffers->scale[i] != 0;
    }
    if ((d->in_i8 || d->out_i8) && !scaled)
        return vrs_fail(VRS_INVALID,
                        "dilated convolutions of 8-bit integers want a factor a channel");
    if (!is_aligned(addresses))
        return vrs_fail(VRS_INVALID, "dilated convolutions: addresses must be multiples of 16");
    vrs_status status = map_taps(conv->device, d, &params);
    if (status != VRS_OK)
        return status;
    const uint32_t grid[3] = {2 * (uint32_t)plan->clusters, 1, 1};
    const uint32_t block[3] = {TILE_THREADS, 1, 1};
    status = vrs_device_launch(stream, conv->taps[d->in_i8], grid, block, TAPS_SHARED, &params,
                               sizeof(params));
    if (status != VRS_OK || plan->sums == 0)
        return status;
    const uint32_t sum_grid[3] = {8, (uint32_t)plan->sums, 1};
    const uint32_t sum_block[3] = {512, 1, 1};
    return vrs_device_launch(stream, conv->taps_sum[d->in_i8], sum_grid, sum_block, 0, &params,
                             sizeof(params));
}

/* --- vrs_stem ---------------------------------------------------------------------------------
 */

/* Rows of a strip so that the GPU is done soonest: a strip of r rows of the result computes 2 r + 1
 * of the convolution. Two blocks share a multiprocessor without being slower for it: while one
 * multiplies, the other takes maxima. */
static int32_t stem_rows(int32_t multiprocessors, int64_t columns, int32_t out_h)
{
    int64_t best_time = INT64_MAX;
    int32_t best = 1;
    for (int32_t rows = 1; rows <= out_h && rows <= 64; rows++) {
        const int64_t blocks = columns * vrs_conv_parts(out_h, rows);
        const int64_t rounds = (blocks + 2 * multiprocessors - 1) / (2 * multiprocessors);
        const int64_t time = rounds * (2 * rows + 1);
        if (time < best_time) {
            best_time = time;
            best = rows;
        }
    }
    return best;
}

vrs_status vrs_stem_launch(const vrs_cuda_conv *conv, vrs_device_stream *stream, int32_t n,
                           int32_t h, int32_t w, const vrs_stem_buffers *buffers)
{
    if (!is_size(n, h, w, 64) || n > 65535 ||
        !is_aligned(buffers->input | buffers->weights | buffers->bias | buffers->output))
        return vrs_fail(VRS_INVALID,
                        "a stem of %d pictures of %dx%d: sizes are at least 1, n at most 65535, "
                        "addresses multiples of 16",
                        n, w, h);
    const vrs_device_properties *device = vrs_device_get_properties(conv->device);
    vrs_stem_params p = {.input = buffers->input,
                         .weights = buffers->weights,
                         .bias = buffers->bias,
                         .output = buffers->output,
                         .n = n,
                         .h = h,
                         .w = w,
                         .out_h = (h + 1) / 2,
                         .out_w = (w + 1) / 2};
    const int32_t over = p.out_w > STEM_COLUMNS ? p.out_w - STEM_COLUMNS : 0;
    const int32_t columns = 1 + vrs_conv_parts(over, STEM_COLUMNS - 1);
    p.rows = stem_rows(device->multiprocessors > 0 ? device->multiprocessors : 1,
                       (int64_t)columns * n, p.out_h);
    while (vrs_conv_parts(p.out_h, p.rows) > 65535)
        p.rows *= 2;
    p.ring = device->block_shared_bytes >= 8 * STEM_LINE + STEM_STAGE ? 8 : 5;
    const uint32_t grid[3] = {(uint32_t)columns, (uint32_t)vrs_conv_parts(p.out_h, p.rows),
                              (uint32_t)n};
    const uint32_t block[3] = {STEM_THREADS, 1, 1};
    return vrs_device_launch(stream, conv->stem, grid, block,
                             (uint32_t)(p.ring * STEM_LINE + STEM_STAGE), &p, sizeof(p));
}
