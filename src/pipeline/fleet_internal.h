/* The parts of a fleet. `lock` guards what changes; it is never held while a pipeline is called. */
#ifndef VRS_PIPELINE_FLEET_INTERNAL_H
#define VRS_PIPELINE_FLEET_INTERNAL_H

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
    bool restarts;   /* frames follow from each other */
    int32_t home;    /* a device; where it does not stay, its source's alone */
    uint64_t base;   /* of the ids, in the numbers of `order` */
    uint64_t opened; /* submitted since it was opened */
    vrs_reorder *order;
    int32_t flying[VRS_MAX_PLACES]; /* frames in flight on each device */
} vrs_fleet_stream;

struct vrs_fleet {
    const vrs_config *config;
    const vrs_model *model;
    bool temporal;   /* all its streams: frames follow from each other */
    int32_t tickets; /* of a stream on one device */
    vrs_member members[VRS_MAX_PLACES];
    int32_t count;
    vrs_fleet_stream streams[VRS_FLEET_STREAMS];
    vrs_fleet_deliver_fn deliver;
    void *opaque;
    vrs_mutex lock;
    vrs_cond changed;
    bool has_lock, has_changed;
    uint64_t changes; /* how often a ticket may have become free, or a stream other */
    bool stopping;    /* nothing is done again */
    char device[VRS_DETAIL_SIZE], engine[VRS_DETAIL_SIZE];
    char skipped[VRS_DETAIL_SIZE]; /* GPUs that cannot be used */
    char loss[VRS_DETAIL_SIZE];    /* the first lost device and why */
    uint64_t restarted;            /* streams that began anew elsewhere */
};

/* The device that has fewest streams, and fewest frames among those; -1: none is left. With `lock`
 * held. */
int32_t vrs_fleet_least_streams(const vrs_fleet *fleet);

/* fleet_run.c: the thread of a device that collects its results. */
void vrs_fleet_collect_main(void *member);

#endif
