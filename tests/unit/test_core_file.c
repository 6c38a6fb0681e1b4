/* SPDX-License-Identifier: Apache-2.0 */
#include "core/buf.h"
#include "core/cancel.h"
#include "core/file.h"
#include "unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char *directory;

static unsigned entries_of(const char *path)
{
    unsigned count = 0;
    DIR *opened = opendir(path);
    while (opened != NULL && readdir(opened) != NULL)
        count++;
    if (opened != NULL)
        closedir(opened);
    return count - 2; /* "." and ".." */
}

static void test_write_and_read(void)
{
    auto_free char *path = file_join(directory, "file");
    auto_buf struct buf buf = buf_new(100);
    struct stat status;
    expect_ok(file_write(path, "hello", 5, 0640, err));
    expect_ok(file_read(path, 100, &buf, err));
    expect_text(buf_text(&buf), "hello");
    CU_ASSERT_EQUAL(stat(path, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0777, 0640);

    expect_ok(file_write(path, "", 0, 0600, err)); /* the mode is for new files */
    CU_ASSERT_EQUAL(stat(path, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0777, 0640);
    CU_ASSERT_EQUAL(status.st_size, 0);
    CU_ASSERT_EQUAL(entries_of(directory), 1);
    unlink(path);
}

static void test_read_limit(void)
{
    auto_free char *path = file_join(directory, "file");
    auto_buf struct buf buf = buf_new(100);
    expect_ok(file_write(path, "0123456789", 10, 0600, err));
    expect_error(FIRN_INVALID, file_read(path, 9, &buf, err));
    buf_reset(&buf);
    expect_ok(file_read(path, 10, &buf, err));
    auto_buf struct buf small = buf_new(9);
    expect_error(FIRN_INVALID, file_read(path, 10, &small, err));
    unlink(path);
    expect_error(FIRN_NOTFOUND, file_read(path, 10, &buf, err));
    expect_error(FIRN_INVALID, file_read(directory, 10, &buf, err));
}

static void test_write_fails_clean(void)
{
    auto_free char *absent = file_join(directory, "absent/file");
    expect_error(FIRN_NOTFOUND, file_write(absent, "x", 1, 0600, err));
    auto_free char *folder = file_join(directory, "folder");
    expect_ok(file_make_directories(folder, 0700, err));
    CU_ASSERT_EQUAL(file_write(folder, "x", 1, 0600, NULL), -1); /* rename onto a directory */
    CU_ASSERT_EQUAL(entries_of(directory), 1);
    rmdir(folder);
}

static void test_positions(void)
{
    auto_free char *path = file_join(directory, "file");
    auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    char data[4];
    expect_ok(file_pwrite(fd, "abcd", 4, 6, path, err));
    expect_ok(file_pread(fd, data, 4, 4, path, err));
    CU_ASSERT_EQUAL(memcmp(data, "\0\0ab", 4), 0);
    expect_error(FIRN_CORRUPT, file_pread(fd, data, 4, 7, path, err));
    expect_error(FIRN_INVALID, file_pread(fd, data, 4, UINT64_MAX - 1, path, err));
    expect_error(FIRN_INVALID, file_pwrite(fd, data, 4, INT64_MAX, path, err));
    unlink(path);
    auto_close int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct firn_error *error = NULL;
    CU_ASSERT_EQUAL(file_pwrite(full, data, 4, 0, "/dev/full", &error), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(error_message(error), "No space left"));
    error_clear(&error);
}

static void test_directories(void)
{
    auto_free char *deep = file_join(directory, "a/b/c");
    struct stat status;
    expect_ok(file_make_directories(deep, 0755, err));
    expect_ok(file_make_directories(deep, 0755, err));
    CU_ASSERT_EQUAL(stat(deep, &status), 0);
    CU_ASSERT_TRUE(S_ISDIR(status.st_mode));
    expect_ok(file_sync_parent(deep, err));
    rmdir(deep);
    expect_ok(file_write(deep, "x", 1, 0600, err));
    auto_free char *below = file_join(deep, "d");
    expect_error(FIRN_CONFLICT, file_make_directories(deep, 0755, err));
    CU_ASSERT_EQUAL(file_make_directories(below, 0755, NULL), -1);
    unlink(deep);
    static const char *const folders[] = {"a/b", "a"};
    for (size_t i = 0; i < array_length(folders); i++) {
        auto_free char *folder = file_join(directory, folders[i]);
        CU_ASSERT_EQUAL(rmdir(folder), 0);
    }
}

static void test_names(void)
{
    static const struct {
        const char *directory;
        const char *name;
        const char *joined;
    } cases[] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"/", "b", "/b"}};
    for (size_t i = 0; i < array_length(cases); i++) {
        auto_free char *joined = file_join(cases[i].directory, cases[i].name);
        expect_text(joined, cases[i].joined);
    }
    setenv("XDG_CACHE_HOME", "/var/cache/me", 1);
    setenv("HOME", "/home/me", 1);
    auto_free char *named = file_cache_directory();
    expect_text(named, "/var/cache/me/firn");
    setenv("XDG_CACHE_HOME", "not/absolute", 1);
    auto_free char *home = file_cache_directory();
    expect_text(home, "/home/me/.cache/firn");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    CU_ASSERT_PTR_NULL(file_cache_directory());
}

static void test_errors(void)
{
    struct firn_error *error = NULL;
    errno = EACCES;
    CU_ASSERT_EQUAL(fail_errno(&error, "open %s", "it"), -1);
    CU_ASSERT_EQUAL(wrap(&error, "restore %d", 7), -1);
    CU_ASSERT_EQUAL(error_code(error), FIRN_DENIED);
    expect_text(error_message(error), "restore 7: open it: Permission denied");
    error_clear(&error);
    CU_ASSERT_PTR_NULL(error);
    CU_ASSERT_EQUAL(fail(NULL, FIRN_CORRUPT, "nobody listens"), -1);
    CU_ASSERT_EQUAL(wrap(&error, "nothing to wrap"), -1);
    expect_text(error_message(error), "no error");
    expect_text(error_code_name(FIRN_RETRY), "RETRY");
    void *memory = NULL;
    expect_error(FIRN_INTERNAL, mem_try(&memory, SIZE_MAX / 2, 3, "a map", err));
    expect_error(FIRN_INTERNAL, mem_try(&memory, 1, SIZE_MAX / 2, "a map", err));
    CU_ASSERT_PTR_NULL(memory);
}

static void test_cancel(void)
{
    expect_ok(cancel_check(err));
    CU_ASSERT_FALSE(cancel_requested());
    cancel_request();
    CU_ASSERT_TRUE(cancel_requested());
    expect_error(FIRN_CANCELLED, cancel_check(err));
}

int main(void)
{
    char template[] = "/tmp/firn-unit.XXXXXX";
    const char *given = getenv("TEST_TMP");
    directory = mem_strdup(given != NULL ? given : mkdtemp(template));
    static const struct unit_test tests[] = {
        {"files are written whole", test_write_and_read},
        {"reading is bounded", test_read_limit},
        {"a failed write leaves nothing", test_write_fails_clean},
        {"reads and writes at offsets", test_positions},
        {"directories are made", test_directories},
        {"names", test_names},
        {"errors tell what happened", test_errors},
        {"cancellation", test_cancel},
    };
    int result = unit_run("core/file", tests, array_length(tests));
    if (given == NULL)
        rmdir(directory);
    free(directory);
    return result;
}
