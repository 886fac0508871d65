/* The kinds of sinks, as vrs_sink_open() makes them. All take checked parameters with the codec
 * chosen, and the threads set. */
#ifndef VRS_MEDIA_SINK_KINDS_H
#define VRS_MEDIA_SINK_KINDS_H

#include "media/file/workplace.h"
#include "media/sink/sink.h"

vrs_status vrs_sink_open_video(const vrs_sink_params *params, vrs_sink **sink) VRS_MUST_USE;
vrs_status vrs_sink_open_pictures(const vrs_sink_params *params, vrs_sink **sink) VRS_MUST_USE;
vrs_status vrs_sink_open_y4m(const vrs_sink_params *params, vrs_sink **sink) VRS_MUST_USE;

/* What becomes of what a run that ended early has left. */
vrs_leftover vrs_sink_leftover(const vrs_sink_params *params);

/* "mask", "classes", "composite", "cutout", "alpha". */
const char *vrs_output_kind_name(vrs_output_kind kind);
/* The kind of that name; a mask where there is none. */
vrs_output_kind vrs_output_kind_of(const char *name);

#endif
