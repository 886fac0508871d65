#include "pipeline/crops.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "kernels/kernels.h"

#define CELLS (VRS_CROPS_MAP * VRS_CROPS_MAP)
/* Of what was known, a frame: half of it is gone after 5 frames. */
#define KEPT 0.87F
/* Another place must show so much more before a crop goes there. */
#define CLEARLY 1.3F
/* Cells that a person fills at least: less is noise of the network. */
#define LEAST 0.05F
/* Part of a place's side at its edge, where it counts half: a mask is laid back with less weight.
 */
#define RIM 0.17

/* After which frame the places are these. */
typedef struct choice {
    uint64_t sequence; /* + 1; 0: none */
    int32_t places[VRS_CROPS_MOST];
} choice;

/* A frame that has ended and waits for those before it. */
typedef struct ended {
    uint64_t sequence; /* + 1 */
    bool good, restart;
    vrs_crops_seen seen;
} ended;

struct vrs_crops {
    vrs_eye eye;
    vrs_tile places[VRS_TILE_PLACES];
    int32_t place_count, crop_count, start[VRS_CROPS_MOST];
    uint8_t (*weight)[CELLS]; /* of each place: 0, 1 (its rim) or 2 */
    float map[CELLS];
    int32_t now[VRS_CROPS_MOST];
    uint64_t next; /* frame that is to be taken in */
    choice after[2 * VRS_CROPS_LAG];
    ended waiting[2 * VRS_CROPS_LAG];
};

static void find_weights(const vrs_crops *crops, int32_t place)
{
    for (int32_t i = 0; i < CELLS; i++) {
        const int32_t row = i / VRS_CROPS_MAP;
        const vrs_uv uv = {(i % VRS_CROPS_MAP + 0.5) / VRS_CROPS_MAP, (row + 0.5) / VRS_CROPS_MAP};
        double s = -1, t = -1;
        const bool found = vrs_tile_find(&crops->eye, &crops->places[place], uv, &s, &t);
        const double edge = fmin(fmin(s, 1 - s), fmin(t, 1 - t));
        crops->weight[place][i] = !found || edge < 0 ? 0 : (edge < RIM ? 1 : 2);
    }
}

/* Where nothing is known: ahead, then beside that. */
static void find_start(vrs_crops *crops)
{
    for (int32_t k = 0; k < crops->crop_count; k++) {
        double least = INFINITY;
        for (int32_t p = 0; p < crops->place_count; p++) {
            const vrs_tile *t = &crops->places[p];
            const bool flat = !vrs_eye_is_spherical(&crops->eye);
            const double x = flat ? t->left + t->width / 2 - 0.5 : t->yaw;
            const double y = flat ? t->top + t->height / 2 - 0.5 : t->pitch + 0.2;
            const double way = hypot(x, y);
            bool taken = false;
            for (int32_t j = 0; j < k; j++)
                taken = taken || crops->start[j] == p;
            if (!taken && way < least) {
                least = way;
                crops->start[k] = p;
            }
        }
    }
}

vrs_status vrs_crops_create(const vrs_eye *eye, const vrs_tile *places, int32_t place_count,
                            int32_t crop_count, vrs_crops **crops)
{
    vrs_crops *made = vrs_alloc(sizeof(*made));
    if (made == NULL)
        return VRS_NO_MEMORY;
    made->weight = vrs_alloc_array((size_t)place_count, CELLS);
    if (made->weight == NULL) {
        vrs_free(made);
        return VRS_NO_MEMORY;
    }
    made->eye = *eye;
    made->place_count = place_count;
    made->crop_count = crop_count < place_count ? crop_count : place_count;
    memcpy(made->places, places, (size_t)place_count * sizeof(*places));
    for (int32_t p = 0; p < place_count; p++)
        find_weights(made, p);
    find_start(made);
    memcpy(made->now, made->start, sizeof(made->now));
    *crops = made;
    return VRS_OK;
}

void vrs_crops_destroy(vrs_crops *crops)
{
    if (crops == NULL)
        return;
    vrs_free(crops->weight);
    vrs_free(crops);
}

/* ---- what a frame shows ---- */

static void add_cell(vrs_crops_seen *seen, int32_t cell, float share)
{
    if (share > seen->cells[cell])
        seen->cells[cell] = share;
}

void vrs_crops_add_eye(vrs_crops_seen *seen, const int16_t *mask, int32_t width, int32_t height,
                       ptrdiff_t stride)
{
    for (int32_t i = 0; i < CELLS; i++) {
        const int32_t x0 = i % VRS_CROPS_MAP * width / VRS_CROPS_MAP;
        const int32_t y0 = i / VRS_CROPS_MAP * height / VRS_CROPS_MAP;
        int32_t x1 = (i % VRS_CROPS_MAP + 1) * width / VRS_CROPS_MAP;
        int32_t y1 = (i / VRS_CROPS_MAP + 1) * height / VRS_CROPS_MAP;
        x1 = x1 > x0 ? x1 : x0 + 1;
        y1 = y1 > y0 ? y1 : y0 + 1;
        int64_t sum = 0;
        for (int32_t y = y0; y < y1; y++)
            for (int32_t x = x0; x < x1; x++)
                sum += mask[y * stride + x];
        const int64_t all = (int64_t)VRS_Q15_ONE * (x1 - x0) * (y1 - y0);
        add_cell(seen, i, (float)sum / (float)all);
    }
}

/* A cell's share by 3 x 3 samples of the place's mask. */
void vrs_crops_add_place(const vrs_crops *crops, vrs_crops_seen *seen, int32_t place,
                         const int16_t *mask, int32_t width, int32_t height, ptrdiff_t stride)
{
    for (int32_t i = 0; i < CELLS; i++) {
        int32_t sum = 0, count = 0;
        for (int32_t k = 0; k < 9 && crops->weight[place][i] > 0; k++) {
            const int32_t row = i / VRS_CROPS_MAP, part = k / 3;
            const vrs_uv uv = {(i % VRS_CROPS_MAP + (k % 3 + 0.5) / 3) / VRS_CROPS_MAP,
                               (row + (part + 0.5) / 3) / VRS_CROPS_MAP};
            double s, t;
            if (!vrs_tile_find(&crops->eye, &crops->places[place], uv, &s, &t) || s < 0 || t < 0 ||
                s >= 1 || t >= 1)
                continue;
            sum += mask[(int32_t)(t * height) * stride + (int32_t)(s * width)];
            count++;
        }
        if (count > 0)
            add_cell(seen, i, (float)sum / (float)(VRS_Q15_ONE * count));
    }
}

/* ---- where to look ---- */

static float shown(const vrs_crops *crops, const float *rest, int32_t place)
{
    float sum = 0;
    for (int32_t i = 0; i < CELLS; i++)
        sum += rest[i] * 0.5F * (float)crops->weight[place][i];
    return sum;
}

static void choose(vrs_crops *crops)
{
    float rest[CELLS];
    for (int32_t i = 0; i < CELLS; i++)
        rest[i] = crops->map[i] < LEAST ? 0 : crops->map[i];
    for (int32_t k = 0; k < crops->crop_count; k++) {
        int32_t best = crops->now[k];
        const float here = shown(crops, rest, best);
        float most = here * CLEARLY + LEAST;
        for (int32_t p = 0; p < crops->place_count; p++) {
            const float there = shown(crops, rest, p);
            if (there > most) {
                most = there;
                best = p;
            }
        }
        crops->now[k] = best;
        for (int32_t i = 0; i < CELLS; i++)
            rest[i] *= 1 - 0.5F * (float)crops->weight[best][i];
    }
}

static void take_in(vrs_crops *crops, const ended *frame)
{
    if (frame->restart) {
        memset(crops->map, 0, sizeof(crops->map));
        memcpy(crops->now, crops->start, sizeof(crops->now));
    }
    if (frame->good) {
        for (int32_t i = 0; i < CELLS; i++)
            crops->map[i] = fmaxf(KEPT * crops->map[i], frame->seen.cells[i]);
        choose(crops);
    }
    choice *after = &crops->after[crops->next % (2 * VRS_CROPS_LAG)];
    after->sequence = crops->next + 1;
    memcpy(after->places, crops->now, sizeof(after->places));
}

void vrs_crops_ended(vrs_crops *crops, uint64_t sequence, const vrs_crops_seen *seen, bool restart)
{
    ended *slot = &crops->waiting[sequence % (2 * VRS_CROPS_LAG)];
    slot->sequence = sequence + 1;
    slot->restart = restart;
    slot->good = seen != NULL;
    if (seen != NULL)
        slot->seen = *seen;
    for (;;) {
        const ended *first = &crops->waiting[crops->next % (2 * VRS_CROPS_LAG)];
        if (first->sequence != crops->next + 1)
            return;
        take_in(crops, first);
        crops->next++;
    }
}

void vrs_crops_places(const vrs_crops *crops, uint64_t sequence, uint64_t first,
                      int32_t places[VRS_CROPS_MOST + 2])
{
    const int32_t *from = crops->start;
    if (sequence >= first + VRS_CROPS_LAG) {
        const uint64_t known = sequence - VRS_CROPS_LAG;
        const choice *after = &crops->after[known % (2 * VRS_CROPS_LAG)];
        from = after->sequence == known + 1 ? after->places : from;
    }
    for (int32_t k = 0; k < crops->crop_count; k++)
        places[k] = from[k];
    /* The eyes' scouts are half of the way apart. */
    const uint64_t count = (uint64_t)crops->place_count;
    places[crops->crop_count] = (int32_t)(sequence % count);
    places[crops->crop_count + 1] = (int32_t)((sequence + count / 2) % count);
}
