/* Who computes what of dilated 3x3 convolutions. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "kernels/cuda/conv_internal.h"
#include "kernels/cuda/conv_launch.h"

#define MASKS 512
#define ACROSS 256 /* output channels of an item */

/* What no range is shorter than, where work is cut, and what cutting costs: storing sums and adding
 * them up took as long as 30 to 50 steps on an H200. */
#define SHORTEST 8
#define CUT_STEPS 40

typedef struct work {
    int32_t pair, branch, across;
    int32_t steps;
    uint32_t mask;
} work;

typedef struct builder {
    const vrs_taps_desc *desc;
    vrs_taps_plan *plan;
    int32_t rows, columns; /* blocks of a picture */
    int32_t pairs;         /* of a branch */
    int32_t works;
    work *work;
    int32_t *load; /* of each cluster */
    int32_t *ranges;
    vrs_taps_item *items;
    vrs_taps_block *blocks;
    vrs_taps_sum *sums;
} builder;

/* Bits of -1, 0 and 1 for which `size` samples from `first` on, moved by so many times `dilation`,
 * meet [0, limit). */
static uint32_t moves(int32_t first, int32_t limit, int32_t dilation)
{
    const int32_t last = first + VRS_TAPS_BLOCK < limit ? first + VRS_TAPS_BLOCK - 1 : limit - 1;
    return (last - dilation >= 0 ? 1U : 0) | 2U | (first + dilation < limit ? 4U : 0);
}

/* Taps of a block as bits ky * 3 + kx. */
static uint32_t taps_of(const builder *b, int32_t branch, int32_t row, int32_t column)
{
    const int32_t dilation = b->desc->dilation[branch];
    const uint32_t y = moves(row * VRS_TAPS_BLOCK, b->desc->h, dilation);
    const uint32_t x = moves(column * VRS_TAPS_BLOCK, b->desc->w, dilation);
    return ((y & 1) != 0 ? x : 0) | ((y & 2) != 0 ? x << 3 : 0) | ((y & 4) != 0 ? x << 6 : 0);
}

/* Places a branch's blocks that need the taps `mask`; `placed` are before them. */
static int32_t place_mask(const builder *b, int32_t branch, uint32_t mask, vrs_taps_block *to,
                          int32_t placed)
{
    for (int32_t row = 0; row < b->rows; row++) {
        for (int32_t column = 0; column < b->columns; column++) {
            if (taps_of(b, branch, row, column) != mask)
                continue;
            for (int32_t n = 0; n < b->desc->n; n++)
                to[placed++] =
                    (vrs_taps_block){n, row * VRS_TAPS_BLOCK, column * VRS_TAPS_BLOCK, 0};
        }
    }
    return placed;
}

/* A branch's blocks in the order of their taps; those of a pair need the union of theirs. */
static void place_blocks(const builder *b, int32_t branch, uint32_t *masks)
{
    vrs_taps_block *to = b->blocks + (size_t)branch * (size_t)b->pairs * VRS_TAPS_PAIR_BLOCKS;
    const int32_t count = b->pairs * VRS_TAPS_PAIR_BLOCKS;
    bool occurs[MASKS] = {false};
    for (int32_t row = 0; row < b->rows; row++)
        for (int32_t column = 0; column < b->columns; column++)
            occurs[taps_of(b, branch, row, column)] = true;
    int32_t placed = 0;
    for (uint32_t mask = 0; mask < MASKS; mask++) {
        const int32_t first = placed;
        if (occurs[mask])
            placed = place_mask(b, branch, mask, to, placed);
        for (int32_t i = first; i < placed; i++)
            masks[i / VRS_TAPS_PAIR_BLOCKS] |= mask;
    }
    /* The rest of the last pair is outside of every picture. */
    for (; placed < count; placed++)
        to[placed] = (vrs_taps_block){0, 1 << 20, 1 << 20, 0};
}

static int32_t bits(uint32_t mask)
{
    int32_t count = 0;
    for (; mask != 0; mask &= mask - 1)
        count++;
    return count;
}

static int longest_first(const void *a, const void *b)
{
    const work *x = a, *y = b;
    if (x->steps != y->steps)
        return x->steps < y->steps ? 1 : -1;
    if (x->branch != y->branch)
        return x->branch < y->branch ? -1 : 1;
    if (x->across != y->across)
        return x->across < y->across ? -1 : 1;
    return x->pair < y->pair ? -1 : x->pair > y->pair;
}

static vrs_status list_works(builder *b)
{
    uint32_t *masks = vrs_alloc((size_t)b->pairs * sizeof(*masks));
    if (masks == NULL)
        return VRS_NO_MEMORY;
    const int32_t across = vrs_conv_parts(b->desc->k, ACROSS);
    const int32_t steps = vrs_conv_parts(vrs_conv_halves(b->desc->c, b->desc->in_i8), 64);
    for (int32_t branch = 0; branch < b->desc->branches; branch++) {
        memset(masks, 0, (size_t)b->pairs * sizeof(*masks));
        place_blocks(b, branch, masks);
        for (int32_t pair = 0; pair < b->pairs; pair++)
            for (int32_t i = 0; i < across; i++)
                b->work[b->works++] = (work){branch * b->pairs + pair, branch, i,
                                             bits(masks[pair]) * steps, masks[pair]};
    }
    vrs_free(masks);
    qsort(b->work, (size_t)b->works, sizeof(*b->work), longest_first);
    for (int32_t i = 0; i < b->works; i++)
        b->plan->steps += b->work[i].steps;
    return VRS_OK;
}

static void add_item(builder *b, const work *w, int32_t first, int32_t count, int32_t slot)
{
    vrs_taps_item *item = &b->items[b->plan->items++];
    *item = (vrs_taps_item){.pair = w->pair,
                            .branch = w->branch,
                            .across = w->across,
                            .first = first,
                            .count = count,
                            .slot = slot};
    int32_t place = 0;
    for (uint32_t tap = 0; tap < 9; tap++) {
        if ((w->mask >> tap & 1) != 0) {
            item->taps[place / 8] |= tap << place % 8 * 4;
            place++;
        }
    }
}

/* The cluster with the least to do so far. */
static int32_t least(const builder *b, int32_t clusters)
{
    int32_t best = 0;
    for (int32_t i = 1; i < clusters; i++)
        if (b->load[i] < b->load[best])
            best = i;
    return best;
}

/* Longest first, each to whoever has the least. Without `write` the longest load alone is found. */
static void spread_whole(builder *b, int32_t clusters, bool write)
{
    memset(b->load, 0, (size_t)clusters * sizeof(*b->load));
    b->plan->longest = 0;
    for (int32_t i = 0; i < b->works; i++) {
        const int32_t to = least(b, clusters);
        b->load[to] += b->work[i].steps;
        if (b->load[to] > b->plan->longest)
            b->plan->longest = b->load[to];
    }
    if (!write)
        return;
    /* The same again for each cluster, so that its items are together. */
    for (int32_t c = 0; c < clusters; c++) {
        memset(b->load, 0, (size_t)clusters * sizeof(*b->load));
        b->ranges[c] = b->plan->items;
        for (int32_t i = 0; i < b->works; i++) {
            const int32_t to = least(b, clusters);
            b->load[to] += b->work[i].steps;
            if (to == c)
                add_item(b, &b->work[i], 0, b->work[i].steps, -1);
        }
    }
    b->ranges[clusters] = b->plan->items;
}

/* All work in a line, cut into equal ranges. */
static void spread_cut(builder *b, int32_t clusters)
{
    const int32_t quota = (int32_t)((b->plan->steps + clusters - 1) / clusters);
    int32_t cluster = 0, room = quota;
    b->ranges[0] = 0;
    b->plan->longest = quota;
    for (int32_t i = 0; i < b->works; i++) {
        const work *w = &b->work[i];
        const int32_t first_slot = b->plan->slots;
        for (int32_t first = 0; first < w->steps;) {
            if (room < SHORTEST && cluster + 1 < clusters) {
                b->ranges[++cluster] = b->plan->items;
                room += quota;
            }
            int32_t count = w->steps - first;
            const int32_t most = room > SHORTEST ? room : SHORTEST;
            if (count > most + SHORTEST && cluster + 1 < clusters)
                count = most;
            const bool whole = count == w->steps;
            add_item(b, w, first, count, whole ? -1 : b->plan->slots++);
            first += count;
            room -= count;
        }
        if (b->plan->slots > first_slot)
            b->sums[b->plan->sums++] = (vrs_taps_sum){.pair = w->pair,
                                                      .branch = w->branch,
                                                      .across = w->across,
                                                      .slot = first_slot,
                                                      .count = b->plan->slots - first_slot};
    }
    while (cluster < clusters)
        b->ranges[++cluster] = b->plan->items;
}

/* Most that the lists can hold. */
static void measure(builder *b, int32_t clusters, size_t *bytes)
{
    const size_t most = (size_t)b->works + (size_t)clusters;
    const size_t blocks = (size_t)b->pairs * (size_t)b->desc->branches * VRS_TAPS_PAIR_BLOCKS;
    b->plan->items_at = ((size_t)clusters + 1) * sizeof(int32_t);
    b->plan->items_at = (b->plan->items_at + 255) / 256 * 256;
    b->plan->blocks_at = b->plan->items_at + most * sizeof(vrs_taps_item);
    b->plan->sums_at = b->plan->blocks_at + blocks * sizeof(vrs_taps_block);
    *bytes = b->plan->sums_at + most * sizeof(vrs_taps_sum);
}

static vrs_status spread(builder *b, int32_t clusters)
{
    const vrs_status status = list_works(b);
    if (status != VRS_OK)
        return status;
    vrs_taps_spread how = b->desc->spread;
    if (how == VRS_TAPS_AUTO) {
        spread_whole(b, clusters, false);
        how = b->plan->longest * clusters > b->plan->steps + (int64_t)CUT_STEPS * clusters
                  ? VRS_TAPS_CUT
                  : VRS_TAPS_WHOLE;
    }
    if (how == VRS_TAPS_WHOLE)
        spread_whole(b, clusters, true);
    else
        spread_cut(b, clusters);
    b->plan->workspace_bytes = (size_t)b->plan->slots * VRS_TAPS_SLOT_BYTES;
    return VRS_OK;
}

vrs_status vrs_taps_plan_create(const vrs_cuda_conv *conv, const vrs_taps_desc *desc,
                                vrs_taps_plan *plan)
{
    *plan = (vrs_taps_plan){.desc = *desc};
    if (!vrs_taps_supported(conv, desc))
        return vrs_fail(VRS_UNSUPPORTED,
                        "dilated 3x3 convolutions of %dx%dx%dx%d to %d channels: there is no "
                        "kernel for them on %s",
                        desc->n, desc->h, desc->w, desc->c, desc->k,
                        vrs_device_get_properties(conv->device)->id);
    const int32_t clusters = vrs_device_get_properties(conv->device)->multiprocessors / 2;
    plan->clusters = clusters > 0 ? clusters : 1;
    builder b = {.desc = &plan->desc,
                 .plan = plan,
                 .rows = vrs_conv_parts(desc->h, VRS_TAPS_BLOCK),
                 .columns = vrs_conv_parts(desc->w, VRS_TAPS_BLOCK)};
    b.pairs = vrs_conv_parts(b.rows * b.columns * desc->n, VRS_TAPS_PAIR_BLOCKS);
    b.works = b.pairs * desc->branches * vrs_conv_parts(desc->k, ACROSS);
    measure(&b, plan->clusters, &plan->table_bytes);
    plan->table = vrs_alloc(plan->table_bytes);
    b.work = vrs_alloc((size_t)b.works * sizeof(*b.work));
    b.load = vrs_alloc((size_t)plan->clusters * sizeof(*b.load));
    vrs_status status = VRS_NO_MEMORY;
    if (plan->table != NULL && b.work != NULL && b.load != NULL) {
        char *table = plan->table;
        memset(table, 0, plan->table_bytes);
        b.ranges = (int32_t *)table;
        b.items = (vrs_taps_item *)(table + plan->items_at);
        b.blocks = (vrs_taps_block *)(table + plan->blocks_at);
        b.sums = (vrs_taps_sum *)(table + plan->sums_at);
        b.works = 0;
        status = spread(&b, plan->clusters);
    }
    vrs_free(b.work);
    vrs_free(b.load);
    if (status != VRS_OK)
        vrs_taps_plan_destroy(plan);
    return status;
}

void vrs_taps_plan_destroy(vrs_taps_plan *plan)
{
    if (plan == NULL)
        return;
    vrs_free(plan->table);
    plan->table = NULL;
}
