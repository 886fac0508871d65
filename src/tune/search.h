/* The parts of a search: what was measured, and what the measurements promise. */
#ifndef VRS_TUNE_SEARCH_H
#define VRS_TUNE_SEARCH_H

#include "tune/model.h"

/* A measurement as the search sees it: the larger, the better; logarithms, so that noise and gains
 * are shares. */
typedef struct vrs_tune_score {
    double goal;
    double margin; /* at least 0: the bound is kept */
} vrs_tune_score;

typedef struct vrs_tune_search_state {
    const vrs_tune_params *params;
    vrs_tune_measure_fn measure;
    void *opaque;
    vrs_tune_space space;
    int32_t budget;
    uint64_t random;

    /* By trial. */
    int32_t trials;
    int32_t *points;
    bool *good;
    vrs_tune_measurement *measured;
    vrs_tune_score *scores;
    double *goals, *margins; /* what the models are fitted to */

    vrs_tune_model *goal_model, *margin_model; /* the latter only where there is a bound */
    int32_t failed;
    vrs_status failure; /* of the first trial that failed */
    char failure_text[VRS_DETAIL_SIZE];
    bool stopped;
} vrs_tune_search_state;

vrs_tune_score vrs_tune_score_of(const vrs_tune_params *params, const vrs_tune_measurement *m);

/* Whether a is better than b: the bound first, then the goal; where neither keeps the bound, what
 * comes nearer. */
bool vrs_tune_better(vrs_tune_score a, vrs_tune_score b);

/* Means over the trials at `point` that were good; returns how many. */
int32_t vrs_tune_mean(const vrs_tune_search_state *s, const int32_t *point, vrs_tune_score *score,
                      vrs_tune_measurement *measurement);

/* Fits the models to all trials. After at least one that was good. */
void vrs_tune_fit(vrs_tune_search_state *s);

/* promise.c. Index of the trial whose settings are expected to be best, -1: none was good. After a
 * fit. With `hopeful`, of those measured fewer than `most` times, the one that may be best. */
int32_t vrs_tune_leader(vrs_tune_search_state *s);
int32_t vrs_tune_hopeful(vrs_tune_search_state *s, int32_t most);

/* The settings not measured yet that promise most, and what gain of the goal is expected of them
 * (INFINITY where nothing keeps the bound so far). False: all are measured. After a fit. */
bool vrs_tune_propose(vrs_tune_search_state *s, int32_t *point, double *gain);

/* Beside the best so far, what may be best of all: a model that promises nothing more may be wrong
 * there. False: all around is measured or breaks the bound. */
bool vrs_tune_look_around(vrs_tune_search_state *s, int32_t *point);

/* Settings far from all that were measured. False: all are measured. */
bool vrs_tune_explore(vrs_tune_search_state *s, int32_t *point);

#endif
