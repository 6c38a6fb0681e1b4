/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block: recognises zero blocks and fingerprints the others. Runs on the workers.
 */
#include "crypt.h"
#include "pipeline_stages.h"

#include <string.h>

/* Compares the block with itself, shifted by one byte: as fast as memory. */
static bool is_zero(const uint8_t *data, size_t length)
{
    return data[0] == 0 && memcmp(data, data + 1, length - 1) == 0;
}

int block_hash(struct fingerprinter *fingerprinter, struct job *job, struct firn_error **err)
{
    const uint8_t *data = job->buffer->data;
    for (uint32_t i = 0; i < job->count; i++) {
        job->zero[i] = job->kind == FORMAT_CHUNK_BLOCK && is_zero(data, job->lengths[i]);
        if (job->zero[i])
            memset(job->fingerprints[i], 0, FORMAT_FINGERPRINT_LENGTH);
        else if (fingerprinter_make(fingerprinter, job->kind, data, job->lengths[i],
                                    job->fingerprints[i], err) < 0)
            return -1;
        data += job->lengths[i];
    }
    return 0;
}
