/* The sentence that names what limits: each resource slowed in turn, by a simulation of the
 * pipeline in counted units of work, and at the borders between one answer and another. */
#include <stdio.h>
#include <string.h>

#include "base/cover.h"
#include "pipeline/bottleneck.h"
#include "support/inject.h"

/* --- a pipeline in counted units ---
 *
 * Frames pass source, decoder, copy up, preprocessing, network, postprocessing, copy down, encoder,
 * disk and consumer, one after another in each, each step beginning when its frame and its resource
 * are there. At most `tickets` frames lie between decoder and consumer. On the CPU the work of the
 * stages is shared by the cores; on a GPU the three in the middle are kernels. */
enum { SOURCE, DECODE, UP, PRE, INFER, POST, DOWN, ENCODE, DISK, CONSUME, STEPS };

#define FRAMES 400
#define MOST_TICKETS 64

typedef struct plant {
    int64_t cost[STEPS]; /* of a frame */
    int32_t lanes;       /* frames in the middle side by side */
    int32_t tickets, tickets_wanted;
    int32_t cores;
    bool gpu, live;
} plant;

typedef struct worked {
    int64_t busy[STEPS], end_ns;
    int64_t source_wait, ticket_wait, unread_wait;
    vrs_cover kernels, copies;
} worked;

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Ends of each step of the frames so far; a step with `lanes` takes frame n once n - lanes left. */
static worked simulate(const plant *p)
{
    static int64_t end[FRAMES][STEPS];
    worked w = {0};
    for (int n = 0; n < FRAMES; n++) {
        int64_t *now = end[n], before[STEPS] = {0};
        for (int s = 0; s < STEPS && n > 0; s++)
            before[s] = end[n - 1][s];
        for (int s = PRE; s <= POST; s++)
            before[s] = n >= p->lanes ? end[n - p->lanes][s] : 0;
        now[SOURCE] = before[SOURCE] + p->cost[SOURCE];
        /* The decoder asks for data when it has handed on the frame before. */
        int64_t free_decoder = n > 0 ? before[DECODE] : 0;
        int64_t decode_begin = later(now[SOURCE], free_decoder);
        w.source_wait += decode_begin - free_decoder;
        now[DECODE] = decode_begin + p->cost[DECODE];
        int64_t ticket = n >= p->tickets ? end[n - p->tickets][CONSUME] : 0;
        int64_t finished = n >= p->tickets ? end[n - p->tickets][DOWN] : 0;
        if (ticket > now[DECODE]) {
            w.ticket_wait += ticket - now[DECODE];
            if (end[n - 1][DOWN] < ticket) /* all are finished */
                w.unread_wait += ticket - later(now[DECODE], later(finished, end[n - 1][DOWN]));
            now[DECODE] = ticket;
        }
        for (int s = UP; s < STEPS; s++) {
            int64_t begin = later(now[s - 1], before[s]);
            now[s] = begin + p->cost[s];
            if (s >= PRE && s <= POST)
                vrs_cover_add(&w.kernels, begin, now[s]);
            if (s == UP || s == DOWN)
                vrs_cover_add(&w.copies, begin, now[s]);
        }
        for (int s = 0; s < STEPS; s++)
            w.busy[s] += p->cost[s];
        w.end_ns = later(w.end_ns, now[CONSUME]);
    }
    return w;
}

static double share(int64_t ns, int64_t whole)
{
    return (double)ns / (double)whole;
}

/* What a run of the plant has measured. */
static vrs_bottleneck measure(const plant *p)
{
    static const int step_of[VRS_STAGE_COUNT] = {DECODE, PRE, INFER, POST, ENCODE};
    worked w = simulate(p);
    vrs_bottleneck b = {.seconds = (double)w.end_ns / 1e9,
                        .cores = p->cores,
                        .gpu_decodes = p->gpu,
                        .gpu_infers = p->gpu,
                        .live = p->live,
                        .tickets = (uint32_t)p->tickets,
                        .tickets_wanted = (uint32_t)p->tickets_wanted};
    int64_t on_cores = 0;
    for (int i = 0; i < VRS_STAGE_COUNT; i++) {
        bool middle = i > VRS_STAGE_DECODE && i < VRS_STAGE_ENCODE;
        int64_t ns = w.busy[step_of[i]];
        b.stages[i].busy = share(ns, w.end_ns * (middle ? p->lanes : 1));
        bool on_core = !p->gpu || i == VRS_STAGE_ENCODE;
        b.stages[i].cpu_seconds = on_core ? (double)ns / 1e9 : 0;
        on_cores += on_core ? ns : 0;
    }
    b.resources[VRS_RESOURCE_CORES] = share(on_cores, w.end_ns * p->cores);
    b.resources[VRS_RESOURCE_DECODER] = p->gpu ? b.stages[VRS_STAGE_DECODE].busy : -1;
    b.resources[VRS_RESOURCE_SMS] = p->gpu ? share(vrs_cover_total(&w.kernels), w.end_ns) : -1;
    b.resources[VRS_RESOURCE_COPY] = p->gpu ? share(vrs_cover_total(&w.copies), w.end_ns) : -1;
    b.resources[VRS_RESOURCE_ENCODER] = b.stages[VRS_STAGE_ENCODE].busy;
    b.resources[VRS_RESOURCE_DISK] = share(w.busy[DISK], w.end_ns);
    b.resources[VRS_RESOURCE_CONSUMER] =
        later(w.unread_wait, 0) > 0 && p->cost[CONSUME] > 0 ? share(w.busy[CONSUME], w.end_ns) : 0;
    b.resources[VRS_RESOURCE_SOURCE] = share(w.source_wait, w.end_ns);
    b.resources[VRS_RESOURCE_MEMORY] =
        p->tickets < p->tickets_wanted ? share(w.ticket_wait - w.unread_wait, w.end_ns) : 0;
    return b;
}

/* Work that no step has much of: nothing is near its limit but what a case slows. */
static plant balanced(bool gpu)
{
    return (plant){.cost = {[SOURCE] = 100,
                            [DECODE] = 100,
                            [UP] = 100,
                            [PRE] = 60,
                            [INFER] = 100,
                            [POST] = 60,
                            [DOWN] = 100,
                            [ENCODE] = 100,
                            [DISK] = 50,
                            [CONSUME] = 10},
                   .lanes = 4,
                   .tickets = 32,
                   .tickets_wanted = 32,
                   .cores = 16,
                   .gpu = gpu};
}

static void expect(const plant *p, vrs_resource resource, int stage, const char *words)
{
    vrs_bottleneck b = measure(p);
    vrs_bottleneck_finding f;
    vrs_bottleneck_find(&b, &f);
    if (f.resource != resource || (stage >= 0 && (int)f.stage != stage) || !f.found)
        fail_msg("%s (%s), expected %s: %s", vrs_resource_name(f.resource), vrs_stage_name(f.stage),
                 vrs_resource_name(resource), f.text);
    if (strstr(f.text, words) == NULL || strstr(f.text, " try ") == NULL)
        fail_msg("expected \"%s\" and what to try in: %s", words, f.text);
}

/* Each resource ten times as slow as the rest, in turn. */
static void test_slow_each(void **state)
{
    (void)state;
    plant p = balanced(true);
    p.cost[DECODE] *= 10;
    expect(&p, VRS_RESOURCE_DECODER, VRS_STAGE_DECODE, "the GPU's decoder: at work ");
    p = balanced(true);
    p.cost[INFER] *= 40; /* four lanes */
    expect(&p, VRS_RESOURCE_SMS, VRS_STAGE_INFER, "most in infer");
    p = balanced(true);
    p.cost[POST] *= 60;
    expect(&p, VRS_RESOURCE_SMS, VRS_STAGE_POSTPROCESS, "most in postprocess");
    p = balanced(true);
    p.cost[UP] *= 10;
    expect(&p, VRS_RESOURCE_COPY, -1, "copy engine");
    p = balanced(true);
    p.cost[DOWN] *= 10;
    expect(&p, VRS_RESOURCE_COPY, -1, "copy engine");
    p = balanced(true);
    p.cost[ENCODE] *= 10;
    expect(&p, VRS_RESOURCE_ENCODER, VRS_STAGE_ENCODE, "the encoder: busy ");
    p = balanced(true);
    p.cost[DISK] *= 20;
    expect(&p, VRS_RESOURCE_DISK, -1, "the disk: written to ");
    p = balanced(true);
    p.cost[CONSUME] *= 100;
    expect(&p, VRS_RESOURCE_CONSUMER, -1, "the consumer: finished frames waited ");
    p = balanced(true);
    p.cost[SOURCE] *= 10;
    expect(&p, VRS_RESOURCE_SOURCE, VRS_STAGE_DECODE, "of the time it had no data");
    p.live = true;
    expect(&p, VRS_RESOURCE_SOURCE, VRS_STAGE_DECODE, "the machine keeps up");
}

/* On the CPU the cores are the resource, whatever stage they are spent in. */
static void test_slow_cores(void **state)
{
    (void)state;
    static const struct {
        int step, stage;
        const char *words;
    } cases[] = {{DECODE, VRS_STAGE_DECODE, "--decoder-threads"},
                 {INFER, VRS_STAGE_INFER, "a lighter model"},
                 {POST, VRS_STAGE_POSTPROCESS, "--refine off"},
                 {ENCODE, VRS_STAGE_ENCODE, "a faster --preset"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        plant p = balanced(false);
        p.cost[cases[i].step] *= 30;
        p.cost[UP] = p.cost[DOWN] = 0;
        bool middle = cases[i].step == INFER || cases[i].step == POST;
        p.cores = middle ? 4 : 1; /* as many as are busy then */
        expect(&p, VRS_RESOURCE_CORES, cases[i].stage, cases[i].words);
        expect(&p, VRS_RESOURCE_CORES, cases[i].stage,
               middle ? "of 4 cores busy" : "of 1 core busy");
        p.cores = 64; /* plenty: then it is the stage */
        if (cases[i].step == ENCODE)
            expect(&p, VRS_RESOURCE_ENCODER, VRS_STAGE_ENCODE, "the encoder");
        else
            expect(&p, VRS_RESOURCE_COUNT, cases[i].stage, "busy ");
    }
}

/* Too few tickets for the lanes: everything waits for one that comes back; with as many as are
 * wanted the same machine is limited by something else. */
static void test_starved_memory(void **state)
{
    (void)state;
    plant p = balanced(true);
    p.cost[INFER] = 300;
    p.cost[CONSUME] = 0;
    p.tickets = 2;
    expect(&p, VRS_RESOURCE_MEMORY, -1, "room for 2 of 32 frames in flight");
    p.tickets = p.tickets_wanted;
    vrs_bottleneck b = measure(&p);
    vrs_bottleneck_finding f;
    vrs_bottleneck_find(&b, &f);
    assert_int_not_equal(f.resource, VRS_RESOURCE_MEMORY);
}

/* A run that nothing limits says so, with its figures. */
static void test_nothing(void **state)
{
    (void)state;
    vrs_bottleneck b = {.cores = 8, .stages = {[VRS_STAGE_INFER] = {.busy = 0.4}}};
    vrs_bottleneck_finding f;
    for (int i = 0; i < VRS_RESOURCE_COUNT; i++)
        b.resources[i] = -1;
    b.resources[VRS_RESOURCE_CORES] = 0.3;
    vrs_bottleneck_find(&b, &f);
    assert_false(f.found);
    assert_int_equal(f.resource, VRS_RESOURCE_COUNT);
    assert_int_equal(f.stage, VRS_STAGE_INFER);
    assert_non_null(strstr(f.text, "nothing for long: the busiest stage, infer, works 40 %"));
}

/* Of two full resources the fuller; what the machine lacks comes before what is waited for; shares
 * over 1, as clocks disagree, are shown as 100 %. */
static void test_order(void **state)
{
    (void)state;
    vrs_bottleneck b = {.cores = 2};
    vrs_bottleneck_finding f;
    b.resources[VRS_RESOURCE_CORES] = 0.90;
    b.resources[VRS_RESOURCE_SMS] = 0.97;
    b.resources[VRS_RESOURCE_SOURCE] = 0.99;
    vrs_bottleneck_find(&b, &f);
    assert_int_equal(f.resource, VRS_RESOURCE_SMS);
    b.resources[VRS_RESOURCE_CORES] = 1.02;
    vrs_bottleneck_find(&b, &f);
    assert_int_equal(f.resource, VRS_RESOURCE_CORES);
    assert_non_null(strstr(f.text, "100 % of 2 cores"));
    b.resources[VRS_RESOURCE_CORES] = b.resources[VRS_RESOURCE_SMS] = 0.84;
    vrs_bottleneck_find(&b, &f);
    assert_int_equal(f.resource, VRS_RESOURCE_SOURCE);
    b.resources[VRS_RESOURCE_SOURCE] = 0.49;
    b.stages[VRS_STAGE_DECODE].busy = 0.8;
    vrs_bottleneck_find(&b, &f);
    assert_int_equal(f.resource, VRS_RESOURCE_COUNT);
    assert_true(f.found);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(vrs_resource_name(VRS_RESOURCE_SMS), "gpu");
    assert_string_equal(vrs_resource_name(VRS_RESOURCE_COUNT), "none");
    assert_string_equal(vrs_stage_name(VRS_STAGE_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_each),      cmocka_unit_test(test_slow_cores),
        cmocka_unit_test(test_starved_memory), cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_order),          cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
