/* The convolution kernels of src/kernels/cuda/ in C. The dilated ones walk the table of items as
 * the kernel does, so that a wrong table gives a wrong result; the others are the reference. */
#include "fake_cuda/kernels_conv.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake_cuda/kernels_memory.h"
#include "kernels/reference/conv.h"

#define PIXELS 256 /* of a pair, as many as channels of an item */

static void expect(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "fake_cuda: a convolution's launch: %s\n", what);
    abort();
}

void fake_vrs_conv_mma(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    const vrs_conv_params *p = params;
    const int64_t pixels = (int64_t)p->n * p->out_h * p->out_w;
    expect(grid[0] == (pixels + 127) / 128 * ((p->k + 127) / 128) && block[0] == 256, "grid");
    vrs_conv_reference(p);
}

void fake_vrs_conv_f32(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    const vrs_conv_params *p = params;
    expect(grid[0] >= 1 && block[0] == 256 && p->f32 != 0, "grid");
    vrs_conv_reference(p);
}

void fake_vrs_conv_point(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    const vrs_conv_point_params *p = params;
    expect(grid[0] >= 1 && block[0] == 384 && p->steps * (p->conv.in_i8 ? 128 : 64) >= p->conv.c,
           "grid");
    expect(p->input.word[0] == p->conv.input && p->output.word[0] == p->conv.output &&
               p->weights.word[0] == p->conv.weights &&
               (p->conv.residual == 0 || p->residual.word[0] == p->conv.residual),
           "maps");
    vrs_conv_reference(&p->conv);
}

void fake_vrs_stem(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    const vrs_stem_params *p = params;
    const int32_t columns = 128 + 127 * ((int32_t)grid[0] - 1);
    expect(columns >= p->out_w && columns - p->out_w < 128 && block[0] == 128, "columns");
    expect((int32_t)grid[1] == (p->out_h + p->rows - 1) / p->rows && (int32_t)grid[2] == p->n,
           "strips");
    vrs_stem_reference(p);
}

/* A sum of an item: of one pixel and channel. */
static double item_at(const vrs_taps_params *p, const vrs_taps_item *item, const int32_t pixel[3],
                      int32_t k)
{
    const int32_t each = p->in_i8 ? 128 : 64; /* channels of a step */
    double sum = 0;
    for (int32_t i = item->first; i < item->first + item->count; i++) {
        const int32_t index = i / p->steps, first = i % p->steps * each;
        const uint32_t tap = item->taps[index / 8] >> index % 8 * 4 & 15;
        sum += vrs_taps_reference_at(p, item->branch, tap, first,
                                     first + each < p->c ? first + each : p->c, pixel, k);
    }
    return sum;
}

static void finish(const vrs_taps_params *p, int32_t branch, const int32_t pixel[3], int32_t k,
                   double sum)
{
    const vrs_taps_branch *b = &p->branch[branch];
    const ptrdiff_t place = ((ptrdiff_t)pixel[0] * p->h + pixel[1]) * p->w + pixel[2];
    sum *= b->scale != 0 ? (double)((const float *)at(b->scale))[k] : 1;
    sum += b->bias != 0 ? (double)((const float *)at(b->bias))[k] : 0;
    vrs_conv_reference_store(b->output, p->out_i8 != 0, place * p->output_pitch + k,
                             p->relu != 0 && sum < 0 ? 0 : sum);
}

/* Place of row `row` of a pair, 0: outside of the picture. */
static int pixel_of(const vrs_taps_params *p, int32_t pair, int32_t row, int32_t pixel[3])
{
    const vrs_taps_block *block =
        (const vrs_taps_block *)at(p->blocks) + (ptrdiff_t)pair * VRS_TAPS_PAIR_BLOCKS + row / 16;
    pixel[0] = block->n;
    pixel[1] = block->y + row % 16 / VRS_TAPS_BLOCK;
    pixel[2] = block->x + row % VRS_TAPS_BLOCK;
    return pixel[0] < p->n && pixel[1] < p->h && pixel[2] < p->w;
}

/* A sum in a slot, of float or, of integers, of int32. */
static double slot_at(const vrs_taps_params *p, ptrdiff_t place)
{
    return p->in_i8 ? (double)((const int32_t *)at(p->slots))[place]
                    : (double)((const float *)at(p->slots))[place];
}

static void slot_set(const vrs_taps_params *p, ptrdiff_t place, double sum)
{
    if (p->in_i8)
        ((int32_t *)at(p->slots))[place] = (int32_t)sum;
    else
        ((float *)at(p->slots))[place] = (float)sum;
}

static void run_item(const vrs_taps_params *p, const vrs_taps_item *item)
{
    for (int32_t row = 0; row < PIXELS; row++) {
        int32_t pixel[3];
        const int inside = pixel_of(p, item->pair, row, pixel);
        for (int32_t i = 0; i < PIXELS; i++) {
            const int32_t k = item->across * PIXELS + i;
            const double sum = inside && k < p->k ? item_at(p, item, pixel, k) : 0;
            if (item->slot >= 0)
                slot_set(p, (ptrdiff_t)item->slot * 65536 + row * PIXELS + i, sum);
            else if (inside && k < p->k)
                finish(p, item->branch, pixel, k, sum);
        }
    }
}

void fake_vrs_conv_taps(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    const vrs_taps_params *p = params;
    const int32_t *ranges = at(p->ranges);
    expect(grid[0] % 2 == 0 && block[0] == 384 && ranges[0] == 0, "ranges");
    expect(p->map.word[0] == p->input && p->weights[0].word[0] == p->branch[0].weights, "maps");
    for (uint32_t i = 0; i < grid[0] / 2; i++)
        for (int32_t item = ranges[i]; item < ranges[i + 1]; item++)
            run_item(p, (const vrs_taps_item *)at(p->items) + item);
}

void fake_vrs_conv_taps_sum(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    const vrs_taps_params *p = params;
    expect(grid[0] == 8 && block[0] == 512, "grid");
    for (uint32_t s = 0; s < grid[1]; s++) {
        const vrs_taps_sum *sum = (const vrs_taps_sum *)at(p->sums) + s;
        for (int32_t i = 0; i < PIXELS * PIXELS; i++) {
            const int32_t k = sum->across * PIXELS + i % PIXELS;
            int32_t pixel[3];
            double all = 0;
            for (int32_t j = 0; j < sum->count; j++)
                all += slot_at(p, ((ptrdiff_t)sum->slot + j) * 65536 + i);
            if (pixel_of(p, sum->pair, i / PIXELS, pixel) && k < p->k)
                finish(p, sum->branch, pixel, k, all);
        }
    }
}
