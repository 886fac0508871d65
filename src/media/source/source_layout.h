/* What a source says of its layout: its container, and its first picture. */
#ifndef VRS_MEDIA_SOURCE_LAYOUT_H
#define VRS_MEDIA_SOURCE_LAYOUT_H

#include <stdbool.h>

#include "vr/content.h"
#include "vr/mesh.h"
#include "vrseg/config.h"
#include "vrseg/layout.h"

typedef struct vrs_source_layout {
    vrs_layout_claim container;
    vrs_content content;
    vrs_mesh *mesh;                /* owned; what claims borrow */
    char trouble[VRS_DETAIL_SIZE]; /* boxes that are not believed, and why; "" */
} vrs_source_layout;

struct AVFrame;
struct AVStream;

/* Reads the boxes of the file at `path` (NULL: a pipe) where it is an MP4, else what libav has of
 * `stream` (NULL: none), and looks at `frame`, in memory of either kind. What cannot be read is not
 * said. VRS_NO_MEMORY. */
vrs_status vrs_source_layout_read(const char *path, const struct AVStream *stream,
                                  const struct AVFrame *frame,
                                  vrs_source_layout *layout) VRS_MUST_USE;

void vrs_source_layout_free(vrs_source_layout *layout);

/* Who is believed (vr/decide.h), with the options layout and projection, and the words of the name
 * of `path` ("-" has none). Sides are the frame's. VRS_INVALID: an option is wrong, or the frame
 * cannot be divided so; VRS_UNSUPPORTED: the option mesh without a mesh. */
vrs_status vrs_source_layout_decide(const vrs_source_layout *layout, const vrs_config *config,
                                    const char *path, int32_t width, int32_t height,
                                    vrs_layout_reading *reading) VRS_MUST_USE;

#endif
