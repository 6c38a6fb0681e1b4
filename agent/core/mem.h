/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory: allocation and ownership. Small allocations abort the process when there is no memory;
 * anything whose size comes from outside goes through mem_try, which returns an error instead.
 */
#ifndef CORE_MEM_H
#define CORE_MEM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

struct firn_error;

/* Frees the variable's pointer when it leaves its scope. */
#define auto_free __attribute__((cleanup(mem_free_pointer)))

/* Takes the pointer out of a variable, so that its cleanup attribute has nothing left to do. */
#define steal(pointer)                                                                             \
    ({                                                                                             \
        __typeof__(pointer) steal_taken = (pointer);                                               \
        (pointer) = NULL;                                                                          \
        steal_taken;                                                                               \
    })

#define array_length(array) (sizeof(array) / sizeof((array)[0]))

void *mem_alloc(size_t size);               /* uninitialised; aborts */
void *mem_zalloc(size_t size);              /* zeroed; aborts */
void *mem_array(size_t count, size_t size); /* zeroed count × size; aborts, also on overflow */
void *mem_resize(void *memory, size_t count, size_t size); /* realloc to count × size; aborts */
char *mem_strdup(const char *text);                        /* NULL stays NULL */
void *mem_dup(const void *data, size_t length);            /* a copy, with a NUL byte behind it */
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *mem_vprintf(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

/* count × size zeroed bytes for a size that comes from outside; `what` names it in the error (INTERNAL). */
int mem_try(void **out, size_t count, size_t size, const char *what, struct firn_error **err);
/* Memory aligned to 4096 for direct I/O; freed with free(). Aborts. */
void *mem_aligned(size_t size);

void mem_free_pointer(void *pointer_to_pointer);

#endif
