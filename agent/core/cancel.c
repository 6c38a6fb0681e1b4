/* SPDX-License-Identifier: Apache-2.0 */
#include "cancel.h"

#include "error.h"

#include <stdatomic.h>

static atomic_bool requested;
_Static_assert(ATOMIC_BOOL_LOCK_FREE == 2, "a signal handler may touch lock-free atomics only");

void cancel_request(void)
{
    atomic_store(&requested, true);
}

bool cancel_requested(void)
{
    return atomic_load_explicit(&requested, memory_order_relaxed);
}

int cancel_check(struct firn_error **err)
{
    if (cancel_requested())
        return fail(err, FIRN_CANCELLED, "stopped on request");
    return 0;
}
