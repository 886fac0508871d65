/* The search: beside trying everything, on tables that were made up and one that was measured; with
 * noise, with settings that fail, with bounds; what it refuses, and every failure of memory. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/inject.h"
#include "tune/space.h"
#include "tune/tables.h"

/* ---- a machine to measure ---- */

typedef struct tune_machine {
    const tune_table *table;
    double noise; /* standard deviation of a measurement, as a share */
    uint64_t random;
    int32_t calls, stop_at, fail_first; /* 0: never */
} tune_machine;

/* About normal: the sum of twelve even ones (Irwin and Hall). */
static double normal(uint64_t *state)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += (double)(vrs_tune_random(state) >> 11) * 0x1p-53;
    return sum;
}

static vrs_status measure(void *opaque, const vrs_tune_trial *trial, vrs_tune_measurement *m)
{
    tune_machine *machine = opaque;
    machine->calls++;
    assert_int_equal(trial->number, machine->calls);
    for (int32_t i = 0; i < machine->table->count; i++)
        assert_in_range(trial->choice[i], 0, machine->table->parameters[i].count - 1);
    if (machine->calls == machine->stop_at)
        return vrs_fail(VRS_CANCELLED, "stopped");
    if (machine->calls <= machine->fail_first || !machine->table->yield(trial->choice, m))
        return vrs_fail(VRS_NO_MEMORY, "call %d: the GPU's memory is full", machine->calls);
    m->fps *= exp(machine->noise * normal(&machine->random));
    m->latency_ms *= exp(machine->noise * normal(&machine->random));
    return VRS_OK;
}

static vrs_tune_params params_of(const tune_table *table, vrs_tune_goal goal, double bound)
{
    return (vrs_tune_params){.parameters = table->parameters,
                             .count = table->count,
                             .goal = goal,
                             .bound = bound,
                             .seed = 1};
}

/* How good a measurement is: 0 where the bound is broken by more than `slack`, as a share. */
static double quality(vrs_tune_goal goal, double bound, const vrs_tune_measurement *m, double slack)
{
    if (goal == VRS_TUNE_LATENCY)
        return m->fps >= bound * (1 - slack) ? 1000 / m->latency_ms : 0;
    if (goal == VRS_TUNE_BOUNDED)
        return m->latency_ms <= bound * (1 + slack) ? m->fps : 0;
    return m->fps;
}

/* The best of all combinations. */
static double optimum(const tune_table *table, vrs_tune_goal goal, double bound)
{
    vrs_tune_space space;
    double best = 0;
    assert_int_equal(vrs_tune_space_make(table->parameters, table->count, &space), VRS_OK);
    for (int64_t i = 0; i < space.size; i++) {
        int32_t point[VRS_TUNE_MAX_PARAMETERS];
        vrs_tune_measurement m;
        vrs_tune_space_point(&space, i, point);
        if (table->yield(point, &m))
            best = fmax(best, quality(goal, bound, &m, 0));
    }
    return best;
}

/* Above it a few trials cannot tell settings apart that differ by a twentieth: what is found is
 * then to be near, on average. */
#define HARD_NOISE 0.025

/* What was found, as shares of the optimum. */
typedef struct found {
    double worst, mean;
} found;

/* Searches with each of `seeds` seeds of the noise, within a tenth of the trials of trying
 * everything. */
static found search_with(const char *name, const tune_table *table, vrs_tune_goal goal,
                         double bound, double noise, int seeds)
{
    double best = optimum(table, goal, bound), worst = 1, sum = 0;
    int64_t size = vrs_tune_combinations(table->parameters, table->count);
    int32_t most_trials = 0;
    assert_true(best > 0);
    for (int seed = 1; seed <= seeds; seed++) {
        tune_machine machine = {.table = table, .noise = noise, .random = (uint64_t)seed * 977};
        vrs_tune_params params = params_of(table, goal, bound);
        params.seed = (uint32_t)seed;
        vrs_tune_result result;
        assert_int_equal(vrs_tune_search(&params, measure, &machine, &result), VRS_OK);
        assert_int_equal(result.trials, machine.calls);
        assert_true(result.met);
        vrs_tune_measurement truth;
        assert_true(table->yield(result.choice, &truth));
        double share = quality(goal, bound, &truth, 2 * noise) / best;
        worst = fmin(worst, share);
        sum += share;
        most_trials = result.trials > most_trials ? result.trials : most_trials;
    }
    printf("%-28s noise %4.1f %%: %3d of %5lld trials, at least %5.1f %% of the optimum, %5.1f %% "
           "on average\n",
           name, 100 * noise, most_trials, (long long)size, 100 * worst, 100 * sum / seeds);
    assert_true(most_trials * 10 <= size);
    return (found){worst, sum / seeds};
}

/* 95 % of what trying everything finds, each time. */
static void assert_found(const char *name, const tune_table *table, vrs_tune_goal goal,
                         double bound, double noise, int seeds)
{
    found f = search_with(name, table, goal, bound, noise, seeds);
    if (noise > HARD_NOISE)
        assert_true(f.mean >= 0.9);
    else
        assert_true(f.worst >= 0.95);
}

#define SEEDS 3

static void test_throughput(void **state)
{
    (void)state;
    static const double noises[] = {0, 0.02, 0.04};
    for (const tune_table *t = tune_tables; t->name != NULL; t++)
        for (int i = 0; i < 3; i++)
            assert_found(t->name, t, VRS_TUNE_THROUGHPUT, 0, noises[i], SEEDS);
}

/* What the obvious way finds in a tenth of all trials, without noise: each setting in turn is put
 * at its best value, from the start on. As a share of the optimum. */
static double one_at_a_time(const tune_table *table)
{
    int32_t point[VRS_TUNE_MAX_PARAMETERS], d = 0;
    int64_t left = vrs_tune_combinations(table->parameters, table->count) / 10;
    vrs_tune_measurement m;
    double best = 0;
    for (int32_t i = 0; i < table->count; i++)
        point[i] = table->parameters[i].start;
    for (left = left < 96 ? left : 96; left > 0; d = (d + 1) % table->count) {
        int32_t kept = point[d];
        for (int32_t v = 0; v < table->parameters[d].count && left > 0; v++, left--) {
            point[d] = v;
            if (table->yield(point, &m) && m.fps > best) {
                best = m.fps;
                kept = v;
            }
        }
        point[d] = kept;
    }
    return best / optimum(table, VRS_TUNE_THROUGHPUT, 0);
}

/* That the tables are no easy ones. */
static void test_obvious_way(void **state)
{
    (void)state;
    int short_of_it = 0;
    for (const tune_table *t = tune_tables; t->name != NULL; t++) {
        double share = one_at_a_time(t);
        printf("%-28s one setting at a time: %5.1f %% of the optimum\n", t->name, 100 * share);
        short_of_it += share < 0.95;
    }
    assert_in_range(short_of_it, 3, 5);
}

/* A machine's own figures, whose unevenness nobody has made up. Each is of one short run: what the
 * settings explain of them leaves 13 %, so the table's best is one that was lucky, of the 216 only
 * two others come within a twentieth of it, and no search can tell which: what is found is to be
 * near it on average. */
static void test_measured(void **state)
{
    (void)state;
    static const double noises[] = {0, 0.02};
    const char *source = getenv("VRSEG_SOURCE_DIR");
    char path[4096];
    assert_non_null(source);
    snprintf(path, sizeof(path), "%s/tests/data/tune/cpu2.csv", source);
    const tune_table *table = tune_table_load(path);
    for (int i = 0; i < 2; i++)
        assert_true(
            search_with("two cores, measured", table, VRS_TUNE_THROUGHPUT, 0, noises[i], 40).mean >=
            0.94);
}

/* What bounds can be asked for: the least latency and the highest rate of all combinations. */
static vrs_tune_measurement extremes(const tune_table *table)
{
    vrs_tune_space space;
    vrs_tune_measurement ends = {0, INFINITY};
    assert_int_equal(vrs_tune_space_make(table->parameters, table->count, &space), VRS_OK);
    for (int64_t i = 0; i < space.size; i++) {
        int32_t point[VRS_TUNE_MAX_PARAMETERS];
        vrs_tune_measurement m;
        vrs_tune_space_point(&space, i, point);
        if (!table->yield(point, &m))
            continue;
        ends.fps = fmax(ends.fps, m.fps);
        ends.latency_ms = fmin(ends.latency_ms, m.latency_ms);
    }
    return ends;
}

/* Machines that were not looked at while the search was made. */
#define FIRST_UNSEEN 1001
#define UNSEEN 4

static void test_drawn(void **state)
{
    (void)state;
    for (uint32_t number = FIRST_UNSEEN; number < FIRST_UNSEEN + UNSEEN; number++) {
        const tune_table *table = tune_table_draw(number);
        vrs_tune_measurement ends = extremes(table);
        double most_ms = 3 * ends.latency_ms, least_fps = 0.7 * ends.fps;
        double noise = number % 2 == 0 ? 0 : 0.02;
        assert_found("drawn", table, VRS_TUNE_THROUGHPUT, 0, noise, 1);
        assert_found("drawn, bounded latency", table, VRS_TUNE_BOUNDED, most_ms, noise, 1);
        assert_found("drawn, bounded rate", table, VRS_TUNE_LATENCY, least_fps, noise, 1);
    }
}

static void test_bounds(void **state)
{
    (void)state;
    static const double noises[] = {0, 0.02};
    const tune_table *gpu = tune_table_find("gpu"), *cores = tune_table_find("cores");
    for (int i = 0; i < 2; i++) {
        assert_found("gpu, at most 20 ms", gpu, VRS_TUNE_BOUNDED, 20, noises[i], SEEDS);
        assert_found("gpu, at most 8 ms", gpu, VRS_TUNE_BOUNDED, 8, noises[i], SEEDS);
        assert_found("gpu, at least 500 fps", gpu, VRS_TUNE_LATENCY, 500, noises[i], SEEDS);
        assert_found("cores, at most 100 ms", cores, VRS_TUNE_BOUNDED, 100, noises[i], SEEDS);
        assert_found("cores, at least 120 fps", cores, VRS_TUNE_LATENCY, 120, noises[i], SEEDS);
    }
}

/* ---- what else it promises ---- */

static vrs_tune_result search(const tune_table *table, tune_machine *machine, vrs_tune_goal goal,
                              double bound)
{
    vrs_tune_params params = params_of(table, goal, bound);
    vrs_tune_result result;
    machine->table = table;
    if (vrs_tune_search(&params, measure, machine, &result) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    return result;
}

static void assert_start(const tune_table *table, const vrs_tune_result *result)
{
    for (int32_t i = 0; i < table->count; i++)
        assert_int_equal(result->choice[i], table->parameters[i].start);
}

static void test_nothing_to_gain(void **state)
{
    (void)state;
    const tune_table *flat = tune_table_find("flat");
    tune_machine quiet = {.table = flat}, noisy = {.noise = 0.02, .random = 5};
    vrs_tune_params params = params_of(flat, VRS_TUNE_THROUGHPUT, 0);
    vrs_tune_result result;
    params.trials = 100;
    assert_int_equal(vrs_tune_search(&params, measure, &quiet, &result), VRS_OK);
    assert_start(flat, &result);
    assert_int_equal(result.end, VRS_TUNE_CONVERGED);
    assert_in_range(result.trials, 5, 40);
    assert_true(result.best.fps == 120 && result.start.fps == 120);
    assert_true(result.noise < 0.001);
    result = search(flat, &noisy, VRS_TUNE_THROUGHPUT, 0);
    assert_true(result.noise > 0.01 && result.noise < 0.04);
}

static void test_same_again(void **state)
{
    (void)state;
    const tune_table *gpu = tune_table_find("gpu");
    tune_machine one = {.noise = 0.03, .random = 7}, two = one;
    vrs_tune_result a = search(gpu, &one, VRS_TUNE_THROUGHPUT, 0);
    vrs_tune_result b = search(gpu, &two, VRS_TUNE_THROUGHPUT, 0);
    assert_memory_equal(a.choice, b.choice, sizeof(a.choice));
    assert_int_equal(a.trials, b.trials);
    assert_true(a.best.fps == b.best.fps);
}

static void test_start_fails(void **state)
{
    (void)state;
    const tune_table *gpu = tune_table_find("gpu");
    tune_machine machine = {.fail_first = 1};
    vrs_tune_result result = search(gpu, &machine, VRS_TUNE_THROUGHPUT, 0);
    assert_true(result.start.fps == 0 && result.best.fps > 900);
    assert_true(result.failed >= 1);
    /* Also where more fail than are drawn at the beginning. */
    machine = (tune_machine){.fail_first = 20};
    result = search(gpu, &machine, VRS_TUNE_THROUGHPUT, 0);
    assert_true(result.failed >= 20 && result.best.fps > 300);
}

static void test_all_fail(void **state)
{
    (void)state;
    const tune_table *gpu = tune_table_find("gpu");
    tune_machine machine = {.table = gpu, .fail_first = 1000};
    vrs_tune_params params = params_of(gpu, VRS_TUNE_THROUGHPUT, 0);
    vrs_tune_result result = {.trials = -1};
    assert_int_equal(vrs_tune_search(&params, measure, &machine, &result), VRS_NO_MEMORY);
    assert_non_null(strstr(vrs_last_error(), "none of 48 trials could be measured; the first: call "
                                             "1: the GPU's memory is full"));
    assert_int_equal(result.trials, -1);
    params.exhaustive = true;
    machine.calls = 0;
    assert_int_equal(vrs_tune_search(&params, measure, &machine, &result), VRS_NO_MEMORY);
    assert_non_null(strstr(vrs_last_error(), "none of 480 trials"));
}

static void test_stopped(void **state)
{
    (void)state;
    const tune_table *gpu = tune_table_find("gpu");
    vrs_tune_params params = params_of(gpu, VRS_TUNE_THROUGHPUT, 0);
    vrs_tune_result result;
    tune_machine machine = {.table = gpu, .stop_at = 1};
    assert_int_equal(vrs_tune_search(&params, measure, &machine, &result), VRS_CANCELLED);
    for (int32_t at = 2; at < 45; at += 6) { /* at the beginning, on the way, at the confirmation */
        machine = (tune_machine){.stop_at = at};
        result = search(gpu, &machine, VRS_TUNE_THROUGHPUT, 0);
        if (machine.calls < at)
            break; /* it ended before */
        assert_int_equal(result.end, VRS_TUNE_STOPPED);
        assert_int_equal(result.trials, at - 1);
        assert_true(result.best.fps >= result.start.fps);
    }
    assert_true(machine.calls > 10);
}

static void test_bound_that_nothing_keeps(void **state)
{
    (void)state;
    const tune_table *gpu = tune_table_find("gpu");
    tune_machine machine = {0};
    vrs_tune_result result = search(gpu, &machine, VRS_TUNE_LATENCY, 5000);
    assert_false(result.met);
    assert_true(result.best.fps > 900); /* what comes nearest */
}

static void test_exhaustive(void **state)
{
    (void)state;
    const tune_table *gpu = tune_table_find("gpu");
    vrs_tune_params params = params_of(gpu, VRS_TUNE_BOUNDED, 20);
    params.exhaustive = true;
    tune_machine machine = {.table = gpu};
    vrs_tune_result result;
    assert_int_equal(vrs_tune_search(&params, measure, &machine, &result), VRS_OK);
    assert_int_equal(machine.calls, 480);
    assert_int_equal(result.trials, 480);
    assert_true(result.failed > 0 && result.met);
    assert_true(result.best.fps == optimum(gpu, VRS_TUNE_BOUNDED, 20));
    machine = (tune_machine){.table = gpu, .stop_at = 100};
    assert_int_equal(vrs_tune_search(&params, measure, &machine, &result), VRS_OK);
    assert_int_equal(result.end, VRS_TUNE_STOPPED);
    assert_int_equal(result.trials, 99);
}

/* Fewer combinations than trials: each is measured. */
static void test_small(void **state)
{
    (void)state;
    for (int32_t trials = 0; trials <= 12; trials++) {
        const tune_table *names = tune_table_find("names");
        vrs_tune_parameter first = names->parameters[0];
        vrs_tune_parameter few[3] = {first, names->parameters[1], names->parameters[2]};
        few[0].count = 3; /* a, b, c */
        few[1].count = 1;
        few[1].start = 0;
        few[2].count = 1;
        few[2].start = 0;
        tune_table table = {"few", few, 3, names->yield};
        tune_machine machine = {.table = &table};
        vrs_tune_params params = params_of(&table, VRS_TUNE_THROUGHPUT, 0);
        params.trials = trials;
        vrs_tune_result result;
        assert_int_equal(vrs_tune_search(&params, measure, &machine, &result), VRS_OK);
        assert_in_range(result.trials, 1, trials > 0 ? trials : 12);
        if (trials == 0 || trials >= 8)
            assert_int_equal(result.choice[0], 1);
    }
}

/* ---- what it refuses ---- */

static vrs_status never(void *opaque, const vrs_tune_trial *trial, vrs_tune_measurement *m)
{
    (void)opaque;
    (void)trial;
    (void)m;
    fail_msg("nothing was to be measured");
    return VRS_OK;
}

static void assert_refused(const vrs_tune_params *params, const char *words)
{
    vrs_tune_result result;
    assert_int_equal(vrs_tune_search(params, never, NULL, &result), VRS_INVALID);
    if (strstr(vrs_last_error(), words) == NULL)
        fail_msg("\"%s\" is without \"%s\"", vrs_last_error(), words);
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const values[40] = {"1", "2", NULL};
    static const double positions[] = {0, NAN};
    const vrs_tune_parameter good = {"a", values, 2, 0, NULL};
    vrs_tune_parameter p = good, many[17];
    vrs_tune_params params = {.parameters = &p, .count = 1};
    params.goal = (vrs_tune_goal)3;
    assert_refused(&params, "3: no such goal");
    params.goal = VRS_TUNE_LATENCY;
    for (int i = 0; i < 4; i++) {
        params.bound = (double[]){0, -1, NAN, INFINITY}[i];
        assert_refused(&params, "a number above 0");
    }
    params.goal = VRS_TUNE_THROUGHPUT;
    params.trials = -1;
    assert_refused(&params, "-1 trials, expected 1 to 256");
    params.trials = 257;
    assert_refused(&params, "257 trials");
    params.trials = 0;
    params.count = 0;
    assert_refused(&params, "0 parameters, expected 1 to 16");
    for (int i = 0; i < 17; i++)
        many[i] = good;
    params.parameters = many;
    params.count = 17;
    assert_refused(&params, "17 parameters");
    params.count = 16;
    many[0].count = 0;
    assert_refused(&params, "a: 0 values, expected 1 to 32");
    params = (vrs_tune_params){.parameters = &p, .count = 1};
    p.count = 33;
    assert_refused(&params, "a: 33 values");
    p.count = 3;
    assert_refused(&params, "a: value 2 is missing");
    p = good;
    p.start = 2;
    assert_refused(&params, "a: starts with value 2, expected 0 to 1");
    p.start = -1;
    assert_refused(&params, "a: starts with value -1");
    p = good;
    p.positions = positions;
    assert_refused(&params, "a: the position of \"2\" is not a finite number");
    p = good;
    p.name = NULL;
    assert_refused(&params, "parameter 0: has no name or no values");
    for (int i = 0; i < 16; i++)
        many[i] = (vrs_tune_parameter){"a", values, 2, 0, NULL};
    params = (vrs_tune_params){.parameters = many, .count = 16, .exhaustive = true};
    assert_int_equal(vrs_tune_combinations(many, 16), 65536);
    vrs_tune_parameter wide = {"b", values, 32, 0, NULL};
    for (int i = 0; i < 16; i++)
        many[i] = wide;
    assert_true(vrs_tune_combinations(many, 16) == INT64_MAX);
}

/* A measurement that is none counts as a failure. */
static vrs_status measure_nonsense(void *opaque, const vrs_tune_trial *trial,
                                   vrs_tune_measurement *m)
{
    const vrs_tune_measurement *given = opaque;
    *m = trial->number % 2 == 0 ? (vrs_tune_measurement){10, 10} : *given;
    return VRS_OK;
}

static void test_nonsense(void **state)
{
    (void)state;
    static const vrs_tune_measurement wrong[] = {{0, 1}, {-1, 1}, {NAN, 1}, {INFINITY, 1},
                                                 {1, 0}, {1, -1}, {1, NAN}, {1, INFINITY}};
    const tune_table *flat = tune_table_find("flat");
    for (int i = 0; i < 8; i++) {
        vrs_tune_params params = params_of(flat, VRS_TUNE_BOUNDED, 20);
        vrs_tune_measurement given = wrong[i];
        vrs_tune_result result;
        assert_int_equal(vrs_tune_search(&params, measure_nonsense, &given, &result), VRS_OK);
        assert_true(result.failed > 0 && result.best.fps == 10);
    }
}

static vrs_status search_once(void *opaque)
{
    tune_machine machine = {.table = tune_table_find("gpu")};
    vrs_tune_params params = params_of(machine.table, VRS_TUNE_BOUNDED, 20);
    vrs_tune_result result;
    params.trials = 12;
    (void)opaque;
    return vrs_tune_search(&params, measure, &machine, &result);
}

static void test_memory(void **state)
{
    (void)state;
    assert_in_range(inject_all(search_once, NULL), 10, 100);
}

/* For the test of the program that writes such tables: what one holds. */
static int describe(const char *path)
{
    const tune_table *table = tune_table_load(path);
    for (int32_t i = 0; i < table->count; i++)
        printf("%s ", table->parameters[i].name);
    printf("%lld %.3f\n", (long long)vrs_tune_combinations(table->parameters, table->count),
           optimum(table, VRS_TUNE_THROUGHPUT, 0));
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_throughput),
        cmocka_unit_test(test_obvious_way),
        cmocka_unit_test(test_measured),
        cmocka_unit_test(test_drawn),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_nothing_to_gain),
        cmocka_unit_test(test_same_again),
        cmocka_unit_test(test_start_fails),
        cmocka_unit_test(test_all_fail),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_bound_that_nothing_keeps),
        cmocka_unit_test(test_exhaustive),
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_memory),
    };
    if (argc == 2)
        return describe(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
