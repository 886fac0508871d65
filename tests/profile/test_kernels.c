/* What a trace says of a network's nodes and of the GPU's kernels, and what a report makes of it.
 */
#define _XOPEN_SOURCE 700

#include "device/kernel_times.h"
#include "engine/report.h"
#include "profile/figures.h"
#include "profile/trace_rig.h"

static void test_nodes(void **state)
{
    (void)state;
    vrs_trace *trace;
    vrs_profile_report *report;
    const vrs_engine_node nodes[] = {
        {.batch = 1, .name = "conv_1", .does = "conv 3x3", .plan = "cudnn engine 4", .micros = 50},
        {.batch = 8,
         .name = "conv_1",
         .does = "conv 3x3 <relu>",
         .plan = "cudnn engine 7",
         .micros = 300,
         .flops = 8e9,
         .bytes = 8e6},
        {.batch = 8,
         .name = "pool",
         .does = "pool 2x2",
         .plan = "kernel",
         .micros = 100,
         .flops = 1e6,
         .bytes = 4e6},
    };
    assert_int_equal(vrs_trace_open(trace_path, 0, &trace), VRS_OK);
    for (int i = 0; i < 3; i++)
        vrs_trace_node(trace, &nodes[i]);
    assert_int_equal(vrs_trace_close(trace, 1, 0, 0), VRS_OK);
    assert_int_equal(vrs_report_load(trace_path, &report), VRS_OK);
    assert_int_equal(report->node_count, 3);
    assert_true(report->nodes[1].micros == 300 && report->nodes[1].batch == 8);
    assert_int_equal(vrs_report_write_html(report, NULL, other_path), VRS_OK);
    char *page = read_text(other_path);
    /* Of the largest batch, with shares of its time and what each reaches. */
    assert_non_null(strstr(page, "Batch 8, each node"));
    assert_non_null(strstr(page, "conv 3x3 &lt;relu&gt;</td>"));
    assert_non_null(strstr(page, "<td>300.0</td><td>75.0 %</td><td>8.000</td><td>8.00</td>"
                                 "<td>26.67</td><td>26.7</td>"));
    assert_null(strstr(page, "cudnn engine 4"));
    vrs_free(page);
    vrs_report_destroy(report);
}

/* Kernels as they ran, of a node together; shares of what the GPU could do; kernels of no node. */
static void test_kernels(void **state)
{
    (void)state;
    vrs_trace *trace;
    vrs_profile_report *report;
    vrs_report_node_time times[VRS_REPORT_KERNELS];
    double all = 0;
    const vrs_engine_node node = {.batch = 8,
                                  .name = "conv_1",
                                  .does = "conv 3x3 <relu>",
                                  .plan = "cudnn",
                                  .micros = 90,
                                  .flops = 8e9,
                                  .bytes = 8e6};
    const vrs_kernel_time kernels[] = {
        {8, "conv_1", "gemm<int>", 10, 900, 80, 100},
        {8, "conv_1", "tail", 10, 100, 9, 11},
        {0, "", "preprocess", 20, 400, 10, 30},
        {1, "conv_1", "gemm<int>", 1, 50, 50, 50},
    };
    assert_int_equal(vrs_trace_open(trace_path, 0, &trace), VRS_OK);
    vrs_trace_note(trace, VRS_NOTE_PEAK_BYTES, "4e12");
    vrs_trace_note(trace, VRS_NOTE_PEAK_OPERATIONS, "1e15");
    vrs_trace_node(trace, &node);
    for (int i = 0; i < 4; i++)
        vrs_trace_kernel(trace, &kernels[i]);
    assert_int_equal(vrs_trace_close(trace, 1, 0, 0), VRS_OK);
    assert_int_equal(vrs_report_load(trace_path, &report), VRS_OK);
    assert_int_equal(report->kernel_count, 4);
    assert_int_equal(vrs_report_node_times(report, times, VRS_REPORT_KERNELS, &all), 3);
    assert_true(all == 1450);
    assert_true(times[0].total_us == 1000 && times[0].runs == 10);
    assert_string_equal(times[0].node->does, "conv 3x3 <relu>");
    assert_true(times[1].node == NULL && times[1].total_us == 400);
    assert_true(times[2].first->batch == 1 && times[2].node == NULL);
    assert_int_equal(vrs_report_node_times(report, times, 1, &all), 1);
    assert_int_equal(vrs_report_write_html(report, NULL, other_path), VRS_OK);
    char *page = read_text(other_path);
    assert_non_null(strstr(page, "Kernels as they ran"));
    assert_non_null(strstr(page, "1.4 ms in all"));
    /* 100 us a run: 69 % of the time; 8 MB, 80 GB/s of 4,000; 80 TFLOP/s of 1,000. */
    assert_non_null(strstr(page, "<td>8</td><td>10</td><td>100.00</td><td>69.0</td><td>8.0</td>"
                                 "<td>8.00</td><td>2.0</td><td>80.0</td>"));
    assert_non_null(strstr(page, "preprocess</td>"));
    assert_null(strstr(page, "ounte")); /* "counted", "counters" */
    vrs_free(page);
    vrs_report_destroy(report);
}

/* What the hardware counted of a node stands beside what it has to move; else why it is not known.
 */
static void test_counted(void **state)
{
    (void)state;
    const vrs_engine_node node = {
        .batch = 8, .name = "conv_1", .does = "conv", .plan = "cudnn", .bytes = 8e6};
    const vrs_engine_counted counted[] = {{8, "conv_1", {16e6, 45.25}},
                                          {4, "conv_1", {2, 3}}, /* of no node that is known */
                                          {8, "conv_2", {2, 3}}};
    const vrs_kernel_time kernels[] = {{8, "conv_1", "gemm", 10, 1000, 90, 110},
                                       {0, "", "copy", 1, 10, 10, 10}};
    for (int known = 0; known < 3; known++) { /* 2: without bytes */
        vrs_engine_counted poor = {8, "conv_1", {-1, 3}};
        vrs_trace *trace;
        vrs_profile_report *report;
        assert_int_equal(vrs_trace_open(trace_path, 0, &trace), VRS_OK);
        vrs_trace_note(trace, VRS_NOTE_PEAK_BYTES, "4e12");
        vrs_trace_node(trace, &node);
        for (int i = 0; i < 3 && known == 1; i++)
            vrs_trace_counted(trace, &counted[i]);
        if (known == 2)
            vrs_trace_counted(trace, &poor);
        if (known == 0)
            vrs_trace_note(trace, VRS_NOTE_COUNTERS, "for <administrators> alone");
        for (int i = 0; i < 2; i++)
            vrs_trace_kernel(trace, &kernels[i]);
        assert_int_equal(vrs_trace_close(trace, 1, 0, 0), VRS_OK);
        assert_int_equal(vrs_report_load(trace_path, &report), VRS_OK);
        assert_int_equal(report->counted, known > 0);
        assert_int_equal(vrs_report_write_html(report, NULL, other_path), VRS_OK);
        char *page = read_text(other_path);
        assert_int_equal(strstr(page, "for &lt;administrators&gt; alone") != NULL, known == 0);
        assert_int_equal(strstr(page, "<th>counted MB</th>") != NULL, known > 0);
        /* 16 MB in 100 us: 160 GB/s of 4,000. */
        assert_int_equal(strstr(page, "<td>16.00</td><td>4.0</td><td>45.2</td></tr>") != NULL ||
                             strstr(page, "<td>16.00</td><td>4.0</td><td>45.3</td></tr>") != NULL,
                         known == 1);
        assert_int_equal(strstr(page, "<td>-</td><td>-</td><td>-</td></tr>") != NULL, known > 0);
        vrs_free(page);
        vrs_report_destroy(report);
    }
}

/* 400 frames, with the first kernels of each 100 of them: a node's, side by side with one of no
 * node, then one whose number nothing names. */
static void write_kernel_runs(const char *path)
{
    vrs_trace *trace;
    assert_int_equal(vrs_trace_open(path, 1000, &trace), VRS_OK);
    vrs_trace_track(trace, 1, "worker", false);
    vrs_trace_track(trace, 2, "kernels of gpu 0, stream 7", true);
    vrs_kernel_run conv = {
        .id = 1, .first = true, .batch = 8, .node = "conv <1>", .kernel = "gemm"};
    vrs_kernel_run copy = {.id = 2, .first = true, .node = "", .kernel = "copy"};
    for (int64_t i = 0; i < 400; i++) {
        vrs_span span = {.begin_ns = 1000 + i * MS, .frame = i, .kind = VRS_SPAN_INFER};
        span.end_ns = span.begin_ns + MS / 2;
        vrs_trace_span(trace, 1, &span);
        span.kind = VRS_SPAN_FRAME;
        vrs_trace_span(trace, 1, &span);
        if (i % 100 != 10)
            continue;
        conv.begin_ns = span.begin_ns + MS / 4;
        conv.end_ns = conv.begin_ns + 2000;
        copy.begin_ns = conv.begin_ns + 1000;
        copy.end_ns = copy.begin_ns + 500;
        vrs_trace_kernel_run(trace, 2, &conv);
        vrs_trace_kernel_run(trace, 2, &copy);
        conv.first = copy.first = false;
        const vrs_kernel_run odd = {.id = 4000000000u,
                                    .begin_ns = conv.end_ns,
                                    .end_ns = conv.end_ns + 100,
                                    .node = "",
                                    .kernel = ""};
        vrs_trace_kernel_run(trace, 2, &odd);
    }
    assert_int_equal(vrs_trace_close(trace, 1000 + 400 * MS, 800, 0), VRS_OK);
}

/* Kernels one by one: in the chart of stages, whose window goes to where some are, and for
 * Perfetto. */
static void test_kernel_runs(void **state)
{
    (void)state;
    vrs_profile_report *report;
    write_kernel_runs(trace_path);
    assert_int_equal(vrs_report_load(trace_path, &report), VRS_OK);
    assert_int_equal(report->kernel_runs, 12);
    assert_int_equal(report->kernel_bar_count, 3); /* those of frame 210 */
    assert_int_equal(report->kernel_bars[0].begin_ns, 210 * MS + MS / 4);
    assert_true(report->window_begin_ns < report->kernel_bars[0].begin_ns &&
                report->window_end_ns > report->kernel_bars[2].end_ns);
    assert_string_equal(vrs_report_kernel_name(report, 1), "conv <1>");
    assert_string_equal(vrs_report_kernel_name(report, 2), "copy");
    assert_string_equal(vrs_report_kernel_name(report, 3), "kernel");
    assert_int_equal(vrs_report_write_html(report, NULL, other_path), VRS_OK);
    char *page = read_text(other_path);
    assert_non_null(strstr(page, "; below, kernels of the GPU</text>"));
    assert_non_null(strstr(page, ">kernels</text>"));
    assert_non_null(strstr(page, "<title>conv &lt;1&gt;, 0.002 ms</title>"));
    vrs_free(page);
    assert_int_equal(vrs_report_write_chrome(report, other_path), VRS_OK);
    char *chrome = read_text(other_path);
    assert_non_null(strstr(chrome, "{\"name\":\"conv <1>\",\"cat\":\"kernel\",\"ph\":\"X\","
                                   "\"pid\":2,\"tid\":2,\"ts\":210250.000,\"dur\":2.000,"
                                   "\"args\":{\"kernel\":\"gemm\",\"batch\":8}}"));
    /* Beside it, so in a thread of its own, which is named. */
    assert_non_null(strstr(chrome, "{\"name\":\"copy\",\"cat\":\"kernel\",\"ph\":\"X\","
                                   "\"pid\":2,\"tid\":2097154,\"ts\":210251.000,"));
    assert_non_null(strstr(chrome, "\"tid\":2097154,\"args\":{\"name\":\"kernels of gpu 0, "));
    /* After it, so in the first one again. */
    assert_non_null(strstr(chrome, "{\"name\":\"kernel\",\"cat\":\"kernel\",\"ph\":\"X\","
                                   "\"pid\":2,\"tid\":2,\"ts\":210252.000,"));
    vrs_free(chrome);
    vrs_report_destroy(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nodes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kernels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kernel_runs, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
