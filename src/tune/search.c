#include "tune/search.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* Logarithms: a gain of a hundredth is kept for, one of a five-hundredth is not looked for. */
#define WORTH_KEEPING 0.00995
#define WORTH_LOOKING 0.002
#define PATIENCE 14
/* How much worse than the worst measured a trial counts that failed: half. */
#define FAILED 0.7
/* Measurements of the same settings at most, and of how many trials those are that measure again.
 */
#define MOST_AGAIN 4
#define AGAIN_SHARE 6
#define MOST_TO_CONFIRM 12
#define MOST_EXHAUSTIVE 1000000
/* A tenth of all combinations, within these. */
#define FEWEST_TRIALS 12
#define USUAL_TRIALS 96

vrs_tune_score vrs_tune_score_of(const vrs_tune_params *params, const vrs_tune_measurement *m)
{
    switch (params->goal) {
    case VRS_TUNE_LATENCY:
        return (vrs_tune_score){-log(m->latency_ms), log(m->fps / params->bound)};
    case VRS_TUNE_BOUNDED:
        return (vrs_tune_score){log(m->fps), log(params->bound / m->latency_ms)};
    default:
        return (vrs_tune_score){log(m->fps), 0};
    }
}

bool vrs_tune_better(vrs_tune_score a, vrs_tune_score b)
{
    if (a.margin >= 0 && b.margin >= 0)
        return a.goal > b.goal;
    return a.margin > b.margin; /* one that keeps the bound, or what comes nearer */
}

int32_t vrs_tune_mean(const vrs_tune_search_state *s, const int32_t *point, vrs_tune_score *score,
                      vrs_tune_measurement *measurement)
{
    int32_t count = 0;
    vrs_tune_score scores = {0};
    for (int32_t i = 0; i < s->trials; i++) {
        if (!s->good[i] ||
            !vrs_tune_space_equal(&s->space, point, s->points + (size_t)i * s->space.dims))
            continue;
        scores.goal += s->scores[i].goal;
        scores.margin += s->scores[i].margin;
        if (measurement != NULL) {
            vrs_tune_measurement *m = measurement;
            m->fps = (m->fps * count + s->measured[i].fps) / (count + 1);
            m->latency_ms = (m->latency_ms * count + s->measured[i].latency_ms) / (count + 1);
        }
        count++;
    }
    if (count > 0)
        *score = (vrs_tune_score){scores.goal / count, scores.margin / count};
    return count;
}

/* Index of the trial whose settings measured best, -1: none was good. */
static int32_t best_measured(const vrs_tune_search_state *s)
{
    int32_t best = -1;
    vrs_tune_score most = {0}, score;
    for (int32_t i = 0; i < s->trials; i++)
        if (s->good[i] &&
            vrs_tune_mean(s, s->points + (size_t)i * s->space.dims, &score, NULL) > 0 &&
            (best < 0 || vrs_tune_better(score, most))) {
            best = i;
            most = score;
        }
    return best;
}

static bool makes_sense(const vrs_tune_params *params, const vrs_tune_measurement *m)
{
    bool latency =
        params->goal == VRS_TUNE_THROUGHPUT || (isfinite(m->latency_ms) && m->latency_ms > 0);
    return isfinite(m->fps) && m->fps > 0 && latency;
}

static void note_failure(vrs_tune_search_state *s, vrs_status status)
{
    if (s->failed++ > 0)
        return;
    s->failure = status;
    (void)snprintf(s->failure_text, sizeof(s->failure_text), "%s", vrs_last_error());
}

/* One trial. False: stopped. */
static bool measure(vrs_tune_search_state *s, const int32_t *point)
{
    int32_t dims = s->space.dims, best = best_measured(s);
    int32_t *stored = s->points + (size_t)s->trials * dims;
    memcpy(stored, point, sizeof(*point) * (size_t)dims);
    vrs_tune_trial trial = {.number = s->trials + 1, .choice = stored};
    vrs_tune_score score;
    trial.again = vrs_tune_mean(s, stored, &score, NULL) > 0;
    if (best >= 0) {
        trial.best_choice = s->points + (size_t)best * dims;
        (void)vrs_tune_mean(s, trial.best_choice, &score, &trial.best);
    }
    vrs_tune_measurement m = {0};
    vrs_status status = s->measure(s->opaque, &trial, &m);
    if (status == VRS_CANCELLED) {
        s->stopped = true;
        return false;
    }
    if (status == VRS_OK && !makes_sense(s->params, &m))
        status = vrs_fail(VRS_INVALID, "trial %d: measured %g frames a second and %g ms",
                          trial.number, m.fps, m.latency_ms);
    if (status != VRS_OK)
        note_failure(s, status);
    s->good[s->trials] = status == VRS_OK;
    s->measured[s->trials] = m;
    if (status == VRS_OK)
        s->scores[s->trials] = vrs_tune_score_of(s->params, &m);
    s->trials++;
    return true;
}

void vrs_tune_fit(vrs_tune_search_state *s)
{
    vrs_tune_score worst = {INFINITY, 0};
    for (int32_t i = 0; i < s->trials; i++)
        if (s->good[i]) {
            worst.goal = fmin(worst.goal, s->scores[i].goal);
            worst.margin = fmin(worst.margin, s->scores[i].margin);
        }
    for (int32_t i = 0; i < s->trials; i++) {
        s->goals[i] = s->good[i] ? s->scores[i].goal : worst.goal - FAILED;
        s->margins[i] = s->good[i] ? s->scores[i].margin : worst.margin - FAILED;
    }
    vrs_tune_model_fit(s->goal_model, s->points, s->goals, s->trials);
    if (s->margin_model != NULL)
        vrs_tune_model_fit(s->margin_model, s->points, s->margins, s->trials);
}

/* The start, then points far apart: what a model can begin with. */
static bool begin(vrs_tune_search_state *s)
{
    int32_t point[VRS_TUNE_MAX_PARAMETERS];
    for (int32_t d = 0; d < s->space.dims; d++)
        point[d] = s->params->parameters[d].start;
    int32_t apart = s->space.dims + 1;
    apart = apart > s->budget / 3 ? s->budget / 3 : apart;
    bool going = measure(s, point);
    while (going && s->trials < s->budget && s->trials <= apart && vrs_tune_explore(s, point))
        going = measure(s, point);
    /* Where all of these failed, further ones are as good a guess as any. */
    while (going && s->trials < s->budget && s->failed == s->trials && vrs_tune_explore(s, point))
        going = measure(s, point);
    return going && s->failed < s->trials;
}

/* Measures what promises most, and where nothing does, what lies beside the best; until that has
 * changed nothing for a while, or `last` trials are used. */
static bool improve(vrs_tune_search_state *s, int32_t last, vrs_tune_end *end)
{
    for (int32_t idle = 0; s->trials < last;) {
        int32_t point[VRS_TUNE_MAX_PARAMETERS];
        double gain = 0;
        vrs_tune_fit(s);
        bool more = vrs_tune_propose(s, point, &gain);
        idle = more && gain < WORTH_LOOKING ? idle + 1 : 0;
        if (!more || idle > PATIENCE || (idle > 0 && !vrs_tune_look_around(s, point))) {
            *end = VRS_TUNE_CONVERGED;
            return true;
        }
        if (!measure(s, point))
            return false;
    }
    return true;
}

/* The best of many noisy measurements is mostly a lucky one: those that may be best are measured
 * again, and the start for the comparison. */
static bool confirm(vrs_tune_search_state *s, int32_t last)
{
    if (s->good[0] && s->trials < last && !measure(s, s->points))
        return false;
    while (s->trials < last) {
        vrs_tune_fit(s);
        vrs_tune_score score;
        int32_t leader = vrs_tune_leader(s), hopeful = vrs_tune_hopeful(s, MOST_AGAIN);
        int32_t dims = s->space.dims;
        const int32_t *first = s->points + (size_t)leader * dims;
        if (hopeful < 0 ||
            (vrs_tune_mean(s, first, &score, NULL) >= 3 &&
             vrs_tune_space_equal(&s->space, first, s->points + (size_t)hopeful * dims)))
            return true;
        if (!measure(s, s->points + (size_t)hopeful * dims))
            return false;
    }
    return true;
}

static void fill_result(vrs_tune_search_state *s, vrs_tune_result *r)
{
    int32_t dims = s->space.dims;
    vrs_tune_fit(s);
    int32_t best = vrs_tune_leader(s);
    vrs_tune_score score, start;
    const int32_t *point = s->points + (size_t)best * dims;
    (void)vrs_tune_mean(s, point, &score, &r->best);
    if (vrs_tune_mean(s, s->points, &start, &r->start) > 0 && start.margin >= 0 &&
        score.goal - start.goal < WORTH_KEEPING) {
        point = s->points;
        score = start;
        r->best = r->start;
    }
    memcpy(r->choice, point, sizeof(*point) * (size_t)dims);
    r->met = score.margin >= 0;
    r->noise = vrs_tune_model_noise(s->goal_model);
}

/* Every combination in turn. Only the best is kept. */
static void exhaust(vrs_tune_search_state *s, vrs_tune_result *r)
{
    int32_t dims = s->space.dims, start[VRS_TUNE_MAX_PARAMETERS], trials = 0;
    vrs_tune_score most = {0};
    bool any = false;
    for (int32_t d = 0; d < dims; d++)
        start[d] = s->params->parameters[d].start;
    for (int64_t i = 0; i < s->space.size && !s->stopped; i++) {
        int32_t point[VRS_TUNE_MAX_PARAMETERS];
        vrs_tune_space_point(&s->space, i, point);
        vrs_tune_trial trial = {.number = (int32_t)i + 1, .choice = point};
        trial.best_choice = any ? r->choice : NULL;
        trial.best = r->best;
        vrs_tune_measurement m = {0};
        vrs_status status = s->measure(s->opaque, &trial, &m);
        s->stopped = status == VRS_CANCELLED;
        if (status == VRS_OK && !makes_sense(s->params, &m))
            status = vrs_fail(VRS_INVALID, "trial %d: measured %g frames a second and %g ms",
                              trial.number, m.fps, m.latency_ms);
        trials += s->stopped ? 0 : 1;
        if (status != VRS_OK && !s->stopped)
            note_failure(s, status);
        if (status != VRS_OK)
            continue;
        vrs_tune_score score = vrs_tune_score_of(s->params, &m);
        if (vrs_tune_space_equal(&s->space, point, start))
            r->start = m;
        if (!any || vrs_tune_better(score, most)) {
            any = true;
            most = score;
            r->best = m;
            memcpy(r->choice, point, sizeof(*point) * (size_t)dims);
        }
    }
    s->trials = trials;
    r->met = any && most.margin >= 0;
}

static vrs_status check_params(const vrs_tune_params *p)
{
    if (p->goal < VRS_TUNE_THROUGHPUT || p->goal > VRS_TUNE_BOUNDED)
        return vrs_fail(VRS_INVALID, "%d: no such goal", (int)p->goal);
    if (p->goal != VRS_TUNE_THROUGHPUT && !(isfinite(p->bound) && p->bound > 0))
        return vrs_fail(VRS_INVALID, "%g: the bound of a goal is a number above 0", p->bound);
    if (p->trials < 0 || p->trials > VRS_TUNE_MAX_TRIALS)
        return vrs_fail(VRS_INVALID, "%d trials, expected 1 to %d, or 0 for a tenth of all",
                        p->trials, VRS_TUNE_MAX_TRIALS);
    return VRS_OK;
}

static vrs_status make_room(vrs_tune_search_state *s)
{
    size_t n = (size_t)s->budget;
    s->points = vrs_alloc_array(n * (size_t)s->space.dims, sizeof(*s->points));
    s->good = vrs_alloc_array(n, sizeof(*s->good));
    s->measured = vrs_alloc_array(n, sizeof(*s->measured));
    s->scores = vrs_alloc_array(n, sizeof(*s->scores));
    s->goals = vrs_alloc_array(n, sizeof(double));
    s->margins = vrs_alloc_array(n, sizeof(double));
    if (s->points == NULL || s->good == NULL || s->measured == NULL || s->scores == NULL ||
        s->goals == NULL || s->margins == NULL)
        return VRS_NO_MEMORY;
    vrs_status status = vrs_tune_model_create(&s->space, s->budget, &s->goal_model);
    if (status == VRS_OK && s->params->goal != VRS_TUNE_THROUGHPUT)
        status = vrs_tune_model_create(&s->space, s->budget, &s->margin_model);
    return status;
}

static void drop(vrs_tune_search_state *s)
{
    vrs_free(s->points);
    vrs_free(s->good);
    vrs_free(s->measured);
    vrs_free(s->scores);
    vrs_free(s->goals);
    vrs_free(s->margins);
    vrs_tune_model_destroy(s->goal_model);
    vrs_tune_model_destroy(s->margin_model);
}

/* What the search came to, from `s->trials`, `s->failed` and `s->stopped`. */
static vrs_status conclude(const vrs_tune_search_state *s, vrs_tune_result *r)
{
    r->trials = s->trials;
    r->failed = s->failed;
    if (s->stopped)
        r->end = VRS_TUNE_STOPPED;
    if (s->trials > s->failed)
        return VRS_OK;
    if (s->failed == 0)
        return vrs_fail(VRS_CANCELLED, "stopped before anything was measured");
    return vrs_fail(s->failure, "none of %d trials could be measured; the first: %.400s", s->trials,
                    s->failure_text);
}

int64_t vrs_tune_most_trials(const vrs_tune_params *params)
{
    int64_t size = vrs_tune_combinations(params->parameters, params->count);
    if (params->exhaustive)
        return size;
    int64_t tenth = size / 10;
    return params->trials > 0      ? params->trials
           : tenth < FEWEST_TRIALS ? FEWEST_TRIALS
           : tenth > USUAL_TRIALS  ? USUAL_TRIALS
                                   : tenth;
}

vrs_status vrs_tune_search(const vrs_tune_params *params, vrs_tune_measure_fn measure_fn,
                           void *opaque, vrs_tune_result *result)
{
    vrs_tune_search_state s = {.params = params, .measure = measure_fn, .opaque = opaque};
    vrs_tune_result r = {.end = VRS_TUNE_SPENT};
    vrs_status status = check_params(params);
    if (status == VRS_OK)
        status = vrs_tune_space_make(params->parameters, params->count, &s.space);
    if (status != VRS_OK)
        return status;
    if (params->exhaustive && s.space.size > MOST_EXHAUSTIVE)
        return vrs_fail(VRS_INVALID, "%lld combinations are too many to measure all: at most %d",
                        (long long)s.space.size, MOST_EXHAUSTIVE);
    s.random = params->seed;
    if (params->exhaustive) {
        exhaust(&s, &r);
    } else {
        s.budget = (int32_t)vrs_tune_most_trials(params);
        status = make_room(&s);
        int32_t again = s.budget / AGAIN_SHARE;
        again = again < MOST_TO_CONFIRM ? again : MOST_TO_CONFIRM;
        if (status == VRS_OK && begin(&s) && improve(&s, s.budget - again, &r.end))
            (void)confirm(&s, s.trials + again);
        if (status == VRS_OK && s.trials > s.failed)
            fill_result(&s, &r);
    }
    if (status == VRS_OK)
        status = conclude(&s, &r);
    drop(&s);
    if (status == VRS_OK)
        *result = r;
    return status;
}
