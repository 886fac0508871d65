/* Steady masks: pictures in three sizes, the motion between two, and masks that follow it, at
 * 512x512. A view's pictures are noise over waves that move by some pixels, so that every cell is
 * matched to the end, and nothing is a cut. The floor is the bytes in and out once; what the match
 * has to do are differences of bytes. */
#include "kernels_cuda.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/cuda/postprocess_launch_steady.h"
#include "kernels/steady.h"

#define SIDE 512
#define PIXELS ((size_t)SIDE * SIDE)
#define CELLS ((SIDE + VRS_CELL - 1) / VRS_CELL)
#define VIEWS 64 /* in turn, 2.7 MB each */
#define LARGE 8  /* batch */

typedef struct bench_state {
    bench_cuda *bench;
    vrs_cuda_steady kernels;
    vrs_steady_view view[VIEWS];
    int32_t count;
} bench_state;

static vrs_steady_params params_of(const bench_state *s, int rotation)
{
    vrs_steady_params p = {.width = SIDE,
                           .height = SIDE,
                           .unlike = VRS_FOLLOW_UNLIKE,
                           .disbelief = VRS_FOLLOW_DISBELIEF};
    vrs_follow_shares(4915, p.share);
    for (int32_t v = 0; v < s->count; v++)
        p.view[v] = s->view[(rotation * s->count + v) % VIEWS];
    return p;
}

static void run_halve(void *ctx, int rotation)
{
    const bench_state *s = ctx;
    const vrs_steady_params p = params_of(s, rotation);
    bench_require(vrs_cuda_steady_halve(&s->kernels, bench_cuda_stream(s->bench), &p, s->count));
}

static void run_match(void *ctx, int rotation)
{
    const bench_state *s = ctx;
    const vrs_steady_params p = params_of(s, rotation);
    bench_require(vrs_cuda_steady_match(&s->kernels, bench_cuda_stream(s->bench), &p, s->count));
}

/* `unlike` grows with each match that is measured, until all looks like a cut; `sum` stays 0, as no
 * content is named. */
static void run_follow(void *ctx, int rotation)
{
    const bench_state *s = ctx;
    vrs_steady_params p = params_of(s, rotation);
    for (int32_t v = 0; v < s->count; v++)
        p.view[v].unlike = p.view[v].sum;
    bench_require(vrs_cuda_steady_follow(&s->kernels, bench_cuda_stream(s->bench), &p, s->count));
}

static void upload_picture(const bench_state *s, vrs_device_ptr to, float right, float down)
{
    uint8_t *picture = malloc(PIXELS);
    if (picture == NULL)
        exit(EXIT_FAILURE);
    uint32_t random = 12345;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const float u = (float)x + right, v = (float)y + down;
            random = random * 1664525 + 1013904223;
            picture[y * SIDE + x] =
                (uint8_t)(128 + 50 * sinf(u * 0.13f) * cosf(v * 0.17f) +
                          30 * sinf(u * 0.031f + v * 0.05f) + (float)(random >> 30));
        }
    bench_require(vrs_device_upload(bench_cuda_stream(s->bench), to, picture, PIXELS));
    bench_cuda_finish(s->bench);
    free(picture);
}

static void make_view(const bench_state *s, vrs_steady_view *v, int number)
{
    const size_t small = (size_t)vrs_steady_small_bytes(SIDE, SIDE);
    const uint64_t mask = 0x7fff7fff7fff7fff, ages = 0x0707070707070707;
    *v = (vrs_steady_view){
        .picture = bench_cuda_random(s->bench, PIXELS, 0),
        .small = bench_cuda_random(s->bench, small, 0),
        .past_picture = bench_cuda_random(s->bench, PIXELS, 0),
        .past_small = bench_cuda_random(s->bench, small, 0),
        .coarse = bench_cuda_random(s->bench, sizeof(vrs_motion) * CELLS * CELLS, 0),
        .motion = bench_cuda_random(s->bench, sizeof(vrs_motion) * CELLS * CELLS, 0),
        .unlike = bench_cuda_random(s->bench, 8, 0),
        .mask = bench_cuda_random(s->bench, 2 * PIXELS, mask),
        .past = bench_cuda_random(s->bench, 2 * PIXELS, mask),
        .result = bench_cuda_random(s->bench, 2 * PIXELS, mask),
        .past_age = bench_cuda_random(s->bench, PIXELS, ages),
        .age = bench_cuda_random(s->bench, PIXELS, ages),
        .sum = bench_cuda_random(s->bench, 8, 0),
    };
    upload_picture(s, v->picture, 0, 0);
    upload_picture(s, v->past_picture, 5.5f + (float)(number % 3), 3.25f);
    vrs_steady_params p = {.width = SIDE, .height = SIDE, .view = {*v}};
    p.view[0].picture = v->past_picture;
    p.view[0].small = v->past_small;
    vrs_device_stream *stream = bench_cuda_stream(s->bench);
    bench_require(vrs_cuda_steady_halve(&s->kernels, stream, &p, 1));
    p.view[0] = *v;
    bench_require(vrs_cuda_steady_halve(&s->kernels, stream, &p, 1));
    bench_require(vrs_cuda_steady_match(&s->kernels, stream, &p, 1));
    bench_cuda_finish(s->bench);
}

void bench_cuda_steady(bench_cuda *bench)
{
    static bench_state state;
    static const struct {
        const char *name;
        void (*run)(void *ctx, int rotation);
        double bytes; /* a pixel */
    } rows[] = {{"steady/picture in three sizes", run_halve, 1 + 5.0 / 16},
                {"steady/motion", run_match, 2 * (1 + 5.0 / 16) + 4.0 / 64},
                {"steady/masks along the motion", run_follow, 2 + 3 * 2 + 2 + 4.0 / 64}};
    bool opened = false;
    state.bench = bench;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (int32_t count = 1; count <= LARGE; count += LARGE - 1) {
            char name[128];
            (void)snprintf(name, sizeof(name), "%s, 512x512, B%d", rows[i].name, count);
            if (!opened && bench_cuda_wants(bench, name)) {
                bench_require(vrs_cuda_steady_open(bench_cuda_device(bench), &state.kernels));
                for (int v = 0; v < VIEWS; v++)
                    make_view(&state, &state.view[v], v);
                opened = true;
            }
            state.count = count;
            bench_cuda_measure(bench, &(bench_call){.name = name,
                                                    .run = rows[i].run,
                                                    .ctx = &state,
                                                    .bytes = rows[i].bytes * (double)PIXELS * count,
                                                    .times_floor = 1.5});
        }
}
