/* The parts of a fleet. `lock` guards what changes; it is never held while a pipeline is called. */
#ifndef VRS_PIPELINE_FLEET_INTERNAL_H
#define VRS_PIPELINE_FLEET_INTERNAL_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/reorder.h"
#include "base/thread.h"
#include "pipeline/fleet.h"

/* One device. */
typedef struct vrs_member {
    vrs_fleet *fleet;
    int32_t index;
    vrs_place place;
    vrs_pipeline *pipeline;
    vrs_thread collector;
    vrs_mutex submitting; /* of who submits frames of lost devices here */
    bool has_submitting;
    bool lost;
    int32_t in_flight; /* frames */
    int32_t streams;   /* that are open and have their home here */
    uint64_t moved;    /* frames that were lost here and done elsewhere */
    uint64_t delivered;
} vrs_member;

typedef struct vrs_fleet_stream {
    bool open;
    bool stays;      /* on its home */
    bool repeats;    /* its caller does, where the home is lost */
    int32_t home;    /* a device; where it does not stay, its source's alone */
    uint64_t base;   /* of the ids, in the numbers of `order` */
    uint64_t opened; /* submitted since it was opened */
    vrs_reorder *order;
    int32_t flying[VRS_FLEET_MEMBERS]; /* frames in flight on each device */
} vrs_fleet_stream;

struct vrs_fleet {
    const vrs_config *config;
    const vrs_model *model;
    bool temporal;   /* all its streams: frames follow from each other */
    int32_t tickets; /* of a stream on one device */
    vrs_member members[VRS_FLEET_MEMBERS];
    atomic_int count; /* grows once more when all are whole: of the one that takes over */
    vrs_fleet_stream streams[VRS_FLEET_STREAMS];
    vrs_fleet_deliver_fn deliver;
    void *opaque;
    vrs_mutex lock;
    vrs_cond changed;
    bool has_lock, has_changed;
    uint64_t changes; /* how often a ticket may have become free, or a stream other */
    bool stopping;    /* nothing is done again */
    char device[VRS_DETAIL_SIZE], engine[VRS_DETAIL_SIZE];
    /* The same once another device has taken over; written before `count` grows. */
    char device_then[VRS_DETAIL_SIZE], engine_then[VRS_DETAIL_SIZE];
    char skipped[VRS_DETAIL_SIZE]; /* GPUs that cannot be used */
    char loss[VRS_DETAIL_SIZE];    /* the first lost device and why */
    uint64_t restarted;            /* streams that began anew elsewhere */

    /* fleet_fallback.c */
    char fallback[32]; /* the device that may take over; "": none */
    int32_t shared_by; /* streams of all devices together; 0: not known */
    const struct vrs_engine_ops *ops;
    vrs_output_desc outputs[VRS_MAX_OUTPUTS];
    uint32_t output_count;
    vrs_mutex falling; /* of who lets it take over */
    bool has_falling, tried, started;
    atomic_bool fell_back;
    char no_fallback[VRS_DETAIL_SIZE]; /* why it could not; under `lock` */
};

/* The device that has fewest streams, and fewest frames among those; -1: none is left. With `lock`
 * held. */
int32_t vrs_fleet_least_streams(const vrs_fleet *fleet);

/* fleet_run.c: the thread of a device that collects its results; a device is lost, with `lock`
 * held. */
void vrs_fleet_collect_main(void *member);
void vrs_fleet_lose(vrs_member *member, const char *why);

/* fleet.c: adds to a text what it has not yet, with a separator. */
void vrs_fleet_add_text(char *text, size_t size, const char *separator, const char *more);

/* fleet_fallback.c: reads the option, once the devices are open; tickets of one stream there, at
 * most (0: there is none); makes and, in a fleet that is started, starts the device. Nothing stays
 * on failure. */
vrs_status vrs_fleet_read_fallback(vrs_fleet *fleet) VRS_MUST_USE;
vrs_status vrs_fleet_fallback_tickets(const vrs_fleet *fleet, int32_t *tickets) VRS_MUST_USE;
vrs_status vrs_fleet_take_over(vrs_fleet *fleet) VRS_MUST_USE;

#endif
