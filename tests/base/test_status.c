/* Statuses, details, log lines, text that is cut, errno. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/errno_text.h"
#include "base/text.h"
#include "base/thread.h"
#include "vrseg/log.h"
#include "vrseg/status.h"

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(vrs_status_name(VRS_OK), "VRS_OK");
    assert_string_equal(vrs_status_name(VRS_SYSTEM), "VRS_SYSTEM");
    assert_string_equal(vrs_status_text(VRS_NO_SPACE), "the disk is full");
    assert_string_equal(vrs_status_name(-1), "unknown status");
    assert_string_equal(vrs_status_text(9999), "unknown status");
    /* Numbers are part of the interface. */
    assert_int_equal(VRS_TIMEOUT, 3);
    assert_int_equal(VRS_MISSING, 14);
    assert_int_equal(VRS_SYSTEM, 20);
    for (int i = 0; i <= VRS_SYSTEM; i++) {
        assert_memory_equal(vrs_status_name(i), "VRS_", 4);
        assert_true(strlen(vrs_status_text(i)) > 3);
    }
}

static void test_detail(void **state)
{
    (void)state;
    errno = EBUSY;
    assert_int_equal(vrs_fail(VRS_IO, "%s: cannot read %d", "file", 7), VRS_IO);
    assert_int_equal(errno, EBUSY);
    assert_string_equal(vrs_last_error(), "file: cannot read 7");
    assert_int_equal(vrs_fail_in(VRS_FORMAT, "outer"), VRS_FORMAT);
    assert_string_equal(vrs_last_error(), "outer: file: cannot read 7");
    /* The old detail may be an argument of the new one. */
    vrs_fail(VRS_IO, "<%s> <%s>", vrs_last_error(), vrs_last_error());
    assert_string_equal(vrs_last_error(),
                        "<outer: file: cannot read 7> <outer: file: cannot read 7>");
}

static void test_detail_is_cut_at_a_character(void **state)
{
    (void)state;
    static const char *const characters[] = {"x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (size_t kind = 0; kind < 4; kind++) {
        size_t width = kind + 1;
        for (size_t shift = 0; shift < 8; shift++) {
            char text[2048] = "";
            memset(text, '.', shift);
            for (size_t used = shift; used + width < 1500; used += width)
                memcpy(text + used, characters[kind], width + 1);
            vrs_fail(VRS_IO, "%s", text);
            size_t length = strlen(vrs_last_error());
            assert_int_equal((length - shift) % width, 0);
            assert_true(length < VRS_DETAIL_SIZE && length + width >= VRS_DETAIL_SIZE);
            assert_memory_equal(vrs_last_error(), text, length);
        }
    }
    /* Stray continuation bytes are no characters; they must not be looked through without end. */
    char stray[1024];
    memset(stray, 0x80, sizeof(stray));
    stray[sizeof(stray) - 1] = '\0';
    vrs_fail(VRS_IO, "%s", stray);
    assert_true(strlen(vrs_last_error()) >= VRS_DETAIL_SIZE - 4);
}

static void test_cut(void **state)
{
    (void)state;
    const char *text = "a\xc3\xa4\xe2\x82\xac"; /* 1, 2 and 3 bytes */
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6};
    for (size_t limit = 0; limit < 8; limit++)
        assert_int_equal(vrs_text_cut(text, 6, limit), expected[limit]);
    assert_int_equal(vrs_text_cut("\x80\x80\x80\x80\x80", 5, 4), 4);
}

static void test_decode(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bytes;
        uint32_t code;
    } cases[] = {
        {"A", 1, 'A'},
        {"\x7f", 1, 0x7f},
        {"\xc2\x80", 2, 0x80},
        {"\xdf\xbf", 2, 0x7ff},
        {"\xe0\xa0\x80", 3, 0x800},
        {"\xef\xbf\xbd", 3, 0xfffd},
        {"\xf0\x90\x80\x80", 4, 0x10000},
        {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
        {"", 0, 0},
        {"\x80", 0, 0},
        {"\xc0\x80", 0, 0},         /* not the shortest form */
        {"\xe0\x80\x80", 0, 0},     /* not the shortest form */
        {"\xed\xa0\x80", 0, 0},     /* a surrogate */
        {"\xf4\x90\x80\x80", 0, 0}, /* above U+10FFFF */
        {"\xf8\x88\x80\x80", 0, 0},
        {"\xff", 0, 0},
        {"\xc3", 0, 0},
        {"\xe2\x82", 0, 0},
        {"\xe2\x41\x41", 0, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t code = 0;
        assert_int_equal(vrs_text_decode(cases[i].text, strlen(cases[i].text), &code),
                         cases[i].bytes);
        assert_int_equal(code, cases[i].code);
    }
}

static void check_other_thread(void *arg)
{
    bool *empty = arg;
    *empty = vrs_last_error()[0] == '\0';
    vrs_fail(VRS_IO, "of the other thread");
}

static void test_detail_is_of_its_thread(void **state)
{
    (void)state;
    bool empty = false;
    vrs_thread thread = {0};
    vrs_fail(VRS_IO, "of this thread");
    assert_int_equal(vrs_thread_start(&thread, "other", check_other_thread, &empty), VRS_OK);
    vrs_thread_join(&thread);
    assert_true(empty);
    assert_string_equal(vrs_last_error(), "of this thread");
}

typedef struct received {
    int lines;
    vrs_log_level level;
    char line[2000];
} received;

static void receive(void *opaque, vrs_log_level level, const char *line)
{
    received *log = opaque;
    log->lines++;
    log->level = level;
    snprintf(log->line, sizeof(log->line), "%s", line);
    vrs_log(VRS_LOG_ERROR, "from inside"); /* must neither hang nor come back */
}

static void test_log(void **state)
{
    (void)state;
    received log = {0};
    vrs_log_set(receive, &log, VRS_LOG_INFO);
    errno = ENOTTY;
    vrs_log(VRS_LOG_INFO, "two\nlines %d\r\n\n", 5);
    assert_int_equal(errno, ENOTTY);
    assert_int_equal(log.lines, 1);
    assert_int_equal(log.level, VRS_LOG_INFO);
    assert_string_equal(log.line, "two lines 5");
    vrs_log(VRS_LOG_DEBUG, "not wanted");
    assert_int_equal(log.lines, 1);

    char text[3000];
    memset(text, 'y', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    vrs_log(VRS_LOG_ERROR, "%s", text);
    assert_int_equal(strlen(log.line), 1000);
    vrs_log(VRS_LOG_ERROR, "%s", "");
    assert_string_equal(log.line, "");
    vrs_log_set(NULL, NULL, VRS_LOG_WARNING);
    vrs_log(VRS_LOG_ERROR, "goes to standard error");
    assert_int_equal(log.lines, 3);
}

static void log_much(void *arg)
{
    for (int i = 0; i < 1000; i++)
        vrs_log(VRS_LOG_WARNING, "%d", *(int *)arg);
}

/* The receiver has no lock of its own: "one call at a time" is what keeps its count right. */
static void test_log_from_several_threads(void **state)
{
    (void)state;
    received log = {0};
    vrs_log_set(receive, &log, VRS_LOG_WARNING);
    vrs_thread threads[3] = {0};
    int numbers[3] = {1, 2, 3};
    for (int i = 0; i < 3; i++)
        assert_int_equal(vrs_thread_start(&threads[i], "log", log_much, &numbers[i]), VRS_OK);
    for (int i = 0; i < 3; i++)
        vrs_thread_join(&threads[i]);
    vrs_log_set(NULL, NULL, VRS_LOG_WARNING);
    assert_int_equal(log.lines, 3000);
}

static void test_errno(void **state)
{
    (void)state;
    errno = EAGAIN;
    assert_string_equal(vrs_errno_text(ENOENT), "No such file or directory");
    assert_true(strlen(vrs_errno_text(99999)) > 0);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(vrs_errno_status(ENOENT), VRS_NOT_FOUND);
    assert_int_equal(vrs_errno_status(ENOTDIR), VRS_NOT_FOUND);
    assert_int_equal(vrs_errno_status(ELOOP), VRS_NOT_FOUND);
    assert_int_equal(vrs_errno_status(ENAMETOOLONG), VRS_INVALID);
    assert_int_equal(vrs_errno_status(EACCES), VRS_PERMISSION);
    assert_int_equal(vrs_errno_status(EROFS), VRS_PERMISSION);
    assert_int_equal(vrs_errno_status(ENOSPC), VRS_NO_SPACE);
    assert_int_equal(vrs_errno_status(EDQUOT), VRS_NO_SPACE);
    assert_int_equal(vrs_errno_status(ENOMEM), VRS_NO_MEMORY);
    assert_int_equal(vrs_errno_status(EPIPE), VRS_IO);
    assert_int_equal(vrs_errno_status(0), VRS_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_detail),
        cmocka_unit_test(test_detail_is_cut_at_a_character),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_detail_is_of_its_thread),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_log_from_several_threads),
        cmocka_unit_test(test_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
