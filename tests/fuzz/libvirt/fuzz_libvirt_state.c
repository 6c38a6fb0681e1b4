/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a parent snapshot, and the checkpoint in it: what is taken can be asked for every disk.
 */
#include "libvirt/checkpoint.h"
#include "libvirt/state.h"
#include "libvirt/xml.h"

#include "core/mem.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = mem_dup(data, size);
    auto_state struct state state = {.uuid = NULL};
    if (state_read(text, &state, NULL) < 0)
        return 0;
    for (size_t i = 0; i < state.disk_count; i++)
        state_disk_size(&state, state.disks[i].target);
    auto_xml xmlDocPtr document = NULL;
    const char *xml = state.checkpoint_xml;
    if (xml != NULL && xml_parse(xml, strlen(xml), "checkpoint", &document, NULL) == 0)
        checkpoint_covers(document, "vda");
    return 0;
}
