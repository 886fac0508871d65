/* An engine for tests of the pipeline: the scores of a pixel are its red, green and blue channels
 * for a model of three classes, its red one for a model of one. Runs end in a seeded random order
 * on a thread of its own, and can be held back or made to fail. */
#ifndef TESTS_SUPPORT_FAKE_ENGINE_H
#define TESTS_SUPPORT_FAKE_ENGINE_H

#include "engine/backend.h"

/* Set before the engine is created; the same for all that are alive, 16 at most. */
typedef struct fake_engine_plan {
    uint32_t seed;
    int32_t fail_every; /* run number n * fail_every fails; 0: none */
    bool fail_start;    /* in vrs_request_start() */
    bool fail_wait;     /* in vrs_request_wait() alone; neither: in the callback */
    int32_t room;       /* largest batch that vrs_engine_limit_batch() allows, in powers of two and
                         * the maximum; 0: has no limit */
    bool counts_frames; /* with a model of one state: scores are the number of frames seen / 255 */
} fake_engine_plan;

extern fake_engine_plan fake_plan;
extern const vrs_engine_ops fake_engine_ops;

/* Runs of all engines wait until they are let go. */
void fake_engine_hold(bool hold);
/* Largest batch and number of runs of the engines that are alive. */
int32_t fake_engine_largest_batch(void);
int32_t fake_engine_runs(void);

#endif
