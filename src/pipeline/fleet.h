/* A fleet: a pipeline on each of one or several devices, and streams that are spread over them.
 *
 *   submit ─> the stream's device, or the one with the fewest frames in flight ─> its pipeline
 *          ─> a thread a device collects results ─> in order, for each stream ─> deliver()
 *
 * Frames that follow from each other (a recurrent network, smoothing) and frames whose pixels lie
 * on a GPU stay on one device: the one that had the fewest streams when theirs was opened. Other
 * frames go one by one where the fewest are in flight, so that a faster device gets more of them.
 *
 * A device that is lost leaves its streams to the others. What it had in flight is done again there
 * where the pixels lie in host memory, so that the stream misses nothing; what follows from frames
 * before it begins anew at that frame, as after a cut, unless its caller repeats those
 * (vrs_fleet_repeats_past()). Pixels on the lost GPU are gone: those frames are delivered with
 * VRS_DEVICE_LOST, and so are all when no device is left. Then the device of the option
 * device_fallback may take over (vrs_fleet_fall_back()). */
#ifndef VRS_PIPELINE_FLEET_H
#define VRS_PIPELINE_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/place.h"
#include "vrseg/config.h"
#include "vrseg/model.h"
#include "vrseg/pipeline.h"

#define VRS_MAX_PLACES 16
/* With the one that takes over. */
#define VRS_FLEET_MEMBERS (VRS_MAX_PLACES + 1)
/* Streams of a fleet, numbered from 0. Each pipeline has as many again, for frames of lost devices.
 */
#define VRS_FLEET_STREAMS (VRS_MAX_STREAMS / 2)

typedef struct vrs_fleet vrs_fleet;

/* Opens the devices that the option names: one as vrs_device_open() takes it, several GPUs with
 * commas between ("cuda:0,cuda:1"), or "all": every GPU that can be used (the note tells of the
 * others). Borrows both arguments, which must live until destroy. Returns owned. VRS_INVALID: a
 * name twice, one that is no GPU among several, or more than VRS_MAX_PLACES; a device_fallback that
 * is none or among the devices; the errors of vrs_place_open(), for the fallback too. */
VRS_API vrs_status vrs_fleet_create(const vrs_config *config, const vrs_model *model,
                                    vrs_fleet **fleet) VRS_MUST_USE;

/* Stops and frees everything, as vrs_pipeline_destroy(). Results that were delivered are released
 * before. NULL is fine. */
VRS_API void vrs_fleet_destroy(vrs_fleet *fleet);

/* Ends the pipelines alone: what lay at the places is given back, and the places are still there.
 */
VRS_API void vrs_fleet_end(vrs_fleet *fleet);

/* Devices, with the one that has taken over. Any thread; never less than before. */
VRS_API int32_t vrs_fleet_count(const vrs_fleet *fleet);
/* Borrowed; lives as long as the fleet. */
VRS_API const vrs_place *vrs_fleet_place(const vrs_fleet *fleet, int32_t index);
/* NULL before it is made, after its end, and where the device was lost before it was made. */
VRS_API vrs_pipeline *vrs_fleet_pipeline(const vrs_fleet *fleet, int32_t index);
/* How many streams there will be: each gets its part of what is in flight. Before the tickets are
 * asked for and the pipelines are made. The errors of the options. */
VRS_API vrs_status vrs_fleet_share(vrs_fleet *fleet, int32_t streams) VRS_MUST_USE;
/* Frames of a stream that one device has in flight, and that all have together, at most. The errors
 * of the options. */
VRS_API vrs_status vrs_fleet_tickets(const vrs_fleet *fleet, int32_t *one,
                                     int32_t *all) VRS_MUST_USE;

/* Makes the pipelines, on a back end of the caller's (tests) or the configured one (NULL). One
 * whose device is lost meanwhile is left out while others are there, or the fallback. The errors of
 * vrs_pipeline_create(). */
struct vrs_engine_ops;
VRS_API vrs_status vrs_fleet_build(vrs_fleet *fleet, const struct vrs_engine_ops *ops) VRS_MUST_USE;

/* As vrs_pipeline_add_output(), on all devices. */
VRS_API vrs_status vrs_fleet_add_output(vrs_fleet *fleet, const vrs_output_desc *desc) VRS_MUST_USE;

/* Takes a result, which vrs_fleet_release() gives back. One thread at a time for each stream, in
 * its order; must not wait, nor call the fleet. */
typedef void (*vrs_fleet_deliver_fn)(void *opaque, vrs_result *result);

/* Starts the pipelines and the threads that collect. VRS_NO_MEMORY, VRS_SYSTEM. */
VRS_API vrs_status vrs_fleet_start(vrs_fleet *fleet, vrs_fleet_deliver_fn deliver,
                                   void *opaque) VRS_MUST_USE;

/* Begins a stream, whose number is unused or has all its results released, and gives the device
 * where its source may put pixels. `there`: it will, so its frames stay. Also before the pipelines
 * are made. Any thread. VRS_DEVICE_LOST: none is left. */
VRS_API vrs_status vrs_fleet_open_stream(vrs_fleet *fleet, uint32_t stream, bool there,
                                         int32_t *home) VRS_MUST_USE;
VRS_API void vrs_fleet_close_stream(vrs_fleet *fleet, uint32_t stream);
/* Of an open stream before its first frame: where its device is lost its caller opens it again and
 * submits what its frames follow from once more. So those are done on no other device without
 * their past, but delivered with VRS_DEVICE_LOST. */
VRS_API void vrs_fleet_repeats_past(vrs_fleet *fleet, uint32_t stream);

/* As vrs_pipeline_submit(), but each stream may have a thread of its own. The ids of a stream count
 * from 0. Where a queue is full and refuses, it waits all the same. VRS_TIMEOUT, VRS_CLOSED (also
 * after vrs_fleet_stop()), VRS_INVALID, VRS_NO_MEMORY, VRS_DEVICE_LOST. */
VRS_API vrs_status vrs_fleet_submit(vrs_fleet *fleet, vrs_frame *frame,
                                    int64_t timeout_us) VRS_MUST_USE;
/* As vrs_pipeline_reset_stream(). The stream's thread. */
VRS_API void vrs_fleet_reset_stream(vrs_fleet *fleet, uint32_t stream);

/* Gives a delivered result back. Any thread. */
VRS_API void vrs_fleet_release(vrs_fleet *fleet, vrs_result *result);

/* No more frames: returns when all results are delivered and the collecting threads have ended. */
VRS_API void vrs_fleet_finish(vrs_fleet *fleet);

/* Whether a device is left to work on. Any thread. */
VRS_API bool vrs_fleet_alive(vrs_fleet *fleet);
/* The same, once it was looked at each: where all are lost the fallback is opened, if there is one,
 * and streams that are opened from then on are its. That takes as long as opening an engine, and is
 * tried once; where it fails the note says why. Any thread that is no deliver(), not before the
 * pipelines are started. */
VRS_API bool vrs_fleet_fall_back(vrs_fleet *fleet) VRS_MUST_USE;
/* The device that has taken over, as vrs_fleet_device() names it; "" while none has. Any thread;
 * lives as long as the fleet. */
VRS_API const char *vrs_fleet_fallback(vrs_fleet *fleet);

/* Who works: "cuda:0 (NVIDIA H200), cuda:1 (NVIDIA H200)"; and what runs the network, of the first
 * one, and of others where that differs ("" before they are made). Behind "; then " the one that
 * has taken over. Live as long as the fleet. */
VRS_API const char *vrs_fleet_device(const vrs_fleet *fleet);
VRS_API const char *vrs_fleet_engine(const vrs_fleet *fleet);

/* What the user should know: GPUs that cannot be used, that were lost and what became of their
 * frames. "" if nothing. Any thread. */
VRS_API void vrs_fleet_note(vrs_fleet *fleet, char *text, size_t size);

/* Sums over the devices; frames that were done again count once. Any thread, once they are made. */
VRS_API vrs_pipeline_stats vrs_fleet_get_stats(vrs_fleet *fleet);
/* The last changes of live mode on all devices, oldest first, at most `room`, which is at most
 * VRS_LIVE_CHANGES; returns how many. Any thread, once they are made. */
VRS_API uint32_t vrs_fleet_get_changes(vrs_fleet *fleet, vrs_live_change *changes, uint32_t room);
/* Frames of one device that were delivered. Any thread. */
VRS_API uint64_t vrs_fleet_delivered_by(vrs_fleet *fleet, int32_t index);

#endif
