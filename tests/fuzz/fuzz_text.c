/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small parsers of text: times, durations, sizes, hex, URLs, varints. A time comes back as it was written.
 */
#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/mem.h"
#include "core/utf8.h"
#include "net/url.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_time(const char *text)
{
    int64_t time = 0;
    int64_t again = 0;
    char written[CLOCK_TEXT_LENGTH];
    if (clock_parse(text, &time, NULL) < 0)
        return;
    clock_format(time, written);
    bool in_range = time >= -62135596800000 &&
                    time <= 253402300799999; /* an offset can lead out of the years */
    if (clock_parse(written, &again, NULL) < 0 || (in_range && again != time))
        abort();
}

static void check_varints(const uint8_t *data, size_t size)
{
    struct cursor cursor = cursor_new(data, size);
    auto_buf struct buf written = buf_new(SIZE_MAX);
    while (cursor.length > 0 && !cursor.failed) {
        size_t before = written.length;
        uint64_t value = cursor_varint(&cursor);
        if (!cursor.failed)
            buf_varint(&written, value);
        if (memcmp(buf_text(&written) + before, data + before, written.length - before) != 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = mem_dup(data, size);
    auto_free char *resolved = NULL;
    auto_url struct url url = {0};
    int64_t milliseconds = 0;
    uint64_t bytes = 0;
    uint8_t decoded[32];
    check_time(text);
    check_varints(data, size);
    duration_parse(text, &milliseconds, NULL);
    size_parse(text, &bytes, NULL);
    hex_decode(text, decoded, sizeof(decoded));
    utf8_is_printable(text);
    if (url_parse(text, &url, NULL) == 0 && (url.host == NULL || url.path == NULL))
        abort();
    url_resolve("https://registry.example:5000/v2/app/", text, &resolved, NULL);
    return 0;
}
