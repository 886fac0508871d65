/* What operations do when their turn comes, and the calls that order copies, memsets, kernels and
 * host functions. */
#include <stdlib.h>
#include <string.h>

#include "fake_cuda/internal.h"

/* Bytes from the first to the last of `height` rows. */
static size_t span_of(size_t width, size_t height, size_t pitch)
{
    return height == 0 || width == 0 ? 0 : (height - 1) * pitch + width;
}

/* One side of a copy; pageable memory is taken as it is. NULL: not there any more. */
static void *side(uint64_t address, size_t bytes, bool was_pinned)
{
    pthread_mutex_lock(&fake.lock);
    void *host = (void *)(uintptr_t)address;
    if (fake_is_device(address) || was_pinned)
        host = fake_resolve(address, bytes);
    pthread_mutex_unlock(&fake.lock);
    return host;
}

static void count_bytes(const fake_op *op)
{
    const uint64_t bytes = (uint64_t)op->width * op->height;
    const bool from = op->staged == NULL && fake_is_device(op->src), to = fake_is_device(op->dst);
    pthread_mutex_lock(&fake.lock);
    if (from && to)
        fake.bytes.on_device += bytes;
    else if (from)
        fake.bytes.to_host += bytes;
    else if (to)
        fake.bytes.to_device += bytes;
    pthread_mutex_unlock(&fake.lock);
}

static cu_result perform_copy(const fake_op *op)
{
    char *dst = side(op->dst, span_of(op->width, op->height, op->dst_pitch), op->dst_pinned);
    const char *src =
        op->staged != NULL
            ? op->staged
            : side(op->src, span_of(op->width, op->height, op->src_pitch), op->src_pinned);
    if (dst == NULL || src == NULL)
        return CU_ILLEGAL_ADDRESS;
    for (size_t y = 0; y < op->height; y++)
        memmove(dst + y * op->dst_pitch, src + y * op->src_pitch, op->width);
    count_bytes(op);
    return CU_SUCCESS;
}

static cu_result perform_set(const fake_op *op)
{
    char *dst = side(op->dst, span_of(op->width, op->height, op->dst_pitch), true);
    if (dst == NULL)
        return CU_ILLEGAL_ADDRESS;
    for (size_t y = 0; y < op->height; y++)
        for (size_t x = 0; x < op->width; x += op->value_bytes)
            memcpy(dst + y * op->dst_pitch + x, &op->value, op->value_bytes);
    return CU_SUCCESS;
}

static cu_result perform_launch(const fake_op *op)
{
    uint64_t *params = fake_take(op->function->params_bytes + 8, 1);
    cu_result result = CU_SUCCESS;
    memcpy(params, op->params, op->function->params_bytes);
    pthread_mutex_lock(&fake.lock);
    for (size_t i = 0; i < op->function->params_bytes / 8; i++) {
        if (!fake_is_device(params[i]))
            continue;
        void *alias = fake_resolve(params[i], 0);
        if (alias == NULL)
            result = CU_ILLEGAL_ADDRESS;
        params[i] = (uint64_t)(uintptr_t)alias;
    }
    pthread_mutex_unlock(&fake.lock);
    if (result == CU_SUCCESS)
        op->function->fn(params, op->grid, op->block);
    free(params);
    pthread_mutex_lock(&fake.lock);
    if (result == CU_SUCCESS && (fake.faulted || !fake_tails_whole()))
        result = CU_ILLEGAL_ADDRESS;
    fake.faulted = false;
    pthread_mutex_unlock(&fake.lock);
    return result;
}

static cu_result perform_free(const fake_op *op)
{
    pthread_mutex_lock(&fake.lock);
    const bool freed = fake_free_device(op->dst);
    pthread_mutex_unlock(&fake.lock);
    return freed ? CU_SUCCESS : CU_ILLEGAL_ADDRESS;
}

cu_result fake_perform(fake_op *op)
{
    switch (op->kind) {
    case OP_MARK:
        return CU_SUCCESS;
    case OP_COPY:
        return perform_copy(op);
    case OP_SET:
        return perform_set(op);
    case OP_LAUNCH:
        return perform_launch(op);
    case OP_HOST:
        op->fn(op->data);
        return CU_SUCCESS;
    case OP_FREE:
        return perform_free(op);
    }
    return CU_UNKNOWN;
}

/* What a side of a copy is said to be. */
typedef enum fake_place { ON_HOST, ON_DEVICE, ANYWHERE } fake_place;

typedef struct fake_side {
    uint64_t address;
    fake_place place;
    size_t pitch;
} fake_side;

/* 0, or why a side of a copy is wrong. Device memory is looked at again when the copy runs. */
static cu_result check_side(fake_side side_, size_t width, size_t height)
{
    const size_t bytes = span_of(width, height, side_.pitch);
    const bool device = fake_is_device(side_.address);
    const bool pinned = fake_is_pinned((void *)(uintptr_t)side_.address, bytes);
    if (height > 1 && side_.pitch < width)
        return CU_INVALID_VALUE;
    if (side_.place == ON_HOST ? device || side_.address == 0
                               : side_.place == ON_DEVICE && !device && !pinned)
        return CU_INVALID_VALUE;
    return CU_SUCCESS;
}

static void stage(fake_op *op)
{
    char *staged = fake_take(span_of(op->width, op->height, op->src_pitch), 1);
    for (size_t y = 0; y < op->height; y++)
        memcpy(staged + y * op->src_pitch, (const char *)(uintptr_t)op->src + y * op->src_pitch,
               op->width);
    op->staged = staged;
}

/* Orders a copy. Pageable memory is read now, and written before the call returns; pinned memory is
 * touched when the copy's turn comes. */
static cu_result copy(cu_stream handle, fake_side dst, fake_side src, size_t width, size_t height,
                      bool wait)
{
    struct fake_stream *stream = fake_stream_find(handle);
    if (stream == NULL)
        return CU_INVALID_HANDLE;
    if (width == 0 || height == 0)
        return CU_SUCCESS;
    cu_result result = check_side(dst, width, height);
    if (result == CU_SUCCESS)
        result = check_side(src, width, height);
    if (result != CU_SUCCESS)
        return result;
    fake_op *op = fake_op_new(OP_COPY);
    op->dst = dst.address;
    op->src = src.address;
    op->dst_pitch = dst.pitch;
    op->src_pitch = src.pitch;
    op->width = width;
    op->height = height;
    const void *dst_host = (const void *)(uintptr_t)dst.address;
    const void *src_host = (const void *)(uintptr_t)src.address;
    op->dst_pinned = fake_is_pinned(dst_host, span_of(width, height, dst.pitch));
    op->src_pinned = fake_is_pinned(src_host, span_of(width, height, src.pitch));
    const bool pageable_src = !fake_is_device(src.address) && !op->src_pinned;
    const bool pageable_dst = !fake_is_device(dst.address) && !op->dst_pinned;
    if (pageable_src && stream->capture == NULL)
        stage(op);
    return fake_put(stream, op, (wait || pageable_dst) && stream->capture == NULL);
}

static fake_side host_side(const void *host)
{
    return (fake_side){(uint64_t)(uintptr_t)host, ON_HOST, 0};
}

static fake_side device_side(cu_ptr address)
{
    return (fake_side){address, ON_DEVICE, 0};
}

static fake_side any_side(cu_ptr address)
{
    return (fake_side){address, ANYWHERE, 0};
}

DRIVER(cuMemcpyHtoDAsync_v2, cu_ptr dst, const void *src, size_t bytes, cu_stream stream)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(copy(stream, device_side(dst), host_side(src), bytes, 1, false));
}

DRIVER(cuMemcpyDtoHAsync_v2, void *dst, cu_ptr src, size_t bytes, cu_stream stream)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(copy(stream, host_side(dst), device_side(src), bytes, 1, false));
}

DRIVER(cuMemcpyDtoDAsync_v2, cu_ptr dst, cu_ptr src, size_t bytes, cu_stream stream)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(copy(stream, device_side(dst), device_side(src), bytes, 1, false));
}

DRIVER(cuMemcpyAsync, cu_ptr dst, cu_ptr src, size_t bytes, cu_stream stream)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(copy(stream, any_side(dst), any_side(src), bytes, 1, false));
}

DRIVER(cuMemcpyHtoD_v2, cu_ptr dst, const void *src, size_t bytes)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(copy(NULL, device_side(dst), host_side(src), bytes, 1, true));
}

DRIVER(cuMemcpyDtoH_v2, void *dst, cu_ptr src, size_t bytes)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(copy(NULL, host_side(dst), device_side(src), bytes, 1, true));
}

DRIVER(cuMemcpyDtoD_v2, cu_ptr dst, cu_ptr src, size_t bytes)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(copy(NULL, device_side(dst), device_side(src), bytes, 1, false));
}

DRIVER(cuMemcpy, cu_ptr dst, cu_ptr src, size_t bytes)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(copy(NULL, any_side(dst), any_side(src), bytes, 1, true));
}

/* One side of a copy in two dimensions; false: arrays, which are not for here. */
static bool side_2d(fake_side *to, int type, const void *host, cu_ptr device, size_t x, size_t y,
                    size_t pitch)
{
    if (type != CU_MEMORY_HOST && type != CU_MEMORY_DEVICE && type != CU_MEMORY_UNIFIED)
        return false;
    const uint64_t base = type == CU_MEMORY_HOST ? (uint64_t)(uintptr_t)host : device;
    *to = (fake_side){base + y * pitch + x,
                      type == CU_MEMORY_HOST     ? ON_HOST
                      : type == CU_MEMORY_DEVICE ? ON_DEVICE
                                                 : ANYWHERE,
                      pitch};
    return true;
}

static cu_result copy_2d(const cu_copy_2d *c, cu_stream stream, bool wait)
{
    fake_side dst, src;
    if (c == NULL ||
        !side_2d(&dst, c->dst_type, c->dst_host, c->dst_device, c->dst_x, c->dst_y,
                 c->dst_pitch > 0 ? c->dst_pitch : c->width) ||
        !side_2d(&src, c->src_type, c->src_host, c->src_device, c->src_x, c->src_y,
                 c->src_pitch > 0 ? c->src_pitch : c->width))
        return CU_INVALID_VALUE;
    return copy(stream, dst, src, c->width, c->height, wait);
}

DRIVER(cuMemcpy2DAsync_v2, const cu_copy_2d *what, cu_stream stream)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(copy_2d(what, stream, false));
}

DRIVER(cuMemcpy2D_v2, const cu_copy_2d *what)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(copy_2d(what, NULL, true));
}

DRIVER(cuMemcpy2DUnaligned_v2, const cu_copy_2d *what)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(copy_2d(what, NULL, true));
}

/* Rows of `count` values. */
static cu_result set(cu_stream handle, fake_side dst, uint32_t value, unsigned value_bytes,
                     size_t count, size_t height)
{
    struct fake_stream *stream = fake_stream_find(handle);
    const size_t width = count * value_bytes;
    if (stream == NULL)
        return CU_INVALID_HANDLE;
    if (dst.address % value_bytes != 0 || check_side(dst, width, height) != CU_SUCCESS)
        return CU_INVALID_VALUE;
    if (width == 0 || height == 0)
        return CU_SUCCESS;
    fake_op *op = fake_op_new(OP_SET);
    op->dst = dst.address;
    op->dst_pitch = dst.pitch;
    op->width = width;
    op->height = height;
    op->value = value;
    op->value_bytes = value_bytes;
    return fake_put(stream, op, false);
}

DRIVER(cuMemsetD8Async, cu_ptr dst, unsigned char value, size_t count, cu_stream stream)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(set(stream, device_side(dst), value, 1, count, 1));
}

DRIVER(cuMemsetD16Async, cu_ptr dst, unsigned short value, size_t count, cu_stream stream)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(set(stream, device_side(dst), value, 2, count, 1));
}

DRIVER(cuMemsetD32Async, cu_ptr dst, unsigned value, size_t count, cu_stream stream)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(set(stream, device_side(dst), value, 4, count, 1));
}

DRIVER(cuMemsetD2D8Async, cu_ptr dst, size_t pitch, unsigned char value, size_t width,
       size_t height, cu_stream stream)
{
    ENTER(NEEDS_CONTEXT);
    const fake_side to = {dst, ON_DEVICE, pitch};
    return fake_leave(set(stream, to, value, 1, width, height));
}

DRIVER(cuMemsetD8_v2, cu_ptr dst, unsigned char value, size_t count)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(set(NULL, device_side(dst), value, 1, count, 1));
}

DRIVER(cuMemsetD32_v2, cu_ptr dst, unsigned value, size_t count)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(set(NULL, device_side(dst), value, 4, count, 1));
}

/* The one parameter of a kernel, from either of cuLaunchKernel's two ways; NULL: wrong. */
static const void *parameter(const struct fake_function *function, void **params, void **extra)
{
    if (params != NULL)
        return extra == NULL ? params[0] : NULL;
    const void *at = NULL;
    size_t bytes = 0;
    for (; extra != NULL && *extra != CU_EXTRA_END; extra += 2)
        if (extra[0] == CU_EXTRA_POINTER)
            at = extra[1];
        else if (extra[0] == CU_EXTRA_SIZE)
            bytes = *(const size_t *)extra[1];
        else
            return NULL;
    const size_t offset = function->params_offset;
    return bytes == offset + function->params_bytes ? (const char *)at + offset : NULL;
}

static cu_result launch(const cu_launch_config *c, cu_function function, void **params,
                        void **extra)
{
    struct fake_stream *stream = fake_stream_find(c->stream);
    if (function == NULL || stream == NULL)
        return CU_INVALID_HANDLE;
    const void *from = parameter(function, params, extra);
    const uint64_t threads = (uint64_t)c->block[0] * c->block[1] * c->block[2];
    if (from == NULL || threads == 0 || threads > 1024 || c->block[2] > 64 || c->grid[0] == 0 ||
        c->grid[1] == 0 || c->grid[2] == 0 || c->grid[0] > 0x7FFFFFFF || c->grid[1] > 65535 ||
        c->grid[2] > 65535 || c->shared_bytes > 227 * 1024)
        return CU_INVALID_VALUE;
    fake_op *op = fake_op_new(OP_LAUNCH);
    op->function = function;
    op->params = fake_take(function->params_bytes, 1);
    memcpy(op->params, from, function->params_bytes);
    memcpy(op->grid, c->grid, sizeof(op->grid));
    memcpy(op->block, c->block, sizeof(op->block));
    return fake_put(stream, op, false);
}

DRIVER(cuLaunchKernel, cu_function function, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
       unsigned by, unsigned bz, unsigned shared_bytes, cu_stream stream, void **params,
       void **extra)
{
    ENTER(NEEDS_CONTEXT);
    const cu_launch_config config = {.grid = {gx, gy, gz},
                                     .block = {bx, by, bz},
                                     .shared_bytes = shared_bytes,
                                     .stream = stream};
    return fake_leave(launch(&config, function, params, extra));
}

/* Counted, and failing, by the name of the other one: it is a launch. */
DRIVER(cuLaunchKernelEx, const cu_launch_config *c, cu_function function, void **params,
       void **extra)
{
    return cuLaunchKernel(function, c->grid[0], c->grid[1], c->grid[2], c->block[0], c->block[1],
                          c->block[2], c->shared_bytes, c->stream, params, extra);
}

DRIVER(cuLaunchHostFunc, cu_stream handle, cu_host_fn fn, void *data)
{
    ENTER(NEEDS_CONTEXT);
    struct fake_stream *stream = fake_stream_find(handle);
    if (stream == NULL || fn == NULL)
        return fake_leave(stream == NULL ? CU_INVALID_HANDLE : CU_INVALID_VALUE);
    fake_op *op = fake_op_new(OP_HOST);
    op->fn = fn;
    op->data = data;
    return fake_leave(fake_put(stream, op, false));
}
