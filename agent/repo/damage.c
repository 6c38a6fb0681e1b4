/* SPDX-License-Identifier: Apache-2.0 */
#include "damage.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"
#include "pack_table.h"
#include "repo.h"
#include "store/store.h"

#include <pthread.h>
#include <string.h>

#define NAME_LENGTH (8 + FORMAT_ID_TEXT) /* "damaged/…" */
#define RECORD_MAX  (1024u * 1024u)

struct damage {
    pthread_mutex_t lock;
    struct damaged_pack *packs;
    size_t count;
    uint32_t *places; /* by pack number: place in packs + 1 */
    uint32_t place_count;
};

struct damage *damage_new(void)
{
    struct damage *damage = mem_zalloc(sizeof(*damage));
    pthread_mutex_init(&damage->lock, NULL);
    return damage;
}

void damage_free(struct damage *damage)
{
    if (damage == NULL)
        return;
    for (size_t i = 0; i < damage->count; i++) {
        free(damage->packs[i].frames);
        free(damage->packs[i].what);
    }
    free(damage->packs);
    free(damage->places);
    pthread_mutex_destroy(&damage->lock);
    free(damage);
}

/* The entry of the pack, a new one if it has none; the lock is held. */
static struct damaged_pack *entry_of(struct damage *damage, uint32_t pack, const char *what)
{
    if (pack >= damage->place_count) {
        uint32_t count = pack + 1 + pack / 2 + 64;
        damage->places = mem_resize(damage->places, count, sizeof(*damage->places));
        memset(damage->places + damage->place_count, 0,
               (count - damage->place_count) * sizeof(*damage->places));
        damage->place_count = count;
    }
    if (damage->places[pack] == 0) {
        damage->packs = mem_resize(damage->packs, damage->count + 1, sizeof(*damage->packs));
        damage->packs[damage->count++] =
            (struct damaged_pack){.pack = pack, .what = mem_strdup(what)};
        damage->places[pack] = (uint32_t)damage->count;
    }
    return &damage->packs[damage->places[pack] - 1];
}

void damage_add_whole(struct damage *damage, uint32_t pack, const char *what)
{
    pthread_mutex_lock(&damage->lock);
    entry_of(damage, pack, what)->whole = true;
    pthread_mutex_unlock(&damage->lock);
}

void damage_add_spare(struct damage *damage, uint32_t pack, const char *what)
{
    pthread_mutex_lock(&damage->lock);
    (void)entry_of(damage, pack, what);
    pthread_mutex_unlock(&damage->lock);
}

void damage_add_frame(struct damage *damage, uint32_t pack, uint32_t frame, const char *what)
{
    pthread_mutex_lock(&damage->lock);
    struct damaged_pack *entry = entry_of(damage, pack, what);
    entry->frames = mem_resize(entry->frames, entry->frame_count + 1, sizeof(*entry->frames));
    entry->frames[entry->frame_count++] = frame;
    pthread_mutex_unlock(&damage->lock);
}

size_t damage_count(const struct damage *damage)
{
    return damage->count;
}

const struct damaged_pack *damage_at(const struct damage *damage, size_t number)
{
    return &damage->packs[number];
}

const struct damaged_pack *damage_find(const struct damage *damage, uint32_t pack)
{
    if (pack >= damage->place_count || damage->places[pack] == 0)
        return NULL;
    return &damage->packs[damage->places[pack] - 1];
}

static int by_number(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

bool damaged_pack_lost(const struct damaged_pack *pack, uint32_t frame)
{
    return pack->whole ||
           bsearch(&frame, pack->frames, pack->frame_count, sizeof(frame), by_number) != NULL;
}

/* ------------------------------------------------------------------------------------------------ records */

static void record_name(struct repo *repo, uint32_t pack, char out[NAME_LENGTH])
{
    uint8_t id[FORMAT_ID_LENGTH];
    pack_table_id(repo->packs, pack, id);
    memcpy(out, "damaged/", 8);
    hex_encode(id, FORMAT_ID_LENGTH, out + 8);
}

static struct json_object *record_of(struct repo *repo, const struct damaged_pack *pack,
                                     const char *id)
{
    struct json_object *record = json_object_new_object();
    char now[CLOCK_TEXT_LENGTH];
    clock_format(clock_now(), now);
    json_set_int(record, "firn", FORMAT_VERSION);
    json_set_string(record, "repository", repo->id_text);
    json_set_string(record, "pack", id);
    json_set_string(record, "found", now);
    json_set_string(record, "what", pack->what);
    return record;
}

int damage_write(struct repo *repo, const struct damaged_pack *pack, struct firn_error **err)
{
    char name[NAME_LENGTH];
    auto_error struct firn_error *why = NULL;
    auto_buf struct buf text = buf_new(RECORD_MAX);
    record_name(repo, pack->pack, name);
    auto_json struct json_object *record = record_of(repo, pack, name + 8);
    json_write(&text, record);
    if (buf_check(&text, name, err) < 0)
        return -1;
    pack_table_set_damaged(repo->packs, pack->pack);
    if (store_put(repo->store, name, text.data, text.length, &why) == 0 ||
        error_code(why) == FIRN_CONFLICT)
        return 0;
    return fail(err, error_code(why), "%s", error_message(why));
}

int damage_forget(struct repo *repo, uint32_t pack, struct firn_error **err)
{
    char name[NAME_LENGTH];
    record_name(repo, pack, name);
    return store_remove(repo->store, name, err);
}
