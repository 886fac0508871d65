#include "kernels/cuda/net_launch.h"

#define THREADS 256
/* Above so many addends a result has a block's 32 threads instead of one. */
#define BLOCK_ADDENDS 64
#define NARROW_CHANNELS 8
#define NARROW_THREADS 8
#define NARROW_PIXELS 4
#define RESIZE_COLUMNS 4
#define TAPS_CELLS 8
#define TAPS_CELLS_FEW 2
#define TAPS_PIXELS (1 << 20) /* pairs of channels of the input, from which on they are many */

vrs_status vrs_net_open(vrs_device *device, vrs_net_kernels *kernels)
{
    const struct {
        const char *name;
        vrs_kernel **kernel;
    } all[] = {
#define FIND(name) {"vrs_net_" #name, &kernels->name},
        VRS_NET_KERNELS(FIND)
#undef FIND
#define FIND(name, params) {"vrs_net_" #name, &kernels->name},
            VRS_NET_FAST_KERNELS(FIND)
#undef FIND
    };
    vrs_status status = VRS_OK;
    kernels->plain = false;
    for (size_t i = 0; i < sizeof all / sizeof all[0] && status == VRS_OK; i++)
        status = vrs_device_kernel(device, all[i].name, all[i].kernel);
    return status;
}

/* ---- launching ---- */

static vrs_status launch(vrs_device_stream *stream, vrs_kernel *kernel, int64_t threads,
                         const void *params, size_t bytes)
{
    const int64_t blocks = (threads + THREADS - 1) / THREADS;
    if (blocks > INT32_MAX)
        return vrs_fail(VRS_INVALID, "a network's tensor has too many elements for one launch");
    const uint32_t grid[3] = {(uint32_t)blocks, 1, 1}, block[3] = {THREADS, 1, 1};
    return blocks > 0 ? vrs_device_launch(stream, kernel, grid, block, 0, params, bytes) : VRS_OK;
}

/* ---- what the faster twins take ---- */

/* Elements of 16 bytes; 0: there are no vectors of this type. */
static int32_t vector_of(int32_t type)
{
    return type == VRS_NET_F16 ? 8 : type == VRS_NET_F32 ? 4 : 0;
}

static bool is_aligned(uint64_t address)
{
    return address % 16 == 0;
}

/* Pictures of one type, of whole vectors up to `fill`, few enough for 32-bit numbers. */
static bool in_vectors(const vrs_net_kernels *kernels, const vrs_net_picture *out,
                       const vrs_net_picture *in, int32_t batch, int32_t fill)
{
    const int32_t n = vector_of(out->type);
    return !kernels->plain && n != 0 && in->type == out->type && is_aligned(out->data) &&
           is_aligned(in->data) && out->pitch % n == 0 && in->pitch % n == 0 && fill % n == 0 &&
           fill <= out->pitch && fill <= in->pitch &&
           vrs_net_pixels(out, batch) * (fill / n) < INT32_MAX;
}

static bool takes_operand(const vrs_net_view *in, const vrs_net_view *out, int32_t n)
{
    if (in->data == 0 || in->stride[1] == 0)
        return true;
    if (in->type != out->type)
        return in->type != VRS_NET_I32 && in->type != VRS_NET_I64;
    return in->stride[1] == 1 && in->stride[0] % n == 0 && is_aligned(in->data);
}

static bool map_in_vectors(const vrs_net_kernels *kernels, const vrs_net_map_params *p)
{
    const int32_t n = vector_of(p->out.type);
    bool takes = !kernels->plain && p->rank == 2 && n != 0 && p->fill % n == 0 &&
                 p->out.stride[1] == 1 && p->out.stride[0] % n == 0 && is_aligned(p->out.data) &&
                 (p->slope.data == 0 || p->slope.stride[0] == 0);
    for (int k = 0; k < 3; k++)
        takes = takes && takes_operand(&p->in[k], &p->out, n) &&
                (k > 0 || (p->in[k].type != VRS_NET_I32 && p->in[k].type != VRS_NET_I64));
    return takes;
}

static bool is_depthwise(const vrs_net_kernels *kernels, const vrs_net_conv_params *p)
{
    return p->groups == p->in_channels && p->groups == p->out_channels &&
           in_vectors(kernels, &p->out, &p->in, p->batch, p->out_channels);
}

static bool is_narrow(const vrs_net_kernels *kernels, const vrs_net_conv_params *p)
{
    const int32_t n = p->in.type == VRS_NET_I8 ? 16 : vector_of(p->in.type);
    return !kernels->plain && n != 0 && p->groups == 1 && p->out_channels <= NARROW_CHANNELS &&
           p->kernel[0] == 1 && p->kernel[1] == 1 && p->stride[0] == 1 && p->stride[1] == 1 &&
           p->pad_before[0] == 0 && p->pad_before[1] == 0 && p->out.height == p->in.height &&
           p->out.width == p->in.width && p->in_channels % n == 0 && p->in.pitch % n == 0 &&
           is_aligned(p->in.data) && is_aligned(p->weights);
}

/* ---- the kernels ---- */

vrs_status vrs_net_map(const vrs_net_kernels *kernels, vrs_device_stream *stream,
                       const vrs_net_map_params *p)
{
    int64_t threads = vrs_net_elements(p->dims, p->rank, p->fill);
    if (map_in_vectors(kernels, p))
        return launch(stream, kernels->map_vector, threads / vector_of(p->out.type), p, sizeof *p);
    return launch(stream, kernels->map, threads, p, sizeof *p);
}

vrs_status vrs_net_reshape(const vrs_net_kernels *kernels, vrs_device_stream *stream,
                           const vrs_net_reshape_params *p)
{
    int64_t threads = vrs_net_elements(p->dims, p->rank, p->dims[p->rank - 1]);
    return launch(stream, kernels->reshape, threads, p, sizeof *p);
}

vrs_status vrs_net_pad(const vrs_net_kernels *kernels, vrs_device_stream *stream,
                       const vrs_net_pad_params *p)
{
    return launch(stream, kernels->pad, vrs_net_elements(p->dims, p->rank, p->fill), p, sizeof *p);
}

vrs_status vrs_net_gather(const vrs_net_kernels *kernels, vrs_device_stream *stream,
                          const vrs_net_gather_params *p)
{
    int64_t threads = vrs_net_elements(p->dims, p->rank, p->dims[p->rank - 1]);
    return launch(stream, kernels->gather, threads, p, sizeof *p);
}

vrs_status vrs_net_pool(const vrs_net_kernels *kernels, vrs_device_stream *stream,
                        const vrs_net_pool_params *p)
{
    int64_t pixels = vrs_net_pixels(&p->out, p->batch);
    if (in_vectors(kernels, &p->out, &p->in, p->batch, p->fill))
        return launch(stream, kernels->pool_vector, pixels * (p->fill / vector_of(p->out.type)), p,
                      sizeof *p);
    return launch(stream, kernels->pool, pixels * p->fill, p, sizeof *p);
}

/* What resize_taps takes: 3x3 taps in FP16, by 4. */
static bool fits_taps(const vrs_net_kernels *kernels, const vrs_net_resize_params *p)
{
    return !kernels->plain && p->taps == 3 && p->mode == VRS_NET_RESIZE_LINEAR &&
           p->coordinate == VRS_NET_RESIZE_HALF_PIXEL && p->scale[0] == 4.0f &&
           p->scale[1] == 4.0f && p->out.height == 4 * p->in.height &&
           p->out.width == 4 * p->in.width && p->in.type == VRS_NET_F16 &&
           p->out.type == VRS_NET_F16 && p->fill == p->channels && p->channels % 2 == 0 &&
           p->in.pitch % 2 == 0 && p->out.pitch % 2 == 0 && p->in.data % 4 == 0 &&
           p->out.data % 4 == 0;
}

/* Each thread begins with a column that it does not write; with few pictures there must be many. */
static vrs_status launch_taps(const vrs_net_kernels *kernels, vrs_device_stream *stream,
                              const vrs_net_resize_params *params)
{
    vrs_net_resize_params p = *params;
    int64_t rows = (int64_t)p.batch * p.in.height * (p.channels / 2);
    p.cells = rows * p.in.width >= TAPS_PIXELS ? TAPS_CELLS : TAPS_CELLS_FEW;
    return launch(stream, kernels->resize_taps, rows * ((p.in.width + p.cells - 1) / p.cells), &p,
                  sizeof p);
}

vrs_status vrs_net_resize(const vrs_net_kernels *kernels, vrs_device_stream *stream,
                          const vrs_net_resize_params *p)
{
    int64_t pixels = vrs_net_pixels(&p->out, p->batch);
    if (fits_taps(kernels, p))
        return launch_taps(kernels, stream, p);
    if (p->taps > 0)
        return launch(stream, kernels->resize, pixels * p->fill, p, sizeof *p);
    vrs_net_picture out = p->out;
    if (out.type == VRS_NET_I8 && p->in.type == VRS_NET_F16)
        out.type = VRS_NET_F16; /* vectors of eight, written as eight bytes */
    vrs_net_picture strips = p->out;
    strips.width = (p->out.width + RESIZE_COLUMNS - 1) / RESIZE_COLUMNS;
    /* Only the plain one looks outside (TF_CROP). */
    vrs_net_picture in = p->in;
    in.pitch = in.pitch < p->fill && p->channels <= in.pitch ? p->fill : in.pitch;
    if (p->coordinate != 6 && p->in.pitch % 8 == 0 &&
        in_vectors(kernels, &out, &in, p->batch, p->fill))
        return launch(stream, kernels->resize_vector,
                      vrs_net_pixels(&strips, p->batch) * (p->fill / vector_of(out.type)), p,
                      sizeof *p);
    return launch(stream, kernels->resize, pixels * p->fill, p, sizeof *p);
}

/* Sums over one axis, of four neighbouring channels at a time. */
static bool takes_rows(const vrs_net_reduce_params *p)
{
    const int32_t last = p->rank - 1;
    const uint64_t bytes = p->in.type == VRS_NET_F32 ? 4 : p->in.type == VRS_NET_F16 ? 2 : 1;
    bool fits =
        (p->kind == VRS_NET_REDUCE_MEAN || p->kind == VRS_NET_REDUCE_SUM) &&
        (p->in.type == VRS_NET_F32 || p->in.type == VRS_NET_F16 || p->in.type == VRS_NET_I8) &&
        p->over_rank == 1 && p->over_dims[0] < INT32_MAX / 2 && p->in.stride[last] == 1 &&
        p->dims[last] % 4 == 0 && p->fill % 4 == 0 && p->over_stride[0] % 4 == 0 &&
        p->in.data % (4 * bytes) == 0;
    for (int32_t axis = 0; axis < last; axis++)
        fits = fits && p->in.stride[axis] % 4 == 0;
    return fits;
}

vrs_status vrs_net_reduce(const vrs_net_kernels *kernels, vrs_device_stream *stream,
                          const vrs_net_reduce_params *p)
{
    int64_t results = vrs_net_elements(p->dims, p->rank, p->fill), addends = 1;
    for (int32_t axis = 0; axis < p->over_rank; axis++)
        addends *= p->over_dims[axis];
    if (kernels->plain || addends < BLOCK_ADDENDS || results > (int64_t)INT32_MAX * 32)
        return launch(stream, kernels->reduce, results, p, sizeof *p);
    const bool rows = takes_rows(p);
    const int64_t each = rows ? 128 : 32;
    const uint32_t grid[3] = {(uint32_t)((results + each - 1) / each), 1, 1};
    const uint32_t block[3] = {32, 32, 1};
    return vrs_device_launch(stream, rows ? kernels->reduce_rows : kernels->reduce_block, grid,
                             block, 0, p, sizeof *p);
}

vrs_status vrs_net_along(const vrs_net_kernels *kernels, vrs_device_stream *stream,
                         const vrs_net_along_params *p)
{
    int64_t threads = vrs_net_elements(p->dims, p->rank, p->dims[p->rank - 1]);
    return launch(stream, kernels->along, threads, p, sizeof *p);
}

vrs_status vrs_net_conv(const vrs_net_kernels *kernels, vrs_device_stream *stream,
                        const vrs_net_conv_params *p)
{
    int64_t pixels = vrs_net_pixels(&p->out, p->batch);
    if (is_depthwise(kernels, p))
        return launch(stream, kernels->conv_depthwise,
                      pixels * (p->out_channels / vector_of(p->out.type)), p, sizeof *p);
    if (is_narrow(kernels, p))
        return launch(stream, kernels->conv_narrow,
                      (pixels + NARROW_PIXELS - 1) / NARROW_PIXELS * NARROW_THREADS, p, sizeof *p);
    return launch(stream, kernels->conv, pixels * p->out_channels, p, sizeof *p);
}

vrs_status vrs_net_matmul(const vrs_net_kernels *kernels, vrs_device_stream *stream,
                          const vrs_net_matmul_params *p)
{
    int64_t products = p->dims[0] * p->dims[1] * p->dims[2] * p->dims[3];
    if (p->rows > 65535 || products > 65535)
        return vrs_fail(VRS_INVALID, "a matrix product of %d rows, %lld times, is too large",
                        p->rows, (long long)products);
    const uint32_t grid[3] = {(uint32_t)((p->columns + THREADS - 1) / THREADS), (uint32_t)p->rows,
                              (uint32_t)products};
    const uint32_t block[3] = {THREADS, 1, 1};
    return vrs_device_launch(stream, kernels->matmul, grid, block, 0, p, sizeof *p);
}

vrs_status vrs_net_norm(const vrs_net_kernels *kernels, vrs_device_stream *stream,
                        const vrs_net_norm_params *p)
{
    const uint32_t grid[3] = {(uint32_t)((p->fill + 31) / 32), (uint32_t)p->batch, 1};
    const uint32_t block[3] = {32, 8, 1};
    return vrs_device_launch(stream, kernels->norm, grid, block, 0, p, sizeof *p);
}
