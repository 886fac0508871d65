/* The options of the section `batch`: what they mean, and what is refused how. */
#include "batch/settings.h"
#include "support/configure.h"

static vrs_status read_with(const char *settings, vrs_batch_options *options)
{
    vrs_config *config = NULL;
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    configure(config, settings);
    vrs_status status = vrs_batch_settings_read(config, true, options);
    vrs_config_destroy(config);
    return status;
}

static void test_defaults(void **state)
{
    (void)state;
    vrs_batch_options o;
    assert_int_equal(read_with("", &o), VRS_OK);
    const vrs_batch_settings *s = &o.queue;
    assert_int_equal(s->max_batch_size, 1);
    assert_int_equal(s->preferred_count, 0);
    assert_int_equal(s->max_queue_delay_ns, 2000000);
    assert_int_equal(s->levels, 1);
    assert_int_equal(s->default_priority, 1);
    assert_int_equal(s->max_queue_size[0], 0);
    assert_int_equal(s->timeout_ns[0], 0);
    assert_int_equal(s->overflow, VRS_BATCH_BLOCK);
    assert_int_equal(s->age_ns, 100000000);
    assert_false(s->keep_late);
    assert_true(s->one_in_flight);
    assert_false(o.as_ready);
    assert_int_equal(o.latency_target_ns, 0);
}

static void test_values(void **state)
{
    (void)state;
    vrs_batch_options o;
    assert_int_equal(read_with("max_batch_size=16 preferred_batch_sizes=4,8,16 priority_levels=3 "
                               "max_queue_size=2,0,9 queue_timeout_us=7 queue_overflow=drop_oldest "
                               "timeout_action=continue result_order=ready latency_target_us=11000",
                               &o),
                     VRS_OK);
    const vrs_batch_settings *s = &o.queue;
    assert_int_equal(s->preferred_count, 3);
    assert_int_equal(s->preferred[1], 8);
    assert_int_equal(s->default_priority, 2);
    assert_int_equal(s->max_queue_size[0], 2);
    assert_int_equal(s->max_queue_size[1], 0);
    assert_int_equal(s->max_queue_size[2], 9);
    for (int l = 0; l < 3; l++)
        assert_int_equal(s->timeout_ns[l], 7000);
    assert_int_equal(s->overflow, VRS_BATCH_DROP_OLDEST);
    assert_true(s->keep_late);
    assert_true(o.as_ready);
    assert_int_equal(o.latency_target_ns, 11000000);
    assert_int_equal(
        read_with("queue_overflow=refuse max_batch_size=1 preferred_batch_sizes=1", &o), VRS_OK);
    assert_int_equal(o.queue.overflow, VRS_BATCH_REFUSE);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *detail;
    } cases[] = {
        {"max_batch_size=4 preferred_batch_sizes=2,8",
         "preferred_batch_sizes: 8 is above max_batch_size, which is 4"},
        {"preferred_batch_sizes=2", "2 is above max_batch_size, which is 1"},
        {"max_batch_size=16 preferred_batch_sizes=0,4", "from 1 to 16"},
        {"max_batch_size=16 preferred_batch_sizes=-4", "from 1 to 16"},
        {"max_batch_size=16 preferred_batch_sizes=17", "from 1 to 16"},
        {"max_batch_size=16 preferred_batch_sizes=8,4", "4 comes after 8"},
        {"max_batch_size=16 preferred_batch_sizes=4,4", "4 comes after 4"},
        {"max_batch_size=16 preferred_batch_sizes=4,", "\"4,\" is not a list"},
        {"max_batch_size=16 preferred_batch_sizes=4,x", "is not a list"},
        {"max_batch_size=16 preferred_batch_sizes=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,16",
         "more than 16"},
        {"max_batch_size=16 preferred_batch_sizes=00000000000000000000000000000004",
         "is not a list"},
        {"priority_levels=2 default_priority_level=3",
         "default_priority_level: 3 is above priority_levels, which is 2"},
        {"priority_levels=3 max_queue_size=1,2", "max_queue_size: 2 numbers are given"},
        {"max_queue_size=-1", "from 0 to 65536"},
        {"max_queue_size=65537", "from 0 to 65536"},
        {"priority_levels=2 queue_timeout_us=1,2,3", "queue_timeout_us: 3 numbers are given"},
        {"queue_timeout_us=-1", "from 0 to 3600000000"},
    };
    vrs_batch_options o;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_with(cases[i].settings, &o), VRS_INVALID);
        if (strstr(vrs_last_error(), cases[i].detail) == NULL)
            fail_msg("%s: %s", cases[i].settings, vrs_last_error());
    }
}

/* Zero and negative values never get as far as the queue. */
static void test_ranges(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"max_batch_size", "0"},     {"max_batch_size", "-1"},
        {"max_batch_size", "17"},    {"max_queue_delay_us", "-1"},
        {"priority_levels", "0"},    {"priority_levels", "-3"},
        {"priority_levels", "17"},   {"default_priority_level", "0"},
        {"priority_age_us", "0"},    {"priority_age_us", "-1"},
        {"latency_target_us", "-1"}, {"queue_overflow", "drop"},
        {"timeout_action", "delay"}, {"result_order", ""},
    };
    vrs_config *config = NULL;
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(vrs_config_set(config, cases[i][0], cases[i][1]), VRS_INVALID);
    vrs_config_destroy(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
