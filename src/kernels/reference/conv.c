#include "kernels/reference/conv.h"

#include <math.h>
#include <stddef.h>

#include "kernels/half.h"

static int32_t pitch(int32_t asked, int32_t channels)
{
    return asked != 0 ? asked : channels;
}

vrs_conv_params vrs_conv_reference_params(const vrs_cuda_conv_desc *d)
{
    return (vrs_conv_params){
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
        .input_pitch = pitch(d->input_pitch, d->c),
        .output_pitch = pitch(d->output_pitch, d->k),
        .residual_pitch = pitch(d->residual_pitch, d->k),
        .relu = d->relu,
        .in_i8 = d->in_i8,
        .out_i8 = d->out_i8,
        .residual_scale = d->residual_scale,
        .residual_i8 = d->residual_i8,
        .f32 = d->f32,
    };
}

static const uint16_t *halves(uint64_t address)
{
    return (const uint16_t *)(uintptr_t)address;
}

static uint16_t *output(uint64_t address)
{
    return (uint16_t *)(uintptr_t)address;
}

/* What elements are of. */
typedef enum kind { HALF, I8, F32 } kind;

static double element(uint64_t address, kind of, ptrdiff_t at)
{
    return of == I8    ? (double)((const int8_t *)(uintptr_t)address)[at]
           : of == F32 ? (double)((const float *)(uintptr_t)address)[at]
                       : (double)vrs_half_to_float(halves(address)[at]);
}

void vrs_conv_reference_store(uint64_t address, bool i8, ptrdiff_t at, double value)
{
    if (i8)
        ((int8_t *)(uintptr_t)address)[at] = (int8_t)fmin(fmax(rint(value), -128), 127);
    else
        output(address)[at] = vrs_half_from_float((float)value);
}

static double bias_of(uint64_t address, int32_t k)
{
    return address != 0 ? (double)((const float *)(uintptr_t)address)[k] : 0;
}

/* Elements from a place on. */
typedef struct line {
    uint64_t address;
    ptrdiff_t at;
    kind of;
} line;

/* Product of a pixel's channels [first, end) with a row of weights. */
static double dot(line a, line b, int32_t first, int32_t end, double *size)
{
    double sum = 0;
    for (int32_t i = first; i < end; i++) {
        const double product =
            element(a.address, a.of, a.at + i) * element(b.address, b.of, b.at + i);
        sum += product;
        *size += fabs(product);
    }
    return sum;
}

double vrs_conv_reference_at(const vrs_conv_params *p, int32_t n, int32_t oy, int32_t ox, int32_t k,
                             double *size)
{
    const kind of = p->f32 != 0 ? F32 : p->in_i8 != 0 ? I8 : HALF;
    double sum = 0;
    *size = 0;
    for (int32_t tap = 0; tap < p->r * p->s; tap++) {
        const int32_t y = oy * p->stride[0] - p->pad[0] + tap / p->s * p->dilation[0];
        const int32_t x = ox * p->stride[1] - p->pad[1] + tap % p->s * p->dilation[1];
        if (y < 0 || y >= p->h || x < 0 || x >= p->w)
            continue;
        const ptrdiff_t pixel = ((ptrdiff_t)n * p->h + y) * p->w + x;
        sum +=
            dot((line){p->input, pixel * p->input_pitch, of},
                (line){p->weights, ((ptrdiff_t)k * p->r * p->s + tap) * p->c, of}, 0, p->c, size);
    }
    const double scale = p->scale != 0 ? (double)((const float *)(uintptr_t)p->scale)[k] : 1;
    sum = sum * scale + bias_of(p->bias, k);
    *size = *size * fabs(scale) + fabs(bias_of(p->bias, k));
    if (p->residual != 0) {
        const ptrdiff_t pixel = ((ptrdiff_t)n * p->out_h + oy) * p->out_w + ox;
        const kind type = p->f32 != 0 ? F32 : p->residual_i8 != 0 ? I8 : HALF;
        const double add = element(p->residual, type, pixel * p->residual_pitch + k) *
                           (p->out_i8 || p->residual_i8 ? (double)p->residual_scale : 1);
        sum += add;
        *size += fabs(add);
    }
    return p->relu != 0 && sum < 0 ? 0 : sum;
}

void vrs_conv_reference(const vrs_conv_params *p)
{
    const int64_t pixels = (int64_t)p->n * p->out_h * p->out_w;
    for (int64_t i = 0; i < pixels; i++) {
        const int32_t n = (int32_t)(i / p->out_w / p->out_h);
        const int32_t y = (int32_t)(i / p->out_w % p->out_h), x = (int32_t)(i % p->out_w);
        for (int32_t k = 0; k < p->k; k++) {
            double size;
            const double value = vrs_conv_reference_at(p, n, y, x, k, &size);
            const int64_t at = i * p->output_pitch + k;
            if (p->f32 != 0)
                ((float *)(uintptr_t)p->output)[at] = (float)value;
            else
                vrs_conv_reference_store(p->output, p->out_i8 != 0, at, value);
        }
    }
}

double vrs_taps_reference_at(const vrs_taps_params *p, int32_t branch, uint32_t tap, int32_t first,
                             int32_t end, const int32_t pixel[3], int32_t k)
{
    const int32_t dilation = p->branch[branch].dilation;
    const int32_t y = pixel[1] + ((int32_t)tap / 3 - 1) * dilation;
    const int32_t x = pixel[2] + ((int32_t)tap % 3 - 1) * dilation;
    if (y < 0 || y >= p->h || x < 0 || x >= p->w)
        return 0;
    double size = 0;
    const kind of = p->in_i8 != 0 ? I8 : HALF;
    return dot((line){p->input, (((ptrdiff_t)pixel[0] * p->h + y) * p->w + x) * p->input_pitch, of},
               (line){p->branch[branch].weights, ((ptrdiff_t)k * 9 + tap) * p->c, of}, first, end,
               &size);
}

/* Weight of an input channel in the order of vrs_stem_pack(). */
static double stem_weight(const vrs_stem_params *p, int32_t tap, int32_t k, int32_t c)
{
    const int32_t warp = k / 16, lane = k % 8 * 4 + c % 8 / 2;
    const int32_t word = k % 16 / 8 + c / 8 * 2;
    const int32_t at = ((tap * 4 + warp) * 32 + lane) * 8 + word * 2 + c % 2;
    return (double)vrs_half_to_float(halves(p->weights)[at]);
}

/* The convolution with bias, before ReLU, in binary16: the maximum does not mind the order. */
static float stem_at(const vrs_stem_params *p, int32_t n, int32_t y, int32_t x, int32_t k)
{
    double sum = bias_of(p->bias, k);
    for (int32_t tap = 0; tap < 16; tap++) {
        const int32_t row = y - 2 + tap / 4, column = x - 2 + tap % 4;
        if (row < 0 || row >= p->h || column < 0 || column >= p->w)
            continue;
        const uint16_t *pixel =
            halves(p->input) + (((ptrdiff_t)n * p->h + row) * p->w + column) * 16;
        for (int32_t c = 0; c < 16; c++)
            sum += (double)vrs_half_to_float(pixel[c]) * stem_weight(p, tap, k, c);
    }
    return vrs_half_to_float(vrs_half_from_float((float)sum));
}

static float stem_pool(const vrs_stem_params *p, int32_t n, int32_t oy, int32_t ox, int32_t k)
{
    float most = 0;
    for (int32_t i = 0; i < 9; i++) {
        const int32_t y = 2 * oy - 1 + i / 3, x = 2 * ox - 1 + i % 3;
        if (y < 0 || y >= p->h || x < 0 || x >= p->w)
            continue;
        const float value = stem_at(p, n, y, x, k);
        most = value > most ? value : most;
    }
    return most;
}

void vrs_stem_reference(const vrs_stem_params *p)
{
    const int64_t pixels = (int64_t)p->n * p->out_h * p->out_w;
    for (int64_t i = 0; i < pixels; i++) {
        const int32_t n = (int32_t)(i / p->out_w / p->out_h);
        const int32_t y = (int32_t)(i / p->out_w % p->out_h), x = (int32_t)(i % p->out_w);
        for (int32_t k = 0; k < 64; k++)
            output(p->output)[i * 64 + k] = vrs_half_from_float(stem_pool(p, n, y, x, k));
    }
}
