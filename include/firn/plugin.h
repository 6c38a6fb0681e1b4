/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin ABI: the whole contract between Firn and a plugin. A plugin is one shared object,
 * NAME.so, found in the plugin path. It exports one symbol, firn_plugin_register(), and imports
 * none from Firn: everything that it needs comes in through struct firn_host, struct firn_sink and
 * struct firn_source.
 *
 *     capture:   the plugin  --object_begin/extent/zero/same/stream/document-->  sink    (the repository)
 *     restore:   the plugin  <--object/next_extent/read/document--------------  source  (a snapshot)
 *
 * Every structure that crosses the border begins with its size, and grows at its end only. A reader
 * copies min(its own size, the size it was given) and treats members that are not there as zero.
 *
 * Errors: a function that can fail returns 0, or -1 after the failing side has said why. A plugin
 * says why with host->fail(). When a call into the host, the sink or the source returns -1, the
 * host already knows the reason: the plugin cleans up and returns -1, calling host->fail() only if
 * it has something to add.
 *
 * Threads: capture(), restore() and list() are called from one thread per handle. Inside them a
 * plugin may use threads of its own; every function of the host, the sink and the source may be
 * called from any of them, except that the calls on one object, or on one reader's read(), must not
 * overlap. next_extent() may overlap.
 *
 * Text is UTF-8. Sizes, offsets and lengths are bytes. Times are milliseconds; points in time are
 * milliseconds since 1970-01-01 UTC.
 */
#ifndef FIRN_PLUGIN_H
#define FIRN_PLUGIN_H

#include <firn/error.h>

#include <stddef.h>
#include <stdint.h>

#define FIRN_PLUGIN_ABI 1u

/* The unit of change tracking and of deduplication of volumes. Extents need not be aligned to it. */
#define FIRN_BLOCK_SIZE 65536u

#define FIRN_BUFFERS_MAX 16u /* buffers that a capture may have borrowed at once */
#define FIRN_OBJECTS_MAX 8u  /* objects that a capture may be filling at once */

/* ------------------------------------------------------------------------------------------------ parameters */

enum firn_param_type {
    FIRN_PARAM_STRING = 1,
    FIRN_PARAM_BOOLEAN,  /* true, false */
    FIRN_PARAM_INTEGER,  /* decimal, signed */
    FIRN_PARAM_SIZE,     /* bytes; suffixes K, M, G, T are powers of 1024 */
    FIRN_PARAM_DURATION, /* 250ms, 30s, 5m, 1h; param_integer() gives milliseconds */
    FIRN_PARAM_PATH,     /* a file or directory of the machine that Firn runs on */
};

/* One parameter of a plugin. The table ends with an entry whose name is NULL. It feeds validation
 * (--set NAME.PARAM=… and --PARAM), `firn help NAME`, the man page and the text of the CRD. */
struct firn_param {
    const char *name; /* lower case, words joined by '-' */
    enum firn_param_type type;
    const char *fallback;    /* the default as text; NULL: none */
    const char *description; /* one sentence */
};

/* ------------------------------------------------------------------------------------------------ host services */

enum firn_log_level { FIRN_LOG_DEBUG = 1, FIRN_LOG_INFO, FIRN_LOG_WARNING, FIRN_LOG_ERROR };

struct firn_header {
    const char *name;
    const char *value;
};

/* One HTTP exchange. The host adds pooling, TLS verification (always on), proxies from the
 * environment, retries of requests that are safe to repeat, and bounded waiting. */
struct firn_http_request {
    size_t size;
    const char *method; /* GET, HEAD, PUT, POST, PATCH, DELETE */
    const char *url;    /* absolute http:// or https:// */
    const struct firn_header *headers;
    size_t header_count;
    const char *ca_file;     /* PEM file trusted besides the system's; NULL: the system's alone */
    const char *client_cert; /* PEM files, or NULL */
    const char *client_key;
    const char *body;     /* body in memory, or NULL */
    uint64_t body_length; /* length of body, or of what read_body yields */
    /* Streams the body: fills at most capacity bytes, returns how many (0: the end), or -1. Called
     * instead of `body` when set; such a request is never repeated by the host. */
    int64_t (*read_body)(void *context, void *data, size_t capacity);
    /* Receives the body of a 2xx answer as it arrives; 0, or -1 to stop. NULL: it is collected in
     * the response, up to body_limit bytes. The bodies of other answers are always collected, up to
     * 64 KiB. A request with a callback is not repeated once a byte was delivered. */
    int (*write_body)(void *context, const void *data, size_t length);
    void *context;
    uint64_t
        body_limit; /* most bytes of body accepted; more is an error (CORRUPT). 0: 16 MiB when collected, unlimited
                              when streamed */
    uint32_t idle_timeout; /* ms without a byte before the exchange fails; 0: 60,000 */
    uint32_t
        retries; /* repeats after a transport error, 429 or 5xx, with growing, jittered pauses and Retry-After
                              obeyed; 0: none */
};

struct firn_http_response {
    int status;
    struct firn_header *headers; /* names in lower case */
    size_t header_count;
    char *body; /* NUL-terminated for convenience */
    size_t body_length;
};

/* One request to the API server of a Kubernetes cluster. The host finds the cluster and the credentials (by the plugin's
 * parameters "kubeconfig" and "context", if it has them), limits the rate, and repeats what is safe to repeat. */
struct firn_kube_request {
    size_t size;
    const char *verb;         /* as RBAC calls it, for messages: get, list, create, patch … */
    const char *method;       /* HTTP's */
    const char *path;         /* "/api/v1/namespaces/shop/configmaps?limit=100", escaped */
    const char *content_type; /* of the body; NULL: application/json */
    const char *body;         /* or NULL */
    uint64_t body_length;
    uint64_t answer_limit; /* most bytes of answer; 0: 64 MiB */
};

struct firn_kube_answer {
    size_t size;
    enum firn_code code; /* why it failed */
    char *text;          /* JSON, NUL-terminated; of a failure the message */
    size_t length;
};

struct firn_host {
    size_t size;
    uint32_t abi;
    void *context; /* the host's own */

    /* Says why the current operation fails. The first reason given is kept as the cause. printf format. */
    void (*fail)(const struct firn_host *host, enum firn_code code, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
    void (*log)(const struct firn_host *host, enum firn_log_level level, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
    /* What the operation is doing, in a few words ("freezing guest"), for the progress display. NULL: nothing. */
    void (*step)(const struct firn_host *host, const char *what);
    /* Adds to the bytes that will be looked at, and to those that were. Feeds the bar, the rate and the ETA. */
    void (*progress)(const struct firn_host *host, uint64_t total_add, uint64_t done_add);
    /* Non-zero once the user or the host wants the operation to stop; a plugin looks at least once a second. */
    int (*cancelled)(const struct firn_host *host);

    /* The value of a parameter, validated, the default filled in; NULL: not set. Borrowed, valid until close(). */
    const char *(*param)(const struct firn_host *host, const char *name);
    /* The same as a number: BOOLEAN 0 or 1, SIZE in bytes, DURATION in ms; 0 if not set. */
    int64_t (*param_integer)(const struct firn_host *host, const char *name);

    /* One HTTP exchange: 0 when an answer came, whatever its status; -1 on transport errors. Free the response. */
    int (*http)(const struct firn_host *host, const struct firn_http_request *request,
                struct firn_http_response **response);
    void (*http_free)(const struct firn_host *host, struct firn_http_response *response);

    /* A request to the cluster: 0 for an answer 2xx; -1: answer->code and answer->text say why. Free the answer in any case. */
    int (*kube)(const struct firn_host *host, const struct firn_kube_request *request,
                struct firn_kube_answer *answer);
    void (*kube_free)(const struct firn_host *host, struct firn_kube_answer *answer);
};

/* ------------------------------------------------------------------------------------------------ objects */

enum firn_object_kind {
    FIRN_OBJECT_VOLUME = 1, /* addressed by offset; has a size; sparse */
    FIRN_OBJECT_STREAM,     /* a sequence of bytes */
    FIRN_OBJECT_DOCUMENT,   /* a small stream that goes in and out whole, at most 16 MiB */
};

struct firn_object_info {
    size_t size;
    enum firn_object_kind kind;
    const char *name;       /* unique in the snapshot; no control characters; '/' allowed */
    const char *media_type; /* RFC 6838, for example application/vnd.firn.disk.raw */
    uint64_t length;        /* bytes of a volume; of a stream if known, else 0 */
    const char
        *digest; /* "sha256:HEX" of a stream if known beforehand (then verified), else NULL */
};

/* What a capture may claim, weakest first. Never claim more than was done. */
enum firn_consistency {
    FIRN_CRASH_CONSISTENT = 1,   /* as after a power cut, at one point in time */
    FIRN_FILESYSTEM_CONSISTENT,  /* file systems were frozen, or the machine was off */
    FIRN_APPLICATION_CONSISTENT, /* applications were quiesced, too */
};

enum firn_consistency_mode {
    FIRN_CONSISTENCY_BEST_EFFORT = 0, /* freeze if possible, say so if not */
    FIRN_CONSISTENCY_REQUIRED,        /* fail unless at least file-system-consistent */
    FIRN_CONSISTENCY_NONE,            /* do not freeze */
};

/* How a capture went; given once, before capture() returns. */
struct firn_outcome {
    size_t size;
    enum firn_consistency consistency;
    const char *method; /* one word: "full", "incremental", "snapshot" … */
    const char
        *reason; /* why this method or consistency and not a better one; NULL: nothing to explain */
    int64_t point_in_time; /* what moment the data shows */
    int64_t
        frozen; /* ms from the request to freeze until the thaw was confirmed; -1: never frozen */
};

/* ------------------------------------------------------------------------------------------------ capture */

struct firn_object; /* an object being captured: the sink's */

struct firn_sink {
    size_t size;
    void *context;

    /* At most FIRN_OBJECTS_MAX objects may be begun and not ended: INVALID beyond. */
    int (*object_begin)(struct firn_sink *sink, const struct firn_object_info *info,
                        struct firn_object **object);
    /* The volume of the same name in the parent snapshot becomes the base of `same`, and of
     * everything that is not mentioned. Call it before the first extent. Without it, what is not
     * mentioned is zero. -1 with NOTFOUND if the parent has no such volume. */
    int (*object_parent)(struct firn_object *object);

    /* Volumes: any order, each offset at most once; need not be aligned, but whole aligned blocks are cheapest. */
    int (*extent)(struct firn_object *object, uint64_t offset, const void *data, uint64_t length);
    int (*zero)(struct firn_object *object, uint64_t offset, uint64_t length);
    int (*same)(struct firn_object *object, uint64_t offset, uint64_t length);

    /* The way without a copy: borrow a buffer of *capacity bytes (a multiple of FIRN_BLOCK_SIZE,
     * aligned to 4096), read into it, and give it back with its contents, or unused with
     * buffer_put. Waits while the pipeline is full. At most FIRN_BUFFERS_MAX may be borrowed at
     * once, over all objects and threads of a capture: INVALID beyond. */
    int (*buffer_get)(struct firn_sink *sink, void **data, size_t *capacity);
    int (*extent_take)(struct firn_object *object, uint64_t offset, void *data, uint64_t length);
    void (*buffer_put)(struct firn_sink *sink, void *data); /* gives an unused buffer back */

    /* Streams and documents: the next bytes. */
    int (*stream)(struct firn_object *object, const void *data, uint64_t length);

    /* Ends the object. committed only with the snapshot. A stream with a digest or a length is verified here. */
    int (*object_end)(struct firn_object *object);
    /* Drops an object that was begun (a transfer that broke and will be started again). */
    void (*object_abandon)(struct firn_object *object);

    /* A whole document in one call. */
    int (*document)(struct firn_sink *sink, const char *name, const char *media_type,
                    const void *data, uint64_t length);

    /* If the repository holds a stream of this digest and length, adds it to the snapshot under
     * info->name without any data, and returns 1; 0: it does not, send it; -1: error. */
    int (*stream_known)(struct firn_sink *sink, const struct firn_object_info *info);

    /* What the plugin wants to find at its next capture of this item (a checkpoint's name …), at
     * most 64 KiB of JSON. Kept where a writer that cannot read data can still read it: no secrets.
     */
    int (*state)(struct firn_sink *sink, const char *json);

    int (*outcome)(struct firn_sink *sink, const struct firn_outcome *outcome);
};

struct firn_range {
    uint64_t offset;
    uint64_t length;
};

struct firn_capture {
    size_t size;
    const char *reference; /* the part of SOURCE after "PLUGIN:" */
    enum firn_consistency_mode consistency;
    const char *
        parent_id; /* snapshot id of the parent, or NULL: none, everything must be captured in full */
    const char *parent_state; /* JSON that the parent's capture left with state(), or NULL */
    int64_t parent_time;      /* when the parent was committed */
    /* What changed since the parent, told by the user (--changed): ranges in rising order. NULL: not told. */
    const struct firn_range *changed;
    size_t changed_count;
    const char
        *run_id; /* unique to this run: names what the capture makes outside the repository */
    /* Tells apart what captures into several repositories leave outside of them for one item; may be NULL. */
    const char *repository_id;
};

/* ------------------------------------------------------------------------------------------------ restore */

struct firn_reader; /* an object being read: the source's */

/* A piece of a volume. Give it back with release(). */
struct firn_extent {
    size_t size;
    uint64_t offset;
    uint64_t length;
    const void
        *data; /* NULL: zeros. Aligned to 4096 when offset and length are multiples of 4096 */
    uint64_t frontier; /* all that lies below this offset was handed out before this extent */
    void *cookie;      /* the host's own */
};

struct firn_source {
    size_t size;
    void *context;

    const char *snapshot_id;
    const char *item; /* SOURCE as it was captured */
    size_t object_count;

    int (*object)(struct firn_source *source, size_t number,
                  struct firn_object_info *info); /* borrowed strings */
    /* Opens an object. Volumes begin at `start` (a multiple of FIRN_BLOCK_SIZE), streams at any offset. */
    int (*open)(struct firn_source *source, const char *name, uint64_t start,
                struct firn_reader **reader);
    /* 1: an extent; 0: the end; -1: error. Covers the volume completely, zeros included; the order
     * is free but for the frontier. */
    int (*next_extent)(struct firn_reader *reader, struct firn_extent *extent);
    void (*release)(struct firn_reader *reader, struct firn_extent *extent);
    /* Reads a stream or document in order: how many bytes (0: the end), or -1. */
    int64_t (*read)(struct firn_reader *reader, void *data, size_t capacity);
    void (*close)(struct firn_reader *reader);
    /* A whole document, NUL-terminated for convenience; free with document_free(). */
    int (*document)(struct firn_source *source, const char *name, char **data, size_t *length);
    void (*document_free)(struct firn_source *source, char *data);
};

struct firn_restore {
    size_t size;
    const char *target; /* the part of --target after "PLUGIN:"; for the image plugin a path */
    const char *format; /* "raw", "qcow2", or NULL: the plugin's choice */
    const char *object; /* only this object, or NULL: all */
    int overwrite;      /* non-zero: what is at the target may be replaced */
    int dry_run; /* non-zero: report collisions and missing prerequisites through log(), change nothing */
};

/* ------------------------------------------------------------------------------------------------ the plugin */

/* Called by list() for each item found; reference goes after "NAME:". -1: stop. */
typedef int firn_list_callback(void *context, const char *reference, const char *description);

struct firn_plugin {
    size_t size;
    uint32_t abi;
    const char *name; /* [a-z][a-z0-9-]* ; the file is NAME.so */
    const char *version;
    const char *description; /* one line */
    const char *
        target; /* the scheme of --target that this plugin restores to ("libvirt", "registry"); NULL: paths */
    const struct firn_param *params; /* may be NULL */

    int (*open)(const struct firn_host *host, void **handle);
    void (*close)(void *handle);
    /* Items that `reference` (may be "") stands for. Optional. */
    int (*list)(void *handle, const char *reference, firn_list_callback *each, void *context);
    int (*capture)(void *handle, const struct firn_capture *request, struct firn_sink *sink);
    /* Called once after each capture() that returned 0: snapshot_id if it was committed, else NULL.
     * Only now may the plugin drop what the next incremental capture no longer needs, or must undo
     * what was made for this one. Optional. */
    int (*settle)(void *handle, const char *snapshot_id);
    int (*restore)(void *handle, const struct firn_restore *request, struct firn_source *source);
};

/* The one exported symbol. The structure lives as long as the shared object. */
__attribute__((visibility("default"))) const struct firn_plugin *firn_plugin_register(void);

#endif
