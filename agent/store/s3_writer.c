/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A large object is gathered in memory, a pack of some 32 MiB, and goes up as one PUT: its length
 * and hash stand in front of it, and it can be sent again when the connection breaks.
 */
#include "s3.h"

#include "s3_lock.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"

#include <openssl/evp.h>
#include <sys/mman.h>

#define CAPACITY_FIRST (5u << 20) /* holds a pack of maps */
#define CAPACITY_MOST  (256u << 20)

struct s3_writer {
    struct store_writer base;
    struct s3 *s3;
    char *name;
    EVP_MD_CTX *hash; /* of what was written, kept up so that the last moment has little to do */
    uint8_t *data;
    size_t length;
    size_t capacity;
};

static void writer_free(struct s3_writer *writer)
{
    EVP_MD_CTX_free(writer->hash);
    if (writer->data != NULL)
        munmap(writer->data, writer->capacity);
    free(writer->name);
    free(writer);
}

static void writer_abort(struct store_writer *base)
{
    writer_free((struct s3_writer *)base);
}

/* The memory is mapped by hand, so that it grows without a copy, and goes back to the system at once. */
static int grow(struct s3_writer *writer, size_t length, struct firn_error **err)
{
    size_t capacity = writer->capacity == 0 ? CAPACITY_FIRST : writer->capacity;
    if (length > CAPACITY_MOST - writer->length)
        return fail(err, FIRN_INVALID, "write %s: an object in S3 has at most %u MiB", writer->name,
                    CAPACITY_MOST >> 20);
    while (capacity < writer->length + length)
        capacity *= 2;
    void *data =
        writer->data == NULL
            ? mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
            : mremap(writer->data, writer->capacity, capacity, MREMAP_MAYMOVE);
    if (data == MAP_FAILED)
        return fail(err, FIRN_INTERNAL, "write %s: no memory for %zu MiB", writer->name,
                    capacity >> 20);
    writer->data = data;
    writer->capacity = capacity;
    return 0;
}

static int writer_write(struct store_writer *base, const void *data, size_t length,
                        struct firn_error **err)
{
    struct s3_writer *writer = (struct s3_writer *)base;
    if (length > writer->capacity - writer->length && grow(writer, length, err) < 0)
        return -1;
    if (length == 0)
        return 0;
    if (EVP_DigestUpdate(writer->hash, data, length) != 1)
        return fail(err, FIRN_INTERNAL, "SHA-256 failed");
    memcpy(writer->data + writer->length, data, length);
    writer->length += length;
    return 0;
}

static int upload(struct s3_writer *writer, struct firn_error **err)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    char payload[SIGV4_HASH_LENGTH];
    unsigned hash_length = 0;
    if (EVP_DigestFinal_ex(writer->hash, hash, &hash_length) != 1)
        return fail(err, FIRN_INTERNAL, "SHA-256 failed");
    hex_encode(hash, hash_length, payload);
    struct s3_lock_headers lock;
    struct firn_header headers[S3_LOCK_HEADERS];
    struct s3_request request = {
        .method = "PUT",
        .name = writer->name,
        .headers = headers,
        .header_count = s3_lock_headers(writer->s3, writer->name, payload, &lock, headers),
        .body = writer->data == NULL ? "" : (const char *)writer->data,
        .body_length = writer->length,
        .payload = payload,
    };
    auto_answer struct s3_answer answer = {.response = NULL};
    if (s3_exchange(writer->s3, &request, &answer, err) < 0)
        return wrap(err, "write %s", writer->name);
    return 0;
}

static int writer_finish(struct store_writer *base, struct firn_error **err)
{
    struct s3_writer *writer = (struct s3_writer *)base;
    int result = upload(writer, err);
    writer_free(writer);
    return result;
}

int s3_writer_open(struct store *store, const char *name, struct store_writer **out,
                   struct firn_error **err)
{
    struct s3_writer *writer = mem_zalloc(sizeof(*writer));
    writer->base = (struct store_writer){writer_write, writer_finish, writer_abort};
    writer->s3 = (struct s3 *)store;
    writer->name = mem_strdup(name);
    writer->hash = EVP_MD_CTX_new();
    if (writer->hash == NULL || EVP_DigestInit_ex(writer->hash, EVP_sha256(), NULL) != 1) {
        writer_free(writer);
        return fail(err, FIRN_INTERNAL, "SHA-256 failed");
    }
    *out = &writer->base;
    return 0;
}
