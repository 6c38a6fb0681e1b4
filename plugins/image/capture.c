/* SPDX-License-Identifier: Apache-2.0 */
/* A capture: which parts of the image are taken, and what may be claimed about them. */
#include "image.h"
#include "input.h"
#include "walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OBJECT     "disk"
#define MEDIA_TYPE "application/vnd.firn.disk.raw"

struct plan {
    const struct firn_capture *request;
    const char *bitmap; /* the meta context to go by, or NULL */
    bool incremental;   /* only what changed is taken */
    const char *reason; /* why not, or NULL */
    uint64_t old_size;  /* of the parent's image; UINT64_MAX: not known */
};

/* The state is {"size":BYTES}: enough to notice an image that grew. */
static uint64_t parent_size(const struct firn_capture *request)
{
    static const char member[] = "\"size\":";
    const char *at = request->parent_state != NULL ? strstr(request->parent_state, member) : NULL;
    char *end;
    if (at == NULL)
        return UINT64_MAX;
    unsigned long long size = strtoull(at + sizeof(member) - 1, &end, 10);
    return end == at + sizeof(member) - 1 ? UINT64_MAX : size;
}

static void make_plan(struct image *image, const struct firn_capture *request, struct plan *plan)
{
    const char *bitmap = image_param(image, "bitmap");
    *plan = (struct plan){.request = request, .old_size = UINT64_MAX};
    if (request->parent_id == NULL) {
        plan->reason = "there is no parent to build on";
        return;
    }
    plan->old_size = parent_size(request);
    if (request->changed == NULL && bitmap == NULL) {
        plan->reason = "nothing tells what changed since the parent: everything was read";
        return;
    }
    if (plan->old_size == UINT64_MAX) {
        plan->reason = "the parent does not say how large the image was: everything was read";
        return;
    }
    plan->incremental = true;
    plan->bitmap = request->changed == NULL ? bitmap : NULL;
}

/* With a bitmap the whole image is walked: the input says what is the same. A bitmap need not know what lies beyond the end
 * of the parent's image. */
static void plan_walk(const struct plan *plan, struct input *input, struct walk *walk)
{
    input->known_end = plan->old_size;
    if (!plan->incremental || plan->bitmap != NULL)
        walk_all(walk, input);
    else
        walk_changed(walk, input, plan->request->changed, plan->request->changed_count,
                     plan->old_size < input->size ? plan->old_size : input->size);
}

/* ------------------------------------------------------------------------------------------------ transfer */

static int run_transfer(struct image *image, struct input *input, struct walk *walk,
                        struct firn_sink *sink, struct firn_object *object)
{
    struct transfer transfer = {.image = image, .sink = sink, .object = object, .walk = walk};
    image->host->progress(image->host, walk_length(walk), 0);
    image->host->step(image->host, "reading");
    transfer_begin(&transfer);
    int result = input->operations->transfer(input, &transfer);
    transfer_end(&transfer);
    return result;
}

static int take_object(struct image *image, const struct plan *plan, struct input *input,
                       struct firn_sink *sink)
{
    const struct firn_object_info info = {.size = sizeof(info),
                                          .kind = FIRN_OBJECT_VOLUME,
                                          .name = OBJECT,
                                          .media_type = MEDIA_TYPE,
                                          .length = input->size};
    struct firn_object *object;
    struct walk walk;
    if (sink->object_begin(sink, &info, &object) < 0)
        return -1;
    int result = plan->request->parent_id != NULL ? sink->object_parent(object) : 0;
    if (result == 0) {
        plan_walk(plan, input, &walk);
        result = run_transfer(image, input, &walk, sink, object);
        walk_free(&walk);
    }
    if (result < 0) {
        sink->object_abandon(object);
        return -1;
    }
    return sink->object_end(object);
}

/* ------------------------------------------------------------------------------------------------ outcome */

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Reasons, one after the other, divided by "; ". */
static char *join_reasons(const char *const *reasons, size_t count)
{
    char *text = image_printf("%s", "");
    for (size_t i = 0; i < count; i++) {
        if (reasons[i] == NULL)
            continue;
        char *longer = image_printf("%s%s%s", text, *text != '\0' ? "; " : "", reasons[i]);
        free(text);
        text = longer;
    }
    return text;
}

static int give_outcome(struct image *image, const struct plan *plan, struct input *input,
                        int64_t started, struct firn_sink *sink)
{
    const char *disturbed = input->operations->disturbed(input);
    bool quiesced =
        image_param_true(image, "quiesced") && disturbed == NULL && input->warning == NULL;
    const char *const reasons[] = {plan->reason, input->warning, disturbed,
                                   !quiesced && disturbed == NULL && input->warning == NULL
                                       ? "an image does not tell whether it is at rest"
                                       : NULL};
    char *reason = join_reasons(reasons, sizeof(reasons) / sizeof(reasons[0]));
    char *state = image_printf("{\"size\":%llu}", (unsigned long long)input->size);
    const struct firn_outcome outcome = {.size = sizeof(outcome),
                                         .consistency = quiesced ? FIRN_FILESYSTEM_CONSISTENT
                                                                 : FIRN_CRASH_CONSISTENT,
                                         .method = plan->incremental ? "incremental" : "full",
                                         .reason = *reason != '\0' ? reason : NULL,
                                         .point_in_time = started,
                                         .frozen = -1};
    if (disturbed != NULL || input->warning != NULL)
        image->host->log(image->host, FIRN_LOG_WARNING, "%s",
                         disturbed != NULL ? disturbed : input->warning);
    int result = sink->state(sink, state) < 0 ? -1 : sink->outcome(sink, &outcome);
    free(reason);
    free(state);
    return result;
}

int image_capture(struct image *image, const struct firn_capture *request, struct firn_sink *sink)
{
    struct plan plan;
    struct input *input;
    int64_t started = now();
    if (request->consistency == FIRN_CONSISTENCY_REQUIRED && !image_param_true(image, "quiesced"))
        return image_fail(image, FIRN_INVALID,
                          "an image cannot be frozen: stop what writes to it and set "
                          "image.quiesced=true, or do not require "
                          "consistency");
    make_plan(image, request, &plan);
    if (input_open(image, request->reference, plan.bitmap, &input) < 0)
        return -1;
    int result = take_object(image, &plan, input, sink);
    if (result == 0)
        result = give_outcome(image, &plan, input, started, sink);
    input_close(input);
    return result;
}
