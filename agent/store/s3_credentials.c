/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credentials in use, and their renewal: before they end, by the first request that finds it due; or after the server
 * said that they have ended, by one of the requests that were told, while the others wait for it.
 */
#include "s3.h"

#include "core/clock.h"
#include "core/error.h"
#include "core/log.h"
#include "core/mem.h"

#define RENEW_BEFORE 300000 /* ms before the end; of short ones a quarter of their life */
#define RENEW_AGAIN  30000  /* after a failure */

/* Until when they serve, by our own monotonic clock: 0: nobody knows. The mutex is held. */
static void plan_renewal(struct s3 *s3)
{
    int64_t left = s3->credentials.expires - clock_now() - atomic_load(&s3->skew);
    int64_t before = left / 4 < RENEW_BEFORE ? left / 4 : RENEW_BEFORE;
    s3->renew_at =
        s3->credentials.expires == 0 || left <= 0 ? 0 : clock_monotonic() + left - before;
}

static int load(struct s3 *s3, struct credentials *out, struct firn_error **err)
{
    struct credential_search search = {
        .http = s3->http,
        .profile = s3->location.profile,
        .region = s3->location.region,
        .ca_file = s3->location.ca_file,
        .skew = atomic_load(&s3->skew),
    };
    return credentials_load(&search, out, err);
}

int s3_credentials_begin(struct s3 *s3, struct firn_error **err)
{
    if (load(s3, &s3->credentials, err) < 0)
        return -1;
    plan_renewal(s3);
    return 0;
}

/* The mutex is held, but for the time that it takes. */
static void renew(struct s3 *s3)
{
    struct credentials fresh;
    auto_error struct firn_error *why = NULL;
    s3->renewing = true;
    pthread_mutex_unlock(&s3->mutex);
    int result = load(s3, &fresh, &why);
    pthread_mutex_lock(&s3->mutex);
    if (result == 0) {
        credentials_wipe(&s3->credentials);
        s3->credentials = fresh;
        plan_renewal(s3);
    } else {
        log_warning("the credentials for S3 cannot be renewed: %s", error_message(why));
        s3->renew_at = clock_monotonic() + RENEW_AGAIN;
    }
    s3->renewing = false;
    pthread_cond_broadcast(&s3->renewed);
}

void s3_credentials_take(struct s3 *s3, struct credentials *out)
{
    pthread_mutex_lock(&s3->mutex);
    if (s3->renew_at != 0 && clock_monotonic() >= s3->renew_at && !s3->renewing)
        renew(s3);
    credentials_copy(out, &s3->credentials);
    pthread_mutex_unlock(&s3->mutex);
}

bool s3_credentials_renew(struct s3 *s3, const struct credentials *used)
{
    pthread_mutex_lock(&s3->mutex);
    while (s3->renewing)
        pthread_cond_wait(&s3->renewed, &s3->mutex);
    if (credentials_equal(&s3->credentials, used))
        renew(s3);
    bool other = !credentials_equal(&s3->credentials, used);
    pthread_mutex_unlock(&s3->mutex);
    return other;
}
