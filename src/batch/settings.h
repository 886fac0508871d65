/* The options of the section `batch`. */
#ifndef VRS_BATCH_SETTINGS_H
#define VRS_BATCH_SETTINGS_H

#include "batch/queue.h"
#include "vrseg/config.h"

/* What the queue itself does not need. */
typedef struct vrs_batch_options {
    vrs_batch_settings queue;
    int64_t latency_target_ns; /* 0: none */
    bool as_ready;             /* results among streams: as they are ready */
    bool limited;              /* some level has a max_queue_size */
} vrs_batch_options;

/* Reads and checks. `one_in_flight`: the network is recurrent. VRS_INVALID: a list that is none, a
 * number out of its range, a preferred size above the maximum, as many numbers as there are levels
 * are expected, a default level that is none; the detail names option, value and what is right. */
VRS_API vrs_status vrs_batch_settings_read(const vrs_config *config, bool one_in_flight,
                                           vrs_batch_options *options) VRS_MUST_USE;

#endif
