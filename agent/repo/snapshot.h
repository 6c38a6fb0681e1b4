/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots: one small object each, written last. In the clear: repository, id, and the packs it
 * relies on directly (whose own references, for meta packs, name the rest). Sealed under the index
 * key: everything else, as JSON.
 */
#ifndef REPO_SNAPSHOT_H
#define REPO_SNAPSHOT_H

#include <firn/plugin.h>

#include "format.h"
#include "map.h"

#include <stddef.h>
#include <stdint.h>

struct buf;
struct firn_error;
struct json_object;
struct repo;

#define SNAPSHOT_MAX (256u * 1024u * 1024u) /* bytes of its object, and of its body */

struct snapshot_object {
    enum firn_object_kind kind;
    char *name;
    char *media_type;
    uint64_t length;
    char *digest; /* of a stream, "sha256:HEX"; else NULL */
    struct map map;
};

/* The snapshot that was taken first: of a copy it lies in another repository. All zero: none. */
struct snapshot_origin {
    uint8_t repository[FORMAT_ID_LENGTH];
    uint8_t snapshot[FORMAT_ID_LENGTH];
};

struct snapshot {
    uint8_t id[FORMAT_ID_LENGTH];
    char id_text[FORMAT_ID_TEXT];
    char *item;     /* SOURCE: "libvirt:web01" */
    char *hostname; /* where the capture ran */
    char **tags;
    size_t tag_count;
    int64_t started; /* ms since 1970 */
    int64_t committed;
    int64_t deadline;                 /* by the store's clock: had to be there by then (gate.h) */
    int64_t modified;                 /* what the store says when it was put */
    uint8_t parent[FORMAT_ID_LENGTH]; /* zero: none */
    struct snapshot_origin origin;    /* zero: it was taken for this repository */
    char *state;                      /* JSON left by the plugin, or NULL */
    char *version;                    /* of the Firn that made it */
    /* the outcome */
    enum firn_consistency consistency;
    char *method;
    char *reason; /* or NULL */
    int64_t point_in_time;
    int64_t frozen; /* ms; -1: never frozen */
    /* figures of the run */
    uint64_t bytes_total, bytes_read, bytes_zero, bytes_new, bytes_changed, bytes_stored;
    uint32_t packs;
    /* until when nothing that it relies on can be removed (protection.h), by the store's clock; 0: it is not protected */
    int64_t protected_until;
    struct snapshot_object *objects;
    size_t object_count;
};

struct snapshot *snapshot_new(const char *item);
void snapshot_free(struct snapshot *snapshot);             /* NULL is fine */
void snapshot_object_free(struct snapshot_object *object); /* what it holds, not itself */
#define auto_snapshot __attribute__((cleanup(snapshot_free_pointer)))
void snapshot_free_pointer(struct snapshot **snapshot);
/* A new snapshot that says of itself what another one, of this repository, does; but for its objects, its parent and the figures
 * of the run. It is a copy of that. */
struct snapshot *snapshot_describe(const struct repo *repo, const struct snapshot *snapshot);
/* The object of that name, or NULL. Borrowed. */
const struct snapshot_object *snapshot_object(const struct snapshot *snapshot, const char *name);
/* Whether it came later than its deadline. Then a collector may have missed it, or it was copied here: it is to be relied on
 * only if snapshot_stands(). */
bool snapshot_is_late(const struct snapshot *snapshot);
bool snapshot_has_parent(const struct snapshot *snapshot);
bool snapshot_has_tag(const struct snapshot *snapshot, const char *tag);
bool snapshot_is_copy(const struct snapshot *snapshot);
/* Its origin, or, if it is no copy, itself. */
struct snapshot_origin snapshot_origin_of(const struct repo *repo, const struct snapshot *snapshot);
/* How many units a volume has. */
uint64_t snapshot_object_units(const struct snapshot_object *object);

/* Writes it: the commit point. Fills in id, deadline and modified. committed: now, if it is not later than that already; a copy
 * keeps its own. RETRY: packs that it relies on were collected meanwhile, or it landed too late. */
int snapshot_write(struct repo *repo, struct snapshot *snapshot, struct firn_error **err);
/* By id. NOTFOUND, CORRUPT. */
int snapshot_read(struct repo *repo, const uint8_t id[FORMAT_ID_LENGTH], struct snapshot **out,
                  struct firn_error **err);
/* The two halves of reading one that was listed with its length: the object's bytes, appended; and what they say (CORRUPT), all
 * but `modified`. */
int snapshot_fetch(struct repo *repo, const uint8_t id[FORMAT_ID_LENGTH], uint64_t length,
                   struct buf *bytes, struct firn_error **err);
int snapshot_decode(struct repo *repo, const uint8_t id[FORMAT_ID_LENGTH], const struct buf *bytes,
                    struct snapshot **out, struct firn_error **err);
/* All snapshots, oldest first. One that cannot be read is passed to `damaged` (may be NULL: then it is an error). What the
 * repository's cache holds is not read from the store. */
typedef void snapshot_damaged(void *context, const char *name, const struct firn_error *why);
/* For callers that look for the others: passes over damaged ones without a word. */
void snapshot_skip_damaged(void *context, const char *name, const struct firn_error *why);
int snapshot_list(struct repo *repo, snapshot_damaged *damaged, void *context,
                  struct snapshot ***out, size_t *count, struct firn_error **err);
/* Takes out of the list, and frees, those that landed too late and are not whole (snapshot_stands()); each is passed to `late`. */
int snapshot_sift(struct repo *repo, struct snapshot **list, size_t *count, snapshot_damaged *late,
                  void *context, struct firn_error **err);
void snapshot_list_free(struct snapshot **snapshots, size_t count);
/* The newest snapshot of the item (NULL: of all) that can be relied on; *out NULL: there is none. damaged: as above. */
int snapshot_latest(struct repo *repo, const char *item, snapshot_damaged *damaged, void *context,
                    struct snapshot **out, struct firn_error **err);
/* "latest", "latest:SOURCE", a full id or a unique prefix of at least 4 digits. NOTFOUND; CONFLICT
 * names the candidates of an ambiguous prefix. */
int snapshot_resolve(struct repo *repo, const char *text, struct snapshot **out,
                     struct firn_error **err);
/* CORRUPT, naming it, if a pack that the snapshot relies on is missing or being collected, or what states that is damaged. Reads
 * no contents and no maps: cheap enough for every parent. The repository's packs were listed. */
int snapshot_check_whole(struct repo *repo, const struct snapshot *snapshot,
                         struct firn_error **err);
/* The same for its maps, all of which are read. */
int snapshot_check_maps(struct repo *repo, const struct snapshot *snapshot,
                        struct firn_error **err);
/* 1: it was in time, or all that it relies on is there. 0: it was late, and is not whole; *err says what is missing, if err is
 * given. -1. *looked, false before the first of several, keeps the later ones from listing packs and records again. */
int snapshot_stands(struct repo *repo, const struct snapshot *snapshot, bool *looked,
                    struct firn_error **err);
int snapshot_remove(struct repo *repo, const uint8_t id[FORMAT_ID_LENGTH], struct firn_error **err);
/* The packs that a stored snapshot states in the clear: needs no key. *out: count ids in a row, free() it. */
int snapshot_references(struct repo *repo, const uint8_t id[FORMAT_ID_LENGTH],
                        uint8_t (**out)[FORMAT_ID_LENGTH], size_t *count, struct firn_error **err);
/* Everything about it for a reader: what `firn show -o json` prints. */
struct json_object *snapshot_to_json(const struct snapshot *snapshot);
/* "filesystem-consistent" …; "volume" … Static. */
const char *snapshot_consistency_name(enum firn_consistency consistency);
const char *snapshot_kind_name(enum firn_object_kind kind);

#endif
