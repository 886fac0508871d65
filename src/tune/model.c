#include "tune/model.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

/* What the likelihood chooses from. A length is in units of positions: beyond it two values hardly
 * tell of each other; at the longest a parameter hardly matters. Noise is a variance, as a share of
 * that of the values. */
static const double lengths[] = {0.6, 1.2, 2.5, 5, 12, 40};
static const double noises[] = {0.0003, 0.003, 0.02, 0.08, 0.3, 1};
static const double shares[] = {0.1, 0.5, 0.85};
#define LENGTHS 6
#define NOISES 6
#define SHARES 3
/* Where a fit begins, and about what it prefers while measurements are few. */
#define USUAL_LENGTH 2
#define USUAL_NOISE 2
#define USUAL_SHARE 1
#define LIKELY_LENGTH 1.2

struct vrs_tune_model {
    const vrs_tune_space *space;
    int32_t room, count;
    int32_t length[VRS_TUNE_MAX_PARAMETERS], noise, share; /* indices of the above */
    /* Likeness of two values of a parameter: [dim][a][b]. */
    double (*alike)[VRS_TUNE_MAX_VALUES][VRS_TUNE_MAX_VALUES];
    int32_t *points; /* count x dims */
    double *values;  /* standardised */
    double *factor;  /* lower triangle, count x count, rows of `room` */
    double *weights; /* the covariance's inverse times `values` */
    double *row;
    double mean, deviation; /* of the values as they came */
};

vrs_status vrs_tune_model_create(const vrs_tune_space *space, int32_t room, vrs_tune_model **out)
{
    vrs_tune_model *m = vrs_alloc(sizeof(*m));
    if (m == NULL)
        return VRS_NO_MEMORY;
    size_t n = (size_t)room;
    m->space = space;
    m->room = room;
    m->alike = vrs_alloc_array((size_t)space->dims, sizeof(*m->alike));
    m->points = vrs_alloc_array(n * (size_t)space->dims, sizeof(*m->points));
    m->values = vrs_alloc_array(n, sizeof(double));
    m->factor = vrs_alloc_array(n * n, sizeof(double));
    m->weights = vrs_alloc_array(n, sizeof(double));
    m->row = vrs_alloc_array(n, sizeof(double));
    if (m->alike == NULL || m->points == NULL || m->values == NULL || m->factor == NULL ||
        m->weights == NULL || m->row == NULL) {
        vrs_tune_model_destroy(m);
        return VRS_NO_MEMORY;
    }
    *out = m;
    return VRS_OK;
}

void vrs_tune_model_destroy(vrs_tune_model *m)
{
    if (m == NULL)
        return;
    vrs_free(m->alike);
    vrs_free(m->points);
    vrs_free(m->values);
    vrs_free(m->factor);
    vrs_free(m->weights);
    vrs_free(m->row);
    vrs_free(m);
}

static void set_length(vrs_tune_model *m, int32_t dim, int32_t index)
{
    m->length[dim] = index;
    int32_t count = m->space->parameters[dim].count;
    for (int32_t a = 0; a < count; a++)
        for (int32_t b = 0; b < count; b++) {
            double far = vrs_tune_space_distance(m->space, dim, a, b) / lengths[index];
            m->alike[dim][a][b] = exp(-0.5 * far * far);
        }
}

/* Each parameter by itself, and all of them together. */
static double covariance(const vrs_tune_model *m, const int32_t *a, const int32_t *b)
{
    double sum = 0, product = 1;
    for (int32_t d = 0; d < m->space->dims; d++) {
        double alike = m->alike[d][a[d]][b[d]];
        sum += alike;
        product *= alike;
    }
    double share = shares[m->share];
    return share * sum / m->space->dims + (1 - share) * product;
}

/* Four sums side by side: one would wait for itself, and this is where a search spends its time. */
static double dot(const double *a, const double *b, int32_t count)
{
    double sums[4] = {0};
    int32_t i = 0;
    for (; i + 4 <= count; i += 4)
        for (int32_t j = 0; j < 4; j++)
            sums[j] += a[i + j] * b[i + j];
    for (; i < count; i++)
        sums[0] += a[i] * b[i];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/* Cholesky's factor of the covariance with the noise, the weights, and the logarithm of the values'
 * likelihood but for a constant. */
static double factorise(vrs_tune_model *m)
{
    int32_t n = m->count, dims = m->space->dims;
    double likelihood = 0;
    for (int32_t i = 0; i < n; i++) {
        double *row = m->factor + (size_t)i * m->room;
        for (int32_t j = 0; j <= i; j++) {
            const double *other = m->factor + (size_t)j * m->room;
            double sum = covariance(m, m->points + (size_t)i * dims, m->points + (size_t)j * dims);
            sum += i == j ? noises[m->noise] + 1e-9 : 0;
            sum -= dot(row, other, j);
            row[j] = i == j ? sqrt(sum > 1e-12 ? sum : 1e-12) : sum / other[j];
        }
        double value = m->values[i] - dot(row, m->weights, i);
        m->weights[i] = value / row[i]; /* of the lower triangle */
        likelihood -= 0.5 * m->weights[i] * m->weights[i] + log(row[i]);
    }
    for (int32_t i = n - 1; i >= 0; i--) { /* of the upper one */
        double value = m->weights[i];
        for (int32_t k = i + 1; k < n; k++)
            value -= m->factor[(size_t)k * m->room + i] * m->weights[k];
        m->weights[i] = value / m->factor[(size_t)i * m->room + i];
    }
    return likelihood;
}

static double square(double x)
{
    return x * x;
}

/* With what is usual beforehand: a few measurements could be explained by anything. */
static double posterior(vrs_tune_model *m)
{
    double prior = -0.5 * square(log(noises[m->noise] / noises[USUAL_NOISE]) / 2.5);
    for (int32_t d = 0; d < m->space->dims; d++)
        prior -= 0.5 * square(log(lengths[m->length[d]] / LIKELY_LENGTH) / 1.2);
    return factorise(m) + prior;
}

/* Tries each of `count` indices for one of the settings and keeps the best. */
static void choose(vrs_tune_model *m, int32_t *setting, int32_t dim, int32_t count, double *best)
{
    int32_t kept = *setting;
    for (int32_t i = 0; i < count; i++) {
        if (i == kept)
            continue;
        *setting = i;
        if (dim >= 0)
            set_length(m, dim, i);
        double now = posterior(m);
        if (now > *best) {
            *best = now;
            kept = i;
        }
    }
    *setting = kept;
    if (dim >= 0)
        set_length(m, dim, kept);
}

static void standardise(vrs_tune_model *m, const double *values, int32_t count)
{
    double sum = 0, squares = 0;
    for (int32_t i = 0; i < count; i++)
        sum += values[i];
    m->mean = sum / count;
    for (int32_t i = 0; i < count; i++)
        squares += square(values[i] - m->mean);
    m->deviation = sqrt(squares / count);
    if (!(m->deviation > 1e-9))
        m->deviation = 1e-9;
    for (int32_t i = 0; i < count; i++)
        m->values[i] = (values[i] - m->mean) / m->deviation;
}

void vrs_tune_model_fit(vrs_tune_model *m, const int32_t *points, const double *values,
                        int32_t count)
{
    m->count = count;
    memcpy(m->points, points, sizeof(*points) * (size_t)count * (size_t)m->space->dims);
    standardise(m, values, count);
    m->noise = USUAL_NOISE;
    m->share = USUAL_SHARE;
    for (int32_t d = 0; d < m->space->dims; d++)
        set_length(m, d, USUAL_LENGTH);
    double best = posterior(m);
    for (int round = 0; round < 2; round++) {
        double before = best;
        for (int32_t d = 0; d < m->space->dims; d++)
            if (m->space->parameters[d].count > 1)
                choose(m, &m->length[d], d, LENGTHS, &best);
        choose(m, &m->noise, -1, NOISES, &best);
        choose(m, &m->share, -1, SHARES, &best);
        if (best - before < 0.1)
            break;
    }
    (void)factorise(m);
}

void vrs_tune_model_predict(vrs_tune_model *m, const int32_t *point, double *mean,
                            double *deviation)
{
    double expected = 0, known = 0;
    for (int32_t i = 0; i < m->count; i++) {
        const double *row = m->factor + (size_t)i * m->room;
        double value = covariance(m, m->points + (size_t)i * m->space->dims, point);
        expected += value * m->weights[i];
        m->row[i] = (value - dot(row, m->row, i)) / row[i];
        known += square(m->row[i]);
    }
    *mean = m->mean + m->deviation * expected;
    *deviation = m->deviation * sqrt(known < 1 ? 1 - known : 0);
}

double vrs_tune_model_noise(const vrs_tune_model *m)
{
    return m->deviation * sqrt(noises[m->noise]);
}
