/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP exchange from the command line, for tests/component/http: prints what came of it as one line of JSON.
 *
 *     http_client URL [--NAME VALUE]...
 *
 *     method M, header 'N: V', body TEXT, memory BYTES (a body of so many), upload BYTES (streamed, a counting pattern),
 *     send-rate, receive-rate BYTES (a second, of the process), ca FILE, cert FILE, key FILE,
 *     limit BYTES, idle MS, retries N, stream 1 (to a callback; "stop": which gives up at once; "slow": which takes its
 *     time), cancel MS (the process is cancelled after that time), repeat N, threads N
 */
#include "core/buf.h"
#include "core/cancel.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"
#include "net/http.h"
#include "net/limit.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define HEADERS_MOST 16

struct options {
    struct firn_http_request request;
    struct firn_header headers[HEADERS_MOST];
    const char *stream;
    int64_t cancel_after;
    uint64_t upload;
    char *memory;
    long repeat;
    long threads;
};

struct job {
    const struct options *options;
    struct http_client *client;
    uint64_t sent;
    uint64_t received;
    uint64_t calls;
    int failures;
};

static void fill(void *data, uint64_t position, size_t length)
{
    for (size_t i = 0; i < length; i++)
        ((uint8_t *)data)[i] = (uint8_t)((position + i) % 251);
}

static int64_t read_body(void *context, void *data, size_t capacity)
{
    struct job *job = context;
    uint64_t left = job->options->upload - job->sent;
    size_t length = left < capacity ? (size_t)left : capacity;
    fill(data, job->sent, length);
    job->sent += length;
    return (int64_t)length;
}

static int write_body(void *context, const void *data, size_t length)
{
    (void)data;
    struct job *job = context;
    job->received += length;
    job->calls++;
    if (strcmp(job->options->stream, "slow") == 0 && job->calls <= 3)
        clock_sleep(700);
    return strcmp(job->options->stream, "stop") == 0 ? -1 : 0;
}

static void set_digest(struct json_object *result, const struct firn_http_response *response)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    char text[2 * EVP_MAX_MD_SIZE + 1];
    EVP_Digest(response->body, response->body_length, digest, &length, EVP_sha256(), NULL);
    hex_encode(digest, length, text);
    json_set_string(result, "sha256", text);
}

static struct json_object *describe(const struct firn_http_response *response)
{
    struct json_object *result = json_object_new_object();
    struct json_object *headers = json_object_new_object();
    json_set_int(result, "status", response->status);
    for (size_t i = 0; i < response->header_count; i++)
        json_set_string(headers, response->headers[i].name, response->headers[i].value);
    json_set_take(result, "headers", headers);
    json_set_uint(result, "length", response->body_length);
    set_digest(result, response);
    if (response->body_length < 1000)
        json_set_string(result, "body", response->body);
    return result;
}

static struct json_object *exchange(struct job *job)
{
    auto_error struct firn_error *error = NULL;
    struct firn_http_request request = job->options->request;
    struct firn_http_response *response = NULL;
    struct json_object *result = NULL;
    int64_t start = clock_monotonic();
    request.context = job;
    job->received = 0;
    if (http_exchange(job->client, &request, &response, &error) == 0) {
        result = describe(response);
    } else {
        job->failures++;
        result = json_object_new_object();
        json_set_string(result, "error", error_code_name(error_code(error)));
        json_set_string(result, "message", error_message(error));
    }
    http_response_free(response);
    json_set_uint(result, "received", job->received);
    json_set_int(result, "ms", clock_monotonic() - start);
    return result;
}

static void *run_job(void *context)
{
    struct job *job = context;
    struct json_object *result = NULL;
    for (long i = 0; i < job->options->repeat; i++) {
        json_free(&result);
        result = exchange(job);
    }
    json_set_int(result, "failures", job->failures);
    return result;
}

static void *cancel_later(void *context)
{
    const struct options *options = context;
    clock_sleep(options->cancel_after);
    cancel_request();
    return NULL;
}

static void add_header(struct options *options, char *text)
{
    char *colon = strchr(text, ':');
    if (colon == NULL || options->request.header_count == HEADERS_MOST)
        return;
    *colon = '\0';
    options->headers[options->request.header_count++] =
        (struct firn_header){.name = text, .value = colon + 1 + strspn(colon + 1, " ")};
}

static void set_memory(struct options *options, uint64_t length)
{
    options->memory = mem_alloc(length);
    fill(options->memory, 0, length);
    options->request.body = options->memory;
    options->request.body_length = length;
}

static int set_option(struct options *options, const char *name, char *value)
{
    struct firn_http_request *request = &options->request;
    const struct {
        const char *name;
        const char **text;
    } texts[] = {{"method", &request->method},    {"ca", &request->ca_file},
                 {"cert", &request->client_cert}, {"key", &request->client_key},
                 {"body", &request->body},        {"stream", &options->stream}};
    for (size_t i = 0; i < array_length(texts); i++)
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].text = value;
            return 0;
        }
    if (strcmp(name, "header") == 0)
        add_header(options, value);
    else if (strcmp(name, "limit") == 0)
        request->body_limit = strtoull(value, NULL, 10);
    else if (strcmp(name, "idle") == 0)
        request->idle_timeout = (uint32_t)atoi(value);
    else if (strcmp(name, "retries") == 0)
        request->retries = (uint32_t)atoi(value);
    else if (strcmp(name, "upload") == 0)
        options->upload = strtoull(value, NULL, 10);
    else if (strcmp(name, "memory") == 0)
        set_memory(options, strtoull(value, NULL, 10));
    else if (strcmp(name, "send-rate") == 0)
        limit_set(LIMIT_SEND, strtoull(value, NULL, 10));
    else if (strcmp(name, "receive-rate") == 0)
        limit_set(LIMIT_RECEIVE, strtoull(value, NULL, 10));
    else if (strcmp(name, "cancel") == 0)
        options->cancel_after = atoi(value);
    else if (strcmp(name, "repeat") == 0)
        options->repeat = atoi(value);
    else if (strcmp(name, "threads") == 0)
        options->threads = atoi(value);
    else
        return -1;
    return 0;
}

static int parse_options(struct options *options, int argc, char **argv)
{
    if (argc < 2 || argc % 2 != 0)
        return -1;
    options->request = (struct firn_http_request){
        .size = sizeof(options->request), .method = "GET", .url = argv[1]};
    for (int i = 2; i < argc; i += 2)
        if (strncmp(argv[i], "--", 2) != 0 || set_option(options, argv[i] + 2, argv[i + 1]) < 0)
            return -1;
    options->request.headers = options->headers;
    if (options->request.body != NULL && options->memory == NULL)
        options->request.body_length = strlen(options->request.body);
    if (options->upload != 0) {
        options->request.read_body = read_body;
        options->request.body_length = options->upload;
    }
    if (options->stream != NULL)
        options->request.write_body = write_body;
    return 0;
}

/* Every thread does the same; the last result is shown, with the failures of all. */
static void run_threads(const struct options *options)
{
    struct http_client *client = http_client_new("firn-test/1");
    struct job *jobs = mem_array((size_t)options->threads, sizeof(*jobs));
    pthread_t *threads = mem_array((size_t)options->threads, sizeof(*threads));
    int failures = 0;
    void *result = NULL;
    for (long i = 0; i < options->threads; i++) {
        jobs[i] = (struct job){.options = options, .client = client};
        pthread_create(&threads[i], NULL, run_job, &jobs[i]);
    }
    for (long i = 0; i < options->threads; i++) {
        json_object_put(result);
        pthread_join(threads[i], &result);
        failures += jobs[i].failures;
    }
    json_set_int(result, "failures", failures);
    auto_buf struct buf text = buf_new(1 << 20);
    json_write(&text, result);
    puts(buf_text(&text));
    json_object_put(result);
    free(jobs);
    free(threads);
    http_client_free(client);
}

int main(int argc, char **argv)
{
    struct options options = {.repeat = 1, .threads = 1};
    pthread_t canceller;
    if (parse_options(&options, argc, argv) < 0) {
        fputs("usage: http_client URL [--NAME VALUE]...\n", stderr);
        return 2;
    }
    if (options.cancel_after != 0)
        pthread_create(&canceller, NULL, cancel_later, &options);
    run_threads(&options);
    if (options.cancel_after != 0)
        pthread_join(canceller, NULL);
    free(options.memory);
    return 0;
}
