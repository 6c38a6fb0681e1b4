/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the store share: stores in directories of their own, contents that can be recognised, and child processes
 * from which a seccomp filter takes O_TMPFILE or O_DIRECT, as a file system without them would.
 */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include "unit/unit.h"

#include "core/buf.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char *base;

static inline int remove_one(const char *path, const struct stat *status, int kind,
                             struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static inline void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline char *new_directory(void)
{
    static int number;
    char *path = mem_printf("%s/%d", base, ++number);
    CU_ASSERT_FATAL(mkdir(path, 0700) == 0);
    return path;
}

static inline struct store *open_at(const char *path)
{
    struct store *store = NULL;
    expect_ok(store_open(path, &store, err));
    CU_ASSERT_FATAL(store != NULL);
    return store;
}

/* A store in a directory of its own; freed by done(). */
static inline struct store *fresh(void)
{
    auto_free char *path = new_directory();
    return open_at(path);
}

static inline void done(struct store *store)
{
    auto_free char *path = mem_strdup(store_location(store));
    store_close(store);
    remove_tree(path);
}

/* Byte `at` of the content `seed`. */
static inline uint8_t pattern(uint32_t seed, uint64_t at)
{
    uint64_t mixed = (at / 8 + 1) * 0x9e3779b97f4a7c15u + seed * 0xbf58476d1ce4e5b9u;
    return (uint8_t)((mixed ^ mixed >> 29) >> (8 * (at % 8)));
}

static inline void fill(uint8_t *data, size_t length, uint32_t seed, uint64_t offset)
{
    for (size_t i = 0; i < length; i++)
        data[i] = pattern(seed, offset + i);
}

static inline bool holds(const uint8_t *data, size_t length, uint32_t seed, uint64_t offset)
{
    for (size_t i = 0; i < length; i++) {
        if (data[i] != pattern(seed, offset + i))
            return false;
    }
    return true;
}

struct inventory {
    size_t count;
    uint64_t bytes;
    char last[256];
    int64_t modified;
};

static inline int take_inventory(void *context, const struct store_entry *entry,
                                 struct firn_error **err)
{
    (void)err;
    struct inventory *inventory = context;
    inventory->count++;
    inventory->bytes += entry->length;
    inventory->modified = entry->modified;
    snprintf(inventory->last, sizeof(inventory->last), "%s", entry->name);
    return 0;
}

static inline struct inventory inventory_of(struct store *store, const char *prefix)
{
    struct inventory inventory = {.count = 0};
    expect_ok(store_list(store, prefix, take_inventory, &inventory, err));
    return inventory;
}

static size_t files;

static inline int count_file(const char *path, const struct stat *status, int kind,
                             struct FTW *where)
{
    (void)path;
    (void)status;
    (void)where;
    files += kind != FTW_D;
    return 0;
}

/* Everything in the directory that is no directory, hidden or not. */
static size_t files_in(const char *path)
{
    files = 0;
    nftw(path, count_file, 16, FTW_PHYS);
    return files;
}

/* ------------------------------------------------------------------------------------------- child processes */

typedef bool child_body(void *context);

static inline pid_t start_child(child_body *body, void *context)
{
    fflush(NULL);
    pid_t child = fork();
    CU_ASSERT_FATAL(child >= 0);
    if (child == 0)
        _exit(body(context) ? 0 : 1);
    return child;
}

/* Whether the body, run in a process of its own, said true. */
static inline bool in_child(child_body *body, void *context)
{
    int status = 0;
    pid_t child = start_child(body, context);
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* From now on this process's calls of that number fail with `number` if the argument has all the bits. */
static inline bool refuse(long call, unsigned argument, uint32_t bits, int number)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * argument),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, bits, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)number),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = array_length(filter), .filter = filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static inline bool refuse_tmpfile(void)
{
    return refuse(SYS_openat, 2, O_TMPFILE, EOPNOTSUPP);
}

static inline bool refuse_direct(void)
{
    return refuse(SYS_openat, 2, O_DIRECT, EINVAL) && refuse(SYS_fcntl, 2, O_DIRECT, EINVAL);
}

/* Writes in pieces of such lengths, from memory shifted by `shift`, then reads ranges back, into memory of both kinds. */
static inline bool roundtrip(struct store *store, const char *name, const size_t *pieces,
                             size_t count, size_t shift)
{
    uint8_t *memory = mem_aligned((4u << 20) + 8192);
    struct store_writer *writer = NULL;
    uint64_t total = 0;
    bool good = store_writer_open(store, name, &writer, NULL) == 0;
    for (size_t i = 0; i < count && good; i++) {
        fill(memory + shift, pieces[i], 5, total);
        good = store_write(writer, memory + shift, pieces[i], NULL) == 0;
        total += pieces[i];
    }
    good = good && store_writer_finish(writer, NULL) == 0;
    static const size_t lengths[] = {
        1, 100, 4096, 16384, 65536, 100000, 262144 + 17, 1u << 20, (1u << 20) + 4096, 3000000};
    for (uint64_t offset = 0; offset < total && good; offset += 4096 * 13 + offset % 3) {
        for (size_t i = 0; i < array_length(lengths) && good; i++) {
            if (offset + lengths[i] > total)
                continue;
            size_t where = (offset + i) % 2 * 8;
            good = store_get(store, name, offset, memory + where, lengths[i], NULL) == 0 &&
                   holds(memory + where, lengths[i], 5, offset);
        }
    }
    /* the end, exactly, and one byte more */
    good = good && store_get(store, name, total - 70000, memory, 70000, NULL) == 0 &&
           holds(memory, 70000, 5, total - 70000) &&
           store_get(store, name, total - 70000, memory, 70001, NULL) < 0;
    free(memory);
    return good;
}

static inline bool roundtrips(void *context)
{
    struct store *store = context;
    static const size_t whole[] = {1u << 20, 1u << 20, 1u << 20, 65536};
    static const size_t tail[] = {1u << 20, 1u << 20, 12345};
    static const size_t odd[] = {4096, 1, 1u << 20, 4095, 65536};
    return roundtrip(store, "whole", whole, array_length(whole), 0) &&
           roundtrip(store, "tail", tail, array_length(tail), 0) &&
           roundtrip(store, "odd", odd, array_length(odd), 0) &&
           roundtrip(store, "shifted", whole, array_length(whole), 8);
}

/* Runs the tests in a directory that is removed afterwards. */
static inline int run_in_base(const char *suite, const struct unit_test *tests, size_t count)
{
    const char *parent = getenv("TEST_TMP");
    base = mem_printf("%s/firn-store-XXXXXX", parent == NULL ? "/tmp" : parent);
    if (mkdtemp(base) == NULL)
        return 1;
    int result = unit_run(suite, tests, count);
    remove_tree(base);
    free(base);
    return result;
}

#endif
