/* The interpreter: convolutions and products of matrices. */
#include <string.h>

#include "base/alloc.h"
#include "graph/compute.h"

/* Pixels and taps that are worked on at a time, so that they stay in a core's cache. */
#define TILE 192
#define TAPS 256
#define ROWS 4

/* One group of one picture. */
typedef struct conv_job {
    const vrs_conv_attributes *conv;
    const float *x, *weights;
    float *y;
    int64_t height, width, out_width;
    int64_t pixels;   /* of the output */
    int64_t taps;     /* of the kernel, in all channels of the group */
    int64_t channels; /* of the output, in the group */
    float *columns;   /* TAPS rows of TILE: the input under each tap, for a tile of pixels */
} conv_job;

/* What lies under taps first..first+count-1 for pixels start..start+length-1. */
static void fill_columns(const conv_job *job, int64_t first, int64_t count, int64_t start,
                         int64_t length)
{
    const vrs_conv_attributes *conv = job->conv;
    int64_t rows[TILE], columns[TILE];
    for (int64_t p = 0; p < length; p++) {
        rows[p] = (start + p) / job->out_width * conv->stride[0] - conv->pad_before[0];
        columns[p] = (start + p) % job->out_width * conv->stride[1] - conv->pad_before[1];
    }
    int64_t kernel = (int64_t)conv->kernel[0] * conv->kernel[1];
    for (int64_t tap = 0; tap < count; tap++) {
        int64_t place = (first + tap) % kernel;
        int64_t down = place / conv->kernel[1] * conv->dilation[0];
        int64_t across = place % conv->kernel[1] * conv->dilation[1];
        const float *plane = job->x + (first + tap) / kernel * job->height * job->width;
        float *to = job->columns + tap * TILE;
        for (int64_t p = 0; p < length; p++) {
            int64_t row = rows[p] + down, column = columns[p] + across;
            bool inside = row >= 0 && row < job->height && column >= 0 && column < job->width;
            to[p] = inside ? plane[row * job->width + column] : 0;
        }
    }
}

/* Adds the taps' products to `rows` channels of the output. The order of the sum is that of the
 * taps, wherever a tile begins, so that a picture's result does not depend on its batch. */
static void add_products(const conv_job *job, int64_t channel, int32_t rows, int64_t first,
                         int64_t count, int64_t start, int64_t length)
{
    float sums[ROWS][TILE];
    for (int32_t r = 0; r < rows; r++) {
        memcpy(sums[r], job->y + (channel + r) * job->pixels + start,
               (size_t)length * sizeof(float));
    }
    for (int64_t tap = 0; tap < count; tap++) {
        const float *column = job->columns + tap * TILE;
        for (int32_t r = 0; r < rows; r++) {
            float weight = job->weights[(channel + r) * job->taps + first + tap];
            float *sum = sums[r];
            for (int64_t p = 0; p < length; p++)
                sum[p] += weight * column[p];
        }
    }
    for (int32_t r = 0; r < rows; r++) {
        memcpy(job->y + (channel + r) * job->pixels + start, sums[r],
               (size_t)length * sizeof(float));
    }
}

static void convolve(const conv_job *job)
{
    for (int64_t start = 0; start < job->pixels; start += TILE) {
        int64_t length = job->pixels - start < TILE ? job->pixels - start : TILE;
        for (int64_t first = 0; first < job->taps; first += TAPS) {
            int64_t count = job->taps - first < TAPS ? job->taps - first : TAPS;
            fill_columns(job, first, count, start, length);
            for (int64_t channel = 0; channel < job->channels; channel += ROWS) {
                int64_t left = job->channels - channel;
                add_products(job, channel, (int32_t)(left < ROWS ? left : ROWS), first, count,
                             start, length);
            }
        }
    }
}

/* Adds bias and residual. */
static void add_rest(const compute *c)
{
    const vrs_value *y = compute_out(c, 0);
    const float *bias = c->in[2], *residual = c->in[3];
    float *to = c->out[0];
    int64_t pixels = y->dims[2] * y->dims[3], count = (int64_t)vrs_value_elements(y);
    for (int64_t i = 0; i < count; i++) {
        to[i] += bias ? bias[i / pixels % y->dims[1]] : 0;
        to[i] += residual ? residual[i] : 0;
    }
}

vrs_status compute_conv(const compute *c)
{
    const vrs_value *x = compute_in(c, 0), *weights = compute_in(c, 1), *y = compute_out(c, 0);
    const vrs_conv_attributes *conv = &c->node->as.conv;
    conv_job job = {.conv = conv,
                    .height = x->dims[2],
                    .width = x->dims[3],
                    .out_width = y->dims[3],
                    .pixels = y->dims[2] * y->dims[3],
                    .taps = dims_product(weights, 1, 4),
                    .channels = y->dims[1] / conv->groups};
    job.columns = vrs_alloc_array(TAPS * TILE, sizeof(float));
    if (!job.columns)
        return VRS_NO_MEMORY;
    memset(c->out[0], 0, vrs_value_bytes(y));
    int64_t in_step = x->dims[1] / conv->groups * job.height * job.width;
    int64_t out_step = job.channels * job.pixels;
    for (int64_t i = 0; i < y->dims[0] * conv->groups; i++) {
        job.x = (const float *)c->in[0] + i * in_step;
        job.y = (float *)c->out[0] + i * out_step;
        job.weights = (const float *)c->in[1] + i % conv->groups * job.channels * job.taps;
        convolve(&job);
    }
    vrs_free(job.columns);
    add_rest(c);
    return VRS_OK;
}

/* Adds one input plane, seen through one kernel plane, to one output plane. */
static void scatter(const vrs_conv_attributes *conv, const vrs_value *x, const vrs_value *y,
                    const float *from, const float *kernel, float *to)
{
    for (int64_t tap = 0; tap < (int64_t)conv->kernel[0] * conv->kernel[1]; tap++) {
        int64_t down = tap / conv->kernel[1] * conv->dilation[0] - conv->pad_before[0];
        int64_t across = tap % conv->kernel[1] * conv->dilation[1] - conv->pad_before[1];
        for (int64_t i = 0; i < x->dims[2] * x->dims[3]; i++) {
            int64_t row = i / x->dims[3] * conv->stride[0] + down;
            int64_t column = i % x->dims[3] * conv->stride[1] + across;
            if (row >= 0 && row < y->dims[2] && column >= 0 && column < y->dims[3])
                to[row * y->dims[3] + column] += kernel[tap] * from[i];
        }
    }
}

vrs_status compute_conv_transposed(const compute *c)
{
    const vrs_value *x = compute_in(c, 0), *weights = compute_in(c, 1), *y = compute_out(c, 0);
    const vrs_conv_attributes *conv = &c->node->as.conv;
    int64_t in_plane = x->dims[2] * x->dims[3], out_plane = y->dims[2] * y->dims[3];
    int64_t kernel = weights->dims[2] * weights->dims[3];
    int64_t in_channels = x->dims[1] / conv->groups, out_channels = weights->dims[1];
    memset(c->out[0], 0, vrs_value_bytes(y));
    for (int64_t n = 0; n < x->dims[0]; n++) {
        for (int64_t from = 0; from < x->dims[1]; from++) {
            for (int64_t to = 0; to < out_channels; to++) {
                int64_t channel = from / in_channels * out_channels + to;
                scatter(conv, x, y, (const float *)c->in[0] + (n * x->dims[1] + from) * in_plane,
                        (const float *)c->in[1] + (from * out_channels + to) * kernel,
                        (float *)c->out[0] + (n * y->dims[1] + channel) * out_plane);
            }
        }
    }
    add_rest(c);
    return VRS_OK;
}

/* Rows times columns, each with the steps between its elements along both axes; y is dense and
 * zeroed. */
typedef struct matrix {
    const float *data;
    int64_t row_step, column_step;
} matrix;

static void multiply(matrix a, matrix b, float *y, int64_t rows, int64_t inner, int64_t columns)
{
    for (int64_t i = 0; i < rows; i++) {
        float *sum = y + i * columns;
        for (int64_t k = 0; k < inner; k++) {
            float factor = a.data[i * a.row_step + k * a.column_step];
            const float *row = b.data + k * b.row_step;
            for (int64_t j = 0; j < columns; j++)
                sum[j] += factor * row[j * b.column_step];
        }
    }
}

vrs_status compute_matmul(const compute *c)
{
    const vrs_value *a = compute_in(c, 0), *b = compute_in(c, 1), *y = compute_out(c, 0);
    int64_t rows = y->dims[y->rank - 2], columns = y->dims[y->rank - 1];
    int64_t inner = a->dims[a->rank - 1];
    vrs_value outer_a = *a, outer_b = *b, outer = *y;
    outer_a.rank -= 2;
    outer_b.rank -= 2;
    outer.rank -= 2;
    odometer o = odometer_over(&outer);
    odometer_broadcast(&o, 0, &outer_a);
    odometer_broadcast(&o, 1, &outer_b);
    memset(c->out[0], 0, vrs_value_bytes(y));
    int64_t count = (int64_t)vrs_value_elements(&outer);
    for (int64_t i = 0; i < count; i++, odometer_next(&o)) {
        multiply((matrix){(const float *)c->in[0] + o.offset[0] * rows * inner, inner, 1},
                 (matrix){(const float *)c->in[1] + o.offset[1] * inner * columns, columns, 1},
                 (float *)c->out[0] + i * rows * columns, rows, inner, columns);
    }
    return VRS_OK;
}

vrs_status compute_gemm(const compute *c)
{
    const vrs_value *a = compute_in(c, 0), *b = compute_in(c, 1), *y = compute_out(c, 0);
    const vrs_gemm_attributes *gemm = &c->node->as.gemm;
    int64_t inner = a->dims[!gemm->transpose_a];
    matrix left = {c->in[0], gemm->transpose_a ? 1 : a->dims[1],
                   gemm->transpose_a ? a->dims[1] : 1};
    matrix right = {c->in[1], gemm->transpose_b ? 1 : b->dims[1],
                    gemm->transpose_b ? b->dims[1] : 1};
    float *to = c->out[0];
    memset(to, 0, vrs_value_bytes(y));
    multiply(left, right, to, y->dims[0], inner, y->dims[1]);
    odometer o = odometer_over(y);
    const float *added = c->in[2];
    if (added)
        odometer_broadcast(&o, 0, compute_in(c, 2));
    for (int64_t i = 0; i < y->dims[0] * y->dims[1]; i++, odometer_next(&o))
        to[i] = gemm->alpha * to[i] + (added ? gemm->beta * added[o.offset[0]] : 0);
    return VRS_OK;
}
