/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client of Kubernetes from the command line, for tests/component/kube-*: prints what came of it as lines of JSON, an error
 * as {"error": CODE, "message": …}.
 *
 *     kube_client [--NAME VALUE]... VERB [TYPE [NAME [WORD...]]]
 *
 * TYPE is "[GROUP/]VERSION/RESOURCE/KIND", with "/cluster" behind it if its objects lie in no namespace. Objects and patches come
 * from standard input. Options:
 *
 *     kubeconfig F, context C, namespace N (all: of all), qps N, burst N, idle MS
 *     subresource S, labels L, fields F, metadata 1, chunk N, times N (do it so often), pause MS (between)
 *     verb V (of `can`), manager M, force 1, dry-run 1, propagation P, uid U, version V, grace S
 *     hold N (a list says so at its Nth object, and waits for a line of standard input), timeout MS (of watches), stop N (end a reflector after N changes and removals, else when standard input ends)
 */
#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "core/log.h"
#include "core/mem.h"
#include "kube/access.h"
#include "kube/client.h"
#include "kube/config.h"
#include "kube/discovery.h"
#include "kube/election.h"
#include "kube/event.h"
#include "kube/list.h"
#include "kube/object.h"
#include "kube/pod_exec.h"
#include "kube/pod_log.h"
#include "kube/reflector.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct options {
    struct kube_options where;
    struct kube_limits limits;
    struct kube_type type;
    struct kube_target target;
    struct kube_selection selection;
    struct kube_apply apply;
    struct kube_delete delete;
    long times, pause, hold, timeout, stop;
    const char *verb; /* of `can` */
    char **words;     /* of `exec`: the command */
    bool all_namespaces;
};

static struct kube_client *client;

static void print(struct json_object *value)
{
    puts(json_object_to_json_string_ext(value,
                                        JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    fflush(stdout);
    json_object_put(value);
}

static int report(struct firn_error *err)
{
    struct json_object *value = json_object_new_object();
    json_set_string(value, "error", error_code_name(error_code(err)));
    json_set_string(value, "message", error_message(err));
    print(value);
    error_clear(&err);
    return 1;
}

static struct json_object *read_input(void)
{
    struct json_object *value = NULL;
    struct firn_error *err = NULL;
    auto_buf struct buf text = buf_new(64u << 20);
    char piece[65536];
    size_t got;
    while ((got = fread(piece, 1, sizeof(piece), stdin)) > 0)
        buf_append(&text, piece, got);
    if (json_parse(buf_text(&text), text.length, "input", &value, &err) < 0)
        exit(report(err));
    return value;
}

/* ---- verbs: each returns 0, or -1 with *err set */

typedef int verb_function(const struct options *options, struct firn_error **err);

static int do_get(const struct options *options, struct firn_error **err)
{
    struct json_object *object = NULL;
    if (kube_get(client, &options->target, &object, err) < 0)
        return -1;
    print(object);
    return 0;
}

typedef int write_function(struct kube_client *, const struct kube_target *, struct json_object *,
                           struct json_object **, struct firn_error **);

static int write_with(write_function *write, const struct options *options, struct firn_error **err)
{
    auto_json struct json_object *input = read_input();
    struct json_object *object = NULL;
    if (write(client, &options->target, input, &object, err) < 0)
        return -1;
    print(object);
    return 0;
}

static int do_create(const struct options *options, struct firn_error **err)
{
    return write_with(kube_create, options, err);
}

static int do_update(const struct options *options, struct firn_error **err)
{
    return write_with(kube_update, options, err);
}

static int do_merge(const struct options *options, struct firn_error **err)
{
    return write_with(kube_merge, options, err);
}

static int do_patch(const struct options *options, struct firn_error **err)
{
    return write_with(kube_patch, options, err);
}

static int do_apply(const struct options *options, struct firn_error **err)
{
    auto_json struct json_object *input = read_input();
    struct json_object *object = NULL;
    if (kube_apply(client, &options->target, input, &options->apply, &object, err) < 0)
        return -1;
    print(object);
    return 0;
}

static int do_delete(const struct options *options, struct firn_error **err)
{
    return kube_delete(client, &options->target, &options->delete, err);
}

struct tally {
    long hold;
    long count;
    long again;
    unsigned long names; /* a checksum of what was seen */
};

static int count_item(void *context, struct json_object *object, struct firn_error **err)
{
    struct tally *tally = context;
    if (++tally->count == tally->hold) {
        tally->hold = 0;
        puts("{\"what\":\"held\"}");
        fflush(stdout);
        if (getchar() == EOF)
            return fail(err, FIRN_CANCELLED, "nobody let it go on");
    }
    for (const char *letter = kube_name(object); *letter != '\0'; letter++)
        tally->names = tally->names * 31 + (unsigned char)*letter;
    return *json_string_or(object, "kind", "") == '\0'
               ? fail(err, FIRN_CORRUPT, "an item has no kind")
               : 0;
}

static void forget_items(void *context)
{
    struct tally *tally = context;
    *tally = (struct tally){.again = tally->again + 1};
}

/* Most memory that the process has held, in KiB. (What getrusage() tells begins with that of the parent.) */
static long peak(void)
{
    auto_buf struct buf text = buf_new(1u << 16);
    if (file_read("/proc/self/status", 1u << 16, &text, NULL) < 0)
        return -1;
    const char *line = strstr(buf_text(&text), "VmHWM:");
    return line == NULL ? -1 : atol(line + 6);
}

static int do_list(const struct options *options, struct firn_error **err)
{
    struct tally tally = {.hold = options->hold};
    long before = peak();
    auto_free char *version = NULL;
    const struct kube_list list = {.selection = options->selection,
                                   .item = count_item,
                                   .again = forget_items,
                                   .context = &tally};
    if (kube_list(client, &list, &version, err) < 0)
        return -1;
    struct json_object *value = json_object_new_object();
    json_set_int(value, "count", tally.count);
    json_set_int(value, "again", tally.again);
    json_set_string(value, "version", version);
    json_set_int(value, "grown", peak() - before);
    json_set_uint(value, "requests", kube_client_requests(client));
    print(value);
    return 0;
}

static int do_names(const struct options *options, struct firn_error **err)
{
    struct json_object *array = NULL;
    if (kube_list_array(client, &options->selection, &array, err) < 0)
        return -1;
    print(array);
    return 0;
}

/* ---- the reflector */

static atomic_long told;

static void tell(const char *what, struct json_object *object)
{
    struct json_object *line = json_object_new_object();
    json_set_string(line, "what", what);
    json_set_string(line, "namespace", kube_namespace(object));
    json_set_string(line, "name", kube_name(object));
    json_set_string(line, "version", kube_resource_version(object));
    json_set_string(line, "uid", kube_uid(object));
    print(line);
    told++;
}

static void on_changed(void *context, struct json_object *object)
{
    (void)context;
    tell("changed", object);
}

static void on_removed(void *context, struct json_object *object)
{
    (void)context;
    tell("removed", object);
}

static void on_synced(void *context)
{
    (void)context;
    puts("{\"what\":\"synced\"}");
    fflush(stdout);
}

static void on_failed(void *context, const struct firn_error *error)
{
    (void)context;
    struct json_object *line = json_object_new_object();
    json_set_string(line, "what", "failed");
    json_set_string(line, "error", error_code_name(error_code(error)));
    json_set_string(line, "message", error_message(error));
    print(line);
}

/* Any line of standard input asks for the counts. */
static int do_reflect(const struct options *options, struct firn_error **err)
{
    (void)err;
    char line[64];
    const struct kube_reflector_options how = {
        .selection = options->selection,
        .changed = on_changed,
        .removed = on_removed,
        .synced = on_synced,
        .failed = on_failed,
        .watch_timeout = (uint32_t)options->timeout,
        .idle_timeout = options->limits.idle_timeout,
    };
    struct kube_reflector *reflector = kube_reflector_start(client, &how);
    while (options->stop > 0 && told < options->stop)
        clock_sleep(20);
    while (options->stop == 0 && fgets(line, sizeof(line), stdin) != NULL) {
        struct kube_reflector_counts counts = kube_reflector_counts(reflector);
        struct json_object *value = json_object_new_object();
        json_set_string(value, "what", "counts");
        json_set_uint(value, "lists", counts.lists);
        json_set_uint(value, "watches", counts.watches);
        json_set_uint(value, "events", counts.events);
        json_set_uint(value, "bookmarks", counts.bookmarks);
        json_set_uint(value, "requests", kube_client_requests(client));
        print(value);
    }
    kube_reflector_stop(reflector);
    return 0;
}

static int do_config(const struct options *options, struct firn_error **err)
{
    (void)options;
    (void)err;
    const struct kube_config *config = kube_client_config(client);
    struct json_object *value = json_object_new_object();
    json_set_string(value, "source", config->source);
    json_set_string(value, "server", config->server);
    json_set_string(value, "namespace", config->namespace);
    json_set_string(value, "token", config->token);
    print(value);
    return 0;
}

/* ---- questions */

static int do_can(const struct options *options, struct firn_error **err)
{
    bool allowed = false;
    if (kube_access(client, options->verb, &options->target, &allowed, err) < 0)
        return -1;
    puts(allowed ? "true" : "false");
    return 0;
}

static int print_type(void *context, const struct kube_served *served, struct firn_error **err)
{
    (void)context;
    (void)err;
    struct json_object *line = json_object_new_object();
    json_set_string(line, "group", served->type.group);
    json_set_string(line, "version", served->type.version);
    json_set_string(line, "resource", served->type.resource);
    json_set_string(line, "kind", served->type.kind);
    json_set_bool(line, "cluster", served->type.cluster);
    json_set_string(line, "verbs", served->verbs);
    print(line);
    return 0;
}

static void print_absent(void *context, const char *group_version, const struct firn_error *error)
{
    (void)context;
    struct json_object *line = json_object_new_object();
    json_set_string(line, "absent", group_version);
    json_set_string(line, "message", error_message(error));
    print(line);
}

/* A TYPE is looked for by its group, version ("-": the preferred one) and kind; without one all are told. */
static int do_discover(const struct options *options, struct firn_error **err)
{
    struct kube_discovery *discovery = kube_discovery_new(client);
    const struct kube_discovery_each how = {.each = print_type, .absent = print_absent};
    const struct kube_type *type = NULL;
    int result = 0;
    if (options->type.kind == NULL)
        result = kube_discovery_all(discovery, &how, err);
    for (int i = 0; options->type.kind != NULL && result == 0 && i < 3; i++) /* asks once */
        result = kube_discovery_find(
            discovery, options->type.group,
            strcmp(options->type.version, "-") == 0 ? NULL : options->type.version,
            options->type.kind, &type, err);
    if (type != NULL && result == 0) {
        const struct kube_served served = {.type = *type};
        print_type(NULL, &served, err);
        printf("%llu\n", (unsigned long long)kube_client_requests(client));
    }
    kube_discovery_free(discovery);
    return result;
}

/* Each line of standard input is the note of an event about the object. */
static int do_event(const struct options *options, struct firn_error **err)
{
    char line[5000];
    auto_json struct json_object *object = NULL;
    if (kube_get(client, &options->target, &object, err) < 0)
        return -1;
    struct kube_recorder *recorder = kube_recorder_new(client, "firn.dev/test", "pod-1");
    int result = 0;
    while (result == 0 && fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        const struct kube_event event = {.regarding = object,
                                         .warning = *line == '!',
                                         .reason = "Tested",
                                         .action = "Test",
                                         .note = line};
        result = kube_event(recorder, &event, err);
    }
    kube_recorder_free(recorder);
    return result;
}

static int print_bytes(void *context, const void *data, size_t length)
{
    (void)context;
    return fwrite(data, 1, length, stdout) == length ? 0 : -1;
}

static int do_log(const struct options *options, struct firn_error **err)
{
    const struct kube_pod_log log = {.pod = options->target.name, .receive = print_bytes};
    return kube_pod_log(client, &log, err);
}

static int print_errors(void *context, const void *data, size_t length)
{
    (void)context;
    return fwrite(data, 1, length, stderr) == length ? 0 : -1;
}

/* Behind NAME stands the command. Its exit code is ours. */
static int do_exec(const struct options *options, struct firn_error **err)
{
    const struct kube_pod_exec exec = {.pod = options->target.name,
                                       .command = (const char *const *)options->words,
                                       .output = print_bytes,
                                       .errors = print_errors,
                                       .idle_timeout = options->limits.idle_timeout};
    int code = 0;
    if (kube_pod_exec(client, &exec, &code, err) < 0)
        return -1;
    fflush(stdout);
    if (code != 0)
        exit(code);
    return 0;
}

/* ---- the election */

static struct kube_election *election;

static void say(const char *what, const char *member, const char *text)
{
    struct json_object *line = json_object_new_object();
    json_set_string(line, "what", what);
    json_set_string(line, member, text);
    print(line);
}

static void on_led(void *context)
{
    (void)context;
    say("led", "identity", NULL);
}

static void on_lost(void *context)
{
    (void)context;
    say("lost", "identity", NULL);
}

static void on_leader(void *context, const char *identity)
{
    (void)context;
    say("leader", "identity", identity);
}

/* NAME is that of the lease; `manager` who we are. A line of standard input asks whether we lead. */
static int do_elect(const struct options *options, struct firn_error **err)
{
    (void)err;
    char line[64];
    const struct kube_election_options how = {
        .namespace = kube_client_namespace(client),
        .name = options->target.name,
        .identity = options->apply.manager,
        .duration = (uint32_t)options->timeout,
        .deadline = (uint32_t)options->timeout * 2 / 3,
        .retry = (uint32_t)options->timeout / 10,
        .led = on_led,
        .lost = on_lost,
        .leader = on_leader,
        .failed = on_failed,
    };
    election = kube_election_start(client, &how);
    while (fgets(line, sizeof(line), stdin) != NULL)
        say("leads", kube_election_leads(election) ? "yes" : "no", "");
    kube_election_stop(election);
    return 0;
}

/* ---- the command line */

static const struct {
    const char *name;
    verb_function *run;
} verbs[] = {
    {"config", do_config},     {"get", do_get},     {"create", do_create},   {"update", do_update},
    {"merge", do_merge},       {"patch", do_patch}, {"apply", do_apply},     {"delete", do_delete},
    {"list", do_list},         {"names", do_names}, {"reflect", do_reflect}, {"can", do_can},
    {"discover", do_discover}, {"event", do_event}, {"elect", do_elect},     {"log", do_log},
    {"exec", do_exec},
};

static void set_type(struct options *options, char *text)
{
    char *parts[5] = {0};
    size_t count = 0;
    for (char *part = strsep(&text, "/"); part != NULL && count < 5; part = strsep(&text, "/"))
        parts[count++] = part;
    options->type.cluster = count > 0 && strcmp(parts[count - 1], "cluster") == 0;
    count -= options->type.cluster;
    size_t at = 0;
    options->type.group = count == 4 ? parts[at++] : "";
    options->type.version = parts[at++];
    options->type.resource = parts[at++];
    options->type.kind = parts[at];
}

static bool set_option(struct options *options, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **text;
        long *number;
        bool *flag;
    } known[] = {
        {"kubeconfig", &options->where.kubeconfig, NULL, NULL},
        {"context", &options->where.context, NULL, NULL},
        {"namespace", &options->where.namespace, NULL, NULL},
        {"subresource", &options->target.subresource, NULL, NULL},
        {"labels", &options->selection.labels, NULL, NULL},
        {"fields", &options->selection.fields, NULL, NULL},
        {"metadata", NULL, NULL, &options->selection.metadata_only},
        {"verb", &options->verb, NULL, NULL},
        {"manager", &options->apply.manager, NULL, NULL},
        {"force", NULL, NULL, &options->apply.force},
        {"dry-run", NULL, NULL, &options->apply.dry_run},
        {"propagation", &options->delete.propagation, NULL, NULL},
        {"uid", &options->delete.uid, NULL, NULL},
        {"version", &options->delete.resource_version, NULL, NULL},
        {"times", NULL, &options->times, NULL},
        {"pause", NULL, &options->pause, NULL},
        {"hold", NULL, &options->hold, NULL},
        {"timeout", NULL, &options->timeout, NULL},
        {"stop", NULL, &options->stop, NULL},
    };
    for (size_t i = 0; i < array_length(known); i++) {
        if (strcmp(known[i].name, name) != 0)
            continue;
        if (known[i].text != NULL)
            *known[i].text = value;
        if (known[i].number != NULL)
            *known[i].number = atol(value);
        if (known[i].flag != NULL)
            *known[i].flag = true;
        return true;
    }
    if (strcmp(name, "qps") == 0)
        options->limits.per_second = atof(value);
    else if (strcmp(name, "burst") == 0)
        options->limits.burst = (unsigned)atol(value);
    else if (strcmp(name, "idle") == 0)
        options->limits.idle_timeout = (uint32_t)atol(value);
    else if (strcmp(name, "chunk") == 0)
        options->selection.chunk = (unsigned)atol(value);
    else if (strcmp(name, "grace") == 0)
        options->delete.grace = atol(value);
    else
        return false;
    return true;
}

static verb_function *find_verb(const char *name)
{
    for (size_t i = 0; name != NULL && i < array_length(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return verbs[i].run;
    return NULL;
}

/* The objects of the namespace that was asked for, or of all. */
static void aim(struct options *options)
{
    options->all_namespaces =
        options->where.namespace != NULL && strcmp(options->where.namespace, "all") == 0;
    if (options->all_namespaces)
        options->where.namespace = NULL;
}

static int run(struct options *options, verb_function *verb)
{
    struct firn_error *err = NULL;
    aim(options);
    if (kube_client_open(&options->where, &options->limits, &client, &err) < 0)
        return report(err);
    options->target.type = options->selection.type = &options->type;
    options->target.namespace = kube_client_namespace(client);
    options->selection.namespace = options->all_namespaces ? NULL : kube_client_namespace(client);
    int code = 0;
    for (long i = 0; i < options->times; i++) {
        if (i > 0)
            clock_sleep(options->pause);
        if (verb(options, &err) < 0)
            code = report(steal(err));
    }
    kube_client_free(client);
    return code;
}

int main(int argc, char **argv)
{
    struct options options = {.times = 1};
    int at = 1;
    log_init(LOG_TEXT, getenv("DEBUG") == NULL ? FIRN_LOG_WARNING : FIRN_LOG_DEBUG);
    for (; at + 1 < argc && strncmp(argv[at], "--", 2) == 0; at += 2)
        if (!set_option(&options, argv[at] + 2, argv[at + 1])) {
            fprintf(stderr, "there is no option %s\n", argv[at]);
            return 2;
        }
    verb_function *verb = find_verb(argv[at]);
    if (verb == NULL) {
        fprintf(stderr, "there is no verb %s\n", argv[at] == NULL ? "" : argv[at]);
        return 2;
    }
    if (at + 1 < argc)
        set_type(&options, argv[at + 1]);
    if (at + 2 < argc)
        options.target.name = argv[at + 2];
    options.words = argv + (at + 3 < argc ? at + 3 : argc);
    return run(&options, verb);
}
