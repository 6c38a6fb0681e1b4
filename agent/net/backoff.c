/* SPDX-License-Identifier: Apache-2.0 */
#include "backoff.h"

#include "http.h"

#include "core/cancel.h"
#include "core/clock.h"
#include "core/error.h"

#include <sys/random.h>

#define PAUSE_FIRST 250
#define PAUSE_MOST  30000
#define PAUSE_SLICE 100

int64_t backoff_pause(uint32_t attempt, int64_t asked)
{
    int64_t longest = attempt < 8 ? (int64_t)PAUSE_FIRST << attempt : PAUSE_MOST;
    uint32_t random = 0;
    if (longest > PAUSE_MOST)
        longest = PAUSE_MOST;
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        random = 0;
    int64_t pause = longest / 2 + random % (longest / 2 + 1);
    return pause > asked ? pause : asked + random % PAUSE_FIRST;
}

static int look_around(const struct http_terms *terms, struct firn_error **err)
{
    if (terms != NULL && terms->stopped != NULL && terms->stopped(terms->context))
        return fail(err, FIRN_CANCELLED, "stopped by the caller");
    return cancel_check(err);
}

int backoff_wait(int64_t pause, const struct http_terms *terms, struct firn_error **err)
{
    int64_t until = clock_monotonic() + pause;
    for (int64_t left = pause; left > 0; left = until - clock_monotonic()) {
        if (look_around(terms, err) < 0)
            return -1;
        clock_sleep(left < PAUSE_SLICE ? left : PAUSE_SLICE);
    }
    return look_around(terms, err);
}
