/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose frozen guest is thawed, and whose is left alone: markers and locks on libvirt's test driver, which has domains that
 * freeze and thaw.
 */
#include "unit/unit.h"

#include "libvirt/lock.h"
#include "libvirt/thaw.h"
#include "libvirt/vir.h"

#include "core/file.h"

#include <string.h>

#define URI "test:///default"

static virConnectPtr connection;
static virDomainPtr domain;

static void open_domain(void)
{
    vir_silence();
    connection = virConnectOpen(URI);
    CU_ASSERT_PTR_NOT_NULL_FATAL(connection);
    domain = virDomainLookupByName(connection, "test");
    CU_ASSERT_PTR_NOT_NULL_FATAL(domain);
}

static void close_domain(void)
{
    virDomainFree(domain);
    virConnectClose(connection);
}

static void mark(const char *scope, bool frozen)
{
    char run[] = "run", checkpoint[] = "firn-run";
    auto_free char *copy = mem_strdup(scope);
    struct marker marker = {
        .run = run, .scope = copy, .checkpoint = checkpoint, .frozen = frozen, .timeout = 30000};
    CU_ASSERT_EQUAL_FATAL(marker_set(domain, &marker, NULL), 0);
}

static bool marked_frozen(void)
{
    auto_marker struct marker marker = {.frozen = false};
    CU_ASSERT_EQUAL(marker_get(domain, &marker, NULL), 1);
    CU_ASSERT_STRING_EQUAL(marker.run, "run");
    CU_ASSERT_STRING_EQUAL(marker.checkpoint, "firn-run");
    CU_ASSERT_EQUAL(marker.timeout, 30000);
    return marker.frozen;
}

static void test_scope(void)
{
    auto_free char *one = lock_scope(), *two = lock_scope();
    CU_ASSERT_STRING_EQUAL(one, two);
    CU_ASSERT_TRUE(strlen(one) > 37);
    CU_ASSERT_EQUAL(one[36], '/');
    struct marker marker = {.scope = one}, none = {.scope = NULL};
    CU_ASSERT_TRUE(marker_is_ours(&marker));
    CU_ASSERT_FALSE(marker_is_ours(&none));
}

static void test_left(void)
{
    open_domain();
    CU_ASSERT_EQUAL(thaw_left(URI, domain, NULL), 0);
    mark(NULL, false);
    CU_ASSERT_EQUAL(thaw_left(URI, domain, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(virDomainFSFreeze(domain, NULL, 0, 0) > 0, 1);
    mark(NULL, true);
    CU_ASSERT_EQUAL(thaw_left(URI, domain, NULL), 1);
    CU_ASSERT_FALSE(marked_frozen());
    /* The test driver thaws what is frozen, and nothing more. */
    CU_ASSERT_EQUAL(virDomainFSThaw(domain, NULL, 0, 0), 0);
    CU_ASSERT_EQUAL(marker_clear(domain, NULL), 0);
    close_domain();
}

static void test_alive(void)
{
    auto_error struct firn_error *error = NULL;
    auto_close int lock = -1;
    char uuid[VIR_UUID_STRING_BUFLEN];
    open_domain();
    mark(NULL, true);
    CU_ASSERT_EQUAL_FATAL(virDomainGetUUIDString(domain, uuid), 0);
    CU_ASSERT_EQUAL_FATAL(lock_try(uuid, &lock, NULL), 1);
    CU_ASSERT_EQUAL(thaw_left(URI, domain, &error), -1);
    CU_ASSERT_EQUAL(error_code(error), FIRN_CONFLICT);
    CU_ASSERT_TRUE(marked_frozen());
    close_domain();
}

static void test_elsewhere(void)
{
    open_domain();
    mark("another boot/1", true);
    CU_ASSERT_EQUAL(thaw_left(URI, domain, NULL), 0);
    CU_ASSERT_TRUE(marked_frozen());
    CU_ASSERT_EQUAL(thaw_locked(URI, domain, NULL), 1);
    CU_ASSERT_FALSE(marked_frozen());
    auto_marker struct marker marker = {.frozen = false};
    CU_ASSERT_EQUAL(marker_get(domain, &marker, NULL), 1);
    CU_ASSERT_STRING_EQUAL(marker.scope, "another boot/1");
    close_domain();
}

static const struct unit_test tests[] = {
    {"the scope of locks", test_scope},
    {"a dead Firn's guest is thawed", test_left},
    {"a living Firn's guest is left alone", test_alive},
    {"a foreign Firn's guest is left alone", test_elsewhere},
};

int main(void)
{
    return unit_run("libvirt_thaw", tests, array_length(tests));
}
