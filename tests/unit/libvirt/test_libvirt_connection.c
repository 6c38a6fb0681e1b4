/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which URIs of libvirt are of this machine.
 */
#include "fake_host.h"
#include "unit/unit.h"

static void test_local(void)
{
    static const struct {
        const char *uri;
        int result;
    } cases[] = {
        {"qemu:///system", 0},
        {"qemu+unix:///session?socket=/run/libvirt/libvirt-sock", 0},
        {"qemu+ssh://root@host/system", -1},
        {"qemu+tls://host.example/system", -1},
        {"qemu://host.example:16514/system", -1},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        auto_free char *uri = mem_strdup(cases[i].uri);
        auto_error struct firn_error *error = NULL;
        struct connection connection = {.host = &fake_host, .uri = uri};
        CU_ASSERT_EQUAL(connection_require_local(&connection, &error), cases[i].result);
        CU_ASSERT_EQUAL(error_code(error), cases[i].result < 0 ? FIRN_INVALID : 0);
    }
}

static const struct unit_test tests[] = {{"libvirt on another machine is refused", test_local}};

int main(void)
{
    (void)fake_connection;
    return unit_run("libvirt_connection", tests, array_length(tests));
}
