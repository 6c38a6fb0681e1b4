/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which machine a URI of libvirt names.
 */
#include "fake_host.h"
#include "unit/unit.h"

static void test_machine(void)
{
    static const struct {
        const char *uri;
        const char *machine;
    } cases[] = {
        {"qemu:///system", NULL},
        {"qemu+unix:///session?socket=/run/libvirt/libvirt-sock", NULL},
        {"qemu+ssh://root@host/system", "host"},
        {"qemu+tls://host.example/system", "host.example"},
        {"qemu://host.example:16514/system", "host.example"},
        {"qemu+tcp://[2001:db8::1]:16509/system", "2001:db8::1"},
        {"", NULL},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        auto_free char *machine = connection_machine_of(cases[i].uri);
        if (cases[i].machine == NULL)
            CU_ASSERT_PTR_NULL(machine)
        else {
            CU_ASSERT_PTR_NOT_NULL_FATAL(machine);
            CU_ASSERT_STRING_EQUAL(machine, cases[i].machine);
        }
    }
}

static void test_require_local(void)
{
    char machine[] = "host";
    struct connection here = {.host = &fake_host}, there = {.host = &fake_host, .machine = machine};
    auto_error struct firn_error *error = NULL;
    CU_ASSERT_EQUAL(connection_require_local(&here, "restore", &error), 0);
    CU_ASSERT_EQUAL(connection_require_local(&there, "restore", &error), -1);
    CU_ASSERT_EQUAL(error_code(error), FIRN_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(error_message(error), "restore"));
}

static const struct unit_test tests[] = {
    {"a URI names its machine", test_machine},
    {"what needs the images is refused elsewhere", test_require_local},
};

int main(void)
{
    (void)fake_connection;
    return unit_run("libvirt_connection", tests, array_length(tests));
}
