/* A real clip with sound and a stream of unknown kind: its sound stays in step with the masks. */
#define _XOPEN_SOURCE 700
#include <string.h>

#include "media/sink_tools.h"
#include "support/shared.h"
#include "support/temp.h"

#define FRAMES 90
#define TICKS 1001 /* of a frame, at 30000/1001 in 1/30000 */

static const char *source;

static void write_masks(const char *path, char *note)
{
    tools_setup setup;
    vrs_sink *sink = NULL;
    tools_prepare(&setup, path, VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, 64, 36);
    setup.stream.time_base_den = 30000;
    setup.stream.rate_num = 30000;
    setup.stream.rate_den = 1001;
    setup.params.stream = &setup.stream;
    setup.params.source_path = source;
    setup.params.keep_streams = true;
    setup.params.segment_frames = 40;
    assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_OK);
    for (int i = 0; i < FRAMES; i++) {
        vrs_image image = tools_image(VRS_FORMAT_GRAY8, 64, 36, TOOLS_DISC, i);
        assert_int_equal(vrs_sink_write(sink, &image, (int64_t)i * TICKS, TICKS, NULL), VRS_OK);
    }
    assert_int_equal(vrs_sink_finish(sink), VRS_OK);
    (void)snprintf(note, VRS_NOTE_SIZE, "%s", sink->note);
    vrs_sink_close(sink);
}

/* Next packet of the first audio stream. */
static bool next_sound(AVFormatContext *container, AVPacket *packet)
{
    int stream = av_find_best_stream(container, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
    assert_true(stream >= 0);
    while (av_read_frame(container, packet) >= 0) {
        if (packet->stream_index == stream)
            return true;
        av_packet_unref(packet);
    }
    return false;
}

static void sound_is_copied_bit_for_bit_up_to_the_last_frame(void **state)
{
    (void)state;
    char folder[256], path[512], note[VRS_NOTE_SIZE];
    AVFormatContext *in = NULL, *out = NULL;
    AVPacket *from = av_packet_alloc(), *to = av_packet_alloc();
    int64_t last = 0;
    int count = 0;
    temp_make(folder, sizeof folder);
    tools_join(path, sizeof path, folder, "mask.mp4");
    write_masks(path, note);
    assert_non_null(strstr(note, "stream 2 (data, unknown codec) is not kept"));
    assert_int_equal(avformat_open_input(&in, source, NULL, NULL), 0);
    assert_int_equal(avformat_open_input(&out, path, NULL, NULL), 0);
    while (next_sound(out, to)) {
        assert_true(next_sound(in, from));
        assert_int_equal(to->pts, from->pts);
        assert_int_equal(to->size, from->size);
        assert_memory_equal(to->data, from->data, (size_t)to->size);
        last = to->pts;
        count++;
        av_packet_unref(from);
        av_packet_unref(to);
    }
    assert_true(count > 100);
    int64_t end = av_rescale((int64_t)FRAMES * TICKS, 48000, 30000);
    assert_in_range(last, end - 1024, end - 1);
    av_packet_free(&from);
    av_packet_free(&to);
    avformat_close_input(&in);
    avformat_close_input(&out);
    temp_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_is_copied_bit_for_bit_up_to_the_last_frame),
    };
    source = shared_path("media/videos/sam2_woman_and_dog_1280x720.mp4");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
