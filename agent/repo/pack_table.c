/* SPDX-License-Identifier: Apache-2.0 */
#include "pack_table.h"

#include "crypt.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"
#include "store/store.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#define PACKS_MOST     (1u << 24)
#define PLACES_LEAST   1024u
#define NAME_PREFIX    "packs/"
#define DAMAGED_PREFIX "damaged/"

enum { PRESENT = 1, DAMAGED = 2 };

struct pack_table {
    pthread_mutex_t mutex;
    uint64_t seed[2];
    uint8_t (*ids)[FORMAT_ID_LENGTH]; /* by number */
    uint8_t *states;                  /* by number: PRESENT, DAMAGED */
    uint32_t count;
    uint32_t capacity;    /* of ids and states */
    uint32_t *places;     /* open addressing, linear: number + 1, or 0 */
    uint32_t place_count; /* a power of two, more than 4/3 of count */
};

struct pack_table *pack_table_new(void)
{
    struct pack_table *table = mem_zalloc(sizeof(*table));
    pthread_mutex_init(&table->mutex, NULL);
    crypt_random(table->seed, sizeof(table->seed));
    table->place_count = PLACES_LEAST;
    table->places = mem_array(table->place_count, sizeof(*table->places));
    return table;
}

void pack_table_free(struct pack_table *table)
{
    if (table == NULL)
        return;
    pthread_mutex_destroy(&table->mutex);
    free(table->ids);
    free(table->states);
    free(table->places);
    free(table);
}

/* Ids are random, unless a hostile store chose them: seeded, so that it cannot make them collide. */
static uint32_t *place_of(const struct pack_table *table, const uint8_t id[FORMAT_ID_LENGTH])
{
    uint64_t half[2];
    memcpy(half, id, sizeof(half));
    unsigned __int128 product =
        (unsigned __int128)(half[0] ^ table->seed[0]) * (half[1] ^ table->seed[1]);
    uint32_t mask = table->place_count - 1;
    uint32_t at = (uint32_t)(product ^ (product >> 64)) & mask;
    while (table->places[at] != 0 &&
           memcmp(table->ids[table->places[at] - 1], id, FORMAT_ID_LENGTH) != 0)
        at = (at + 1) & mask;
    return &table->places[at];
}

static void grow_places(struct pack_table *table)
{
    free(table->places);
    table->place_count *= 2;
    table->places = mem_array(table->place_count, sizeof(*table->places));
    for (uint32_t number = 0; number < table->count; number++)
        *place_of(table, table->ids[number]) = number + 1;
}

static void append(struct pack_table *table, const uint8_t id[FORMAT_ID_LENGTH])
{
    if (table->count == table->capacity) {
        table->capacity =
            table->capacity == 0 ? PLACES_LEAST : table->capacity + table->capacity / 2;
        table->ids = mem_resize(table->ids, table->capacity, sizeof(*table->ids));
        table->states = mem_resize(table->states, table->capacity, sizeof(*table->states));
    }
    memcpy(table->ids[table->count], id, FORMAT_ID_LENGTH);
    table->states[table->count] = 0;
    table->count++;
}

static int number_of(struct pack_table *table, const uint8_t id[FORMAT_ID_LENGTH], uint32_t *number,
                     struct firn_error **err)
{
    uint32_t *place = place_of(table, id);
    if (*place != 0) {
        *number = *place - 1;
        return 0;
    }
    if (table->count >= PACKS_MOST)
        return fail(err, FIRN_INTERNAL,
                    "more than %u packs: this version cannot handle a repository so large",
                    PACKS_MOST);
    *number = table->count;
    *place = table->count + 1;
    append(table, id);
    if (table->count > table->place_count / 4 * 3)
        grow_places(table);
    return 0;
}

int pack_table_number(struct pack_table *table, const uint8_t id[FORMAT_ID_LENGTH],
                      uint32_t *number, struct firn_error **err)
{
    pthread_mutex_lock(&table->mutex);
    int result = number_of(table, id, number, err);
    pthread_mutex_unlock(&table->mutex);
    return result;
}

bool pack_table_find(struct pack_table *table, const uint8_t id[FORMAT_ID_LENGTH], uint32_t *number)
{
    pthread_mutex_lock(&table->mutex);
    uint32_t place = *place_of(table, id);
    pthread_mutex_unlock(&table->mutex);
    *number = place - 1;
    return place != 0;
}

void pack_table_id(struct pack_table *table, uint32_t number, uint8_t id[FORMAT_ID_LENGTH])
{
    pthread_mutex_lock(&table->mutex);
    assert(number < table->count);
    memcpy(id, table->ids[number], FORMAT_ID_LENGTH);
    pthread_mutex_unlock(&table->mutex);
}

uint32_t pack_table_count(struct pack_table *table)
{
    pthread_mutex_lock(&table->mutex);
    uint32_t count = table->count;
    pthread_mutex_unlock(&table->mutex);
    return count;
}

static void set_state(struct pack_table *table, uint32_t number, uint8_t state)
{
    pthread_mutex_lock(&table->mutex);
    assert(number < table->count);
    table->states[number] |= state;
    pthread_mutex_unlock(&table->mutex);
}

static uint8_t state_of(struct pack_table *table, uint32_t number)
{
    pthread_mutex_lock(&table->mutex);
    assert(number < table->count);
    uint8_t state = table->states[number];
    pthread_mutex_unlock(&table->mutex);
    return state;
}

void pack_table_set_present(struct pack_table *table, uint32_t number)
{
    set_state(table, number, PRESENT);
}

bool pack_table_present(struct pack_table *table, uint32_t number)
{
    return state_of(table, number) == PRESENT;
}

void pack_table_set_damaged(struct pack_table *table, uint32_t number)
{
    set_state(table, number, DAMAGED);
}

bool pack_table_damaged(struct pack_table *table, uint32_t number)
{
    return (state_of(table, number) & DAMAGED) != 0;
}

uint32_t pack_table_damaged_count(struct pack_table *table)
{
    uint32_t count = 0;
    pthread_mutex_lock(&table->mutex);
    for (uint32_t number = 0; number < table->count; number++)
        count += (table->states[number] & DAMAGED) != 0;
    pthread_mutex_unlock(&table->mutex);
    return count;
}

bool pack_name_parse(const char *name, uint8_t id[FORMAT_ID_LENGTH])
{
    char right[PACK_NAME_LENGTH];
    const char *slash = strrchr(name, '/');
    if (slash == NULL || !hex_decode(slash + 1, id, FORMAT_ID_LENGTH))
        return false;
    pack_name(id, right);
    return strcmp(right, name) == 0;
}

static int mark_listed(void *context, const struct store_entry *entry, struct firn_error **err)
{
    struct pack_table *table = context;
    uint8_t id[FORMAT_ID_LENGTH];
    uint32_t number;
    if (!pack_name_parse(entry->name, id))
        return 0;
    if (pack_table_number(table, id, &number, err) < 0)
        return -1;
    pack_table_set_present(table, number);
    return 0;
}

static int mark_damaged(void *context, const struct store_entry *entry, struct firn_error **err)
{
    struct pack_table *table = context;
    uint8_t id[FORMAT_ID_LENGTH];
    uint32_t number;
    if (!hex_decode(entry->name + sizeof(DAMAGED_PREFIX) - 1, id, FORMAT_ID_LENGTH))
        return 0;
    if (pack_table_number(table, id, &number, err) < 0)
        return -1;
    pack_table_set_damaged(table, number);
    return 0;
}

int pack_table_list(struct pack_table *table, struct store *store, struct firn_error **err)
{
    if (store_list(store, DAMAGED_PREFIX, mark_damaged, table, err) < 0)
        return wrap(err, "list the damaged packs");
    if (store_list(store, NAME_PREFIX, mark_listed, table, err) < 0)
        return wrap(err, "list the packs");
    return 0;
}

void pack_name(const uint8_t id[FORMAT_ID_LENGTH], char out[PACK_NAME_LENGTH])
{
    char *at = out;
    memcpy(at, NAME_PREFIX, sizeof(NAME_PREFIX) - 1);
    at += sizeof(NAME_PREFIX) - 1;
    hex_encode(id, 1, at);
    at[2] = '/';
    hex_encode(id, FORMAT_ID_LENGTH, at + 3);
}
