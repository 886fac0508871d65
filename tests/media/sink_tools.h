/* What the tests of sinks share: counted images, files read back, a source with sound and tags. */
#ifndef TESTS_MEDIA_SINK_TOOLS_H
#define TESTS_MEDIA_SINK_TOOLS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "media/sink/sink.h"

/* ---- images --------------------------------------------------------------------------------- */

/* Images made by tools_image() and not yet released. */
int tools_images_live(void);

/* Value of a sample of picture `index`: a soft disc that moves, or noise. */
typedef enum tools_pattern { TOOLS_DISC, TOOLS_NOISE, TOOLS_CLASSES } tools_pattern;
int tools_sample(tools_pattern pattern, int plane, int depth, int index, int x, int y);

/* A picture with rows wider than needed; its release is counted. */
vrs_image tools_image(vrs_pixel_format format, int32_t width, int32_t height, tools_pattern pattern,
                      int index);

/* ---- sinks ---------------------------------------------------------------------------------- */

/* Stream and parameters to start from: 25 fps in 1/12800, codec by the path. Borrows `path`. */
typedef struct tools_setup {
    vrs_stream_info stream;
    vrs_sink_params params;
    tools_pattern pattern;
} tools_setup;

void tools_prepare(tools_setup *setup, const char *path, vrs_output_kind kind,
                   vrs_pixel_format source_format, int32_t width, int32_t height);

/* Time of picture `index`: every 512 ticks, or uneven. */
int64_t tools_even(int index);
int64_t tools_uneven(int index);
typedef int64_t (*tools_time_fn)(int index);

/* Writes `count` pictures and finishes. */
vrs_status tools_write(const tools_setup *setup, int count, tools_time_fn time_of);

/* ---- files ---------------------------------------------------------------------------------- */

#define TOOLS_MAX_FRAMES 256

typedef struct tools_clip {
    AVFormatContext *container;
    AVStream *video;
    int count;
    AVFrame *frames[TOOLS_MAX_FRAMES];
    int others[8];          /* packets of each stream */
    int64_t other_first[8]; /* and the first and last of their times */
    int64_t other_last[8];
} tools_clip;

/* Decodes a file's video, by the decoder of that name if one is given. Fails the test on any error
 * of the decoder. */
void tools_read(tools_clip *clip, const char *path, const char *decoder);
void tools_forget(tools_clip *clip);

/* Sample of a decoded frame. */
int tools_frame_sample(const AVFrame *frame, int plane, int x, int y);

/* Greatest difference of a plane to the pattern. */
int tools_plane_error(const AVFrame *frame, int plane, tools_pattern pattern, int index, int depth);

bool tools_exists(const char *path);
void tools_join(char *path, size_t size, const char *folder, const char *name);

/* ---- a source ------------------------------------------------------------------------------- */

/* Makes an MP4 of `count` frames of 64x48 (times by `time_of`, in 1/12800) with AAC sound, a
 * subtitle, a title, two chapters, a rotation by 90 degrees, stereo, spherical and mastering data.
 */
void tools_make_source(const char *path, int count, tools_time_fn time_of);

#endif
