/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON: what is taken, is written and taken again, and then written the same.
 */
#include "core/buf.h"
#include "core/error.h"
#include "core/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_json struct json_object *value = NULL;
    auto_json struct json_object *again = NULL;
    auto_buf struct buf first = buf_new(SIZE_MAX);
    auto_buf struct buf second = buf_new(SIZE_MAX);
    if (json_parse(data, size, "input", &value, NULL) < 0)
        return 0;
    json_write(&first, value);
    if (json_parse(buf_text(&first), first.length, "output", &again, NULL) < 0)
        abort();
    json_write(&second, again);
    if (first.length != second.length ||
        memcmp(buf_text(&first), buf_text(&second), first.length) != 0)
        abort();
    return 0;
}
