/* SPDX-License-Identifier: Apache-2.0 */
#include "compress.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"
#include "format.h"

#include <assert.h>
#include <zstd.h>
#include <zstd_errors.h>

struct compressor {
    ZSTD_CCtx *context;
    uint8_t *scratch; /* FORMAT_CHUNK_MAX bytes; allocated when first needed */
};

/* Level 1 of zstd is meant for larger inputs than a frame. Matches from 6 bytes on, instead of 7, save 2 % of the bytes; a
 * window as large as the frame spares the test whether a match still lies in it. */
static bool set_parameters(ZSTD_CCtx *context, int level)
{
    if (ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)))
        return false;
    return level != 1 || (!ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_minMatch, 6)) &&
                          !ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 20)));
}

int compressor_new(int level, struct compressor **out, struct firn_error **err)
{
    struct compressor *compressor = mem_zalloc(sizeof(*compressor));
    compressor->context = ZSTD_createCCtx();
    if (compressor->context == NULL || !set_parameters(compressor->context, level)) {
        compressor_free(compressor);
        return fail(err, FIRN_INTERNAL, "cannot set up compression at level %d", level);
    }
    *out = compressor;
    return 0;
}

void compressor_free(struct compressor *compressor)
{
    if (compressor == NULL)
        return;
    ZSTD_freeCCtx(compressor->context);
    free(compressor->scratch);
    free(compressor);
}

int compressor_run_into(struct compressor *compressor, const void *data, size_t length, void *out,
                        const void **payload, size_t *payload_length, bool *compressed,
                        struct firn_error **err)
{
    assert(length > 0 && length <= FORMAT_CHUNK_MAX);
    /* The room is what it must shrink to: zstd gives up as soon as it cannot. */
    size_t room = length - length / 32 - 1;
    size_t result = ZSTD_compress2(compressor->context, out, room, data, length);
    *compressed = !ZSTD_isError(result);
    *payload = *compressed ? out : data;
    *payload_length = *compressed ? result : length;
    if (!*compressed && ZSTD_getErrorCode(result) != ZSTD_error_dstSize_tooSmall)
        return fail(err, FIRN_INTERNAL, "compress: %s", ZSTD_getErrorName(result));
    return 0;
}

int compressor_run(struct compressor *compressor, const void *data, size_t length,
                   const void **payload, size_t *payload_length, bool *compressed,
                   struct firn_error **err)
{
    if (compressor->scratch == NULL)
        compressor->scratch = mem_aligned(FORMAT_CHUNK_MAX);
    return compressor_run_into(compressor, data, length, compressor->scratch, payload,
                               payload_length, compressed, err);
}

int compress_message(const void *data, size_t length, struct buf *out, struct firn_error **err)
{
    size_t bound = ZSTD_compressBound(length);
    auto_free uint8_t *packed = NULL;
    if (mem_try((void **)&packed, bound, 1, "a message", err) < 0)
        return -1;
    size_t result = ZSTD_compress(packed, bound, data, length, COMPRESS_LEVEL_META);
    if (ZSTD_isError(result))
        return fail(err, FIRN_INTERNAL, "compress: %s", ZSTD_getErrorName(result));
    buf_append(out, packed, result);
    return buf_check(out, "message", err);
}

int compress_undo(const void *payload, size_t length, bool compressed, uint32_t raw,
                  struct buf *out, struct firn_error **err)
{
    if (!compressed) {
        buf_append(out, payload, length);
        return buf_check(out, "stored message", err);
    }
    auto_free uint8_t *plain = NULL;
    if (mem_try((void **)&plain, raw, 1, "a stored message", err) < 0)
        return -1;
    size_t result = ZSTD_decompress(plain, raw, payload, length);
    if (ZSTD_isError(result) || result != raw)
        return fail(err, FIRN_CORRUPT, "a stored message does not uncompress to %u bytes", raw);
    buf_append(out, plain, raw);
    return buf_check(out, "stored message", err);
}
