/* Preprocessing with vectors of LANES floats, compiled once for each instruction set. The including
 * file defines before:
 *   LANES, BLOCK        floats of a vector; samples of a sum_block
 *   vec                 a vector, and vec_load vec_store vec_set vec_add vec_mul vec_fma vec_clip
 *   transpose()         LANES x LANES floats
 *   sum_block8(), sum_block16()  a run of rows, BLOCK samples wide, into floats
 *   tone_lookup()       the plan's table
 *   pack()              0..255 of three channels and the guide into the bytes of words
 *   store_rgb(), store_guide()   LANES packed words to 3 and 1 bytes each
 *
 * The way, for LANES rows of the result and a tile of its columns at once:
 *   1. down: each plane's rows are summed into LANES rows of floats, along the row;
 *   2. these are transposed, so that a vector holds one column of LANES rows;
 *   3. across: an output column is a weighted sum of neighbouring vectors; any scale, no gathers;
 *   4. colour works on whole columns, and LANES of them are transposed back as they are stored. */
#include <assert.h>
#include <string.h>

/* One call. Buffers lie in the caller's scratch. */
typedef struct lanes_job {
    const vrs_preprocess_plan *plan;
    const vrs_image *image;
    void *tensor;
    uint8_t *luma;
    float *rows;    /* [LANES][row_stride]: step 1 */
    float *turned;  /* [tile_samples][LANES]: step 2 */
    float *columns; /* [3][tile_columns][LANES]: step 3 */
} lanes_job;

/* Columns begin..end-1 and rows y..y+height-1 of the content; height <= LANES. */
typedef struct lanes_tile {
    int32_t begin, end, y, height;
} lanes_tile;

/* As sum_block for less than BLOCK samples. */
static void sum_narrow(const vrs_preprocess_plan *plan, const uint8_t *src, ptrdiff_t stride,
                       const vrs_run *run, int32_t samples, float *out)
{
    for (int32_t i = 0; i < samples; i++) {
        int32_t sum = 0;
        for (int32_t row = 0; row < run->count; row++)
            sum += vrs_preprocess_sample(plan, src + stride * (run->first + row), i);
        out[i] = (float)sum * run->weight;
        for (int32_t edge = 0; edge < run->edges; edge++) {
            out[i] += (float)vrs_preprocess_sample(plan, src + stride * run->edge[edge], i) *
                      run->edge_weight[edge];
        }
    }
}

/* One row of the result before it is resized along the row. `src`: the first sample in the plane's
 * first row. A rest narrower than a block is done by a block that overlaps the one before. */
static void sum_row(const vrs_preprocess_plan *plan, const uint8_t *src, ptrdiff_t stride,
                    const vrs_run *run, int32_t samples, float *out)
{
    if (samples < BLOCK) {
        sum_narrow(plan, src, stride, run, samples, out);
        return;
    }
    for (int32_t i = 0; i < samples; i += BLOCK) {
        const int32_t at = i + BLOCK > samples ? samples - BLOCK : i;
        if (plan->info->sample_bytes == 1) {
            sum_block8(src + at, stride, run, out + at);
        } else {
            sum_block16(src + 2 * (ptrdiff_t)at, stride, run, plan->info->sample_shift, plan->peak,
                        out + at);
        }
    }
}

/* A weighted sum of `taps` vectors, `step` floats apart. */
static inline vec sum_taps(const float *in, ptrdiff_t step, const float *weight, int32_t taps)
{
    vec sum = vec_mul(vec_load(in), vec_set(weight[0]));
    for (int32_t tap = 1; tap < taps; tap++) {
        in += step;
        sum = vec_fma(vec_load(in), vec_set(weight[tap]), sum);
    }
    return sum;
}

static void resize_component(const lanes_job *job, const lanes_tile *tile, int index)
{
    const vrs_preprocess_plan *plan = job->plan;
    const vrs_component *component = &plan->component[index];
    const vrs_axis *axis = &plan->x[component->axis];
    const ptrdiff_t step = (ptrdiff_t)component->step * LANES;
    const int32_t origin = axis->first[tile->begin];
    float *out = job->columns + (size_t)index * (size_t)plan->tile_columns * LANES;
    for (int32_t x = tile->begin; x < tile->end; x++) {
        const float *weight = axis->weight + (size_t)x * (size_t)axis->stride;
        const float *in =
            job->turned + (axis->first[x] - origin) * step + (ptrdiff_t)component->offset * LANES;
        const int32_t taps = axis->taps[x];
        vec sum =
            sum_taps(in, step, weight, taps < VRS_PREPROCESS_TERMS ? taps : VRS_PREPROCESS_TERMS);
        for (int32_t tap = VRS_PREPROCESS_TERMS; tap < taps; tap += VRS_PREPROCESS_TERMS) {
            const int32_t rest = taps - tap;
            const int32_t count = rest < VRS_PREPROCESS_TERMS ? rest : VRS_PREPROCESS_TERMS;
            sum = vec_add(sum, sum_taps(in + tap * step, step, weight + tap, count));
        }
        vec_store(out, sum);
        out += LANES;
    }
}

/* Steps 1 to 3 for the components of a plane, of which `index` is the first. */
static void resize_plane(const lanes_job *job, const lanes_tile *tile, int index)
{
    const vrs_preprocess_plan *plan = job->plan;
    const vrs_component *component = &plan->component[index];
    const vrs_axis *axis = &plan->x[component->axis];
    const int32_t first = axis->first[tile->begin];
    const int32_t last = axis->first[tile->end - 1] + axis->taps[tile->end - 1];
    const int32_t samples = (last - first) * component->step;
    const ptrdiff_t stride = job->image->strides[component->plane];
    const uint8_t *src = job->image->planes[component->plane] +
                         (ptrdiff_t)first * component->step * plan->info->sample_bytes;
    for (int32_t row = 0; row < tile->height; row++) {
        sum_row(plan, src, stride, &plan->runs[component->axis][tile->y + row], samples,
                job->rows + (size_t)row * (size_t)plan->row_stride);
    }
    for (int32_t row = tile->height; row < LANES; row++) {
        memset(job->rows + (size_t)row * (size_t)plan->row_stride, 0,
               (size_t)samples * sizeof(float));
    }
    for (int32_t column = 0; column < samples; column += LANES)
        transpose(job->rows + column, plan->row_stride, job->turned + (size_t)column * LANES);
    for (int i = index; i < plan->components && plan->component[i].plane == component->plane; i++)
        resize_component(job, tile, i);
}

static vec dot(const float weights[4], const vec component[3])
{
    vec sum = vec_fma(component[0], vec_set(weights[0]), vec_set(weights[3]));
    sum = vec_fma(component[1], vec_set(weights[1]), sum);
    return vec_fma(component[2], vec_set(weights[2]), sum);
}

/* Step 4 of one column: words[0] gets the packed bytes (the guide in the highest), words[1..3] the
 * channels of a float tensor. */
static void finish_column(const vrs_preprocess_plan *plan, const vec component[3], float *words[4])
{
    vec value[3];
    for (int channel = 0; channel < 3; channel++) {
        value[channel] = vec_clip(dot(plan->matrix[channel], component), 1.0F);
        if (plan->tone)
            value[channel] = tone_lookup(plan->tone_table, value[channel]);
    }
    const vec guide = vec_clip(dot(plan->luma, component), 255.0F);
    pack(value, guide, words[0]);
    if (plan->desc.tensor != VRS_TENSOR_U8_NHWC) {
        for (int channel = 0; channel < 3; channel++) {
            vec_store(words[channel + 1], vec_fma(value[channel], vec_set(plan->scale[channel]),
                                                  vec_set(plan->bias[channel])));
        }
    }
}

/* `columns` (at most LANES) pixels of a row. */
static void store_row(const lanes_job *job, float tiles[4][LANES * LANES], int32_t row,
                      size_t pixel, int32_t columns)
{
    const vrs_preprocess_plan *plan = job->plan;
    const float *packed = tiles[0] + row * LANES;
    if (job->luma != NULL)
        store_guide(packed, job->luma + pixel, columns);
    if (plan->desc.tensor == VRS_TENSOR_U8_NHWC) {
        store_rgb(packed, (uint8_t *)job->tensor + 3 * pixel, columns);
        return;
    }
    float *tensor = job->tensor;
    const size_t area = (size_t)plan->desc.width * (size_t)plan->desc.height;
    for (size_t channel = 0; channel < 3; channel++) {
        const float *from = tiles[channel + 1] + row * LANES;
        if (plan->desc.tensor == VRS_TENSOR_F32_NCHW) {
            memcpy(tensor + channel * area + pixel, from, (size_t)columns * sizeof(float));
            continue;
        }
        for (int32_t i = 0; i < columns; i++)
            tensor[3 * (pixel + (size_t)i) + channel] = from[i];
    }
}

static void finish_tile(const lanes_job *job, const lanes_tile *tile)
{
    const vrs_preprocess_plan *plan = job->plan;
    _Alignas(64) float words[4][LANES * LANES];
    _Alignas(64) float tiles[4][LANES * LANES];
    const int kinds = plan->desc.tensor == VRS_TENSOR_U8_NHWC ? 1 : 4;
    memset(words, 0, sizeof(words));
    for (int32_t x = tile->begin; x < tile->end; x += LANES) {
        const int32_t columns = tile->end - x < LANES ? tile->end - x : LANES;
        for (int32_t column = 0; column < columns; column++) {
            vec component[3] = {vec_set(0.0F), vec_set(0.0F), vec_set(0.0F)};
            for (int i = 0; i < plan->components; i++) {
                const size_t at =
                    (size_t)i * (size_t)plan->tile_columns + (size_t)(x - tile->begin + column);
                component[i] = vec_load(job->columns + at * LANES);
            }
            float *to[4] = {words[0] + column * LANES, words[1] + column * LANES,
                            words[2] + column * LANES, words[3] + column * LANES};
            finish_column(plan, component, to);
        }
        for (int kind = 0; kind < kinds; kind++)
            transpose(words[kind], LANES, tiles[kind]);
        for (int32_t row = 0; row < tile->height; row++) {
            const size_t y = (size_t)(plan->content.y + tile->y + row);
            store_row(job, tiles, row, y * (size_t)plan->desc.width + (size_t)(plan->content.x + x),
                      columns);
        }
    }
}

static void preprocess(const vrs_preprocess_plan *plan, const vrs_image *image, void *tensor,
                       uint8_t *luma, void *scratch)
{
    if (!plan->fast) {
        vrs_preprocess_reference(plan, image, tensor, luma, scratch);
        return;
    }
    assert(image->format == plan->desc.format && image->width == plan->desc.image_width &&
           image->height == plan->desc.image_height);
    float *rows = scratch;
    float *turned = rows + (size_t)plan->row_stride * LANES;
    float *columns = turned + (size_t)plan->tile_samples * LANES;
    const lanes_job job = {plan, image, tensor, luma, rows, turned, columns};
    const vrs_rect *content = &plan->content;
    vrs_preprocess_fill_bars(plan, tensor, luma);
    for (int32_t y = 0; y < content->height; y += LANES) {
        const int32_t height = content->height - y < LANES ? content->height - y : LANES;
        for (int32_t begin = 0; begin < content->width; begin += plan->tile_columns) {
            const int32_t rest = content->width - begin;
            const int32_t end = begin + (rest < plan->tile_columns ? rest : plan->tile_columns);
            const lanes_tile tile = {begin, end, y, height};
            for (int i = 0; i < plan->components; i++)
                if (i == 0 || plan->component[i].plane != plan->component[i - 1].plane)
                    resize_plane(&job, &tile, i);
            finish_tile(&job, &tile);
        }
    }
}
