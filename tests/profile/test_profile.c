/* Traces: written, read back, damaged, and what a report says of them. */
#define _XOPEN_SOURCE 700

#include "base/clock.h"
#include "device/memory.h"
#include "pipeline/internal.h"
#include "profile/buffer.h"
#include "profile/figures.h"
#include "profile/trace_rig.h"
#include "support/fake_engine.h"
#include "support/inject.h"

#define FRAMES 60

/* ---- text ---- */

static void test_escapes(void **state)
{
    (void)state;
    vrs_buffer b = {0};
    vrs_buffer_html(&b, "<a href='x'>\"&\x01\xff\xe2\x80\xae\xc3\xa9");
    assert_string_equal(b.text, "&lt;a href=&#39;x&#39;&gt;&quot;&amp;\xef\xbf\xbd\xef\xbf\xbd"
                                "\xef\xbf\xbd\xc3\xa9");
    vrs_buffer_free(&b);
    vrs_buffer_json(&b, "a\"b\\\n\xc0");
    assert_string_equal(b.text, "\"a\\\"b\\\\\xef\xbf\xbd\xef\xbf\xbd\"");
    vrs_buffer_free(&b);
    const double values[] = {0, -0.004, 12.345, -1.5, 1e16, 1.0 / 0.0};
    for (int i = 0; i < 6; i++) {
        vrs_buffer_number(&b, values[i], i == 5 ? 0 : 2);
        vrs_buffer_add(&b, " ");
    }
    assert_string_equal(b.text, "0.00 0.00 12.35 -1.50 - - ");
    char small[8] = "";
    vrs_buffer_free(&b);
    vrs_buffer_add(&b, "one\ntwo\nthree\n");
    assert_int_equal(vrs_buffer_copy(&b, small, sizeof(small)), 14);
    assert_string_equal(small, "one\n");
    vrs_buffer_free(&b);
}

static void test_buckets(void **state)
{
    (void)state;
    int32_t last = -1;
    for (int64_t v = 0; v < INT64_MAX / 3; v = v < 100 ? v + 1 : v + v / 40) {
        int32_t bucket = vrs_bucket_of(v);
        assert_true(bucket >= last && bucket < VRS_BUCKETS);
        double off = vrs_bucket_middle_ns(bucket) - (double)v;
        assert_true(off <= 0.02 * (double)v + 0.5 && off >= -0.02 * (double)v - 0.5);
        last = bucket;
    }
    assert_int_equal(vrs_bucket_of(INT64_MAX), VRS_BUCKETS - 1);
}

/* ---- a real pipeline ---- */

static const char descriptor[] = "title: test\nlicence: Apache-2.0\nsource: none\nbatch: free\n"
                                 "input: {name: in, width: 16, height: 8, scale: 1/255}\n"
                                 "output: {name: out, activation: none, classes: [person]}\n";

static void run_frames(vrs_pipeline *pipeline)
{
    vrs_image image;
    vrs_result *result;
    assert_int_equal(vrs_image_alloc(&image, VRS_FORMAT_YUV420P, 64, 48), VRS_OK);
    assert_int_equal(vrs_pipeline_start(pipeline), VRS_OK);
    for (int64_t i = 0; i < FRAMES; i++) {
        vrs_frame frame = {.image = image, .id = i};
        frame.image.release = NULL; /* one picture for all */
        if (vrs_pipeline_submit(pipeline, &frame, -1) != VRS_OK)
            fail_msg("%s", vrs_last_error());
        assert_int_equal(vrs_pipeline_get_result(pipeline, &result, -1), VRS_OK);
        vrs_result_release(result);
    }
    vrs_pipeline_finish(pipeline);
    vrs_image_release(&image);
}

static void make_trace(const char *path)
{
    vrs_config *config;
    vrs_model *model;
    vrs_profile *profile;
    vrs_pipeline *pipeline;
    write_text(other_path, descriptor, strlen(descriptor));
    char name[320];
    (void)snprintf(name, sizeof(name), "%s/fake.yaml", folder);
    assert_int_equal(rename(other_path, name), 0);
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    assert_int_equal(vrs_config_set(config, "device", "cpu"), VRS_OK);
    assert_int_equal(vrs_model_load(name, &model), VRS_OK);
    assert_int_equal(vrs_profile_open(path, &profile), VRS_OK);
    vrs_profile_note(profile, "input", "<script>alert(1)</script>\xff.mp4");
    assert_int_equal(vrs_pipeline_create_on(config, model, &fake_engine_ops, &pipeline), VRS_OK);
    assert_int_equal(vrs_profile_attach(profile, pipeline), VRS_OK);
    assert_int_equal(vrs_profile_attach(profile, pipeline), VRS_OK); /* is one */
    run_frames(pipeline);
    static char metrics[65536];
    size_t length = vrs_profile_metrics(profile, metrics, sizeof(metrics));
    assert_int_equal(length, strlen(metrics));
    assert_non_null(strstr(metrics, "\nvrseg_frames_finished_total 60\n"));
    assert_non_null(strstr(metrics, "\nvrseg_frame_latency_seconds_count 60\n"));
    assert_non_null(strstr(metrics, "\nvrseg_spans_total{kind=\"preprocess\"} 60\n"));
    assert_true(vrs_profile_metrics(profile, metrics, 100) == length || metrics[0] != 0);
    assert_true(strlen(metrics) < 100 && metrics[strlen(metrics) - 1] == '\n');
    vrs_profile_detach(profile, pipeline);
    vrs_profile_detach(profile, pipeline);
    vrs_pipeline_destroy(pipeline);
    vrs_model_destroy(model);
    vrs_config_destroy(config);
    assert_int_equal(vrs_profile_close(profile), VRS_OK);
}

static void test_pipeline(void **state)
{
    (void)state;
    vrs_profile_report *report;
    make_trace(trace_path);
    assert_int_equal(vrs_report_load(trace_path, &report), VRS_OK);
    vrs_report_figures f = vrs_report_get(report);
    assert_int_equal(f.frames, FRAMES);
    assert_int_equal(f.failed, 0);
    assert_int_equal(f.lost_spans, 0);
    assert_int_equal(f.leaks, 0);
    assert_false(f.cut_short);
    assert_true(f.seconds > 0 && f.latency_ms_p50 <= f.latency_ms_p99 &&
                f.latency_ms_p99 <= f.latency_ms_max);
    const char *const kinds[] = {"preprocess", "infer", "postprocess", "queue"};
    for (int i = 0; i < 4; i++)
        assert_int_equal(vrs_report_kind(report, kinds[i])->count, FRAMES);
    assert_true(vrs_report_kind(report, "scores")->count > 0); /* the last ends after its frame */
    assert_int_equal(vrs_report_kind(report, "allocate")->count, 1);
    assert_int_equal(report->exit_count, 1);
    assert_int_equal(report->left_count, 0);

    assert_int_equal(vrs_report_write_html(report, report, other_path), VRS_OK);
    char *page = read_text(other_path);
    assert_null(strstr(page, "<script"));
    assert_non_null(strstr(page, "&lt;script&gt;alert(1)&lt;/script&gt;\xef\xbf\xbd.mp4"));
    assert_non_null(strstr(page, "</html>"));
    vrs_free(page);
    assert_int_equal(vrs_report_write_chrome(report, other_path), VRS_OK);
    assert_int_equal(vrs_report_write_csv(report, other_path), VRS_OK);
    char *csv = read_text(other_path);
    size_t lines = 0;
    for (const char *c = csv; *c != 0; c++)
        lines += *c == '\n';
    assert_int_equal(lines, f.spans + 1);
    vrs_free(csv);
    vrs_report_destroy(report);
}

/* Cut at every byte it opens, once its first line is whole. */
static void test_cut(void **state)
{
    (void)state;
    make_trace(trace_path);
    char *whole = read_text(trace_path);
    size_t length = strlen(whole), first = strcspn(whole, "\n") + 1;
    size_t step = length / 150 + 1;
    for (size_t cut = 0; cut < length; cut += cut < first + 20 ? 1 : step) {
        vrs_profile_report *report = NULL;
        write_text(other_path, whole, cut);
        vrs_status status = vrs_report_load(other_path, &report);
        assert_int_equal(status, cut < first ? VRS_FORMAT : VRS_OK);
        if (status != VRS_OK)
            continue;
        assert_true(vrs_report_get(report).cut_short);
        assert_int_equal(vrs_report_write_html(report, NULL, trace_path), VRS_OK);
        vrs_report_destroy(report);
    }
    vrs_free(whole);
}

/* ---- hostile lines ---- */

#define HEAD "{\"vrseg_trace\":1,\"vrseg\":\"0.1.0\"}\n"

static void expect(const char *text, size_t length, vrs_status wanted, const char *words)
{
    vrs_profile_report *report = NULL;
    write_text(trace_path, text, length);
    vrs_status status = vrs_report_load(trace_path, &report);
    if (status != wanted || (words != NULL && strstr(vrs_last_error(), words) == NULL))
        fail_msg("%.80s: %s, %s", text, vrs_status_name(status), vrs_last_error());
    vrs_report_destroy(report);
}

static void test_hostile(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        vrs_status status;
        const char *words;
    } cases[] = {
        {"", VRS_FORMAT, "is empty"},
        {"\n", VRS_FORMAT, "no JSON object"},
        {"hello\n", VRS_FORMAT, "no JSON object"},
        {"{}\n", VRS_FORMAT, "no JSON object"},
        {"{\"traceEvents\":[]}\n", VRS_FORMAT, "has no \"vrseg_trace\""},
        {"{\"vrseg_trace\":\"1\"}\n", VRS_FORMAT, "has no \"vrseg_trace\""},
        {"{\"vrseg_trace\":2,\"vrseg\":\"9.0.0\"}\n", VRS_UNSUPPORTED,
         "version 2, written by vrseg "
         "9.0.0"},
        {HEAD "{\"future\":[1,2,3]}\n", VRS_OK, NULL},
        {HEAD "{\"span\":[1,\"decode\",-1,0,5]}\n", VRS_OK, NULL},
        {HEAD "{\"span\":[0,\"decode\",1,0,5]}\n", VRS_CORRUPT, "line 2 of the trace"},
        {HEAD "{\"span\":[1,\"decode\",1,0,-5]}\n", VRS_CORRUPT, "a span is"},
        {HEAD "{\"span\":[1,\"decode\",1,9000000000000000000,5]}\n", VRS_CORRUPT, "a span is"},
        {HEAD "{\"span\":[1,\"decode\",1,0]}\n", VRS_CORRUPT, "a span is"},
        {HEAD "{\"span\":{\"a\":1}}\n", VRS_CORRUPT, "a span is"},
        {HEAD "{\"span\":[1,2,1,0,5]}\n", VRS_CORRUPT, "a span is"},
        {HEAD "{\"span\":[1,\"decode\",1.5,0,5]}\n", VRS_CORRUPT, "a span is"},
        {HEAD "\n{\"future\":1}\n", VRS_CORRUPT, "no JSON object"},
        {HEAD "[[[[[[\n", VRS_CORRUPT, "no JSON object"},
        {HEAD "{\"note\":[\"a\"]}\n", VRS_CORRUPT, "a note is"},
        {HEAD "{\"sample\":[1,[2]]}\n", VRS_CORRUPT, "a sample is"},
        {HEAD "{\"sample\":[1,{\"a\":\"b\"}]}\n", VRS_CORRUPT, "a sample is"},
        {HEAD "{\"sample\":[1,{\"a\":1e999}]}\n", VRS_CORRUPT, "a sample is"},
        {HEAD "{\"exit\":[\"device\",[[1,2,3]]]}\n", VRS_CORRUPT, "an exit is"},
        {HEAD "{\"node\":[1,\"a\",\"b\",\"c\",1,2]}\n", VRS_CORRUPT, "a node is"},
        {HEAD "{\"counted\":[1,\"a\",1]}\n", VRS_CORRUPT, "what was counted is"},
        {HEAD "{\"counted\":[1,\"a\",-2,3]}\n", VRS_CORRUPT, "what was counted is"},
        {HEAD "{\"counted\":[1,\"a\",null,null]}\n", VRS_OK, NULL},
        {HEAD "{\"kernel\":[1,\"a\",\"b\",1,2,3]}\n", VRS_CORRUPT, "a kernel is"},
        {HEAD "{\"kernel\":[-1,\"a\",\"b\",1,2,3,4]}\n", VRS_CORRUPT, "a kernel is"},
        {HEAD "{\"kernel_id\":[0,1,\"a\",\"b\"]}\n", VRS_CORRUPT, "a kernel's name is"},
        {HEAD "{\"kernel_id\":[1,1,\"a\"]}\n", VRS_CORRUPT, "a kernel's name is"},
        {HEAD "{\"kernel_run\":[1,4294967296,0,5]}\n", VRS_CORRUPT, "a run of a kernel is"},
        {HEAD "{\"kernel_run\":[1,1,0,-5]}\n", VRS_CORRUPT, "a run of a kernel is"},
        {HEAD "{\"kernel_run\":[1,7,0,5]}\n", VRS_OK, NULL},
        {HEAD "{\"track\":[1,\"a\",3]}\n", VRS_CORRUPT, "a track is"},
        {HEAD "{\"lost\":[1,-1]}\n", VRS_CORRUPT, "what is lost"},
        {HEAD "{\"end\":[1]}\n", VRS_CORRUPT, "the end is"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect(cases[i].text, strlen(cases[i].text), cases[i].status, cases[i].words);
    expect(HEAD "{\"note\":\0[]}\n", sizeof(HEAD) + 14, VRS_CORRUPT, "a zero byte");
    char *large = calloc(1, 100000);
    assert_non_null(large);
    memset(large, '[', 100000);
    memcpy(large, HEAD, strlen(HEAD));
    expect(large, 100000, VRS_CORRUPT, "too long");
    free(large);
    vrs_profile_report *report;
    assert_int_equal(vrs_report_load(folder, &report), VRS_FORMAT);
    assert_int_equal(vrs_report_load("/nowhere/run.trace", &report), VRS_NOT_FOUND);
}

/* More names, nodes and notes than are kept, and numbers at their ends: a page all the same. */
static void test_too_much(void **state)
{
    (void)state;
    vrs_profile_report *report;
    FILE *file = fopen(trace_path, "w");
    assert_non_null(file);
    (void)fputs(HEAD, file);
    for (int i = 0; i < 2000; i++)
        (void)fprintf(file,
                      "{\"span\":[%d,\"kind <%d>\",%d,%d,%d]}\n{\"note\":[\"n%d\",\"&\"]}\n"
                      "{\"sample\":[%d,{\"value %d\":1e300}]}\n{\"track\":[%d,\"t\",\"gpu\"]}\n"
                      "{\"node\":[1,\"a\",\"<b>\",\"c\",1e300,-1,0]}\n"
                      "{\"exit\":[\"p%d\",[[\"o\",1,1]]]}\n",
                      i + 1, i, i, i, i, i, i, i, i + 1, i);
    (void)fputs("{\"span\":[1,\"frame\",0,-1000000000000000000,1000000000000000000]}\n"
                "{\"span\":[1,\"frame\",9223372036854775807,1000000000000000000,"
                "1000000000000000000]}\n",
                file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(vrs_report_load(trace_path, &report), VRS_OK);
    assert_int_equal(report->kind_count, VRS_REPORT_KINDS);
    assert_int_equal(vrs_report_write_html(report, report, other_path), VRS_OK);
    char *page = read_text(other_path);
    assert_null(strstr(page, "<b>\"")); /* escaped */
    assert_null(strstr(page, "kind <"));
    vrs_free(page);
    vrs_report_destroy(report);
}

/* ---- memory ---- */

/* Frames go by and samples are taken; `leaked` bytes stay behind each time. */
static void run_with_leak(const char *path, size_t leaked)
{
    void *blocks[60];
    vrs_profile *profile;
    vrs_clock_use_virtual(0);
    assert_int_equal(vrs_profile_open(path, &profile), VRS_OK);
    for (int i = 0; i < 60; i++) {
        vrs_mutex_lock(&profile->lock);
        profile->gone.finished += 50;
        vrs_mutex_unlock(&profile->lock);
        blocks[i] = leaked > 0 ? vrs_alloc(leaked) : NULL;
        vrs_clock_advance_ns(100 * MS);
        vrs_profile_poll(profile, true);
    }
    assert_int_equal(vrs_profile_close(profile), VRS_OK);
    vrs_clock_use_real();
    for (int i = 0; i < 60; i++)
        vrs_free(blocks[i]);
}

static void test_planted_leak(void **state)
{
    (void)state;
    static char text[65536];
    vrs_growth growth[VRS_REPORT_SERIES];
    vrs_profile_report *report;
    run_with_leak(trace_path, 20000);
    assert_int_equal(vrs_report_load(trace_path, &report), VRS_OK);
    int32_t count = vrs_report_growth(report, growth), found = 0;
    for (int32_t i = 0; i < count; i++)
        if (strcmp(growth[i].owner, "host/bytes") == 0 ||
            strcmp(growth[i].owner, "host/blocks") == 0) {
            bool blocks = strcmp(growth[i].owner, "host/blocks") == 0;
            double wanted = blocks ? 20 : 20 * 20000;
            assert_true(growth[i].leaks);
            assert_true(growth[i].per_thousand > 0.95 * wanted &&
                        growth[i].per_thousand < 1.05 * wanted);
            found++;
        }
    assert_int_equal(found, 2);
    assert_int_equal(report->left_count, 1);
    assert_int_equal(report->left[0].blocks, 60);
    assert_true(report->left[0].bytes >= 60 * 20000);
    assert_true(vrs_report_get(report).leaks >= 3);
    (void)vrs_report_text(report, NULL, text, sizeof(text));
    assert_non_null(strstr(text, "leak: host/bytes grows by 0.4"));
    assert_non_null(strstr(text, "left over at the end: host memory"));
    vrs_report_destroy(report);

    run_with_leak(trace_path, 0);
    assert_int_equal(vrs_report_load(trace_path, &report), VRS_OK);
    count = vrs_report_growth(report, growth);
    for (int32_t i = 0; i < count; i++)
        assert_true(strcmp(growth[i].owner, "resident") == 0 || !growth[i].leaks);
    assert_int_equal(report->left_count, 0);
    vrs_report_destroy(report);
}

static void test_ledger(void **state)
{
    (void)state;
    vrs_device *device;
    vrs_memory *memory;
    vrs_memory_block *block;
    vrs_profile *profile;
    vrs_profile_report *report;
    const vrs_memory_settings settings = {.limit = 1 << 20, .host_limit = 1 << 20};
    assert_int_equal(vrs_profile_open(trace_path, &profile), VRS_OK);
    assert_int_equal(vrs_device_open("cpu", &device), VRS_OK);
    assert_int_equal(vrs_memory_create(device, &settings, &memory), VRS_OK);
    assert_int_equal(
        vrs_memory_alloc(memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_MASKS, 5000, &block), VRS_OK);
    vrs_profile_exit(profile, memory);
    vrs_memory_free(memory, block);
    vrs_memory_destroy(memory);
    vrs_device_close(device);
    assert_int_equal(vrs_profile_close(profile), VRS_OK);
    assert_int_equal(vrs_report_load(trace_path, &report), VRS_OK);
    assert_int_equal(report->left_count, 2); /* on the CPU both places are one */
    assert_string_equal(report->left[0].owner, "masks and outputs");
    assert_true(report->left[0].bytes >= 5000);
    assert_int_equal(report->exit_count, 3); /* device, pinned, host */
    vrs_report_destroy(report);
}

/* ---- two runs ---- */

/* 3,000 frames at an even rate whose stages take `ms`, more or less. */
static void write_run(const char *path, double ms, unsigned seed)
{
    vrs_trace *trace;
    assert_int_equal(vrs_trace_open(path, 0, &trace), VRS_OK);
    vrs_trace_track(trace, 1, "worker", false);
    for (int64_t i = 0; i < 3000; i++) {
        seed = seed * 1103515245 + 12345;
        double noise = 0.9 + 0.2 * (double)(seed >> 16 & 1023) / 1023;
        vrs_span span = {.begin_ns = i * 10 * MS, .frame = i, .kind = VRS_SPAN_INFER};
        span.end_ns = span.begin_ns + (int64_t)(ms * noise * 1e6);
        vrs_trace_span(trace, 1, &span);
        span.kind = VRS_SPAN_FRAME;
        vrs_trace_span(trace, 1, &span);
    }
    assert_int_equal(vrs_trace_close(trace, 30000 * MS, 6000, 0), VRS_OK);
}

static int32_t verdict_of(double old_ms, double new_ms, const char *what)
{
    vrs_profile_report *old, *now;
    vrs_change changes[VRS_REPORT_CHANGES];
    write_run(trace_path, old_ms, 1);
    write_run(other_path, new_ms, 2);
    assert_int_equal(vrs_report_load(trace_path, &old), VRS_OK);
    assert_int_equal(vrs_report_load(other_path, &now), VRS_OK);
    int32_t count = vrs_report_compare(now, old, changes), verdict = 99;
    for (int32_t i = 0; i < count; i++)
        if (strcmp(changes[i].what, what) == 0) {
            verdict = changes[i].verdict;
            assert_true(changes[i].noise > 0);
        }
    vrs_report_destroy(old);
    vrs_report_destroy(now);
    return verdict;
}

static void test_compare(void **state)
{
    (void)state;
    assert_int_equal(verdict_of(4, 4, "infer"), 0);
    assert_int_equal(verdict_of(4, 4.04, "infer"), 0);
    assert_int_equal(verdict_of(4, 4.4, "infer"), -1);
    assert_int_equal(verdict_of(4, 3.6, "infer"), 1);
    assert_int_equal(verdict_of(4, 4.4, "latency of a frame"), -1);
    assert_int_equal(verdict_of(4, 4.4, "throughput"), 0);
}

static void test_percentiles(void **state)
{
    (void)state;
    vrs_profile_report *report;
    write_run(trace_path, 10, 3);
    assert_int_equal(vrs_report_load(trace_path, &report), VRS_OK);
    vrs_report_figures f = vrs_report_get(report);
    assert_true(f.latency_ms_p50 > 9.7 && f.latency_ms_p50 < 10.3);
    assert_true(f.latency_ms_p99 > 10.7 && f.latency_ms_p99 < 11.2);
    assert_true(f.fps > 99 && f.fps < 101);
    assert_int_equal(f.spans, 6000);
    vrs_report_destroy(report);
}

/* ---- failures ---- */

static void test_full_disk(void **state)
{
    (void)state;
    vrs_profile *profile;
    vrs_profile_report *report;
    FILE *full = fopen("/dev/full", "w");
    if (full == NULL)
        skip();
    (void)fclose(full);
    assert_int_equal(vrs_profile_open("/dev/full", &profile), VRS_OK);
    vrs_profile_poll(profile, true);
    assert_int_equal(vrs_profile_close(profile), VRS_NO_SPACE);
    assert_non_null(strstr(vrs_last_error(), "/dev/full: the trace is incomplete"));
    assert_int_equal(vrs_profile_open("/nowhere/run.trace", &profile), VRS_NOT_FOUND);
    write_run(trace_path, 1, 1);
    assert_int_equal(vrs_report_load(trace_path, &report), VRS_OK);
    assert_int_equal(vrs_report_write_chrome(report, "/nowhere/c.json"), VRS_NOT_FOUND);
    assert_int_equal(vrs_report_write_html(report, NULL, "/nowhere/c.html"), VRS_NOT_FOUND);
    vrs_report_destroy(report);
}

static vrs_status open_and_close(void *opaque)
{
    (void)opaque;
    vrs_profile *profile = NULL;
    vrs_status status = vrs_profile_open(trace_path, &profile);
    if (status == VRS_OK)
        status = vrs_profile_close(profile);
    return status;
}

static vrs_status load_and_write(void *opaque)
{
    (void)opaque;
    vrs_profile_report *report = NULL;
    vrs_status status = vrs_report_load(trace_path, &report);
    if (status == VRS_OK)
        status = vrs_report_write_html(report, report, other_path);
    if (status == VRS_OK)
        status = vrs_report_write_chrome(report, other_path);
    if (status == VRS_OK)
        status = vrs_report_write_csv(report, other_path);
    vrs_report_destroy(report);
    return status;
}

static void test_refused(void **state)
{
    (void)state;
    /* The count of the cores is found without the file of the control group too. */
    const vrs_status fine = VRS_OK;
    assert_true(inject_all_allowing(open_and_close, NULL, &fine, 1) >= 6);
    static const char few[] = HEAD "{\"track\":[1,\"a\",\"host\"]}\n"
                                   "{\"span\":[1,\"frame\",0,0,1000]}\n"
                                   "{\"span\":[1,\"infer\",0,0,1000]}\n{\"end\":[5,2,0]}\n";
    write_text(trace_path, few, strlen(few));
    assert_true(inject_all(load_and_write, NULL) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_buckets),
        cmocka_unit_test_setup_teardown(test_pipeline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hostile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_much, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_planted_leak, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ledger, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_compare, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_percentiles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
