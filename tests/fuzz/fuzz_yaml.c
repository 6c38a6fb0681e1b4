/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML: what is taken, is written and taken again, as the same value.
 */
#include "core/buf.h"
#include "core/error.h"
#include "core/json.h"
#include "core/yaml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_json struct json_object *value = NULL;
    auto_json struct json_object *again = NULL;
    auto_buf struct buf yaml = buf_new(SIZE_MAX);
    if (yaml_parse(data, size, "input", &value, NULL) < 0 || value == NULL)
        return 0;
    if (yaml_write(&yaml, value, NULL) < 0)
        abort();
    if (yaml_parse(buf_text(&yaml), yaml.length, "output", &again, NULL) < 0)
        abort();
    if (!json_object_equal(value, again))
        abort();
    return 0;
}
