/* SPDX-License-Identifier: Apache-2.0 */
#include "lane.h"

#include "core/error.h"
#include "core/mem.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define IDLE_LIMIT 32

struct lanes {
    pthread_mutex_t lock;
    CURLSH *share;
    pthread_mutex_t share_locks[CURL_LOCK_DATA_LAST];
    struct lane *idle; /* the one returned last comes first: its connections are the freshest */
    unsigned idle_count;
};

static void lock_share(CURL *easy, curl_lock_data data, curl_lock_access access, void *context)
{
    (void)easy;
    (void)access;
    struct lanes *lanes = context;
    pthread_mutex_lock(&lanes->share_locks[data]);
}

static void unlock_share(CURL *easy, curl_lock_data data, void *context)
{
    (void)easy;
    struct lanes *lanes = context;
    pthread_mutex_unlock(&lanes->share_locks[data]);
}

struct lanes *lanes_new(void)
{
    struct lanes *lanes = mem_zalloc(sizeof(*lanes));
    pthread_mutex_init(&lanes->lock, NULL);
    for (size_t i = 0; i < array_length(lanes->share_locks); i++)
        pthread_mutex_init(&lanes->share_locks[i], NULL);
    lanes->share = curl_share_init();
    if (lanes->share == NULL)
        abort();
    curl_share_setopt(lanes->share, CURLSHOPT_USERDATA, lanes);
    curl_share_setopt(lanes->share, CURLSHOPT_LOCKFUNC, lock_share);
    curl_share_setopt(lanes->share, CURLSHOPT_UNLOCKFUNC, unlock_share);
    curl_share_setopt(lanes->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    curl_share_setopt(lanes->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    return lanes;
}

static void lane_free(struct lane *lane)
{
    curl_easy_cleanup(lane->easy);
    curl_multi_cleanup(lane->multi);
    free(lane->key);
    free(lane);
}

void lanes_free(struct lanes *lanes)
{
    if (lanes == NULL)
        return;
    while (lanes->idle != NULL) {
        struct lane *lane = lanes->idle;
        lanes->idle = lane->next;
        lane_free(lane);
    }
    curl_share_cleanup(lanes->share);
    for (size_t i = 0; i < array_length(lanes->share_locks); i++)
        pthread_mutex_destroy(&lanes->share_locks[i]);
    pthread_mutex_destroy(&lanes->lock);
    free(lanes);
}

/* The idle lane last used for key, else the one returned last; NULL if none is idle. */
static struct lane *take_idle(struct lanes *lanes, const char *key)
{
    struct lane **at = &lanes->idle;
    while (*at != NULL && strcmp((*at)->key, key) != 0)
        at = &(*at)->next;
    if (*at == NULL)
        at = &lanes->idle;
    struct lane *lane = *at;
    if (lane != NULL) {
        *at = lane->next;
        lanes->idle_count--;
    }
    return lane;
}

int lanes_borrow(struct lanes *lanes, const char *key, struct lane **out, struct firn_error **err)
{
    pthread_mutex_lock(&lanes->lock);
    struct lane *lane = take_idle(lanes, key);
    pthread_mutex_unlock(&lanes->lock);
    if (lane == NULL) {
        lane = mem_zalloc(sizeof(*lane));
        lane->multi = curl_multi_init();
        lane->easy = curl_easy_init();
    }
    if (lane->multi == NULL || lane->easy == NULL) {
        lane_free(lane);
        return fail(err, FIRN_INTERNAL, "no memory for a connection");
    }
    free(lane->key);
    lane->key = mem_strdup(key);
    curl_easy_setopt(lane->easy, CURLOPT_SHARE, lanes->share);
    *out = lane;
    return 0;
}

void lanes_return(struct lanes *lanes, struct lane *lane)
{
    curl_easy_reset(lane->easy);
    pthread_mutex_lock(&lanes->lock);
    bool keep = lanes->idle_count < IDLE_LIMIT;
    if (keep) {
        lane->next = lanes->idle;
        lanes->idle = lane;
        lanes->idle_count++;
    }
    pthread_mutex_unlock(&lanes->lock);
    if (!keep)
        lane_free(lane);
}
