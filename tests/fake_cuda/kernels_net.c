/* The kernels of net.cu and net_fast.cu in C: the functions of net_ops.h for every element. A
 * faster twin stands for the same elements as the plain kernel. */
#include "fake_cuda/kernels_net.h"

#include <stddef.h>

#include "kernels/cuda/net_launch.h"
#include "kernels/cuda/net_ops.h"

/* A kernel of elements whose number `count` says of its parameters p. */
#define FAKE_NET_ELEMENTS(name, count)                                                            \
    void fake_vrs_net_##name(const void *params, const uint32_t grid[3], const uint32_t block[3]) \
    {                                                                                             \
        const vrs_net_##name##_params *p = params;                                                \
        const int64_t elements = (count);                                                         \
        (void)grid;                                                                               \
        (void)block;                                                                              \
        for (int64_t i = 0; i < elements; i++)                                                    \
            vrs_net_##name##_element(p, i);                                                       \
    }

FAKE_NET_ELEMENTS(map, vrs_net_elements(p->dims, p->rank, p->fill))
FAKE_NET_ELEMENTS(reshape, vrs_net_elements(p->dims, p->rank, p->dims[p->rank - 1]))
FAKE_NET_ELEMENTS(pad, vrs_net_elements(p->dims, p->rank, p->fill))
FAKE_NET_ELEMENTS(gather, vrs_net_elements(p->dims, p->rank, p->dims[p->rank - 1]))
FAKE_NET_ELEMENTS(pool, vrs_net_pixels(&p->out, p->batch) * p->fill)
FAKE_NET_ELEMENTS(resize, vrs_net_pixels(&p->out, p->batch) * p->fill)
FAKE_NET_ELEMENTS(reduce, vrs_net_elements(p->dims, p->rank, p->fill))
FAKE_NET_ELEMENTS(along, vrs_net_elements(p->dims, p->rank, p->dims[p->rank - 1]))
FAKE_NET_ELEMENTS(conv, vrs_net_pixels(&p->out, p->batch) * p->out_channels)

void fake_vrs_net_matmul(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    const vrs_net_matmul_params *p = params;
    (void)block;
    for (int64_t product = 0; product < grid[2]; product++)
        for (int64_t row = 0; row < p->rows; row++)
            for (int64_t column = 0; column < p->columns; column++)
                vrs_net_matmul_element(p, product, row, column);
}

void fake_vrs_net_norm(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    const vrs_net_norm_params *p = params;
    const int64_t pixels = (int64_t)p->in.height * p->in.width;
    (void)grid;
    (void)block;
    for (int32_t n = 0; n < p->batch; n++) {
        for (int32_t c = 0; c < p->fill; c++) {
            double sum = 0, square = 0;
            for (int64_t i = n * pixels; i < (n + 1) * pixels && c < p->channels; i++)
                sum += (double)vrs_net_load(p->in.data, p->in.type, i * p->in.pitch + c);
            const double mean = sum / (double)pixels;
            for (int64_t i = n * pixels; i < (n + 1) * pixels && c < p->channels; i++) {
                const double d =
                    (double)vrs_net_load(p->in.data, p->in.type, i * p->in.pitch + c) - mean;
                square += d * d;
            }
            const double factor = 1 / sqrt(square / (double)pixels + (double)p->epsilon);
            for (int64_t i = n * pixels; i < (n + 1) * pixels; i++)
                vrs_net_norm_pixel(p, i, c, (float)mean, (float)factor);
        }
    }
}
