/* SPDX-License-Identifier: Apache-2.0 */
#include "mem.h"

#include "error.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE (2u * 1024u * 1024u)

static void *or_abort(void *memory)
{
    if (memory == NULL) {
        fputs("firn: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *mem_alloc(size_t size)
{
    return or_abort(malloc(size == 0 ? 1 : size));
}

void *mem_zalloc(size_t size)
{
    return or_abort(calloc(1, size == 0 ? 1 : size));
}

void *mem_array(size_t count, size_t size)
{
    return or_abort(calloc(count == 0 ? 1 : count, size));
}

void *mem_resize(void *memory, size_t count, size_t size)
{
    return or_abort(reallocarray(memory, count == 0 ? 1 : count, size));
}

char *mem_strdup(const char *text)
{
    return text == NULL ? NULL : or_abort(strdup(text));
}

void *mem_dup(const void *data, size_t length)
{
    char *copy = mem_alloc(length + 1);
    if (length > 0)
        memcpy(copy, data, length);
    copy[length] = '\0';
    return copy;
}

char *mem_vprintf(const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    return or_abort(text);
}

char *mem_printf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = mem_vprintf(format, arguments);
    va_end(arguments);
    return text;
}

int mem_try(void **out, size_t count, size_t size, const char *what, struct firn_error **err)
{
    *out = calloc(count == 0 ? 1 : count, size == 0 ? 1 : size);
    if (*out == NULL)
        return fail(err, FIRN_INTERNAL, "no memory for %s (%zu × %zu bytes)", what, count, size);
    return 0;
}

/* With huge pages direct I/O pins, and the first touch clears, one page instead of 512. */
void *mem_aligned(size_t size)
{
    void *memory = NULL;
    bool huge = size >= HUGE_PAGE;
    if (posix_memalign(&memory, huge ? HUGE_PAGE : 4096, size) != 0)
        memory = NULL;
    if (memory != NULL && huge)
        madvise(memory, size - size % HUGE_PAGE, MADV_HUGEPAGE); /* only a wish */
    return or_abort(memory);
}

void mem_free_pointer(void *pointer_to_pointer)
{
    free(*(void **)pointer_to_pointer);
}
