/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inventories: what is taken from a snapshot is written and taken again, and then written the same.
 */
#include "core/buf.h"
#include "imagestream/inventory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct inventory *first = inventory_new(NULL);
    struct inventory *second = inventory_new(NULL);
    auto_buf struct buf text = buf_new(0);
    auto_buf struct buf again = buf_new(0);
    if (inventory_read(first, data, size, NULL) == 0) {
        if (inventory_write(first, first->repositories[0], &text, NULL) < 0 ||
            inventory_read(second, buf_text(&text), text.length, NULL) < 0 ||
            inventory_write(second, second->repositories[0], &again, NULL) < 0 ||
            text.length != again.length || memcmp(text.data, again.data, text.length) != 0)
            abort();
    }
    inventory_free(first);
    inventory_free(second);
    return 0;
}
