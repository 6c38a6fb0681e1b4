/* SPDX-License-Identifier: Apache-2.0 */
#include "error.h"

#include "mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void set_take(struct firn_error **err, enum firn_code code, char *message)
{
    if (err == NULL) {
        free(message);
        return;
    }
    error_clear(err);
    *err = mem_alloc(sizeof(**err));
    **err = (struct firn_error){.code = code, .message = message};
}

void error_set(struct firn_error **err, enum firn_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *message = mem_vprintf(format, arguments);
    va_end(arguments);
    set_take(err, code, message);
}

static enum firn_code code_of_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return FIRN_NOTFOUND;
    case EEXIST:
    case EBUSY:
        return FIRN_CONFLICT;
    case EACCES:
    case EPERM:
    case EROFS:
        return FIRN_DENIED;
    case EAGAIN:
    case ETIMEDOUT:
    case ECONNREFUSED:
    case ECONNRESET:
        return FIRN_RETRY;
    case ECANCELED:
        return FIRN_CANCELLED;
    case EINVAL:
    case EISDIR:
    case ENAMETOOLONG:
        return FIRN_INVALID;
    default:
        return FIRN_INTERNAL;
    }
}

void error_set_errno(struct firn_error **err, const char *format, ...)
{
    int number = errno;
    va_list arguments;
    va_start(arguments, format);
    auto_free char *what = mem_vprintf(format, arguments);
    va_end(arguments);
    char text[128];
    set_take(err, code_of_errno(number),
             mem_printf("%s: %s", what, strerror_r(number, text, sizeof(text))));
}

void error_wrap(struct firn_error **err, const char *format, ...)
{
    if (err == NULL || *err == NULL)
        return;
    va_list arguments;
    va_start(arguments, format);
    auto_free char *context = mem_vprintf(format, arguments);
    va_end(arguments);
    char *message = mem_printf("%s: %s", context, (*err)->message);
    free((*err)->message);
    (*err)->message = message;
}

void error_clear(struct firn_error **err)
{
    if (err == NULL || *err == NULL)
        return;
    free((*err)->message);
    free(*err);
    *err = NULL;
}

enum firn_code error_code(const struct firn_error *err)
{
    return err == NULL ? (enum firn_code)0 : err->code;
}

const char *error_message(const struct firn_error *err)
{
    return err == NULL ? "no error" : err->message;
}

const char *error_code_name(enum firn_code code)
{
    switch (code) {
    case FIRN_NOTFOUND:
        return "NOTFOUND";
    case FIRN_CONFLICT:
        return "CONFLICT";
    case FIRN_DENIED:
        return "DENIED";
    case FIRN_RETRY:
        return "RETRY";
    case FIRN_CORRUPT:
        return "CORRUPT";
    case FIRN_CANCELLED:
        return "CANCELLED";
    case FIRN_INVALID:
        return "INVALID";
    case FIRN_INTERNAL:
        return "INTERNAL";
    }
    return "OK";
}
