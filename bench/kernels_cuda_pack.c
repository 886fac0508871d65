/* Frames for players: 8192x4096, masks of that size, from SETS sets of random data in turn. The
 * floor is the bytes in and out once: of packing those in the circles alone. */
#include "kernels_cuda.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernels/cuda/pack_launch.h"
#include "kernels/pack.h"
#include "vr/unroll.h"

#define WIDTH 8192
#define HEIGHT 4096
#define SETS 4
#define SPAN ((size_t)WIDTH * HEIGHT)

typedef struct bench_set {
    vrs_device_ptr source, target, mask, fish; /* of up to 3 bytes a pixel; Q15 */
} bench_set;

typedef struct bench_state {
    bench_cuda *bench;
    vrs_device_stream *stream;
    vrs_cuda_packing kernels;
    bench_set set[SETS];
    vrs_device_ptr grids[2];
    vrs_unroll_size eye[2];
} bench_state;

typedef struct bench_job {
    bench_state *state;
    int32_t deep, red, copies;
} bench_job;

static void run_pack(void *ctx, int rotation)
{
    const bench_job *j = ctx;
    bench_state *s = j->state;
    const bench_set *set = &s->set[rotation % SETS];
    const int64_t bytes = j->deep ? 2 : 1;
    const vrs_color color = {.matrix = VRS_MATRIX_BT709, .range = VRS_RANGE_LIMITED};
    vrs_pack_params p = {.view = {{0}}};
    p.view[0] = (vrs_pack_view){
        .mask = set->mask,
        .dst = {set->target, set->target + SPAN * (size_t)bytes,
                set->target + SPAN * (size_t)bytes * 5 / 4},
        .mask_stride = 2 * WIDTH,
        .dst_stride = {WIDTH * bytes, WIDTH / 2 * bytes, WIDTH / 2 * bytes},
        .width = WIDTH,
        .height = HEIGHT,
        .sample_bytes = (int32_t)bytes,
        .codes = vrs_pack_codes_of(color, j->deep ? 10 : 8, j->red),
    };
    bench_require(vrs_cuda_pack(&s->kernels, s->stream, &p, 1));
}

/* NV12 or P010 to planes, and the mask, as a run does: eight parts. */
static void run_unroll(void *ctx, int rotation)
{
    const bench_job *j = ctx;
    bench_state *s = j->state;
    const bench_set *set = &s->set[rotation % SETS];
    const size_t bytes = j->deep ? 2 : 1;
    vrs_unroll_params p = {.view = {{0}}};
    int32_t count = 0;
    for (size_t eye = 0; eye < 2; eye++)
        for (int plane = 0; plane < 4; plane++) {
            const int k = plane == 1 || plane == 2;
            const size_t width = (size_t)s->eye[k].width, part = plane == 3 ? 2 : bytes;
            const size_t step = k ? 2 : 1, offset = plane == 0 ? 0 : SPAN * bytes;
            p.view[count++] = (vrs_unroll_view){
                .grid = j->copies ? 0 : s->grids[k],
                .src = (plane == 3 ? set->mask : set->source + offset) + eye * width * step * part +
                       (plane == 2 ? part : 0),
                .dst = (plane == 3 ? set->fish : set->target + offset) + eye * width * part +
                       (plane == 2 ? SPAN / 4 * bytes : 0),
                .src_stride = (int64_t)(WIDTH * part),
                .dst_stride = (int64_t)((k ? WIDTH / 2 : WIDTH) * part),
                .size = s->eye[k],
                .sample_bytes = (int32_t)part,
                .src_step = (int32_t)step,
                .src_shift = j->deep && plane != 3 ? 6 : 0,
                .outside = plane == 0 ? 16 : 128,
            };
        }
    bench_require(vrs_cuda_unroll(&s->kernels, s->stream, &p, count));
}

static void open_data(bench_state *s)
{
    vrs_layout layout = vrs_layout_flat();
    bench_require(vrs_layout_set_projection(&layout, "half-equirect"));
    bench_require(vrs_cuda_packing_open(bench_cuda_device(s->bench), &s->kernels));
    for (int i = 0; i < SETS; i++) {
        s->set[i].source = bench_cuda_random(s->bench, SPAN * 3, 0xffc0ffc0ffc0ffc0u);
        s->set[i].target = bench_cuda_random(s->bench, SPAN * 3, ~UINT64_C(0));
        s->set[i].mask = bench_cuda_random(s->bench, SPAN * 2, 0x7fff7fff7fff7fffu);
        s->set[i].fish = bench_cuda_random(s->bench, SPAN * 2, 0x7fff7fff7fff7fffu);
    }
    for (int k = 0; k < 2; k++) {
        const int32_t width = WIDTH / 2 >> k, height = HEIGHT >> k;
        const size_t bytes = (size_t)vrs_unroll_nodes(width, height) * 2 * sizeof(int32_t);
        int32_t *grid = malloc(bytes);
        if (grid == NULL)
            exit(EXIT_FAILURE);
        const int32_t cell = vrs_unroll_cell(width, height);
        s->eye[k] = (vrs_unroll_size){width, height, cell, (width >> cell) + 2};
        vrs_unroll_fill(&layout, width, height, grid);
        s->grids[k] = bench_cuda_random(s->bench, bytes, 0);
        bench_require(vrs_device_upload(s->stream, s->grids[k], grid, bytes));
        bench_cuda_finish(s->bench);
        free(grid);
    }
}

void bench_cuda_pack(bench_cuda *bench)
{
    static const double pixels = (double)WIDTH * HEIGHT, circles = 0.7854;
    bench_state state = {.bench = bench, .stream = bench_cuda_stream(bench)};
    const struct {
        const char *name;
        void (*run)(void *ctx, int rotation);
        double bytes;
        bench_job job;
    } rows[] = {
        {"pack/grey, yuv420p", run_pack, pixels * circles * (2 + 0.16 * 1.5), {.deep = 0}},
        {"pack/red, yuv420p", run_pack, pixels * circles * (2 + 0.16 * 1.5), {.red = 1}},
        {"pack/grey, yuv420p10", run_pack, pixels * circles * (2 + 0.16 * 3), {.deep = 1}},
        {"pack/half-equirect to fisheye with mask, nv12", run_unroll, pixels * 7, {.deep = 0}},
        {"pack/half-equirect to fisheye with mask, p010", run_unroll, pixels * 10, {.deep = 1}},
        {"pack/copy with mask, nv12", run_unroll, pixels * 7, {.copies = 1}},
    };
    bool opened = false;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bench_job job = rows[i].job;
        char name[128];
        job.state = &state;
        (void)snprintf(name, sizeof(name), "%s, 8192x4096", rows[i].name);
        if (!opened && bench_cuda_wants(bench, name)) {
            open_data(&state);
            opened = true;
        }
        bench_cuda_measure(bench, &(bench_call){.name = name,
                                                .run = rows[i].run,
                                                .ctx = &job,
                                                .bytes = rows[i].bytes,
                                                .times_floor = 2});
    }
}
