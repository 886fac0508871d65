/* The kernels of steady masks of src/kernels/cuda/ in C: pictures get their borders, the reference
 * does the rest. Levels 1 and 2 are made again from level 0, where the kernels read them. */
#include "fake_cuda/kernels_steady.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_cuda/kernels_memory.h"
#include "kernels/cuda/params_steady.h"
#include "kernels/kernels.h"
#include "kernels/reference/steady.h"

static vrs_pyramid make_pyramid(const vrs_steady_params *p, uint64_t picture, void **storage)
{
    vrs_pyramid pyramid;
    *storage = take(vrs_pyramid_storage(p->width, p->height));
    vrs_pyramid_init(&pyramid, p->width, p->height, *storage);
    vrs_reference_pyramid(&pyramid, at(picture), p->width);
    return pyramid;
}

void fake_vrs_steady_halve(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    (void)block;
    const vrs_steady_params *p = params;
    for (uint32_t v = 0; v < grid[2]; v++) {
        void *storage;
        const vrs_pyramid pyramid = make_pyramid(p, p->view[v].picture, &storage);
        uint8_t *to = at(p->view[v].small);
        for (int l = 1; l < VRS_PYRAMID_LEVELS; l++)
            for (int32_t y = 0; y < pyramid.height[l]; y++, to += pyramid.width[l])
                memcpy(to, pyramid.level[l] + y * pyramid.stride[l], (size_t)pyramid.width[l]);
        free(storage);
    }
}

/* What the two kernels make together; each writes its own part. */
static void match(const vrs_steady_params *p, uint32_t views, bool coarse)
{
    const size_t large = (size_t)vrs_coarse_cells(p->width) * (size_t)vrs_coarse_cells(p->height);
    const size_t small = (size_t)vrs_cells(p->width) * (size_t)vrs_cells(p->height);
    vrs_motion *found = take((large + small) * sizeof(*found));
    for (uint32_t v = 0; v < views; v++) {
        const vrs_steady_view *view = &p->view[v];
        void *storage[2];
        uint64_t unlike = 0;
        if (view->past_picture == 0)
            continue;
        const vrs_pyramid now = make_pyramid(p, view->picture, &storage[0]);
        const vrs_pyramid before = make_pyramid(p, view->past_picture, &storage[1]);
        const vrs_match m = {&now, &before, found, found + large, &unlike};
        vrs_reference_match(&m);
        if (coarse) {
            memcpy(at(view->coarse), found, large * sizeof(*found));
            *(uint64_t *)at(view->unlike) += unlike;
        } else {
            memcpy(at(view->motion), found + large, small * sizeof(*found));
        }
        free(storage[0]);
        free(storage[1]);
    }
    free(found);
}

void fake_vrs_steady_coarse(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    (void)block;
    match(params, grid[2], true);
}

void fake_vrs_steady_fine(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    (void)block;
    match(params, grid[2], false);
}

static void follow(const vrs_steady_params *p, const vrs_steady_view *view, int16_t *result)
{
    void *storage[2];
    const vrs_pyramid now = make_pyramid(p, view->picture, &storage[0]);
    const vrs_pyramid before = make_pyramid(p, view->past_picture, &storage[1]);
    const vrs_follow f = {
        .now = &now,
        .before = &before,
        .motion = at(view->motion),
        .mask = at(view->mask),
        .past = at(view->past),
        .past_age = at(view->past_age),
        .result = result,
        .age = at(view->age),
        .share = p->share,
        .unlike = p->unlike,
        .disbelief = p->disbelief,
    };
    vrs_reference_follow(&f, NULL);
    free(storage[0]);
    free(storage[1]);
}

void fake_vrs_steady_follow(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    (void)block;
    const vrs_steady_params *p = params;
    const size_t pixels = (size_t)p->width * (size_t)p->height;
    for (uint32_t v = 0; v < grid[2]; v++) {
        const vrs_steady_view *view = &p->view[v];
        int16_t *result = at(view->result);
        if (view->past_picture != 0 && *(const uint64_t *)at(view->unlike) < p->cut) {
            follow(p, view, result);
        } else {
            memmove(result, at(view->mask), pixels * sizeof(*result));
            if (view->age != 0)
                memset(at(view->age), 1, pixels);
        }
        for (int32_t y = view->y; y < view->y + view->height && view->sum != 0; y++)
            for (int32_t x = view->x; x < view->x + view->width; x++)
                *(uint64_t *)at(view->sum) += (uint64_t)result[(ptrdiff_t)y * p->width + x];
    }
}

void fake_vrs_steady_follow_four(const void *params, const uint32_t grid[3],
                                 const uint32_t block[3])
{
    fake_vrs_steady_follow(params, grid, block);
}
