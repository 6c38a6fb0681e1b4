/* SPDX-License-Identifier: Apache-2.0 */
#include "sigv4.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"
#include "net/url.h"

#include <assert.h>
#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <time.h>

#define HASH      32u
#define DAY       8 /* digits of the time that name the day */
#define ALGORITHM "AWS4-HMAC-SHA256"
#define TEXT_MOST 65536u /* a canonical request, a scope */

void sigv4_time(int64_t time, char out[SIGV4_TIME_LENGTH])
{
    struct tm parts;
    time_t seconds = (time_t)(time / 1000);
    gmtime_r(&seconds, &parts);
    strftime(out, SIGV4_TIME_LENGTH, "%Y%m%dT%H%M%SZ", &parts);
}

int sigv4_hash(const void *data, size_t length, char out[SIGV4_HASH_LENGTH],
               struct firn_error **err)
{
    uint8_t hash[HASH];
    if (EVP_Digest(data, length, hash, NULL, EVP_sha256(), NULL) != 1)
        return fail(err, FIRN_INTERNAL, "SHA-256 failed");
    hex_encode(hash, sizeof(hash), out);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ canonical forms */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted by the encoded name, then value: '=' sorts before whatever a longer name may go on with,
 * but for '-' and '.', and '%'; so name and value are joined by a byte that sorts before all. */
void sigv4_query(struct buf *out, const struct sigv4_parameter *parameters, size_t count)
{
    char *lines[SIGV4_PARAMETERS_MAX];
    assert(count <= SIGV4_PARAMETERS_MAX);
    for (size_t i = 0; i < count; i++) {
        auto_buf struct buf line = buf_new(TEXT_MOST);
        url_escape(&line, parameters[i].name);
        buf_putc(&line, '\001');
        url_escape(&line, parameters[i].value);
        lines[i] = buf_take(&line);
    }
    qsort(lines, count, sizeof(*lines), by_text);
    for (size_t i = 0; i < count; i++) {
        lines[i][strcspn(lines[i], "\001")] = '=';
        buf_printf(out, "%s%s", i == 0 ? "" : "&", lines[i]);
        free(lines[i]);
    }
}

/* "name:value", the name in lower case, blanks around the value gone, those inside made one. */
static char *header_line(const struct firn_header *header)
{
    auto_buf struct buf line = buf_new(TEXT_MOST);
    for (const char *at = header->name; *at != '\0'; at++)
        buf_putc(&line, (char)tolower((unsigned char)*at));
    buf_putc(&line, ':');
    size_t begin = line.length;
    for (const char *at = header->value; *at != '\0'; at++) {
        bool blank = *at == ' ' || *at == '\t';
        bool more = at[strspn(at, " \t")] != '\0';
        if (!blank)
            buf_putc(&line, *at);
        else if (more && line.length > begin && line.data[line.length - 1] != ' ')
            buf_putc(&line, ' ');
    }
    return buf_take(&line);
}

/* The canonical headers, and the list of their names. */
static void put_headers(const struct sigv4_request *request, struct buf *headers, struct buf *names)
{
    char *lines[SIGV4_HEADERS_MAX];
    assert(request->header_count <= SIGV4_HEADERS_MAX);
    for (size_t i = 0; i < request->header_count; i++) {
        lines[i] = header_line(&request->headers[i]);
        *strchr(lines[i], ':') = '\001'; /* a name that goes on with '-' sorts behind it */
    }
    qsort(lines, request->header_count, sizeof(*lines), by_text);
    for (size_t i = 0; i < request->header_count; i++) {
        char *end = strchr(lines[i], '\001');
        *end = ':';
        buf_printf(headers, "%s\n", lines[i]);
        buf_printf(names, "%s%.*s", i == 0 ? "" : ";", (int)(end - lines[i]), lines[i]);
        free(lines[i]);
    }
}

/* ------------------------------------------------------------------------------------------------ signing */

static int mac(const uint8_t *key, size_t key_length, const char *text, uint8_t out[HASH],
               struct firn_error **err)
{
    unsigned length = 0;
    if (HMAC(EVP_sha256(), key, (int)key_length, (const uint8_t *)text, strlen(text), out,
             &length) == NULL)
        return fail(err, FIRN_INTERNAL, "HMAC-SHA-256 failed");
    return 0;
}

/* A key for one day, region and service; then the signature. */
static int sign(const struct sigv4_scope *scope, const char *day, const char *text,
                uint8_t out[HASH], struct firn_error **err)
{
    const char *steps[] = {day, scope->region, scope->service, "aws4_request", text};
    auto_free char *first = mem_printf("AWS4%s", scope->secret_key);
    uint8_t key[HASH];
    int result = mac((const uint8_t *)first, strlen(first), steps[0], key, err);
    OPENSSL_cleanse(first, strlen(first));
    for (size_t i = 1; i < array_length(steps) && result == 0; i++) {
        uint8_t next[HASH] = {0};
        result = mac(key, sizeof(key), steps[i], next, err);
        memcpy(key, next, sizeof(key));
        OPENSSL_cleanse(next, sizeof(next));
    }
    memcpy(out, key, HASH);
    OPENSSL_cleanse(key, sizeof(key));
    return result;
}

int sigv4_authorization(const struct sigv4_scope *scope, const struct sigv4_request *request,
                        const char *time, struct buf *out, struct firn_error **err)
{
    auto_buf struct buf headers = buf_new(TEXT_MOST);
    auto_buf struct buf names = buf_new(TEXT_MOST);
    auto_buf struct buf canonical = buf_new(TEXT_MOST);
    auto_buf struct buf text = buf_new(TEXT_MOST);
    char hash[SIGV4_HASH_LENGTH];
    uint8_t signature[HASH];
    put_headers(request, &headers, &names);
    buf_printf(&canonical, "%s\n%s\n%s\n%s\n%s\n%s", request->method, request->path, request->query,
               buf_text(&headers), buf_text(&names), request->payload);
    if (buf_check(&canonical, "request to be signed", err) < 0 ||
        sigv4_hash(canonical.data, canonical.length, hash, err) < 0)
        return -1;
    auto_free char *day = mem_dup(time, DAY);
    auto_free char *place = mem_printf("%s/%s/%s/aws4_request", day, scope->region, scope->service);
    buf_printf(&text, "%s\n%s\n%s\n%s", ALGORITHM, time, place, hash);
    if (sign(scope, day, buf_text(&text), signature, err) < 0)
        return -1;
    buf_printf(out, "%s Credential=%s/%s, SignedHeaders=%s, Signature=", ALGORITHM,
               scope->access_key, place, buf_text(&names));
    buf_hex(out, signature, sizeof(signature));
    return buf_check(out, "signature", err);
}
