/* Files of kept plans: whole, cut, changed, of another key; the folder. */
#define _XOPEN_SOURCE 700

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "engine/cuda/cache.h"
#include "model/sha256.h"
#include "support/temp.h"

static char folder[256];

static void expect_detail(const char *part)
{
    if (strstr(vrs_last_error(), part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, vrs_last_error());
}

/* Two entries, one with bytes. */
static vrs_plans *make(const char *key)
{
    vrs_plans *plans;
    const vrs_plan_entry first = {.batch = 8,
                                  .node = 3,
                                  .kind = 1,
                                  .candidate = 2,
                                  .provider = "cudnn",
                                  .name = "engine 4 (2)",
                                  .data = "{\"json\": 1}",
                                  .bytes = 11};
    const vrs_plan_entry second = {.batch = 8, .node = 4, .provider = "direct", .name = "direct"};
    assert_int_equal(vrs_plans_create(key, &plans), VRS_OK);
    assert_int_equal(vrs_plans_add(plans, &first), VRS_OK);
    assert_int_equal(vrs_plans_add(plans, &second), VRS_OK);
    return plans;
}

static void check(const vrs_plans *plans)
{
    assert_int_equal(vrs_plans_count(plans), 2);
    const vrs_plan_entry *e = vrs_plans_find(plans, 8, 3);
    assert_non_null(e);
    assert_int_equal(e->kind, 1);
    assert_int_equal(e->candidate, 2);
    assert_string_equal(e->provider, "cudnn");
    assert_string_equal(e->name, "engine 4 (2)");
    assert_int_equal(e->bytes, 11);
    assert_memory_equal(e->data, "{\"json\": 1}", 11);
    assert_non_null(vrs_plans_find(plans, 8, 4));
    assert_null(vrs_plans_find(plans, 4, 3));
}

static void test_files(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s/a/b", folder);
    vrs_plans *plans = make("key one"), *read = NULL;
    assert_int_equal(vrs_plans_read(path, "key one", &read), VRS_NOT_FOUND);
    assert_int_equal(vrs_plans_write(path, plans), VRS_OK);
    assert_int_equal(vrs_plans_read(path, "key one", &read), VRS_OK);
    check(read);
    assert_string_equal(vrs_plans_key(read), "key one");
    vrs_plans_destroy(read);
    assert_int_equal(vrs_plans_read(path, "key two", &read), VRS_NOT_FOUND);
    assert_int_equal(vrs_plans_write(path, plans), VRS_OK); /* over the old one */
    vrs_plans_destroy(plans);
    vrs_plans_destroy(NULL);
}

/* Every length but the whole, and every byte changed: always VRS_FORMAT with a sentence. */
static void test_damage(void **state)
{
    (void)state;
    vrs_plans *plans = make("key"), *read = NULL;
    void *data;
    size_t bytes;
    assert_int_equal(vrs_plans_format(plans, &data, &bytes), VRS_OK);
    assert_int_equal(vrs_plans_parse(data, bytes, NULL, &read), VRS_OK);
    check(read);
    vrs_plans_destroy(read);
    for (size_t i = 0; i < bytes; i++) {
        assert_int_equal(vrs_plans_parse(data, i, "key", &read), VRS_FORMAT);
        ((unsigned char *)data)[i] ^= 1;
        assert_int_equal(vrs_plans_parse(data, bytes, "key", &read), VRS_FORMAT);
        ((unsigned char *)data)[i] ^= 1;
    }
    assert_int_equal(vrs_plans_parse(data, bytes, "other", &read), VRS_FORMAT);
    expect_detail("something else: key");
    vrs_free(data);
    vrs_plans_destroy(plans);
}

/* Lengths that lie behind a checksum that is right: what somebody else may have written. */
static void test_hostile(void **state)
{
    (void)state;
    vrs_plans *plans = make("key"), *read = NULL;
    void *data;
    size_t bytes;
    assert_int_equal(vrs_plans_format(plans, &data, &bytes), VRS_OK);
    unsigned char *body = (unsigned char *)data + 72;
    size_t body_bytes = bytes - 72;
    for (size_t i = 0; i + 4 <= body_bytes; i++) {
        unsigned char old[4];
        char digest[VRS_SHA256_TEXT];
        memcpy(old, body + i, 4);
        memset(body + i, 0xff, 4);
        vrs_sha256_text(body, body_bytes, digest);
        memcpy((char *)data + 8, digest, 64);
        vrs_status status = vrs_plans_parse(data, bytes, NULL, &read);
        assert_true(status == VRS_OK || status == VRS_FORMAT);
        if (status == VRS_OK)
            vrs_plans_destroy(read);
        memcpy(body + i, old, 4);
    }
    vrs_free(data);
    vrs_plans_destroy(plans);
}

static bool fail_nth(void *opaque, const char *what)
{
    int *left = opaque;
    return strcmp(what, "memory") != 0 || (*left)-- != 0;
}

static void test_memory(void **state)
{
    (void)state;
    vrs_plans *plans = make("memory"), *read = NULL;
    assert_int_equal(vrs_plans_write(folder, plans), VRS_OK);
    size_t live = vrs_resources_live();
    vrs_status status = VRS_NO_MEMORY;
    for (int n = 0; status != VRS_OK; n++) {
        int left = n;
        vrs_inject_set(fail_nth, &left);
        status = vrs_plans_write(folder, plans);
        if (status == VRS_OK)
            status = vrs_plans_read(folder, "memory", &read);
        vrs_inject_set(NULL, NULL);
        assert_true(status == VRS_OK || status == VRS_NO_MEMORY);
        if (status == VRS_OK)
            vrs_plans_destroy(read);
        assert_int_equal(vrs_resources_live(), live);
        assert_true(n < 100);
    }
    vrs_plans_destroy(plans);
}

int main(void)
{
    temp_make(folder, sizeof folder);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_memory),
    };
    int failed = cmocka_run_group_tests_name("engine/plans", tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
