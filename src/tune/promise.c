/* What to measure next: expected improvement (Jones, Schonlau, Welch, "Efficient global
 * optimization of expensive black-box functions", 1998) times the chance that the bound is kept. */
#include <math.h>
#include <string.h>

#include "tune/search.h"

/* Up to this size every point is looked at; in larger spaces, so many drawn ones and what lies
 * around the best of them. */
#define ALL_POINTS 6000
#define DRAWN_POINTS 1500
#define CLIMBS 40
#define FAR_POINTS 64

/* Standard deviations that a point beside the best may turn out better. */
#define HOPE 1.5
/* Standard deviations by which a bound may be missed and still be tried for: the best settings
 * mostly lie right at it. */
#define DARING 0.7
/* Standard deviations by which the bound must be kept to be believed. */
#define SURELY 0.5

static bool is_measured(const vrs_tune_search_state *s, const int32_t *point)
{
    for (int32_t i = 0; i < s->trials; i++)
        if (vrs_tune_space_equal(&s->space, point, s->points + (size_t)i * s->space.dims))
            return true;
    return false;
}

static double normal_density(double z)
{
    return exp(-0.5 * z * z) / 2.5066282746310002; /* the root of 2 pi */
}

static double normal_share(double z)
{
    return 0.5 * erfc(-z / 1.4142135623730951);
}

/* Mean of the goal and of the margin at the settings of a trial, as the models have it. */
static void expect(vrs_tune_search_state *s, const int32_t *point, vrs_tune_score *mean,
                   vrs_tune_score *deviation)
{
    *mean = *deviation = (vrs_tune_score){0};
    vrs_tune_model_predict(s->goal_model, point, &mean->goal, &deviation->goal);
    if (s->margin_model != NULL)
        vrs_tune_model_predict(s->margin_model, point, &mean->margin, &deviation->margin);
}

/* Whether trial i is good and the first at its settings. */
static bool is_first(const vrs_tune_search_state *s, int32_t i)
{
    const int32_t *point = s->points + (size_t)i * s->space.dims;
    for (int32_t j = 0; j < i; j++)
        if (s->good[j] &&
            vrs_tune_space_equal(&s->space, point, s->points + (size_t)j * s->space.dims))
            return false;
    return s->good[i];
}

/* The bound counts as kept where the mean of the measurements keeps it and the model agrees. */
static vrs_tune_score believed(vrs_tune_search_state *s, int32_t trial)
{
    const int32_t *point = s->points + (size_t)trial * s->space.dims;
    vrs_tune_score mean, deviation, measured;
    expect(s, point, &mean, &deviation);
    (void)vrs_tune_mean(s, point, &measured, NULL);
    double margin = mean.margin - SURELY * deviation.margin;
    mean.margin = margin < measured.margin ? margin : measured.margin;
    return mean;
}

int32_t vrs_tune_leader(vrs_tune_search_state *s)
{
    int32_t best = -1;
    vrs_tune_score most = {0};
    for (int32_t i = 0; i < s->trials; i++) {
        if (!is_first(s, i))
            continue;
        vrs_tune_score score = believed(s, i);
        if (best < 0 || vrs_tune_better(score, most)) {
            best = i;
            most = score;
        }
    }
    return best;
}

int32_t vrs_tune_hopeful(vrs_tune_search_state *s, int32_t most)
{
    int32_t best = -1;
    vrs_tune_score highest = {0};
    for (int32_t i = 0; i < s->trials; i++) {
        const int32_t *point = s->points + (size_t)i * s->space.dims;
        vrs_tune_score mean, deviation, measured;
        if (!is_first(s, i) || vrs_tune_mean(s, point, &measured, NULL) >= most)
            continue;
        expect(s, point, &mean, &deviation);
        mean.goal += deviation.goal;
        mean.margin += deviation.margin;
        if (best < 0 || vrs_tune_better(mean, highest)) {
            best = i;
            highest = mean;
        }
    }
    return best;
}

/* What a point promises beside the best so far, a trial (-1: none that keeps the bound). */
typedef struct incumbent {
    double goal;
    bool kept;
} incumbent;

static double promise(vrs_tune_search_state *s, const incumbent *best, const int32_t *point)
{
    vrs_tune_score mean, deviation;
    expect(s, point, &mean, &deviation);
    double chance = 1;
    if (s->margin_model != NULL)
        chance = deviation.margin > 0 ? normal_share(mean.margin / deviation.margin + DARING)
                                      : (mean.margin >= 0 ? 1 : 0);
    if (!best->kept)
        return chance;
    double gain = mean.goal - best->goal;
    if (deviation.goal > 0) {
        double z = gain / deviation.goal;
        gain = gain * normal_share(z) + deviation.goal * normal_density(z);
    }
    return (gain > 0 ? gain : 0) * chance;
}

typedef struct proposal {
    int32_t point[VRS_TUNE_MAX_PARAMETERS];
    double value; /* negative: none yet */
} proposal;

static void offer(vrs_tune_search_state *s, const incumbent *best, const int32_t *point,
                  proposal *p)
{
    if (is_measured(s, point))
        return;
    double value = promise(s, best, point);
    if (value > p->value) {
        p->value = value;
        memcpy(p->point, point, sizeof(*point) * (size_t)s->space.dims);
    }
}

/* All points that differ from one in a single parameter. */
static void offer_around(vrs_tune_search_state *s, const incumbent *best, const int32_t *centre,
                         proposal *p)
{
    int32_t point[VRS_TUNE_MAX_PARAMETERS], middle[VRS_TUNE_MAX_PARAMETERS];
    size_t bytes = sizeof(*centre) * (size_t)s->space.dims;
    memcpy(middle, centre, bytes); /* `centre` may be that of the proposal */
    memcpy(point, middle, bytes);
    for (int32_t d = 0; d < s->space.dims; d++) {
        for (int32_t i = 0; i < s->space.parameters[d].count; i++) {
            point[d] = i;
            if (i != middle[d])
                offer(s, best, point, p);
        }
        point[d] = middle[d];
    }
}

bool vrs_tune_propose(vrs_tune_search_state *s, int32_t *chosen, double *gain)
{
    int32_t leader = vrs_tune_leader(s), point[VRS_TUNE_MAX_PARAMETERS];
    vrs_tune_score score = believed(s, leader);
    incumbent best = {score.goal, score.margin >= 0};
    proposal p = {.value = -1};
    if (s->space.size <= ALL_POINTS) {
        for (int64_t i = 0; i < s->space.size; i++) {
            vrs_tune_space_point(&s->space, i, point);
            offer(s, &best, point, &p);
        }
    } else {
        for (int32_t i = 0; i < DRAWN_POINTS; i++) {
            vrs_tune_space_draw(&s->space, &s->random, point);
            offer(s, &best, point, &p);
        }
        offer_around(s, &best, s->points + (size_t)leader * s->space.dims, &p);
        double before = -1;
        for (int32_t i = 0; i < CLIMBS && p.value > before; i++) {
            before = p.value;
            offer_around(s, &best, p.point, &p);
        }
    }
    if (p.value < 0)
        return false;
    memcpy(chosen, p.point, sizeof(*chosen) * (size_t)s->space.dims);
    *gain = best.kept ? p.value : INFINITY;
    return true;
}

/* The point among those that differ from `centre` in one parameter, or in two, that may be best. */
static void look_near(vrs_tune_search_state *s, const int32_t *centre, int32_t changed, proposal *p)
{
    int32_t point[VRS_TUNE_MAX_PARAMETERS], dims = s->space.dims;
    memcpy(point, centre, sizeof(*point) * (size_t)dims);
    for (int32_t d = 0; d < dims; d++) {
        for (int32_t i = 0; i < s->space.parameters[d].count; i++) {
            point[d] = i;
            if (i == centre[d])
                continue;
            if (changed > 1) {
                look_near(s, point, changed - 1, p);
                continue;
            }
            vrs_tune_score mean, deviation;
            expect(s, point, &mean, &deviation);
            double value = mean.goal + HOPE * deviation.goal;
            if (value > p->value && mean.margin + HOPE * deviation.margin >= 0 &&
                !is_measured(s, point)) {
                p->value = value;
                memcpy(p->point, point, sizeof(*point) * (size_t)dims);
            }
        }
        point[d] = centre[d];
    }
}

bool vrs_tune_look_around(vrs_tune_search_state *s, int32_t *chosen)
{
    const int32_t *leader = s->points + (size_t)vrs_tune_leader(s) * s->space.dims;
    proposal p = {.value = -INFINITY};
    for (int32_t changed = 1; changed <= 2 && p.value == -INFINITY; changed++)
        look_near(s, leader, changed, &p);
    if (p.value == -INFINITY)
        return false;
    memcpy(chosen, p.point, sizeof(*chosen) * (size_t)s->space.dims);
    return true;
}

/* As a share of each parameter's range, summed. */
static double distance(const vrs_tune_search_state *s, const int32_t *a, const int32_t *b)
{
    double sum = 0;
    for (int32_t d = 0; d < s->space.dims; d++) {
        double range = 0;
        for (int32_t i = 1; i < s->space.parameters[d].count; i++)
            range = fmax(range, vrs_tune_space_distance(&s->space, d, 0, i));
        if (range > 0)
            sum += vrs_tune_space_distance(&s->space, d, a[d], b[d]) / range;
    }
    return sum;
}

bool vrs_tune_explore(vrs_tune_search_state *s, int32_t *chosen)
{
    double farthest = -1;
    for (int32_t n = 0; n < FAR_POINTS; n++) {
        int32_t point[VRS_TUNE_MAX_PARAMETERS];
        vrs_tune_space_draw(&s->space, &s->random, point);
        if (is_measured(s, point))
            continue;
        double nearest = INFINITY;
        for (int32_t i = 0; i < s->trials; i++)
            nearest = fmin(nearest, distance(s, point, s->points + (size_t)i * s->space.dims));
        if (nearest > farthest) {
            farthest = nearest;
            memcpy(chosen, point, sizeof(*point) * (size_t)s->space.dims);
        }
    }
    return farthest >= 0;
}
