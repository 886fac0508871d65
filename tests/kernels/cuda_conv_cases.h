/* Convolutions for the tests of the CUDA kernels: their operands in blocks, and their results
 * beside the C reference, with what lies between and around them. */
#ifndef VRS_TESTS_CUDA_CONV_CASES_H
#define VRS_TESTS_CUDA_CONV_CASES_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/cuda/conv_launch.h"
#include "kernels/cuda_cases.h"
#include "kernels/cuda_fixture.h"
#include "kernels/half.h"
#include "kernels/reference/conv.h"

static vrs_cuda_conv conv;

/* Half of the values are 0, as behind a ReLU; the others in -1..1. */
static inline void fill(uint16_t *to, size_t count, rng *r)
{
    for (size_t i = 0; i < count; i++)
        to[i] = in(r, 0, 1) == 0 ? 0 : vrs_half_from_float((float)in(r, -1000, 1000) * 0.001F);
}

static inline cuda_block halves(size_t count, rng *r)
{
    cuda_block block = cuda_block_make(count * 2);
    fill(cuda_block_host(&block), count, r);
    cuda_block_upload(&block);
    return block;
}

/* As halves are, of 8-bit integers: half of them 0. */
static inline cuda_block integers(size_t count, rng *r)
{
    cuda_block block = cuda_block_make(count);
    for (size_t i = 0; i < count; i++)
        ((int8_t *)cuda_block_host(&block))[i] = (int8_t)(in(r, 0, 1) == 0 ? 0 : in(r, -128, 127));
    cuda_block_upload(&block);
    return block;
}

static inline cuda_block floats(size_t count, rng *r)
{
    cuda_block block = cuda_block_make(count * sizeof(float));
    for (size_t i = 0; i < count; i++)
        ((float *)cuda_block_host(&block))[i] = (float)in(r, -1000, 1000) * 0.002F;
    cuda_block_upload(&block);
    return block;
}

/* In the type of an operand; integers where it is one that has them. */
static inline cuda_block elements(size_t count, const vrs_cuda_conv_desc *d, bool i8, rng *r)
{
    return d->f32 ? floats(count, r) : i8 ? integers(count, r) : halves(count, r);
}

static inline uint64_t host_of(const cuda_block *block)
{
    return (uint64_t)(uintptr_t)cuda_block_host(block);
}

/* Within so many steps of binary16 (half a one where `expected` was not rounded, else a whole one)
 * and the error of sums in float over values of `size` together. */
static inline void compare_value(uint16_t got, double expected, double steps, double size,
                                 const char *what, int64_t at)
{
    const double value = (double)vrs_half_to_float(got);
    int exponent;
    (void)frexp(fmax(fabs(expected), 0x1p-14), &exponent);
    const double within = ldexp(steps, exponent - 11) + size * 0x1p-20;
    if (!(fabs(value - expected) <= within))
        fail_msg("%s: %g instead of %g at %lld, further than %g", what, value, expected,
                 (long long)at, within);
}

/* The nearest step, or the one beside it where float has rounded to the middle between them. */
static inline void compare_steps(int8_t got, double expected, const char *what, int64_t at)
{
    const double value = fmin(fmax(expected, -128), 127);
    if (!(fabs((double)got - value) <= 0.5 + 1e-4))
        fail_msg("%s: %d instead of %g at %lld", what, (int)got, value, (long long)at);
}

typedef struct conv_case {
    vrs_cuda_conv_desc desc;
    cuda_block input, weights, bias, residual, output, scale;
    bool biased;
} conv_case;

/* Results of some tens in steps of 1 where they are integers, of some units where they are not. */
static inline cuda_block factors(const vrs_cuda_conv_desc *d, rng *r)
{
    const float in8 = d->in_i8 ? 1e-4F : 1, out8 = d->out_i8 ? 30 : 1;
    cuda_block block = cuda_block_make((size_t)d->k * sizeof(float));
    for (int32_t k = 0; k < d->k; k++)
        ((float *)cuda_block_host(&block))[k] = (float)in(r, 500, 1500) * 0.001F * in8 * out8;
    cuda_block_upload(&block);
    return block;
}

static inline int32_t pitch(int32_t asked, int32_t channels)
{
    return asked != 0 ? asked : channels;
}

static inline size_t pixels_of(int32_t n, int32_t h, int32_t w)
{
    return (size_t)n * (size_t)h * (size_t)w;
}

static inline size_t result_bytes(const vrs_cuda_conv_desc *d)
{
    return d->f32 ? 4 : d->out_i8 ? 1 : 2;
}

static inline void conv_make(conv_case *t, rng *r)
{
    const vrs_cuda_conv_desc *d = &t->desc;
    const size_t out = pixels_of(d->n, d->out_h, d->out_w);
    t->input =
        elements(pixels_of(d->n, d->h, d->w) * (size_t)pitch(d->input_pitch, d->c), d, d->in_i8, r);
    t->weights = elements((size_t)(d->r * d->s) * (size_t)d->k * (size_t)d->c, d, d->in_i8, r);
    t->scale = factors(d, r);
    t->bias = floats((size_t)d->k, r);
    t->residual = elements(out * (size_t)pitch(d->residual_pitch, d->k), d, d->residual_i8, r);
    t->output = cuda_block_make(out * (size_t)pitch(d->output_pitch, d->k) * result_bytes(d));
    t->biased = in(r, 0, 3) != 0;
}

static inline void conv_free(conv_case *t)
{
    cuda_block_free(&t->input);
    cuda_block_free(&t->weights);
    cuda_block_free(&t->bias);
    cuda_block_free(&t->residual);
    cuda_block_free(&t->output);
    cuda_block_free(&t->scale);
}

static inline bool has_integers(const vrs_cuda_conv_desc *d)
{
    return d->in_i8 || d->out_i8; /* those of the residual have one factor for all */
}

static inline vrs_cuda_conv_buffers device_buffers(const conv_case *t)
{
    return (vrs_cuda_conv_buffers){.input = cuda_block_device(&t->input),
                                   .weights = cuda_block_device(&t->weights),
                                   .bias = t->biased ? cuda_block_device(&t->bias) : 0,
                                   .residual = cuda_block_device(&t->residual),
                                   .output = cuda_block_device(&t->output),
                                   .scale =
                                       has_integers(&t->desc) ? cuda_block_device(&t->scale) : 0};
}

static inline vrs_conv_params reference_params(const conv_case *t)
{
    const vrs_cuda_conv_desc *d = &t->desc;
    vrs_conv_params p = vrs_conv_reference_params(d);
    p.input = host_of(&t->input);
    p.weights = host_of(&t->weights);
    p.bias = t->biased ? host_of(&t->bias) : 0;
    p.residual = d->residual ? host_of(&t->residual) : 0;
    p.scale = has_integers(d) ? host_of(&t->scale) : 0;
    return p;
}

static inline void compare_at(const vrs_cuda_conv_desc *d, const void *result, double value,
                              double size, const char *what, int64_t at)
{
    if (d->f32) {
        const double got = (double)((const float *)result)[at];
        if (!(fabs(got - value) <= size * 0x1p-20))
            fail_msg("%s: %g instead of %g at %lld", what, got, value, (long long)at);
    } else if (d->out_i8) {
        compare_steps(((const int8_t *)result)[at], value, what, at);
    } else {
        compare_value(((const uint16_t *)result)[at], value, 0.51, size, what, at);
    }
}

static inline void conv_compare(const conv_case *t, const char *what)
{
    const vrs_cuda_conv_desc *d = &t->desc;
    const vrs_conv_params p = reference_params(t);
    const int32_t step = pitch(d->output_pitch, d->k);
    const size_t bytes = result_bytes(d);
    const unsigned char *result = cuda_block_result(&t->output, what);
    for (int64_t i = 0; i < (int64_t)pixels_of(d->n, d->out_h, d->out_w); i++) {
        const int32_t n = (int32_t)(i / d->out_w / d->out_h);
        const int32_t y = (int32_t)(i / d->out_w % d->out_h), x = (int32_t)(i % d->out_w);
        for (int32_t k = 0; k < d->k; k++) {
            double size;
            const double value = vrs_conv_reference_at(&p, n, y, x, k, &size);
            compare_at(d, result, value, size, what, i * step + k);
        }
        for (size_t at = (size_t)d->k * bytes; at < (size_t)step * bytes; at++)
            assert_int_equal(result[(size_t)(i * step) * bytes + at], 0xa5);
    }
}

static inline int32_t channels(rng *r, int32_t most)
{
    return in(r, 0, 2) == 0 ? 64 * in(r, 1, (most + 63) / 64) : 8 * in(r, 1, most / 8);
}

/* Device and kernels; 0, or the status to exit with. */
static inline int open_conv(void)
{
    int result = cuda_fixture_open();
    if (result == 0 && vrs_cuda_conv_open(cuda_fixture_device(), &conv) != VRS_OK) {
        fprintf(stderr, "%s\n", vrs_last_error());
        return EXIT_FAILURE;
    }
    return result;
}

#endif
