/* Speed of the postprocess kernels, each instruction set beside memcpy of as many bytes, as JSON.
 *
 * Frames are random and rotated through more memory than a second-level cache holds, as in a run
 * where each ticket has a frame of its own. Rounds are interleaved; values are medians. "gb_s"
 * counts the bytes that a job must read and write, without intermediate rows; the peer is memcpy of
 * half of them. Usage: kernels_postprocess [ROUNDS] */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "kernels/kernels.h"
#include "vr/unroll.h"
#include "vrseg/system.h"

#define WIDTH 1280
#define HEIGHT 720
#define MASK_WIDTH 256
#define MASK_HEIGHT 144
#define SCORES_SIDE 513
#define SCORES_CLASSES 21
#define SCORES_COUNT ((size_t)SCORES_SIDE * SCORES_SIDE * SCORES_CLASSES)
#define LUMA_BYTES ((size_t)WIDTH * HEIGHT)
#define FRAME_BYTES (LUMA_BYTES * 3 / 2)
#define FRAMES 12
#define STRIP 16
#define EYE 3072
#define EYE_FRAMES 3
#define MOST_ROUNDS 1000
#define DEFAULT_ROUNDS 31

typedef struct bench_data {
    uint8_t *src[FRAMES], *dst[FRAMES];
    int16_t *mask, *state, *q15, *chroma, *strip;
    uint8_t *guide, *classes;
    float *slope, *offset, *scores;
    vrs_upsample up, up_scores;
    void *storage, *storage_scores, *scratch;
    uint8_t *eye_src[EYE_FRAMES], *eye_dst[EYE_FRAMES];
    int32_t *eye_grid[2]; /* of luma, of chroma and a smaller mask */
    vrs_unroll_size eye[2];
} bench_data;

typedef void (*job_fn)(const vrs_kernels *k, const bench_data *d, int frame);

typedef struct job {
    const char *name;
    job_fn run;
    double pixels, bytes;
    double target_ms; /* for SIMD; 0: none is set */
} job;

static void *require(void *block)
{
    if (block == NULL) {
        fprintf(stderr, "kernels_postprocess: %s\n", vrs_last_error());
        exit(EXIT_FAILURE);
    }
    return block;
}

static uint32_t random_next(void)
{
    static uint64_t state = 0x9E3779B97F4A7C15U;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}

/* Chroma of one pair of rows and both its planes. */
static void blend_chroma(const vrs_kernels *k, const bench_data *d, int frame, int32_t y)
{
    const size_t width = WIDTH / 2;
    const int16_t *row = d->strip + (ptrdiff_t)(y % STRIP) * WIDTH;
    k->chroma_alpha(row, row + WIDTH, d->chroma, WIDTH);
    for (size_t plane = 0; plane < 2; plane++) {
        const size_t at = LUMA_BYTES + plane * LUMA_BYTES / 4 + (size_t)(y / 2) * width;
        k->blend8(d->src[frame] + at, d->chroma, d->dst[frame] + at, width, 90);
    }
}

static void blend_strip(const vrs_kernels *k, const bench_data *d, int frame, int32_t begin)
{
    for (int32_t y = begin; y < begin + STRIP; y++) {
        const size_t at = (size_t)y * WIDTH;
        k->blend8(d->src[frame] + at, d->strip + (ptrdiff_t)(y - begin) * WIDTH, d->dst[frame] + at,
                  WIDTH, 145);
        if (y % 2 == 0)
            blend_chroma(k, d, frame, y);
    }
}

static void run_compose(const vrs_kernels *k, const bench_data *d, int frame)
{
    for (int32_t y = 0; y < HEIGHT; y += STRIP) {
        k->upsample(&d->up, d->mask, MASK_WIDTH, y, y + STRIP, d->strip, WIDTH, d->scratch);
        blend_strip(k, d, frame, y);
    }
}

static void run_refined(const vrs_kernels *k, const bench_data *d, int frame)
{
    const vrs_luma luma = {d->src[frame], WIDTH, 1, 0, 1.0f / 219, -16.0f / 219};
    for (int32_t y = 0; y < HEIGHT; y += STRIP) {
        k->refine(&d->up, d->slope, d->offset, MASK_WIDTH, &luma, y, y + STRIP, d->strip, WIDTH,
                  d->scratch);
        blend_strip(k, d, frame, y);
    }
}

static void run_mask(const vrs_kernels *k, const bench_data *d, int frame)
{
    for (int32_t y = 0; y < HEIGHT; y += STRIP) {
        k->upsample(&d->up, d->mask, MASK_WIDTH, y, y + STRIP, d->strip, WIDTH, d->scratch);
        k->store8(d->strip, d->dst[frame] + (size_t)y * WIDTH, (size_t)STRIP * WIDTH);
    }
}

static void run_upsample(const vrs_kernels *k, const bench_data *d, int frame)
{
    (void)frame;
    k->upsample(&d->up, d->mask, MASK_WIDTH, 0, HEIGHT, d->q15, WIDTH, d->scratch);
}

static void run_blend8(const vrs_kernels *k, const bench_data *d, int frame)
{
    k->blend8(d->src[frame], d->q15, d->dst[frame], LUMA_BYTES, 145);
}

static void run_blend10(const vrs_kernels *k, const bench_data *d, int frame)
{
    const void *src = d->src[frame];
    void *dst = d->dst[frame];
    k->blend10(src, d->q15, dst, LUMA_BYTES / 2, 580, 6);
}

static void run_blend_uv8(const vrs_kernels *k, const bench_data *d, int frame)
{
    k->blend_uv8(d->src[frame], d->q15, d->dst[frame], d->dst[frame] + LUMA_BYTES / 2,
                 LUMA_BYTES / 2, 90, 200);
}

static void run_smooth(const vrs_kernels *k, const bench_data *d, int frame)
{
    (void)frame;
    k->smooth(d->state, d->mask, (size_t)MASK_WIDTH * MASK_HEIGHT, 20000);
}

static void run_feather(const vrs_kernels *k, const bench_data *d, int frame)
{
    (void)frame;
    k->feather(d->q15, WIDTH, WIDTH, HEIGHT, 4, d->scratch);
}

static void run_guided(const vrs_kernels *k, const bench_data *d, int frame)
{
    (void)frame;
    const vrs_guided guided = {MASK_WIDTH, MASK_HEIGHT, d->mask, MASK_WIDTH, d->guide,
                               MASK_WIDTH, 4,           1e-4f,   d->slope,   d->offset};
    k->guided(&guided, d->scratch);
}

static void run_person(const vrs_kernels *k, const bench_data *d, bool last, vrs_activation kind)
{
    const int32_t side = SCORES_SIDE, classes = kind == VRS_ACTIVATION_SOFTMAX ? SCORES_CLASSES : 1;
    const vrs_scores scores = {.data = d->scores,
                               .classes = classes,
                               .width = side,
                               .height = side,
                               .class_stride = last ? 1 : (ptrdiff_t)side * side,
                               .row_stride = last ? (ptrdiff_t)side * classes : side,
                               .column_stride = last ? classes : 1,
                               .activation = kind,
                               .person_classes = classes == 1 ? 1 : 1U << 15};
    k->person(&scores, d->q15, side);
}

static void run_softmax(const vrs_kernels *k, const bench_data *d, int frame)
{
    (void)frame;
    run_person(k, d, false, VRS_ACTIVATION_SOFTMAX);
}

static void run_softmax_last(const vrs_kernels *k, const bench_data *d, int frame)
{
    (void)frame;
    run_person(k, d, true, VRS_ACTIVATION_SOFTMAX);
}

static void run_sigmoid(const vrs_kernels *k, const bench_data *d, int frame)
{
    (void)frame;
    run_person(k, d, false, VRS_ACTIVATION_SIGMOID);
}

static void run_classes(const vrs_kernels *k, const bench_data *d, int frame)
{
    const int32_t side = SCORES_SIDE;
    const vrs_scores scores = {.data = d->scores,
                               .classes = SCORES_CLASSES,
                               .width = side,
                               .height = side,
                               .class_stride = (ptrdiff_t)side * side,
                               .row_stride = side,
                               .column_stride = 1};
    for (int32_t y = 0; y < HEIGHT; y += STRIP)
        k->classes(&d->up_scores, &scores, y, y + STRIP, d->dst[frame] + (size_t)y * WIDTH, WIDTH,
                   d->scratch);
}

/* A plane of an eye that is made a fisheye: luma, or one of chroma pairs. */
static void run_unroll_plane(const vrs_kernels *k, const bench_data *d, int frame, int chroma)
{
    vrs_unroll u = {.size = d->eye[chroma],
                    .grid = d->eye_grid[chroma],
                    .src = d->eye_src[frame % EYE_FRAMES],
                    .dst = d->eye_dst[frame % EYE_FRAMES],
                    .src_stride = EYE,
                    .dst_stride = d->eye[chroma].width,
                    .sample_bytes = 1,
                    .src_step = 1 + chroma,
                    .outside = 16};
    k->unroll(&u, 0, u.size.height);
}

static void run_unroll_luma(const vrs_kernels *k, const bench_data *d, int frame)
{
    run_unroll_plane(k, d, frame, 0);
}

static void run_unroll_chroma(const vrs_kernels *k, const bench_data *d, int frame)
{
    run_unroll_plane(k, d, frame, 1);
}

static void run_unroll_mask(const vrs_kernels *k, const bench_data *d, int frame)
{
    const vrs_unroll u = {.size = d->eye[1],
                          .grid = d->eye_grid[1],
                          .src = d->eye_src[frame % EYE_FRAMES],
                          .dst = d->eye_dst[frame % EYE_FRAMES],
                          .src_stride = EYE,
                          .dst_stride = EYE,
                          .sample_bytes = 2,
                          .src_step = 1};
    k->unroll(&u, 0, u.size.height);
}

static const double small = (double)MASK_WIDTH * MASK_HEIGHT;
static const double large = (double)WIDTH * HEIGHT;
static const double eye = (double)EYE * EYE;
static const double side_squared = (double)SCORES_SIDE * SCORES_SIDE;

static int list_jobs(job *jobs)
{
    const job all[] = {
        {"720p composite, yuv420p, strips", run_compose, large, 3 * large, 0.35},
        {"720p refined composite, yuv420p, strips", run_refined, large, 3 * large, 0.7},
        {"720p mask, gray8, strips", run_mask, large, large, 0},
        {"upsample 256x144 to 720p", run_upsample, large, 2 * large, 0},
        {"blend8 720p", run_blend8, large, 4 * large, 0},
        {"blend10 720p, half the rows", run_blend10, large / 2, 3 * large, 0},
        {"blend_uv8, 360 rows of 1280 pairs", run_blend_uv8, large / 2, 3 * large, 0},
        {"smooth 256x144", run_smooth, small, 8 * small, 0},
        {"feather 720p, radius 4", run_feather, large, 4 * large, 0},
        {"guided 256x144, radius 4", run_guided, small, 11 * small, 0.5},
        {"softmax 513x513x21 NCHW", run_softmax, side_squared, 86 * side_squared, 0},
        {"softmax 513x513x21 NHWC", run_softmax_last, side_squared, 86 * side_squared, 0},
        {"sigmoid 513x513", run_sigmoid, side_squared, 6 * side_squared, 0},
        {"classes 513x513x21 to 720p, strips", run_classes, large, large + 84 * side_squared, 0},
        {"to a fisheye, luma 3072x3072", run_unroll_luma, eye, 2 * eye, 0},
        {"to a fisheye, one of pairs 1536x1536", run_unroll_chroma, eye / 4, 3 * eye / 4, 0},
        {"to a fisheye, mask 1536x1536", run_unroll_mask, eye / 4, eye, 0},
    };
    memcpy(jobs, all, sizeof(all));
    return (int)(sizeof(all) / sizeof(all[0]));
}

static void fill(bench_data *d)
{
    for (int f = 0; f < FRAMES; f++) {
        d->src[f] = require(vrs_alloc_aligned(FRAME_BYTES));
        d->dst[f] = require(vrs_alloc_aligned(FRAME_BYTES));
        for (size_t i = 0; i < FRAME_BYTES; i++)
            d->src[f][i] = (uint8_t)random_next();
    }
    for (size_t i = 0; i < (size_t)MASK_WIDTH * MASK_HEIGHT; i++) {
        d->mask[i] = (int16_t)(random_next() % 32768);
        d->guide[i] = (uint8_t)random_next();
    }
    for (size_t i = 0; i < LUMA_BYTES; i++)
        d->q15[i] = (int16_t)(random_next() % 32768);
    for (size_t i = 0; i < SCORES_COUNT; i++)
        d->scores[i] = (float)(random_next() % 20000) * 1e-3f - 10;
}

static void open_eyes(bench_data *d)
{
    vrs_layout layout = vrs_layout_flat();
    if (vrs_layout_set_projection(&layout, "half-equirect") != VRS_OK)
        exit(EXIT_FAILURE);
    for (int k = 0; k < 2; k++) {
        const int32_t side = EYE >> k, cell = vrs_unroll_cell(side, side);
        d->eye[k] = (vrs_unroll_size){side, side, cell, (side >> cell) + 2};
        d->eye_grid[k] =
            require(vrs_alloc_array((size_t)vrs_unroll_nodes(side, side), 2 * sizeof(int32_t)));
        vrs_unroll_fill(&layout, side, side, d->eye_grid[k]);
    }
    for (int f = 0; f < EYE_FRAMES; f++) {
        d->eye_src[f] = require(vrs_alloc_aligned((size_t)EYE * EYE));
        d->eye_dst[f] = require(vrs_alloc_aligned((size_t)EYE * EYE));
        for (size_t i = 0; i < (size_t)EYE * EYE; i++)
            d->eye_src[f][i] = (uint8_t)random_next();
    }
}

static void close_eyes(bench_data *d)
{
    for (int k = 0; k < 2; k++)
        vrs_free(d->eye_grid[k]);
    for (int f = 0; f < EYE_FRAMES; f++) {
        vrs_free(d->eye_src[f]);
        vrs_free(d->eye_dst[f]);
    }
}

static void open_data(bench_data *d)
{
    const size_t pixels = (size_t)MASK_WIDTH * MASK_HEIGHT;
    d->mask = require(vrs_alloc_aligned(pixels * sizeof(int16_t)));
    d->state = require(vrs_alloc_aligned(pixels * sizeof(int16_t)));
    d->guide = require(vrs_alloc_aligned(pixels));
    d->slope = require(vrs_alloc_aligned(pixels * sizeof(float)));
    d->offset = require(vrs_alloc_aligned(pixels * sizeof(float)));
    d->q15 = require(vrs_alloc_aligned(LUMA_BYTES * sizeof(int16_t)));
    d->chroma = require(vrs_alloc_aligned(WIDTH / 2 * sizeof(int16_t)));
    d->strip = require(vrs_alloc_aligned((size_t)STRIP * WIDTH * sizeof(int16_t)));
    d->scores = require(vrs_alloc_aligned(SCORES_COUNT * sizeof(float)));
    d->scratch = require(vrs_alloc_aligned(vrs_feather_scratch(WIDTH, HEIGHT)));
    d->storage = require(vrs_alloc_aligned(vrs_upsample_storage(WIDTH, HEIGHT)));
    d->storage_scores = require(vrs_alloc_aligned(vrs_upsample_storage(WIDTH, HEIGHT)));
    vrs_upsample_init(&d->up, MASK_WIDTH, MASK_HEIGHT, WIDTH, HEIGHT, d->storage);
    vrs_upsample_init(&d->up_scores, SCORES_SIDE, SCORES_SIDE, WIDTH, HEIGHT, d->storage_scores);
    fill(d);
    open_eyes(d);
    run_guided(vrs_kernels_get(VRS_ISA_REFERENCE), d, 0); /* real coefficients */
}

static void close_data(bench_data *d)
{
    void *blocks[] = {d->mask,   d->state, d->guide,  d->slope,   d->offset,  d->q15,
                      d->chroma, d->strip, d->scores, d->scratch, d->storage, d->storage_scores};
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
        vrs_free(blocks[i]);
    close_eyes(d);
    for (int f = 0; f < FRAMES; f++) {
        vrs_free(d->src[f]);
        vrs_free(d->dst[f]);
    }
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_ms(double *ms, int count)
{
    qsort(ms, (size_t)count, sizeof(*ms), compare);
    return ms[count / 2];
}

/* memcpy of `bytes` out of the rotated frames. */
static void copy(const bench_data *d, int round, size_t bytes)
{
    for (int frame = round; bytes > 0; frame++) {
        const size_t part = bytes < FRAME_BYTES ? bytes : FRAME_BYTES;
        memcpy(d->dst[frame % FRAMES], d->src[frame % FRAMES], part);
        bytes -= part;
    }
}

static void run_job(const job *j, const bench_data *d, int rounds, bool *first)
{
    static double ms[VRS_ISA_AVX512 + 2][MOST_ROUNDS];
    const int best = (int)vrs_isa_detect(), memory = VRS_ISA_AVX512 + 1;
    for (int round = 0; round < rounds; round++) {
        for (int isa = 0; isa <= best; isa++) {
            const int64_t begin = vrs_now_ns();
            j->run(vrs_kernels_get((vrs_isa)isa), d, (round * (best + 1) + isa) % FRAMES);
            ms[isa][round] = (double)(vrs_now_ns() - begin) * 1e-6;
        }
        const int64_t begin = vrs_now_ns();
        copy(d, round, (size_t)(j->bytes / 2));
        ms[memory][round] = (double)(vrs_now_ns() - begin) * 1e-6;
    }
    const double peer = median_ms(ms[memory], rounds);
    static const char *const sets[] = {"reference", "avx2", "avx512"};
    for (int isa = 0; isa <= best; isa++) {
        const double value = median_ms(ms[isa], rounds);
        printf("%s\n  {\"name\": \"%s, %s\", \"value\": %.4f, \"unit\": \"ms\", ",
               *first ? "" : ",", j->name, sets[isa], value);
        printf("\"better\": \"lower\", \"peer\": \"memcpy\", \"peer_value\": %.4f, ", peer);
        if (j->target_ms > 0 && isa > 0)
            printf("\"target\": %.2f, ", j->target_ms);
        printf("\"lowest\": %.4f, \"ns_pixel\": %.4f, \"gb_s\": %.2f, \"memcpy_gb_s\": %.2f, ",
               ms[isa][0], value * 1e6 / j->pixels, j->bytes / value * 1e-6,
               j->bytes / peer * 1e-6);
        printf("\"runs\": %d}", rounds);
        *first = false;
    }
}

int main(int argc, char **argv)
{
    const int rounds = argc > 1 ? atoi(argv[1]) : DEFAULT_ROUNDS;
    if (argc > 2 || rounds < 1 || rounds > MOST_ROUNDS) {
        fprintf(stderr, "usage: kernels_postprocess [ROUNDS]  (1 to %d)\n", MOST_ROUNDS);
        return 2;
    }
    bench_data data = {0};
    job jobs[32];
    bool first = true;
    open_data(&data);
    printf("{\"bench\": \"kernels_postprocess\", \"rows\": [");
    for (int i = 0, count = list_jobs(jobs); i < count; i++)
        run_job(&jobs[i], &data, rounds, &first);
    printf("\n]}\n");
    close_data(&data);
    return 0;
}
