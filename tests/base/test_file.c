/* Files read and replaced, paths, folders. */
#define _GNU_SOURCE /* setgroups() */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/child.h"
#include "support/inject.h"
#include "support/temp.h"

static char folder[256];

static const char *in_folder(const char *name)
{
    static char paths[4][600];
    static int next;
    next = (next + 1) % 4;
    snprintf(paths[next], sizeof(paths[next]), "%s/%s", folder, name);
    return paths[next];
}

static void assert_content(const char *path, const char *text)
{
    char *data = NULL;
    size_t size = 0;
    assert_int_equal(vrs_file_read(path, 1000, &data, &size), VRS_OK);
    assert_int_equal(size, strlen(text));
    assert_string_equal(data, text);
    vrs_free(data);
}

static void test_read(void **state)
{
    (void)state;
    const char *path = in_folder("read");
    char *data = NULL;
    size_t size = 0;
    assert_int_equal(vrs_file_replace(path, "0123456789", 10), VRS_OK);
    assert_content(path, "0123456789");
    assert_int_equal(vrs_file_read(path, 10, &data, &size), VRS_OK);
    vrs_free(data);
    data = NULL;
    assert_int_equal(vrs_file_read(path, 9, &data, &size), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "larger than 9 bytes"));
    assert_null(data);
    assert_int_equal(vrs_file_replace(path, "", 0), VRS_OK);
    assert_content(path, "");
    assert_int_equal(vrs_file_read(path, 0, &data, &size), VRS_OK);
    vrs_free(data);
    /* A file whose size is not known before. */
    assert_int_equal(vrs_file_read("/proc/self/status", 1 << 20, &data, &size), VRS_OK);
    assert_true(size > 100 && strlen(data) == size);
    vrs_free(data);
    assert_int_equal(vrs_file_read("/proc/self/status", 100, &data, &size), VRS_INVALID);
}

static void test_read_large(void **state)
{
    (void)state;
    enum { SIZE = 3000001 };
    char *data = vrs_alloc(SIZE);
    char *back = NULL;
    size_t size = 0;
    assert_non_null(data);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char)(i * 31);
    assert_int_equal(vrs_file_replace(in_folder("large"), data, SIZE), VRS_OK);
    assert_int_equal(vrs_file_read(in_folder("large"), SIZE, &back, &size), VRS_OK);
    assert_int_equal(size, SIZE);
    assert_memory_equal(data, back, SIZE);
    assert_int_equal(back[SIZE], 0);
    vrs_free(data);
    vrs_free(back);
}

static void test_read_what_is_no_file(void **state)
{
    (void)state;
    char *data = NULL;
    size_t size = 0;
    assert_int_equal(vrs_file_read(in_folder("missing"), 10, &data, &size), VRS_NOT_FOUND);
    assert_non_null(strstr(vrs_last_error(), "missing"));
    assert_int_equal(vrs_file_read(folder, 1 << 20, &data, &size), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "folder"));
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    assert_int_equal(vrs_file_read(in_folder("pipe"), 10, &data, &size), VRS_INVALID);
    assert_int_equal(vrs_file_read("/dev/null", 10, &data, &size), VRS_INVALID);
    assert_int_equal(vrs_file_read("", 10, &data, &size), VRS_NOT_FOUND);
    assert_null(data);
}

static void test_replace_keeps_permissions_and_links(void **state)
{
    (void)state;
    const char *path = in_folder("target");
    const char *link = in_folder("link");
    assert_int_equal(vrs_file_replace(path, "old", 3), VRS_OK);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(symlink("target", link), 0);
    assert_int_equal(vrs_file_replace(link, "new", 3), VRS_OK);
    struct stat info;
    assert_int_equal(lstat(link, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(lstat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0640);
    assert_content(path, "new");
}

/* A device or a pipe is written to; in its place, a file takes it from everybody. */
static void test_what_is_no_plain_file_stays(void **state)
{
    (void)state;
    const char *path = in_folder("stays");
    char got[8] = {0};
    struct stat info;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_true(vrs_file_is_special(path));
    assert_false(vrs_file_is_special(in_folder("none")));
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    assert_int_equal(vrs_file_replace(path, "abc", 3), VRS_OK);
    assert_int_equal(read(reader, got, sizeof(got)), 3);
    assert_string_equal(got, "abc");
    close(reader);
    assert_int_equal(stat(path, &info), 0);
    assert_true(S_ISFIFO(info.st_mode));
    assert_int_equal(unlink(path), 0);
}

static void test_replace_without_folder_in_the_name(void **state)
{
    (void)state;
    char before[1024];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(vrs_file_replace("plain", "text", 4), VRS_OK);
    assert_content("./plain", "text");
    assert_int_equal(chdir(before), 0);
}

static void test_replace_impossible(void **state)
{
    (void)state;
    assert_int_equal(vrs_make_folders(in_folder("taken/inside")), VRS_OK);
    int entries = temp_count(folder);
    assert_int_equal(vrs_file_replace(in_folder("taken"), "x", 1), VRS_IO); /* a folder */
    assert_int_equal(vrs_file_replace(in_folder("nowhere/file"), "x", 1), VRS_NOT_FOUND);
    assert_non_null(strstr(vrs_last_error(), "nowhere/file"));
    assert_int_equal(vrs_file_replace("/proc/vrseg", "x", 1), VRS_NOT_FOUND);
    char path[VRS_PATH_MAX + 100];
    memset(path, 'a', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(vrs_file_replace(path, "x", 1), VRS_INVALID);
    assert_int_equal(temp_count(folder), entries);
}

/* Number of the first check that fails, 0: none. */
static int use_forbidden(void)
{
    char *data = NULL;
    size_t size = 0;
    if (!become_nobody())
        return 99;
    if (vrs_file_replace(in_folder("closed/old"), "new", 3) != VRS_PERMISSION)
        return 1;
    if (strstr(vrs_last_error(), "closed/old") == NULL)
        return 2;
    if (vrs_file_replace(in_folder("closed/new"), "new", 3) != VRS_PERMISSION)
        return 3;
    if (vrs_make_folders(in_folder("closed/a/b")) != VRS_PERMISSION)
        return 4;
    return vrs_file_read(in_folder("secret"), 10, &data, &size) == VRS_PERMISSION ? 0 : 5;
}

static void test_forbidden(void **state)
{
    (void)state;
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(vrs_make_folders(in_folder("closed")), VRS_OK);
    assert_int_equal(vrs_file_replace(in_folder("closed/old"), "old", 3), VRS_OK);
    assert_int_equal(vrs_file_replace(in_folder("secret"), "x", 1), VRS_OK);
    assert_int_equal(chmod(in_folder("secret"), 0), 0);
    assert_int_equal(chmod(in_folder("closed"), 0555), 0);
    assert_int_equal(in_child(use_forbidden), 0);
    assert_int_equal(chmod(in_folder("closed"), 0755), 0);
    assert_content(in_folder("closed/old"), "old");
    assert_int_equal(temp_count(in_folder("closed")), 1);
}

/* A write that fails half-way: files may not grow beyond a few bytes. */
static int write_too_much(void)
{
    struct rlimit limit = {.rlim_cur = 5, .rlim_max = 5};
    if (!become_nobody())
        return 99;
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 1;
    return vrs_file_replace(in_folder("open/half"), "0123456789", 10) == VRS_IO ? 0 : 2;
}

static void test_write_fails_half_way(void **state)
{
    (void)state;
    assert_int_equal(vrs_make_folders(in_folder("open")), VRS_OK);
    assert_int_equal(chmod(in_folder("open"), 0777), 0);
    assert_int_equal(vrs_file_replace(in_folder("open/half"), "old", 3), VRS_OK);
    assert_int_equal(in_child(write_too_much), 0);
    assert_content(in_folder("open/half"), "old");
    assert_int_equal(temp_count(in_folder("open")), 1);
}

static void test_format(void **state)
{
    (void)state;
    char path[8];
    assert_int_equal(vrs_path_format(path, sizeof(path), "%s/%d", "a", 12345), VRS_OK);
    assert_string_equal(path, "a/12345");
    assert_int_equal(vrs_path_format(path, sizeof(path), "%s/%d", "a", 123456), VRS_INVALID);
}

static void test_folders(void **state)
{
    (void)state;
    assert_int_equal(vrs_make_folders(in_folder("a/b//c/")), VRS_OK);
    assert_int_equal(vrs_make_folders(in_folder("a/b/c")), VRS_OK);
    assert_true(vrs_file_exists(in_folder("a/b/c")));
    assert_false(vrs_file_exists(in_folder("a/x")));
    assert_int_equal(vrs_make_folders("/"), VRS_OK);
    assert_int_equal(vrs_file_replace(in_folder("a/file"), "", 0), VRS_OK);
    assert_int_equal(vrs_make_folders(in_folder("a/file")), VRS_INVALID);
    assert_int_equal(vrs_make_folders(in_folder("a/file/b")), VRS_INVALID);
    assert_int_equal(vrs_make_folders(""), VRS_NOT_FOUND);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        /* path, base, extension */
        {"/a/b/clip.MP4", "clip.MP4", "mp4"},
        {"clip.tar.Gz", "clip.tar.Gz", "gz"},
        {"a.b/clip", "clip", ""},
        {".hidden", ".hidden", ""},
        {"a/.hidden.yaml", ".hidden.yaml", "yaml"},
        {"clip.", "clip.", ""},
        {"a/b/", "b/", ""},
        {"a/b.png//", "b.png//", "png"},
        {"/", "/", ""},
        {"", "", ""},
        {".", ".", ""},
        {"clip.extension", "clip.extension", ""}, /* longer than the buffer */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char extension[6];
        assert_string_equal(vrs_path_base(cases[i][0]), cases[i][1]);
        assert_ptr_equal(vrs_path_extension(cases[i][0], extension, sizeof(extension)), extension);
        assert_string_equal(extension, cases[i][2]);
    }
}

static void test_program_folder(void **state)
{
    (void)state;
    char path[VRS_PATH_MAX];
    char program[VRS_PATH_MAX + 16];
    assert_int_equal(vrs_program_folder(path, sizeof(path)), VRS_OK);
    snprintf(program, sizeof(program), "%s/test_file", path);
    assert_true(vrs_file_exists(program));
    assert_int_equal(vrs_program_folder(path, 2), VRS_INVALID);
}

static vrs_status write_and_read(void *opaque)
{
    (void)opaque;
    vrs_status status = vrs_file_replace(in_folder("turn"), "text", 4);
    char *data = NULL;
    size_t size = 0;
    if (status == VRS_OK)
        status = vrs_file_read(in_folder("turn"), 10, &data, &size);
    vrs_free(data);
    return status;
}

static void test_refused_memory(void **state)
{
    (void)state;
    assert_true(inject_all(write_and_read, NULL) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_read_large),
        cmocka_unit_test(test_read_what_is_no_file),
        cmocka_unit_test(test_replace_keeps_permissions_and_links),
        cmocka_unit_test(test_what_is_no_plain_file_stays),
        cmocka_unit_test(test_replace_without_folder_in_the_name),
        cmocka_unit_test(test_replace_impossible),
        cmocka_unit_test(test_forbidden),
        cmocka_unit_test(test_write_fails_half_way),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_program_folder),
        cmocka_unit_test(test_refused_memory),
    };
    temp_make(folder, sizeof(folder));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
